/* Codes and plans of all documents: the encodings of the references' files are read and written back; a handful of
 * random architectures of each document keep their codes, costs and plans. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include "proto/base/hash.h"

#include <dirent.h>
#include <stdlib.h>

/* Published architectures in the words of the references' files, and how they become ours where they differ. */
TEST(codes_of_references)
{
    static const struct {
        const char *name, *code;
    } rows[] = {
        {"spos-shufflenetv2", "2,1,0,1,2,0,2,0,2,0,2,3,0,0,0,0,3,2,3,3"}, /* README of the reference: a list */
        {"pi-nas-resnest50", "3 0 1 3 2 3 1 2 0 3 2 1 3 0 3 2"},          /* its configuration files */
        {"nas-bench-macro", "22212202"},                                  /* keys of its JSON */
        {"channel-bench-mobilenet", "1111112"},                           /* keys of its JSON */
        {"bn-nas", "3,-1,0,4,0,-1,-1,0,4,-1,4,4,1,4,2,0,0,4,0,2,2"},      /* lists of its search scripts */
        {"nats-bench-sss", "64:64:56:64:24"},                             /* NATS-Bench's own text */
        {"bossnas-mbconv", "11 0110 0111 1100 0110"},                     /* its ranking files */
        {"bossnas-hytra", "5433 3230 0010 0000"},                         /* operators of its path lists */
        {"dna", "3x24:430 4x40:3340 4x80:2340 4x96:1441 5x160:14441 0"},  /* its lists, the cell before each */
        {"mixpath-nb101", "0+2:conv3x3,conv1x1,maxpool3x3,conv1x1"},      /* {path, op} */
        {"nats-bench-tss", "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"},
        /* resolution, widths, depths, kernels, expansions as AttentiveNAS's predictor reads them */
        {"attentive-nas", "192,16,16,24,32,64,112,192,216,1792,1,3,3,3,3,3,1,3,3,3,3,3,3,3,1,4,4,4,4,6,6"},
        /* ks, e, d and r of Once-for-All's net configurations */
        {"ofa-mbv3-w1.0",
         "5,3,3,3,5,3,3,3,7,7,3,3,5,5,7,3,3,3,5,3,3,3,3,3,4,4,3,3,6,3,4,3,4,4,4,3,6,6,6,3,2,2,3,4,3,192"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct space *s = spaces_open(rows[i].name);
        struct err err = {0};
        int choice[SPACE_MAX_DECISIONS];
        char code[SPACE_MAX_CODE];
        if (space_code_parse(s, rows[i].code, choice, &err))
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].name, err.text);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        if (strcmp(rows[i].name, "mixpath-nb101") != 0) /* nodes that are not there become their first option */
            space_normalise(s, choice);
        CHECK_STR(code, rows[i].code);
        space_free(s);
    }
}

/* One line an architecture: code, operators, MACs, parameters, hash of the plan's text. */
static void digest(const struct space *s, const char *code, FILE *out)
{
    struct arena a;
    struct plan p;
    struct cost c;
    struct err err;
    char *text = NULL;
    size_t len;
    arena_init(&a, 0);
    spaces_plan(&a, s, code, &p);
    CHECK(cost_plan(&p, &c, &err) == 0);
    FILE *mem = open_memstream(&text, &len);
    plan_print(&p, mem);
    fclose(mem);
    struct hash128 h = hash128(text, len);
    fprintf(out, "%d ops, %lld MACs, %lld parameters, %016llx: %s\n", p.nnodes, (long long)c.conv_macs,
            (long long)c.params, (unsigned long long)h.hi, code);
    free(text);
    arena_clear(&a);
}

enum { HANDFUL = 6 };

static void digests(const char *name, FILE *out)
{
    struct space *s = spaces_open(name);
    struct rng r;
    int choice[SPACE_MAX_DECISIONS], n = space_ndecisions(s) ? HANDFUL : 1;
    rng_seed(&r, 11, 0);
    fprintf(out, "== %s\n", name);
    for (int i = 0; i < n; i++) {
        char code[SPACE_MAX_CODE];
        struct err err;
        space_sample(s, &r, choice);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        digest(s, code, out);
    }
    space_free(s);
}

static int is_json(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0;
}

static void check_line(const char *want, const char *got, int line)
{
    size_t n = strcspn(want, "\n"), m = strcspn(got, "\n");
    if (n != m || memcmp(want, got, n) != 0)
        test_fail(__FILE__, __LINE__, "line %d of digests.txt is \"%.*s\", now \"%.*s\"", line, (int)n, want, (int)m,
                  got);
}

/* tests/golden/plans/digests.txt; SUBRANK_GOLDEN=write writes it. */
TEST(codes_digests)
{
    static const char path[] = "tests/golden/plans/digests.txt";
    static char want[1 << 18];
    struct dirent **files;
    char *got = NULL;
    size_t len;
    FILE *mem = open_memstream(&got, &len);
    int n = scandir("proto/spaces", &files, is_json, alphasort);
    CHECK(n > 30);
    for (int i = 0; i < n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strlen(files[i]->d_name) - 5, files[i]->d_name);
        digests(name, mem);
        free(files[i]);
    }
    free(files);
    fclose(mem);
    FILE *f = fopen(path, getenv("SUBRANK_GOLDEN") ? "w+" : "r");
    CHECK(f != NULL);
    if (getenv("SUBRANK_GOLDEN")) {
        fwrite(got, 1, len, f);
        rewind(f);
    }
    want[fread(want, 1, sizeof want - 1, f)] = '\0';
    fclose(f);
    const char *w = want, *g = got;
    for (int line = 1; *w || *g; line++) {
        check_line(w, g, line);
        w += strcspn(w, "\n") + (*w != '\0');
        g += strcspn(g, "\n") + (*g != '\0');
    }
    free(got);
}
