/* Strategies over a toy space: what they propose, their limits, and that a restart at any moment changes nothing. */
#include "server/search_space.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Six genes of four options; when gene 0 is 0, genes 1 and 2 are inactive (0). Option 3 of gene 5 makes the same plan
 * as option 2. MACs: 100 + sum of gene * weight; so 3 * 4^5 + 4^3 = 3136 codes, 2352 plans. */
enum { GENES = 6, OPTIONS = 4, CODES = 3136, PLANS = 2352 };

struct toy {
    long costs; /* how often it was asked to plan */
};

static void canonical(uint16_t *g)
{
    if (g[0] == 0)
        g[1] = g[2] = 0;
}

static int toy_mutate(void *ctx, struct rng *rng, double p, uint16_t *g, struct err *err)
{
    (void)ctx;
    (void)err;
    for (int i = 0; i < GENES; i++)
        if (rng_uniform(rng) < p)
            g[i] = (uint16_t)rng_below(rng, OPTIONS);
    canonical(g);
    return 0;
}

static int toy_crossover(void *ctx, struct rng *rng, const uint16_t *a, const uint16_t *b, uint16_t *out,
                         struct err *err)
{
    (void)ctx;
    (void)err;
    for (int i = 0; i < GENES; i++)
        out[i] = rng_below(rng, 2) ? a[i] : b[i];
    canonical(out);
    return 0;
}

static int toy_nth(void *ctx, uint64_t n, uint16_t *g, struct err *err)
{
    (void)ctx;
    (void)err;
    g[0] = n < 64 ? 0 : (uint16_t)(1 + (n - 64) / 1024);
    n = n < 64 ? n : (n - 64) % 1024;
    for (int i = GENES - 1; i > 0; i--, n /= OPTIONS)
        g[i] = (uint16_t)(n % OPTIONS);
    canonical(g);
    return 0;
}

static int toy_sample(void *ctx, struct rng *rng, uint16_t *g, struct err *err)
{
    return toy_nth(ctx, rng_below(rng, CODES), g, err);
}

static int toy_cost(void *ctx, const uint16_t *g, struct search_cost *out, struct err *err)
{
    (void)err;
    uint16_t plan[GENES];
    memcpy(plan, g, sizeof plan);
    plan[5] = plan[5] == 3 ? 2 : plan[5];
    ((struct toy *)ctx)->costs++;
    out->key = hash128(plan, sizeof plan);
    out->class_key = hash128(plan + 1, sizeof plan - sizeof *plan);
    out->macs = 100;
    for (int i = 0; i < GENES; i++)
        out->macs += (uint64_t)plan[i] * (uint64_t)(i + 1);
    out->params = out->macs * 2;
    return 0;
}

static int toy_parse(void *ctx, const char *code, uint16_t *g, struct err *err)
{
    (void)ctx;
    if (strlen(code) != GENES || strspn(code, "0123") != GENES)
        return err_set(err, ERR_INVALID, "", "\"%s\" is no code of this space", code);
    for (int i = 0; i < GENES; i++)
        g[i] = (uint16_t)(code[i] - '0');
    canonical(g);
    return 0;
}

static int toy_code(void *ctx, const uint16_t *g, char *out, size_t size, struct err *err)
{
    (void)ctx;
    (void)err;
    CHECK(size > GENES);
    for (int i = 0; i < GENES; i++)
        out[i] = (char)('0' + g[i]);
    out[GENES] = 0;
    return 0;
}

static struct search_space toy_space(struct toy *t)
{
    return (struct search_space){.ctx = t,
                                 .ngenes = GENES,
                                 .architectures = CODES,
                                 .macs_min = 100,
                                 .macs_max = 100 + 3 + 6 + 9 + 12 + 15 + 12,
                                 .params_min = 200,
                                 .params_max = 314,
                                 .sample = toy_sample,
                                 .mutate = toy_mutate,
                                 .crossover = toy_crossover,
                                 .nth = toy_nth,
                                 .cost = toy_cost,
                                 .parse = toy_parse,
                                 .code = toy_code};
}

