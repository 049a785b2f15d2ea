#include "tests/unit/proto/spaces.h"

#include "tests/unit/test.h"

#include <stdlib.h>

static char *slurp(FILE *f, size_t *len)
{
    char *buf = NULL;
    size_t n = 0, got;
    do {
        buf = realloc(buf, n + 65536);
        got = fread(buf + n, 1, 65535, f);
        n += got;
    } while (got);
    buf[n] = '\0';
    *len = n;
    return buf;
}

static struct space *parse(const char *name, const char *text, size_t len)
{
    struct space *s;
    struct err err = {0};
    if (space_parse(text, len, &s, &err))
        test_fail(__FILE__, __LINE__, "%s: %s: %s", name, err.where, err.text);
    return s;
}

struct space *spaces_open(const char *name)
{
    char path[256];
    size_t len;
    snprintf(path, sizeof path, "proto/spaces/%s.json", name);
    FILE *f = fopen(path, "r");
    if (!f)
        test_fail(__FILE__, __LINE__, "%s is not there", path);
    char *text = slurp(f, &len);
    fclose(f);
    struct space *s = parse(name, text, len);
    free(text);
    return s;
}

struct space *spaces_doc(const char *text)
{
    return parse("document", text, strlen(text));
}

void spaces_bad(const char *text, const char *where, const char *said)
{
    struct space *s;
    struct err err = {0};
    if (space_parse(text, strlen(text), &s, &err) == 0)
        test_fail(__FILE__, __LINE__, "accepted: %s", text);
    if (strcmp(err.where, where) != 0 || !strstr(err.text, said))
        test_fail(__FILE__, __LINE__, "said \"%s\": \"%s\", want \"%s\": \"%s\"", err.where, err.text, where, said);
}

void spaces_plan(struct arena *a, const struct space *s, const char *code, struct plan *p)
{
    struct err err = {0};
    int choice[SPACE_MAX_DECISIONS];
    if (space_code_parse(s, code, choice, &err) || plan_build(a, s, choice, space_input(s), NULL, p, &err))
        test_fail(__FILE__, __LINE__, "%s %s: %s: %s", space_name(s), code, err.where, err.text);
}

struct cost spaces_cost(const struct space *s, const char *code)
{
    struct arena a;
    struct plan p;
    struct cost c;
    struct err err;
    arena_init(&a, 0);
    spaces_plan(&a, s, code, &p);
    CHECK(cost_plan(&p, &c, &err) == 0);
    arena_clear(&a);
    return c;
}

void spaces_golden(const struct space *s, const char *code, const char *file)
{
    struct arena a;
    struct plan p;
    char path[256], *got = NULL;
    size_t got_len, want_len;
    arena_init(&a, 0);
    spaces_plan(&a, s, code, &p);
    FILE *mem = open_memstream(&got, &got_len);
    plan_print(&p, mem);
    fclose(mem);
    snprintf(path, sizeof path, "tests/golden/plans/%s.txt", file);
    if (getenv("SUBRANK_GOLDEN")) {
        FILE *out = fopen(path, "w");
        fwrite(got, 1, got_len, out);
        fclose(out);
    }
    FILE *f = fopen(path, "r");
    if (!f)
        test_fail(__FILE__, __LINE__, "%s is not there", path);
    char *want = slurp(f, &want_len);
    fclose(f);
    if (want_len != got_len || memcmp(want, got, got_len) != 0)
        test_fail(__FILE__, __LINE__, "the plan of %s %s is not that of %s", space_name(s), code, path);
    free(want);
    free(got);
    arena_clear(&a);
}

/* A choice prints and parses back to itself, is canonical, its plan can be built inside the bounds, and what is active
 * is what the plan reads. */
static void round_trip(const struct space *s, const int *choice)
{
    struct err err = {0};
    int again[SPACE_MAX_DECISIONS];
    unsigned char active[SPACE_MAX_DECISIONS], read[SPACE_MAX_DECISIONS];
    size_t n = (size_t)space_ndecisions(s);
    char code[SPACE_MAX_CODE];
    struct arena a;
    struct plan p;
    struct cost c;
    CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
    CHECK(space_code_parse(s, code, again, &err) == 0);
    CHECK(memcmp(choice, again, n * sizeof *choice) == 0);
    space_normalise(s, again);
    CHECK(memcmp(choice, again, n * sizeof *choice) == 0);
    arena_init(&a, 0);
    CHECK(plan_build(&a, s, choice, space_input(s), read, &p, &err) == 0);
    space_active(s, choice, active);
    CHECK(memcmp(active, read, n) == 0);
    CHECK(cost_plan(&p, &c, &err) == 0);
    const struct space_bounds *b = space_bounds(s);
    CHECK(c.conv_macs >= b->conv_macs.min && c.conv_macs <= b->conv_macs.max);
    CHECK(c.params >= b->params.min && c.params <= b->params.max);
    arena_clear(&a);
}

void spaces_round_trips(const struct space *s)
{
    struct rng r;
    int a[SPACE_MAX_DECISIONS], b[SPACE_MAX_DECISIONS], child[SPACE_MAX_DECISIONS];
    rng_seed(&r, 5, 0);
    for (int i = 0; i < 10; i++) {
        space_sample(s, &r, a);
        space_sample(s, &r, b);
        round_trip(s, a);
        round_trip(s, b);
        space_mutate(s, &r, a, 0.3, child);
        round_trip(s, child);
        space_crossover(s, &r, a, b, child);
        round_trip(s, child);
    }
}

void spaces_document(const char *name, const char *architectures)
{
    struct space *s = spaces_open(name);
    CHECK_STR(space_architectures(s), architectures);
    CHECK_STR(space_name(s), name);
    spaces_round_trips(s);
    space_free(s);
}

FILE *spaces_shared(const char *file)
{
    const char *base = getenv("SUBRANK_SHARED");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", base ? base : "../shared", file);
    FILE *f = fopen(path, "r");
    if (!f) {
        char why[600];
        snprintf(why, sizeof why, "%s not found", path);
        test_skip(why);
    }
    return f;
}
