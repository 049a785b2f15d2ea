/* rankstat against definitions by brute force, known values of published tables, and its own bootstrap. */
#include "proto/base/rng.h"
#include "proto/rankstat.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

static double sign(double x)
{
    return (x > 0) - (x < 0);
}

static double brute_tau(const double *x, const double *y, size_t n)
{
    double c = 0, tx = 0, ty = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            c += sign(x[i] - x[j]) * sign(y[i] - y[j]);
            tx += x[i] != x[j];
            ty += y[i] != y[j];
        }
    return c / sqrt(tx * ty);
}

static double brute_rank(const double *x, size_t n, size_t i)
{
    double below = 0, same = 0;
    for (size_t j = 0; j < n; j++) {
        below += x[j] < x[i];
        same += x[j] == x[i];
    }
    return below + (same + 1) / 2;
}

TEST(rankstat_brute_force)
{
    struct rng rng;
    rng_seed(&rng, 7, 1);
    for (int round = 0; round < 300; round++) {
        double x[40], y[40], rx[40], ry[40], got;
        size_t n = 2 + (size_t)rng_below(&rng, 38), levels = 1 + (size_t)rng_below(&rng, 12);
        for (size_t i = 0; i < n; i++) {
            x[i] = (double)rng_below(&rng, levels);
            y[i] = round % 2 ? x[i] + (double)rng_below(&rng, 5) : (double)rng_below(&rng, 30);
        }
        for (size_t i = 0; i < n; i++) {
            rx[i] = brute_rank(x, n, i);
            ry[i] = brute_rank(y, n, i);
        }
        double want = brute_tau(x, y, n);
        CHECK_INT(rankstat_tau_b(x, y, n, &got, NULL), 0);
        CHECK(isnan(want) ? isnan(got) : fabs(got - want) < 1e-12);
        want = rankstat_pearson(rx, ry, n);
        CHECK_INT(rankstat_spearman(x, y, n, &got, NULL), 0);
        CHECK(isnan(want) ? isnan(got) : fabs(got - want) < 1e-12);
        double ranks[40];
        CHECK_INT(rankstat_ranks(x, n, ranks, NULL), 0);
        for (size_t i = 0; i < n; i++)
            CHECK_NEAR(ranks[i], rx[i], 1e-9);
    }
}

TEST(rankstat_degenerate)
{
    double x[3] = {1, 1, 1}, y[3] = {1, 2, 3};
    struct rankstat r;
    CHECK_INT(rankstat_correlate(x, y, 3, &r, NULL), 0);
    CHECK(isnan(r.tau_b.value) && isnan(r.spearman.value) && isnan(r.pearson.value) && isnan(r.tau_b.lo));
    CHECK_INT(rankstat_correlate(x, y, 0, &r, NULL), 0);
    CHECK(isnan(r.tau_b.value) && r.n == 0);
    double a[5] = {1, 2, 3, 4, 5}, b[5] = {9, 7, 5, 3, 1};
    CHECK_INT(rankstat_correlate(a, b, 5, &r, NULL), 0);
    CHECK_NEAR(r.tau_b.value, -1, 1e-15);
    CHECK_NEAR(r.pearson.hi, -1, 1e-12);
}

/* Correlated normal-ish data with ties: analytic and bootstrap intervals must say the same. */
TEST(rankstat_intervals_agree)
{
    enum { N = 400 };
    static double x[N], y[N];
    struct rng rng;
    rng_seed(&rng, 3, 0);
    for (int i = 0; i < N; i++) {
        double u = 0, v = 0;
        for (int k = 0; k < 12; k++) {
            u += rng_uniform(&rng);
            v += rng_uniform(&rng);
        }
        x[i] = floor(4 * (u - 6));
        y[i] = floor(5 * (.7 * (u - 6) + .7 * (v - 6)));
    }
    struct rankstat a, b, c;
    CHECK_INT(rankstat_correlate(x, y, N, &a, NULL), 0);
    CHECK_INT(rankstat_bootstrap(x, y, N, 2000, 11, &b, NULL), 0);
    CHECK_INT(rankstat_bootstrap(x, y, N, 2000, 11, &c, NULL), 0);
    CHECK(memcmp(&b, &c, sizeof b) == 0);
    const struct rankstat_interval *pa[3] = {&a.tau_b, &a.spearman, &a.pearson};
    const struct rankstat_interval *pb[3] = {&b.tau_b, &b.spearman, &b.pearson};
    for (int i = 0; i < 3; i++) {
        double wa = pa[i]->hi - pa[i]->lo, wb = pb[i]->hi - pb[i]->lo;
        CHECK(pa[i]->lo < pa[i]->value && pa[i]->value < pa[i]->hi);
        CHECK_NEAR(wa / wb, 1, .1);
        CHECK_NEAR(pa[i]->lo, pb[i]->lo, .02);
        CHECK_NEAR(pa[i]->hi, pb[i]->hi, .02);
    }
}

/* Of 1000 samples of independent lists, 95 % of the intervals must hold 0. */
TEST(rankstat_interval_coverage)
{
    struct rng rng;
    rng_seed(&rng, 5, 0);
    int hit[3] = {0};
    for (int round = 0; round < 1000; round++) {
        double x[60], y[60];
        for (int i = 0; i < 60; i++) {
            x[i] = (double)rng_below(&rng, 20);
            y[i] = rng_uniform(&rng);
        }
        struct rankstat r;
        CHECK_INT(rankstat_correlate(x, y, 60, &r, NULL), 0);
        hit[0] += r.tau_b.lo <= 0 && 0 <= r.tau_b.hi;
        hit[1] += r.spearman.lo <= 0 && 0 <= r.spearman.hi;
        hit[2] += r.pearson.lo <= 0 && 0 <= r.pearson.hi;
    }
    for (int i = 0; i < 3; i++)
        CHECK(hit[i] >= 920 && hit[i] <= 975);
}

