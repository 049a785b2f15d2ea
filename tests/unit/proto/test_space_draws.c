/* Drawing from whole spaces: uniform where decisions hang together, inside a window of MACs, in spaces too large to
 * enumerate (against shares that are known exactly or published), and the search's moves. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <math.h>

static int64_t macs_of(const struct space *s, const int *choice)
{
    struct arena a;
    struct plan p;
    struct cost c;
    struct err err;
    arena_init(&a, 0);
    CHECK(plan_build(&a, s, choice, space_input(s), NULL, &p, &err) == 0);
    CHECK(cost_plan(&p, &c, &err) == 0);
    arena_clear(&a);
    return c.conv_macs;
}

/* Up to 4.5 standard deviations of a share of n draws. */
static void check_share(int hits, int n, double share)
{
    CHECK_NEAR((double)hits / n, share, 4.5 * sqrt(share * (1 - share) / n));
}

static int find_decision(const struct space *s, const char *name)
{
    for (int i = 0; i < space_ndecisions(s); i++)
        if (strcmp(space_decision_name(s, i), name) == 0)
            return i;
    test_fail(__FILE__, __LINE__, "no decision %s", name);
    return -1;
}

/* A stage of d blocks has 9^d variants: depth 4 is drawn 9^4 times for 9^2 times depth 2, and a block's kernel is
 * uniform where the block is. */
TEST(draws_depth_in_proportion)
{
    struct space *s = spaces_open("ofa-mbv3-w1.0");
    int choice[SPACE_MAX_DECISIONS], depths[5] = {0}, kernels[3] = {0}, n = 5000;
    int depth = find_decision(s, "d[2]"), kernel = find_decision(s, "ks[2][3]");
    struct rng r;
    rng_seed(&r, 21, 0);
    for (int i = 0; i < n; i++) {
        space_sample(s, &r, choice);
        int d = space_option(s, depth, choice[depth])[0] - '0';
        depths[d]++;
        if (d == 4)
            kernels[choice[kernel]]++;
        else
            CHECK_INT(choice[kernel], 0);
    }
    check_share(depths[2], n, 81.0 / 7371);
    check_share(depths[3], n, 729.0 / 7371);
    check_share(depths[4], n, 6561.0 / 7371);
    for (int k = 0; k < 3; k++)
        check_share(kernels[k], depths[4], 1.0 / 3);
    space_free(s);
}

/* DNA's fifth block: 4 layers of width 192, or 5 of width 160 or 192: 6^4 to 6^5 to 6^5. */
TEST(draws_cells_in_proportion)
{
    struct space *s = spaces_open("dna");
    int choice[SPACE_MAX_DECISIONS], hits[3] = {0}, n = 4000, cell = find_decision(s, "cell[4]");
    struct rng r;
    rng_seed(&r, 22, 0);
    for (int i = 0; i < n; i++) {
        space_sample(s, &r, choice);
        hits[choice[cell]]++;
    }
    CHECK_STR(space_option(s, cell, 0), "4x192");
    check_share(hits[0], n, 1.0 / 13);
    check_share(hits[1], n, 6.0 / 13);
    check_share(hits[2], n, 6.0 / 13);
    space_free(s);
}

/* MACs of uniform SPOS paths: 58.9 % have at most 330 M, and the seven bins of the released sampler, [290, 300) to
 * [350, 360) M, hold these shares (computed apart from this code, from the sizes of the operators; three digits). */
TEST(draws_spos_costs)
{
    static const double bins[7] = {0.011, 0.064, 0.196, 0.317, 0.273, 0.114, 0.022};
    struct space *s = spaces_open("spos-shufflenetv2");
    int choice[SPACE_MAX_DECISIONS], hits[7] = {0}, below = 0, n = 3000;
    struct rng r;
    rng_seed(&r, 23, 0);
    for (int i = 0; i < n; i++) {
        space_sample(s, &r, choice);
        int64_t macs = macs_of(s, choice);
        below += macs <= 330000000;
        if (macs >= 290000000 && macs < 360000000)
            hits[macs / 10000000 - 29]++;
    }
    check_share(below, n, 0.589);
    for (int i = 0; i < 7; i++)
        check_share(hits[i], n, bins[i]);
    space_free(s);
}

