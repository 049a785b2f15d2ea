/* "require": what it leaves out is not counted, drawn, enumerated, bred, parsed or bounded; the rest all alike. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include "proto/space.h"

/* Three widths that never fall, and an independent kernel: of 3^3 triples the 10 monotone ones, times 2. */
static const char stairs[] = "{\"space\": 1, \"name\": \"stairs\", \"input\": [3, 8, 8],"
                             " \"decisions\": {\"w\": {\"count\": 3, \"of\": [8, 16, 32]}, \"k\": [1, 3]},"
                             " \"require\": [{\"for\": \"i\", \"to\": 2, \"that\": \"w[i + 1] >= w[i]\"}],"
                             " \"network\": [{\"for\": \"i\", \"to\": 3, \"body\": [{\"name\": \"c{i}\", \"conv\": "
                             "{\"out\": \"w[i]\", \"kernel\": \"k\"}}]},"
                             " \"gap\"]}";

static int monotone(const int *w)
{
    return w[0] <= w[1] && w[1] <= w[2];
}

static int number(const int *choice)
{
    return ((choice[0] * 3 + choice[1]) * 3 + choice[2]) * 2 + choice[3];
}

TEST(require_counts_and_enumerates)
{
    struct space *s = spaces_doc(stairs);
    struct err err;
    int seen[54] = {0}, choice[4];
    CHECK_STR(space_architectures(s), "20");
    for (uint64_t i = 0; i < 20; i++) {
        CHECK(space_nth(s, i, choice, &err) == 0);
        CHECK(monotone(choice));
        CHECK(seen[number(choice)]++ == 0);
    }
    spaces_round_trips(s);
    space_free(s);
}

/* 20,000 draws: each of 20 architectures 1,000 times, give or take five standard deviations. */
TEST(require_draws_uniformly)
{
    struct space *s = spaces_doc(stairs);
    struct rng r;
    int seen[54] = {0}, choice[4], kinds = 0;
    rng_seed(&r, 3, 0);
    for (int i = 0; i < 20000; i++) {
        space_sample(s, &r, choice);
        seen[number(choice)]++;
    }
    for (int i = 0; i < 54; i++) {
        kinds += seen[i] > 0;
        CHECK(seen[i] == 0 || (seen[i] > 846 && seen[i] < 1154));
    }
    CHECK_INT(kinds, 20);
    space_free(s);
}

TEST(require_holds_for_children)
{
    struct space *s = spaces_doc(stairs);
    struct rng r;
    int a[4], b[4], child[4], changed = 0;
    rng_seed(&r, 4, 0);
    for (int i = 0; i < 500; i++) {
        space_sample(s, &r, a);
        space_sample(s, &r, b);
        space_mutate(s, &r, a, 0.5, child);
        CHECK(monotone(child));
        changed += number(child) != number(a);
        space_crossover(s, &r, a, b, child);
        CHECK(monotone(child));
        for (int k = 0; k < 4; k++)
            CHECK(child[k] == a[k] || child[k] == b[k]);
    }
    CHECK(changed > 250);
    space_free(s);
}

/* Without the requirement the cheapest would be 8,8,8 too, but the dearest convolutions are 32 -> 8 -> ... as well. */
TEST(require_bounds_costs)
{
    struct space *s = spaces_doc(stairs);
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t i = 0; i < 20; i++) {
        int choice[4];
        char code[SPACE_MAX_CODE];
        struct err err;
        CHECK(space_nth(s, i, choice, &err) == 0);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        struct cost c = spaces_cost(s, code);
        least = c.params < least ? c.params : least;
        most = c.params > most ? c.params : most;
    }
    CHECK_INT(space_bounds(s)->params.min, least);
    CHECK_INT(space_bounds(s)->params.max, most);
    space_free(s);
    s = spaces_doc(
        "{\"space\": 1, \"name\": \"t\", \"input\": [3, 8, 8], \"decisions\": {\"a\": [8, 16], \"b\": [8, 16]},"
        " \"require\": [\"a != b\"], \"network\": [{\"name\": \"c\", \"conv\": \"a\"}, {\"name\": \"d\", \"conv\": "
        "\"b\"}, \"gap\"]}");
    CHECK_INT(space_bounds(s)->params.min, 3 * 8 + 8 * 16);
    CHECK_INT(space_bounds(s)->params.max, 3 * 16 + 16 * 8);
    space_free(s);
}