TEST(rankstat_wilson)
{
    struct rankstat_interval w = rankstat_wilson(80, 100);
    CHECK_NEAR(w.value, .8, 1e-15);
    CHECK_NEAR(w.lo, .71117, 1e-5); /* centre .78890, half .07773 by the formula */
    CHECK_NEAR(w.hi, .86663, 1e-5);
    w = rankstat_wilson(0, 10);
    CHECK(w.lo == 0 && w.hi > .27 && w.hi < .28);
    w = rankstat_wilson(0, 0);
    CHECK(isnan(w.value) && w.lo == 0 && w.hi == 1);
    CHECK_NEAR(rankstat_t95(3), 3.18245, .03);
    CHECK_NEAR(rankstat_t95(10), 2.22814, 1e-3);
    CHECK_NEAR(rankstat_t95(1e6), 1.95997, 1e-4);
}

TEST(rankstat_pareto_brute_force)
{
    struct rng rng;
    rng_seed(&rng, 9, 0);
    for (int round = 0; round < 200; round++) {
        double cost[200], gain[200];
        size_t n = (size_t)rng_below(&rng, 200), got_n = 0, want_n = 0;
        uint32_t got[200];
        for (size_t i = 0; i < n; i++) {
            cost[i] = round % 3 ? (double)rng_below(&rng, 50) : rng_uniform(&rng);
            gain[i] = i % 17 == 16 ? NAN : cost[i] + (double)rng_below(&rng, 60);
        }
        CHECK_INT(rankstat_pareto(cost, gain, n, got, &got_n, NULL), 0);
        for (size_t i = 0; i < n; i++) {
            int dominated = isnan(gain[i]);
            for (size_t j = 0; j < n; j++)
                dominated |=
                    cost[j] <= cost[i] && gain[j] >= gain[i] && (cost[j] < cost[i] || gain[j] > gain[i] || j < i);
            want_n += !dominated;
            int found = 0;
            for (size_t k = 0; k < got_n; k++)
                found |= got[k] == i;
            CHECK(found == !dominated);
        }
        CHECK_INT(got_n, want_n);
        for (size_t k = 1; k < got_n; k++)
            CHECK(cost[got[k]] > cost[got[k - 1]] && gain[got[k]] > gain[got[k - 1]]);
    }
}

/* ---- published tables */

struct table {
    size_t n;
    double *column[12];
};

/* Reads the numeric columns first..first+count-1 of a CSV with a header. */
static struct table read_table(const char *file, int first, int count)
{
    const char *dir = getenv("SUBRANK_SHARED");
    char path[4096], line[4096];
    snprintf(path, sizeof path, "%s/data/tables/%s", dir ? dir : "../shared", file);
    FILE *in = fopen(path, "r");
    if (!in) {
        char why[4200];
        snprintf(why, sizeof why, "%s not found", path);
        test_skip(why);
    }
    struct table t = {0};
    for (int c = 0; c < count; c++)
        t.column[c] = calloc(40000, sizeof(double));
    CHECK(fgets(line, sizeof line, in) != NULL);
    while (fgets(line, sizeof line, in)) {
        char *at = line;
        for (int c = 0; c < first + count; c++) {
            if (c >= first)
                t.column[c - first][t.n] = strtod(at, NULL);
            at = strchr(at, ',');
            if (!at)
                break;
            at++;
        }
        t.n++;
    }
    fclose(in);
    return t;
}

static void table_clear(struct table *t)
{
    for (int c = 0; c < 12; c++)
        free(t->column[c]);
}

static void expect(const double *x, const double *y, size_t n, double tau, double rho)
{
    struct rankstat r;
    CHECK_INT(rankstat_correlate(x, y, n, &r, NULL), 0);
    CHECK_NEAR(r.tau_b.value, tau, tau > .8 ? 6e-3 : 6e-4);
    CHECK_NEAR(r.spearman.value, rho, rho > .9 ? 6e-3 : 6e-4);
    CHECK(r.tau_b.lo < tau && tau < r.tau_b.hi && r.tau_b.hi - r.tau_b.lo < .04);
}

TEST(rankstat_nas_bench_macro)
{
    struct table t = read_table("nas_bench_macro/nas_bench_macro_c10.csv", 1, 7); /* 3 runs, mean, std, params, MACs */
    CHECK_INT(t.n, 6561);
    expect(t.column[6], t.column[3], t.n, .556, .748);
    expect(t.column[5], t.column[3], t.n, .218, .318);
    expect(t.column[0], t.column[1], t.n, .88, .98);
    table_clear(&t);
}

TEST(rankstat_nas_bench_201)
{
    /* 12-epoch validation and test on three data sets, then 200-epoch test on the three */
    struct table t = read_table("nb201/nb201_all.csv", 3, 9);
    CHECK_INT(t.n, 15625);
    expect(t.column[0], t.column[6], t.n, .5945, .7718);
    expect(t.column[1], t.column[6], t.n, .7001, .8705);
    expect(t.column[2], t.column[7], t.n, .6451, .8248);
    expect(t.column[4], t.column[8], t.n, .6436, .8182);
    expect(t.column[6], t.column[7], t.n, .8816, .980);
    struct rankstat_top top;
    CHECK_INT(rankstat_top_decile(t.column[0], t.column[6], t.n, &top, NULL), 0);
    CHECK_INT(top.n, 1562);
    CHECK_NEAR(top.corr.tau_b.value, .350, 1e-3);
    CHECK_NEAR(top.best, 94.37, .01);
    CHECK_NEAR(top.best_pick, 94.37, .01);
    table_clear(&t);
}