static struct strategy *open_toy(struct toy *t, const char *json, const struct search_limits *limits, uint64_t seed)
{
    json_t *doc = json_loads(json, 0, NULL);
    struct search_space space = toy_space(t);
    struct strategy *s = NULL;
    struct err err = {0};
    CHECK(doc != NULL);
    if (search_open(doc, limits ? limits : &(struct search_limits){0}, seed, &space, &s, &err))
        test_fail(__FILE__, __LINE__, "%s: %s", err.where, err.text);
    json_decref(doc);
    return s;
}

static double fitness_of(const char *code) /* some landscape */
{
    struct hash128 h = hash128(code, GENES);
    double x = (double)(h.lo % 1000) / 4000;
    for (int i = 0; i < GENES; i++)
        x += (code[i] == '2' ? .1 : 0) + .01 * (code[i] - '0');
    return floor(1000 * x) / 1000;
}

struct record {
    struct search_proposal p;
    char code[GENES + 1];
    int told;
};

static int fails(const char *code)
{
    return hash128(code, GENES).hi % 29 == 0;
}

/* Runs a search to its end. chaos: results come in random order, asks in random pieces, and at random moments the
 * strategy is thrown away and rebuilt from the record. Returns how many proposals; v[] receives them. */
static uint32_t run(const char *json, const struct search_limits *limits, uint64_t seed, uint64_t chaos,
                    struct record *v, uint32_t room)
{
    struct toy t = {0};
    struct rng rng;
    struct err err = {0};
    struct strategy *s = open_toy(&t, json, limits, seed);
    rng_seed(&rng, chaos, 99);
    uint32_t n = 0, told = 0;
    while (!search_done(s) || told < n) {
        const struct search_proposal *got;
        size_t k = 0;
        int rc = search_ask(s, chaos ? 1 + rng_below(&rng, 40) : 20, &got, &k, &err);
        if (rc)
            test_fail(__FILE__, __LINE__, "%s: %s", err.where, err.text);
        for (size_t i = 0; i < k; i++) {
            CHECK(n < room);
            CHECK_INT(got[i].index, n);
            v[n].p = got[i];
            snprintf(v[n].code, sizeof v[n].code, "%s", got[i].code);
            v[n].p.code = v[n].code;
            v[n++].told = 0;
        }
        uint32_t some = chaos ? (uint32_t)rng_below(&rng, 30) : 1;
        for (uint32_t i = 0; i < some && told < n; i++) {
            uint32_t at = told;
            if (chaos) {
                for (at = (uint32_t)rng_below(&rng, n); v[at].told; at = (at + 1) % n)
                    ;
            }
            v[at].told = 1;
            told++;
            CHECK_INT(search_tell(s, at, fails(v[at].code), fitness_of(v[at].code), &err), 0);
            if (chaos) /* a repeated delivery says something else: ignored */
                CHECK_INT(search_tell(s, at, 0, 99, &err), 0);
        }
        if (!chaos || rng_below(&rng, 4))
            continue;
        search_close(s); /* kill -9 */
        s = open_toy(&t, json, limits, seed);
        for (uint32_t i = 0; i < n; i++)
            CHECK_INT(search_restore(s, &v[i].p, &err), 0);
        for (uint32_t i = n; i-- > 0;)
            if (v[i].told)
                CHECK_INT(search_tell(s, i, fails(v[i].code), fitness_of(v[i].code), &err), 0);
    }
    CHECK_INT(search_proposed(s), n);
    search_close(s);
    return n;
}

static const char *const all[] = {
    "{\"name\":\"list\",\"codes\":[\"000000\",\"012300\",\"000000\",\"333332\",\"333333\",\"123123\"]}",
    "{\"name\":\"random\",\"count\":400}",
    "{\"name\":\"exhaustive\"}",
    "{\"name\":\"evolution\"}",
    "{\"name\":\"nsga2\",\"population\":30,\"generations\":12}",
    "{\"name\":\"regularized\",\"population\":40,\"sample\":8,\"count\":300,\"lag\":10}",
};