TEST(require_refuses_codes)
{
    struct space *s = spaces_doc(stairs);
    struct err err = {0};
    int choice[4];
    CHECK(space_code_parse(s, "8,32,32,3", choice, &err) == 0);
    CHECK(space_code_parse(s, "8,32,16,3", choice, &err) == -ERR_INVALID);
    CHECK_STR(err.where, "code");
    CHECK(strstr(err.text, "/require/0 (i = 1)") != NULL);
    space_free(s);
}

/* A network that only the combinations left in can build: the shapes of the others would not fit. */
TEST(require_hides_combinations_from_the_survey)
{
    struct space *s = spaces_doc(
        "{\"space\": 1, \"name\": \"t\", \"input\": [8, 8, 8], \"decisions\": {\"a\": [0, 1], \"b\": [0, 1]},"
        " \"require\": [\"a == b\"], \"network\": [{\"sum\": ["
        "{\"name\": \"x\", \"conv\": {\"out\": \"a == 1 ? 16 : 8\", \"full_out\": 16}},"
        "{\"name\": \"y\", \"conv\": {\"out\": \"b == 1 ? 16 : 8\", \"full_out\": 16}}]}, \"gap\"]}");
    CHECK_STR(space_architectures(s), "2");
    space_free(s);
}

#define DOC(decisions, require, network)                                                                               \
    "{\"space\": 1, \"name\": \"t\", \"input\": [3, 8, 8], \"decisions\": " decisions ", \"require\": " require        \
    ", \"network\": " network "}"
#define PLAIN "[{\"name\": \"c\", \"conv\": \"a\"}, {\"name\": \"d\", \"conv\": \"b\"}, \"gap\"]"
#define AB    "{\"a\": [8, 16], \"b\": [8, 16]}"

TEST(require_errors_name_the_place)
{
    spaces_bad(DOC(AB, "\"a < b\"", PLAIN), "/require", "a list of expressions is needed");
    spaces_bad(DOC(AB, "[1]", PLAIN), "/require/0", "an expression or");
    spaces_bad(DOC(AB, "[\"a < c\"]", PLAIN), "/require/0", "unknown name \"c\"");
    spaces_bad(DOC(AB, "[\"in < a\"]", PLAIN), "/require/0", "there is no tensor here");
    spaces_bad(DOC(AB, "[\"a < 8\"]", PLAIN), "/require/0", "no combination makes this true");
    spaces_bad(DOC(AB, "[\"a < b\", \"b < a\"]", PLAIN), "/decisions/b",
               "no architecture that \"require\" allows reads");
    spaces_bad(DOC(AB, "[{\"for\": \"i\", \"that\": \"a < b\"}]", PLAIN), "/require/0/to", "the end of the loop");
    spaces_bad(DOC(AB, "[{\"for\": \"i\", \"to\": 2, \"than\": \"a < b\"}]", PLAIN), "/require/0/than",
               "did you mean \"that\"");
    spaces_bad(DOC(AB, "[{\"for\": \"i\", \"to\": 2000000000, \"that\": \"a < b\"}]", PLAIN), "/require/0",
               "more than 1024");
    spaces_bad(
        DOC("{\"a\": [8, 16, 24], \"b\": [8, 16, 24]}", "[\"a < b\"]",
            "[{\"name\": \"c\", \"conv\": \"a\"}, {\"when\": \"a > 8\", \"name\": \"d\", \"conv\": \"b\"}, \"gap\"]"),
        "/require/0", "some networks do not read decision \"b\"");
    spaces_bad(DOC("{\"a\": {\"count\": 17, \"of\": [1, 2]}}",
                   "[\"a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7] + a[8] + a[9] + a[10] + a[11] + a[12] + "
                   "a[13] + a[14] + a[15] + a[16] > 3\"]",
                   "[{\"for\": \"i\", \"to\": 17, \"body\": [{\"name\": \"c{i}\", \"conv\": \"a[i]\"}]}, \"gap\"]"),
               "/require/0", "may read few decisions");
}