/* Three widths of six and a kernel of two, the last width only where the network is deep. */
static const char widths[] = "{\"space\": 1, \"name\": \"widths\", \"input\": [3, 8, 8], \"decisions\": {"
                             "\"w\": {\"count\": 3, \"of\": [8, 16, 24, 32, 40, 48]}, \"k\": [1, 3], \"deep\": [0, 1]},"
                             " \"network\": [{\"for\": \"i\", \"to\": \"2 + deep\", \"body\": [{\"name\": \"c{i}\","
                             " \"conv\": {\"out\": \"w[i]\", \"kernel\": \"k\"}}]}, \"gap\"]}";

enum { WIDTHS = 6 * 6 * 2 + 6 * 6 * 6 * 2 };

/* Every architecture of a window of MACs is drawn, each as often as the others: chi-square within five standard
 * deviations of its mean. */
TEST(draws_uniformly_in_a_window)
{
    struct space *s = spaces_doc(widths);
    struct space_limits l = {.macs_min = 30000, .macs_max = 90000};
    struct err err;
    struct rng r;
    int all[WIDTHS][5], choice[5], count[WIDTHS] = {0}, inside = 0;
    double chi = 0;
    CHECK_INT(space_architectures64(s), WIDTHS);
    for (int i = 0; i < WIDTHS; i++) {
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        if (space_within(s, choice, &l, &err) == 1)
            memcpy(all[inside++], choice, sizeof choice);
    }
    CHECK(inside > 50 && inside < WIDTHS - 50);
    rng_seed(&r, 24, 0);
    for (int i = 0; i < 40 * inside; i++) {
        int k = 0;
        CHECK(space_sample_within(s, &r, &l, 1000, choice, &err) == 0);
        while (k < inside && memcmp(all[k], choice, sizeof choice) != 0)
            k++;
        CHECK(k < inside);
        count[k]++;
    }
    for (int i = 0; i < inside; i++)
        chi += (count[i] - 40.0) * (count[i] - 40.0) / 40.0;
    CHECK_NEAR(chi, inside - 1, 5 * sqrt(2.0 * (inside - 1)));
    space_free(s);
}

/* A window that holds nothing is given up after the bound, and says so. */
TEST(draws_give_up)
{
    struct space *s = spaces_open("nats-bench-sss");
    struct space_limits l = {.macs_min = 4481105, .macs_max = 4500000}; /* between the smallest and the next */
    struct err err;
    struct rng r;
    int choice[5];
    rng_seed(&r, 25, 0);
    CHECK(space_sample_within(s, &r, &l, 50, choice, &err) == -ERR_INVALID);
    CHECK(strstr(err.text, "50") != NULL);
    space_free(s);
}

/* A mutant's genes are drawn anew with probability p from all four operators; a child has each gene from either parent.
 */
TEST(draws_moves_in_proportion)
{
    struct space *s = spaces_open("spos-shufflenetv2");
    int a[20], b[20], child[20], changed = 0, differ = 0, from_a = 0;
    struct rng r;
    rng_seed(&r, 26, 0);
    for (int i = 0; i < 1000; i++) {
        space_sample(s, &r, a);
        space_sample(s, &r, b);
        space_mutate(s, &r, a, 0.1, child);
        for (int k = 0; k < 20; k++)
            changed += child[k] != a[k];
        space_crossover(s, &r, a, b, child);
        for (int k = 0; k < 20; k++) {
            differ += a[k] != b[k];
            from_a += a[k] != b[k] && child[k] == a[k];
            CHECK(child[k] == a[k] || child[k] == b[k]);
        }
    }
    check_share(changed, 20000, 0.1 * 3 / 4);
    check_share(from_a, differ, 0.5);
    space_free(s);
}