TEST(search_restart_is_replay)
{
    static struct record a[4000], b[4000];
    struct search_limits limits = {.macs_max = 140};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (uint64_t chaos = 1; chaos <= 3; chaos++) {
            uint32_t na = run(all[k], &limits, 5, 0, a, 4000), nb = run(all[k], &limits, 5, chaos, b, 4000);
            CHECK_INT(na, nb);
            for (uint32_t i = 0; i < na && i < nb; i++) {
                CHECK_STR(b[i].code, a[i].code);
                CHECK_INT(b[i].p.generation, a[i].p.generation);
                CHECK(memcmp(&a[i].p.cost, &b[i].p.cost, sizeof a[i].p.cost) == 0);
            }
        }
}

TEST(search_never_twice_and_within_limits)
{
    static struct record v[4000];
    struct search_limits limits = {.macs_min = 110, .macs_max = 140, .params_max = 270};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        uint32_t n = run(all[k], &limits, 8, 0, v, 4000);
        CHECK(n > 0);
        for (uint32_t i = 0; i < n; i++) {
            CHECK(v[i].p.cost.macs >= 110 && v[i].p.cost.macs <= 135);
            for (uint32_t j = 0; j < i; j++)
                CHECK(v[i].p.cost.key.lo != v[j].p.cost.key.lo);
        }
    }
}

TEST(search_exhaustive_finds_all)
{
    static struct record v[4000];
    CHECK_INT(run("{\"name\":\"exhaustive\"}", NULL, 0, 0, v, 4000), PLANS);
    CHECK_STR(v[0].code, "000000");
    CHECK_INT(run("{\"name\":\"exhaustive\",\"limit\":10}", NULL, 0, 0, v, 4000), 10);
    CHECK_INT(run("{\"name\":\"random\",\"count\":100000}", NULL, 3, 0, v, 4000), PLANS); /* to the last one */
}

TEST(search_seed_matters)
{
    static struct record a[1000], b[1000];
    run("{\"name\":\"random\",\"count\":100}", NULL, 1, 0, a, 1000);
    run("{\"name\":\"random\",\"count\":100}", NULL, 2, 0, b, 1000);
    int same = 0;
    for (int i = 0; i < 100; i++)
        same += strcmp(a[i].code, b[i].code) == 0;
    CHECK(same < 10);
}

/* Defaults: 20 generations of 50; generations after the first are better than chance. */
TEST(search_evolution_settings)
{
    static struct record v[1000];
    struct toy t = {0};
    struct strategy *s = open_toy(&t, "{\"name\":\"evolution\"}", NULL, 1);
    json_t *doc = search_document(s);
    CHECK_INT(json_integer_value(json_object_get(doc, "population")), 50);
    CHECK_INT(json_integer_value(json_object_get(doc, "generations")), 20);
    CHECK_INT(json_integer_value(json_object_get(doc, "parents")), 10);
    CHECK_INT(json_integer_value(json_object_get(doc, "mutations")), 25);
    CHECK_INT(json_integer_value(json_object_get(doc, "crossovers")), 25);
    CHECK_NEAR(json_real_value(json_object_get(doc, "mutation_probability")), .1, 0);
    json_decref(doc);
    CHECK_NEAR(search_expected(s), 1000, 0);
    const struct search_proposal *p;
    size_t n;
    CHECK_INT(search_ask(s, 3, &p, &n, NULL), 0);
    CHECK_INT(n, 50); /* whole generations */
    for (uint32_t i = 0; i < 49; i++)
        CHECK_INT(search_tell(s, i, 0, .5, NULL), 0);
    CHECK_INT(search_ready(s), 0);
    CHECK_INT(search_ask(s, 3, &p, &n, NULL), 0);
    CHECK(n == 0 && !search_done(s));
    CHECK_INT(search_tell(s, 49, 0, .5, NULL), 0);
    CHECK_INT(search_ask(s, 3, &p, &n, NULL), 0);
    CHECK(n == 50 && p[0].generation == 1 && p[0].index == 50);
    CHECK_INT(search_tell(s, 100, 0, .5, NULL), -ERR_INVALID);
    search_close(s);
    CHECK_INT(run("{\"name\":\"evolution\"}", NULL, 1, 0, v, 1000), 1000);
    double first = 0, fifth = 0;
    for (int i = 0; i < 50; i++) {
        first += fitness_of(v[i].code) / 50;
        fifth += fitness_of(v[200 + i].code) / 50;
    }
    CHECK(fifth > first + .1);
}

