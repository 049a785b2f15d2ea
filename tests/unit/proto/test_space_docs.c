/* The documents of proto/spaces: how many architectures, costs that the references print, golden plans. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* Every code of a sample parses back to the same choice, its plan can be built, and activity is what the plan reads. */
static void round_trips(const struct space *s)
{
    struct rng r;
    struct err err = {0};
    int choice[SPACE_MAX_DECISIONS], again[SPACE_MAX_DECISIONS];
    unsigned char active[SPACE_MAX_DECISIONS], read[SPACE_MAX_DECISIONS];
    size_t n = (size_t)space_ndecisions(s);
    rng_seed(&r, 5, 0);
    for (int i = 0; i < 20; i++) {
        char code[SPACE_MAX_CODE];
        struct arena a;
        struct plan p;
        struct cost c;
        space_sample(s, &r, choice);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        CHECK(space_code_parse(s, code, again, &err) == 0);
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
}

static void document(const char *name, const char *architectures)
{
    struct space *s = spaces_open(name);
    CHECK_STR(space_architectures(s), architectures);
    CHECK_STR(space_name(s), name);
    round_trips(s);
    space_free(s);
}


/* Per stage 9^2 + 9^3 + 9^4 = 7371 (Once-for-All, section 3.1), five stages, 25 or 17 resolutions; ProxylessNAS's sixth
 * stage has one block of nine kinds. The paper: all of them in 7.7 M parameters. */
TEST(docs_ofa)
{
    document("ofa-mbv3-w1.0", "543966387314312146275");
    document("ofa-mbv3-w1.2", "369897143373732259467");
    document("ofa-proxyless", "4895697485828809316475");
    struct space *s = spaces_open("ofa-mbv3-w1.0");
    CHECK_NEAR((double)space_bounds(s)->params.max / 1e6, 7.7, 0.05);
    spaces_golden(s,
                  "5,3,3,3,5,3,3,3,7,7,3,3,5,5,7,3,3,3,5,3,3,3,3,3,4,4,3,3,6,3,4,3,4,4,4,3,6,6,6,3,2,2,3,4,3,192",
                  "ofa-mbv3-w1.0-192");
    space_free(s);
}

/* Two expansions times 15 sets of kernels in twelve layers. */
TEST(docs_mixpath_s1)
{
    document("mixpath-s1", "531441000000000000"); /* 30^12 */
}

static int cmp_hash(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash128));
}

/* Sets of nodes with an operator each: (1 + 3)^4 - 1. As architectures, multisets of one to four operators: 34. */
TEST(docs_mixpath_nb101)
{
    document("mixpath-nb101", "255");
    struct space *s = spaces_open("mixpath-nb101");
    struct hash128 classes[255];
    struct err err;
    struct arena a;
    int choice[5], distinct = 0;
    arena_init(&a, 0);
    for (int i = 0; i < 255; i++) {
        struct plan p;
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        CHECK(plan_build(&a, s, choice, space_input(s), NULL, &p, &err) == 0);
        classes[i] = p.class_key;
        arena_clear(&a);
    }
    qsort(classes, 255, sizeof *classes, cmp_hash);
    for (int i = 0; i < 255; i++)
        distinct += i == 0 || cmp_hash(&classes[i - 1], &classes[i]) != 0;
    CHECK_INT(distinct, 34);
    spaces_golden(s, "0+2:conv3x3,conv1x1,maxpool3x3,conv1x1", "mixpath-nb101-two");
    space_free(s);
}
