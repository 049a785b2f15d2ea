/* rankstat: see rankstat.h. The statistics of rankpair with their intervals: from influence values, by bootstrap, of
 * the best decile; of shares and means. */
#include "proto/rankstat.h"

#include "proto/base/rng.h"
#include "proto/rankpair.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double z95 = 1.959963984540054;
/* value with its 95 % interval from influence values, on Fisher's z scale. */
static struct rankstat_interval interval(double value, const double *psi, size_t n)
{
    struct rankstat_interval out = {value, NAN, NAN};
    if (n < 4 || isnan(value))
        return out;
    double se = sqrt(rankpair_product_mean(psi, psi, n) / (double)(n - 1)), slope = 1 - value * value;
    if (slope < 1e-12) {
        out.lo = out.hi = value;
        return out;
    }
    double z = atanh(value), half = z95 * se / slope;
    out.lo = tanh(z - half);
    out.hi = tanh(z + half);
    return out;
}

int rankstat_tau_b(const double *x, const double *y, size_t n, double *out, struct err *err)
{
    struct rankpair p;
    int rc = rankpair_open(&p, x, y, n, err);
    if (rc)
        return rc;
    *out = rankpair_tau_b(&p);
    rankpair_clear(&p);
    return 0;
}

int rankstat_spearman(const double *x, const double *y, size_t n, double *out, struct err *err)
{
    struct rankpair p;
    int rc = rankpair_open(&p, x, y, n, err);
    if (rc)
        return rc;
    rc = rankpair_spearman(&p, 0, out, err);
    rankpair_clear(&p);
    return rc;
}

double rankstat_pearson(const double *x, const double *y, size_t n)
{
    return rankpair_pearson(x, y, n, NULL);
}

int rankstat_ranks(const double *x, size_t n, double *ranks, struct err *err)
{
    struct rankpair p;
    int rc = rankpair_alloc(&p, n, err);
    if (rc)
        return rc;
    rankpair_fill(&p.x, x, n, p.order);
    rankpair_mid_ranks(&p.x, n, p.psi);
    for (size_t i = 0; i < n; i++)
        ranks[i] = (p.psi[p.x.dense[i]] + .5) * (double)n + .5;
    rankpair_clear(&p);
    return 0;
}