/* NSGA-II's last survivors hold the true front of a small problem far better than random search does. */
TEST(search_nsga2_front)
{
    static struct record v[4000];
    struct toy t = {0};
    double best[200];
    for (int i = 0; i < 200; i++)
        best[i] = -1;
    uint32_t n = run("{\"name\":\"exhaustive\"}", NULL, 0, 0, v, 4000);
    for (uint32_t i = 0; i < n; i++)
        if (!fails(v[i].code))
            best[v[i].p.cost.macs] = fmax(best[v[i].p.cost.macs], fitness_of(v[i].code));
    double regret[2] = {0};
    const char *doc[2] = {"{\"name\":\"nsga2\",\"population\":50,\"generations\":12,\"objective\":\"macs\"}",
                          "{\"name\":\"random\",\"count\":600}"};
    for (int k = 0; k < 2; k++) {
        double want = -1, got = -1;
        double found[200];
        for (int i = 0; i < 200; i++)
            found[i] = -1;
        n = run(doc[k], NULL, 4, 0, v, 4000);
        for (uint32_t i = 0; i < n; i++)
            if (!fails(v[i].code))
                found[v[i].p.cost.macs] = fmax(found[v[i].p.cost.macs], fitness_of(v[i].code));
        for (int m = 100; m < 158; m++) {
            want = fmax(want, best[m]);
            got = fmax(got, found[m]);
            regret[k] += want - fmax(got, 0);
        }
    }
    (void)t;
    CHECK(regret[0] < .5 * regret[1]);
}

static void expect_error(const char *json, const struct search_limits *limits, const char *where, const char *text)
{
    struct toy t = {0};
    struct search_space space = toy_space(&t);
    struct strategy *s = NULL;
    struct err err = {0};
    const struct search_proposal *p;
    size_t n = 0;
    json_t *doc = json_loads(json, 0, NULL);
    int rc = search_open(doc, limits ? limits : &(struct search_limits){0}, 1, &space, &s, &err);
    for (int i = 0; rc == 0 && i < 20 && n == 0; i++)
        rc = search_ask(s, 10, &p, &n, &err);
    CHECK(rc < 0);
    CHECK_STR(err.where, where);
    if (!strstr(err.text, text))
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, text);
    search_close(s);
    json_decref(doc);
}

TEST(search_errors)
{
    struct search_limits low = {.macs_max = 99}, odd = {.params_min = 203, .params_max = 203},
                         bad = {.macs_min = 5, .macs_max = 4};
    expect_error("{\"name\":\"random\",\"count\":5}", &low, "/constraints/macs",
                 "no architecture found within constraints");
    expect_error("{\"name\":\"random\",\"count\":5}", &bad, "/constraints/macs", "above max");
    const char *none = "no architecture found within constraints after ";
    expect_error("{\"name\":\"random\",\"count\":5}", &odd, "/constraints", none);
    expect_error("{\"name\":\"evolution\"}", &odd, "/constraints", none);
    expect_error("{\"name\":\"nsga2\"}", &odd, "/constraints", none);
    expect_error("{\"name\":\"regularized\"}", &odd, "/constraints", none);
    expect_error("{\"name\":\"exhaustive\"}", &odd, "/constraints",
                 "space bounds: 100 to 157 MACs, 200 to 314 parameters");
    expect_error("{\"name\":\"list\",\"codes\":[\"000000\"]}", &odd, "/constraints", none);
    expect_error("{\"name\":\"list\",\"codes\":[\"000000\",\"9\"]}", NULL, "/codes/1", "no code");
    expect_error("{\"name\":\"list\",\"codes\":[\"000000\",7]}", NULL, "/codes/1", "string");
    expect_error("{\"name\":\"list\",\"codes\":[]}", NULL, "/codes", "");
    expect_error("{\"name\":\"evolutoin\"}", NULL, "/name", "did you mean \"evolution\"");
    expect_error("{\"name\":\"random\"}", NULL, "/count", "");
    expect_error("{\"name\":\"random\",\"count\":0}", NULL, "/count", "");
    expect_error("{\"name\":\"random\",\"count\":1,\"x\":1}", NULL, "/x", "");
    expect_error("{\"name\":\"evolution\",\"population\":10,\"mutations\":9,\"crossovers\":9}", NULL, "/population",
                 "exceed");
    expect_error("{\"name\":\"evolution\",\"mutation_probability\":1.5}", NULL, "/mutation_probability", "");
    expect_error("{}", NULL, "/name", "name");
}