int rankstat_correlate(const double *x, const double *y, size_t n, struct rankstat *out, struct err *err)
{
    struct rankpair p;
    int rc = rankpair_open(&p, x, y, n, err);
    if (rc)
        return rc;
    double value = rankpair_tau_b(&p);
    out->n = n;
    out->tau_b = interval(value, p.psi, n);
    rc = rankpair_spearman(&p, 1, &value, err);
    out->spearman = interval(value, p.psi, n);
    value = rankpair_pearson(x, y, n, p.psi);
    out->pearson = interval(value, p.psi, n);
    rankpair_clear(&p);
    return rc;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Percentile interval of the rounds whose value exists. */
static void percentiles(struct rankstat_interval *out, double *values, size_t rounds)
{
    size_t n = 0;
    for (size_t i = 0; i < rounds; i++)
        if (!isnan(values[i]))
            values[n++] = values[i];
    out->lo = out->hi = NAN;
    if (n < 2)
        return;
    qsort(values, n, sizeof *values, compare_double);
    out->lo = values[(size_t)(.025 * (double)(n - 1) + .5)];
    out->hi = values[(size_t)(.975 * (double)(n - 1) + .5)];
}

/* Draws n pairs with replacement into `to` (dense ranks keep their order; groups that were not drawn stay empty). */
static void resample(const struct rankpair *from, struct rankpair *to, const double *x, const double *y,
                     struct rng *rng, double *xs, double *ys)
{
    to->x.groups = from->x.groups;
    to->y.groups = from->y.groups;
    memset(to->x.count, 0, from->x.groups * sizeof *to->x.count);
    memset(to->y.count, 0, from->y.groups * sizeof *to->y.count);
    for (size_t i = 0; i < from->n; i++) {
        size_t k = (size_t)rng_below(rng, from->n);
        to->x.count[to->x.dense[i] = from->x.dense[k]]++;
        to->y.count[to->y.dense[i] = from->y.dense[k]]++;
        xs[i] = x[k];
        ys[i] = y[k];
    }
}

int rankstat_bootstrap(const double *x, const double *y, size_t n, int rounds, uint64_t seed, struct rankstat *out,
                       struct err *err)
{
    assert(rounds > 0);
    int rc = rankstat_correlate(x, y, n, out, err);
    if (rc || n == 0)
        return rc;
    size_t m = (size_t)rounds;
    struct rankpair from = {0}, to = {0};
    double *values = malloc((3 * m + 2 * n) * sizeof *values);
    if (!values)
        return rankpair_no_memory(err);
    rc = rankpair_open(&from, x, y, n, err);
    if (rc == 0)
        rc = rankpair_alloc(&to, n, err);
    struct rng rng;
    rng_seed(&rng, seed, 0);
    for (size_t r = 0; rc == 0 && r < m; r++) {
        double *xs = values + 3 * m, *ys = xs + n;
        resample(&from, &to, x, y, &rng, xs, ys);
        values[r] = rankpair_tau_b(&to);
        values[2 * m + r] = rankpair_pearson(xs, ys, n, NULL);
        rc = rankpair_spearman(&to, 0, &values[m + r], err);
    }
    if (rc == 0) {
        percentiles(&out->tau_b, values, m);
        percentiles(&out->spearman, values + m, m);
        percentiles(&out->pearson, values + 2 * m, m);
    }
    free(values);
    rankpair_clear(&from);
    rankpair_clear(&to);
    return rc;
}

/* Marks bit `bit` of the k items with the highest v; of equal ones at the border the lower indices. */
static void mark_top(const double *v, size_t n, size_t k, uint32_t *index, unsigned char *mark, unsigned char bit)
{
    rankpair_sort(v, n, index);
    double border = v[index[n - k]];
    size_t above = 0;
    for (size_t i = 0; i < n; i++)
        above += v[i] > border;
    for (size_t i = 0, equal = k - above; i < n; i++)
        if (v[i] > border || (v[i] == border && equal > 0 && equal--))
            mark[i] |= bit;
}

int rankstat_top_decile(const double *score, const double *truth, size_t n, struct rankstat_top *out, struct err *err)
{
    *out = (struct rankstat_top){.overlap = NAN, .best_pick = NAN, .best = NAN};
    size_t k = n / 10 ? n / 10 : n > 0, both = 0, m = 0;
    double *a = malloc((2 * k + 1) * sizeof *a);
    uint32_t *index = malloc((n + 1) * sizeof *index);
    unsigned char *mark = calloc(n + 1, 1);
    int rc = a && index && mark ? 0 : rankpair_no_memory(err);
    if (rc == 0 && n > 0) {
        size_t pick = 0;
        mark_top(truth, n, k, index, mark, 1);
        mark_top(score, n, k, index, mark, 2);
        for (size_t i = 0; i < n; i++) {
            both += mark[i] == 3;
            pick = score[i] > score[pick] ? i : pick;
            out->best = i == 0 || truth[i] > out->best ? truth[i] : out->best;
            if (mark[i] & 1) {
                a[m] = score[i];
                a[k + m++] = truth[i];
            }
        }
        assert(m == k);
        out->n = k;
        out->overlap = (double)both / (double)k;
        out->best_pick = truth[pick];
    }
    if (rc == 0)
        rc = rankstat_correlate(a, a + k, k, &out->corr, err);
    free(a);
    free(index);
    free(mark);
    return rc;
}

struct rankstat_interval rankstat_wilson(uint64_t k, uint64_t n)
{
    assert(k <= n);
    if (n == 0)
        return (struct rankstat_interval){NAN, 0, 1};
    double m = (double)n, p = (double)k / m, z2 = z95 * z95;
    double centre = (p + z2 / (2 * m)) / (1 + z2 / m);
    double half = z95 / (1 + z2 / m) * sqrt(p * (1 - p) / m + z2 / (4 * m * m));
    return (struct rankstat_interval){p, fmax(0, centre - half), fmin(1, centre + half)};
}

double rankstat_t95(double dof)
{
    if (dof < 1.5)
        return 12.7062047364;
    if (dof < 2.5)
        return 4.3026527297;
    double z = z95, z2 = z * z, g1 = z * (z2 + 1) / 4, g2 = z * (5 * z2 * z2 + 16 * z2 + 3) / 96;
    double g3 = z * (3 * z2 * z2 * z2 + 19 * z2 * z2 + 17 * z2 - 15) / 384;
    return z + g1 / dof + g2 / (dof * dof) + g3 / (dof * dof * dof);
}

struct rankstat_interval rankstat_mean(uint64_t n, double mean, double squares)
{
    struct rankstat_interval out = {n ? mean : NAN, NAN, NAN};
    if (n < 2)
        return out;
    double half = rankstat_t95((double)(n - 1)) * sqrt(fmax(0, squares) / (double)(n - 1) / (double)n);
    out.lo = mean - half;
    out.hi = mean + half;
    return out;
}