/* A small region of a small space: the search takes all of it, says why it ended, and plans nothing twice. */
TEST(search_ends_when_space_is_used_up)
{
    struct toy t = {0};
    struct search_limits limits = {.macs_max = 103};
    struct strategy *s = open_toy(&t, "{\"name\":\"evolution\",\"population\":6,\"generations\":100}", &limits, 2);
    const struct search_proposal *p;
    size_t n;
    uint32_t all_n = 0;
    for (int i = 0; i < 100 && !search_done(s); i++) {
        CHECK_INT(search_ask(s, 1, &p, &n, NULL), 0);
        for (size_t k = 0; k < n; k++)
            CHECK_INT(search_tell(s, p[k].index, 0, fitness_of(p[k].code), NULL), 0);
        all_n += (uint32_t)n;
    }
    CHECK(search_done(s));
    CHECK_INT(all_n, 5); /* 000000, 100000, 200000, 300000, 110000 cost at most 103 */
    CHECK(strstr(search_note(s), "ended after") != NULL);
    CHECK(t.costs <= CODES);
    search_close(s);
}

/* ---- a real space document */

static struct space *read_space(const char *file)
{
    char path[256], text[1 << 16];
    snprintf(path, sizeof path, "proto/spaces/%s", file);
    FILE *in = fopen(path, "r");
    CHECK(in != NULL);
    size_t n = fread(text, 1, sizeof text, in);
    fclose(in);
    struct space *space = NULL;
    struct err err = {0};
    if (space_parse(text, n, &space, &err))
        test_fail(__FILE__, __LINE__, "%s: %s", err.where, err.text);
    return space;
}

/* NAS-Bench-Macro: 6,561 codes in the order of the space, 3,969 classes, the published costs, limits by them. */
TEST(search_space_macro)
{
    struct space *space = read_space("nas-bench-macro.json");
    struct search_space genes;
    struct strategy *s;
    struct err err = {0};
    const struct search_proposal *p;
    size_t n;
    CHECK_INT(search_space_open(space, space_input(space), &genes, &err), 0);
    CHECK_NEAR(genes.architectures, 6561, 0);
    json_t *doc = json_pack("{s:s}", "name", "exhaustive");
    CHECK_INT(search_open(doc, &(struct search_limits){.macs_max = 20000000}, 1, &genes, &s, &err), 0);
    uint32_t found = 0;
    while (!search_done(s)) {
        if (search_ask(s, 1000, &p, &n, &err))
            test_fail(__FILE__, __LINE__, "%s: %s", err.where, err.text);
        for (size_t i = 0; i < n; i++, found++) {
            CHECK(p[i].cost.macs <= 20000000);
            if (strcmp(p[i].code, "00000000") == 0)
                CHECK(p[i].cost.macs == 7713280 && p[i].cost.params == 387882);
            if (strcmp(p[i].code, "00000001") == 0)
                CHECK(p[i].cost.macs == 14115328 && p[i].cost.params == 791594);
        }
    }
    CHECK(found > 5 && found < 6561);
    search_close(s);
    json_decref(doc);
    doc = json_pack("{s:s, s:i}", "name", "random", "count", 30);
    CHECK_INT(search_open(doc, &(struct search_limits){.macs_max = 5000000}, 1, &genes, &s, &err), -ERR_INVALID);
    CHECK(strstr(err.text, "no architecture found within constraints") != NULL);
    json_decref(doc);
    search_space_close(&genes);
    space_free(space);
}
