/* rankstat: see rankstat.h. Everything starts from dense ranks (0 for the smallest value, equal values equal), so ties
 * are integers and no comparison of doubles is left after one sort a list. */
#include "proto/rankstat.h"

#include "proto/base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double z95 = 1.959963984540054;

struct ranking {
    uint32_t *dense; /* [n] */
    uint32_t *count; /* [groups] how many share a dense rank */
    size_t groups;
};

struct pair {
    struct ranking x, y;
    size_t n;
    uint32_t *order; /* [n] items by dense rank of x */
    uint32_t *tree;  /* [y.groups + 1] Fenwick counts by dense rank of y */
    double *psi;     /* [n] influence values */
    double *scratch; /* [2 n] */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for rank statistics");
}

static int compare_at(const void *a, const void *b, void *values)
{
    const double *v = values;
    double x = v[*(const uint32_t *)a], y = v[*(const uint32_t *)b];
    return (x > y) - (x < y);
}

static void sort_indices(const double *v, size_t n, uint32_t *index)
{
    for (size_t i = 0; i < n; i++) {
        assert(!isnan(v[i]));
        index[i] = (uint32_t)i;
    }
    double *values = NULL;
    memcpy(&values, &v, sizeof v); /* qsort_r takes the context without const */
    qsort_r(index, n, sizeof *index, compare_at, values);
}

/* `index` is scratch of n. */
static void ranking_fill(struct ranking *r, const double *v, size_t n, uint32_t *index)
{
    sort_indices(v, n, index);
    r->groups = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || v[index[i]] > v[index[i - 1]])
            r->count[r->groups++] = 0;
        r->count[r->groups - 1]++;
        r->dense[index[i]] = (uint32_t)(r->groups - 1);
    }
}

static void pair_clear(struct pair *p)
{
    free(p->x.dense);
    free(p->psi);
    memset(p, 0, sizeof *p);
}

static int pair_alloc(struct pair *p, size_t n, struct err *err)
{
    memset(p, 0, sizeof *p);
    assert(n < UINT32_MAX / 8);
    uint32_t *u = malloc((6 * n + 1) * sizeof *u);
    double *d = malloc((3 * n + 1) * sizeof *d);
    if (!u || !d) {
        free(u);
        free(d);
        return no_memory(err);
    }
    p->n = n;
    p->x.dense = u;
    p->x.count = u + n;
    p->y.dense = u + 2 * n;
    p->y.count = u + 3 * n;
    p->order = u + 4 * n;
    p->tree = u + 5 * n;
    p->psi = d;
    p->scratch = d + n;
    return 0;
}

static int pair_open(struct pair *p, const double *x, const double *y, size_t n, struct err *err)
{
    int rc = pair_alloc(p, n, err);
    if (rc)
        return rc;
    ranking_fill(&p->x, x, n, p->order);
    ranking_fill(&p->y, y, n, p->order);
    return 0;
}

/* Counting sort of the items by x. */
static void order_by_x(struct pair *p)
{
    uint32_t *at = p->tree, sum = 0; /* borrowed: as long as there are no more x groups than n + 1 */
    for (size_t g = 0; g < p->x.groups; g++) {
        at[g] = sum;
        sum += p->x.count[g];
    }
    for (size_t i = 0; i < p->n; i++)
        p->order[at[p->x.dense[i]]++] = (uint32_t)i;
}

static void tree_add(uint32_t *tree, size_t size, size_t at)
{
    for (at++; at <= size; at += at & (0 - at))
        tree[at]++;
}

static uint32_t tree_below(const uint32_t *tree, size_t at) /* how many of rank < at */
{
    uint32_t sum = 0;
    for (; at > 0; at &= at - 1)
        sum += tree[at];
    return sum;
}

/* psi[i] = sum over j of sign(xi - xj) sign(yi - yj): concordances minus discordances of item i. Groups of equal x are
 * counted before and after they enter the tree, so pairs within a group cancel out. */
static void concordances(struct pair *p)
{
    size_t ny = p->y.groups;
    uint32_t *below = (uint32_t *)p->scratch, sum = 0; /* items of lower y than dense rank g */
    order_by_x(p);
    for (size_t g = 0; g < ny; g++) {
        below[g] = sum;
        sum += p->y.count[g];
    }
    memset(p->tree, 0, (ny + 1) * sizeof *p->tree);
    double n = (double)p->n;
    for (size_t at = 0; at < p->n;) {
        size_t size = p->x.count[p->x.dense[p->order[at]]], end = at + size;
        for (size_t k = at; k < end; k++) { /* against lower x */
            uint32_t i = p->order[k], g = p->y.dense[i];
            double less = tree_below(p->tree, g), greater = (double)at - tree_below(p->tree, g + 1u);
            p->psi[i] = less - greater;
        }
        for (size_t k = at; k < end; k++)
            tree_add(p->tree, ny, p->y.dense[p->order[k]]);
        for (size_t k = at; k < end; k++) { /* against higher x: all but those in the tree */
            uint32_t i = p->order[k], g = p->y.dense[i];
            double less = (double)below[g] - tree_below(p->tree, g);
            double greater = n - below[g] - p->y.count[g] - ((double)end - tree_below(p->tree, g + 1u));
            p->psi[i] += greater - less;
        }
        at = end;
    }
}

/* tau-b and, in psi, its influence values (delta method over the three U-statistics of degree two). */
static double tau_b(struct pair *p)
{
    double n = (double)p->n, c = 0, tx = 0, ty = 0;
    concordances(p);
    for (size_t i = 0; i < p->n; i++) {
        c += p->psi[i];
        tx += n - p->x.count[p->x.dense[i]];
        ty += n - p->y.count[p->y.dense[i]];
    }
    if (!(tx > 0 && ty > 0))
        return NAN;
    double scale = sqrt(tx) * sqrt(ty), tau = c / scale;
    for (size_t i = 0; i < p->n; i++) {
        double hx = n - p->x.count[p->x.dense[i]], hy = n - p->y.count[p->y.dense[i]];
        p->psi[i] = 2 * n * (p->psi[i] / scale - tau / 2 * (hx / tx + hy / ty));
    }
    return tau;
}

/* of_group[g] = average rank of group g, scaled and centred to (-1/2, 1/2). */
static void mid_ranks(const struct ranking *r, size_t n, double *of_group)
{
    double below = 0;
    for (size_t g = 0; g < r->groups; g++) {
        of_group[g] = (below + .5 * r->count[g]) / (double)n - .5;
        below += r->count[g];
    }
}

static void spread(const struct ranking *r, size_t n, const double *of_group, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = of_group[r->dense[i]];
}

/* add[i] += factor * E[1*(rank i <= rank X) value(X)], 1* being 1/2 on equality. */
static int add_tail(const struct ranking *r, size_t n, const double *value, double factor, double *add)
{
    double *sum = calloc(r->groups + 1, sizeof *sum);
    if (!sum)
        return -1;
    for (size_t i = 0; i < n; i++)
        sum[r->dense[i]] += value[i];
    double above = 0;
    for (size_t g = r->groups; g-- > 0;) {
        double own = sum[g];
        sum[g] = above + own / 2;
        above += own;
    }
    for (size_t i = 0; i < n; i++)
        add[i] += factor * sum[r->dense[i]] / (double)n;
    free(sum);
    return 0;
}

static double product_mean(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum / (double)n;
}

/* Spearman's rho; with `influence`, psi too: moments of the mid-ranks plus what a point does to everyone's ranks. */
static int spearman(struct pair *p, int influence, double *out, struct err *err)
{
    size_t n = p->n;
    double *f = p->scratch, *g = p->scratch + n;
    mid_ranks(&p->x, n, p->psi);
    spread(&p->x, n, p->psi, f);
    mid_ranks(&p->y, n, p->psi);
    spread(&p->y, n, p->psi, g);
    double fg = product_mean(f, g, n), ff = product_mean(f, f, n), gg = product_mean(g, g, n);
    *out = NAN;
    if (p->x.groups < 2 || p->y.groups < 2)
        return 0;
    double scale = sqrt(ff) * sqrt(gg), rho = fg / scale;
    *out = rho;
    if (!influence)
        return 0;
    for (size_t i = 0; i < n; i++)
        p->psi[i] =
            (f[i] * g[i] - 3 * fg) / scale - rho / 2 * ((f[i] * f[i] - 3 * ff) / ff + (g[i] * g[i] - 3 * gg) / gg);
    if (add_tail(&p->x, n, g, 1 / scale, p->psi) || add_tail(&p->y, n, f, 1 / scale, p->psi) ||
        add_tail(&p->x, n, f, -rho / ff, p->psi) || add_tail(&p->y, n, g, -rho / gg, p->psi))
        return no_memory(err);
    return 0;
}

/* Pearson's r in two passes; with psi not NULL, its influence values. */
static double pearson(const double *x, const double *y, size_t n, double *psi)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    int vary_x = 0, vary_y = 0; /* asked of the values: a rounded mean makes a constant list vary */
    for (size_t i = 0; i < n; i++) {
        vary_x |= x[i] != x[0];
        vary_y |= y[i] != y[0];
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    if (!vary_x || !vary_y || !(xx > 0 && yy > 0))
        return NAN;
    double sx = sqrt(xx / (double)n), sy = sqrt(yy / (double)n), r = xy / (sqrt(xx) * sqrt(yy));
    r = fmax(-1, fmin(1, r));
    for (size_t i = 0; psi && i < n; i++) {
        double a = (x[i] - mx) / sx, b = (y[i] - my) / sy;
        psi[i] = a * b - r / 2 * (a * a + b * b);
    }
    return r;
}

/* value with its 95 % interval from influence values, on Fisher's z scale. */
static struct rankstat_interval interval(double value, const double *psi, size_t n)
{
    struct rankstat_interval out = {value, NAN, NAN};
    if (n < 4 || isnan(value))
        return out;
    double se = sqrt(product_mean(psi, psi, n) / (double)(n - 1)), slope = 1 - value * value;
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
    struct pair p;
    int rc = pair_open(&p, x, y, n, err);
    if (rc)
        return rc;
    *out = tau_b(&p);
    pair_clear(&p);
    return 0;
}

int rankstat_spearman(const double *x, const double *y, size_t n, double *out, struct err *err)
{
    struct pair p;
    int rc = pair_open(&p, x, y, n, err);
    if (rc)
        return rc;
    rc = spearman(&p, 0, out, err);
    pair_clear(&p);
    return rc;
}

double rankstat_pearson(const double *x, const double *y, size_t n)
{
    return pearson(x, y, n, NULL);
}

int rankstat_ranks(const double *x, size_t n, double *ranks, struct err *err)
{
    struct pair p;
    int rc = pair_alloc(&p, n, err);
    if (rc)
        return rc;
    ranking_fill(&p.x, x, n, p.order);
    mid_ranks(&p.x, n, p.psi);
    for (size_t i = 0; i < n; i++)
        ranks[i] = (p.psi[p.x.dense[i]] + .5) * (double)n + .5;
    pair_clear(&p);
    return 0;
}

int rankstat_correlate(const double *x, const double *y, size_t n, struct rankstat *out, struct err *err)
{
    struct pair p;
    int rc = pair_open(&p, x, y, n, err);
    if (rc)
        return rc;
    double value = tau_b(&p);
    out->n = n;
    out->tau_b = interval(value, p.psi, n);
    rc = spearman(&p, 1, &value, err);
    out->spearman = interval(value, p.psi, n);
    value = pearson(x, y, n, p.psi);
    out->pearson = interval(value, p.psi, n);
    pair_clear(&p);
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
static void resample(const struct pair *from, struct pair *to, const double *x, const double *y, struct rng *rng,
                     double *xs, double *ys)
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
    struct pair from = {0}, to = {0};
    double *values = malloc((3 * m + 2 * n) * sizeof *values);
    if (!values)
        return no_memory(err);
    rc = pair_open(&from, x, y, n, err);
    if (rc == 0)
        rc = pair_alloc(&to, n, err);
    struct rng rng;
    rng_seed(&rng, seed, 0);
    for (size_t r = 0; rc == 0 && r < m; r++) {
        double *xs = values + 3 * m, *ys = xs + n;
        resample(&from, &to, x, y, &rng, xs, ys);
        values[r] = tau_b(&to);
        values[2 * m + r] = pearson(xs, ys, n, NULL);
        rc = spearman(&to, 0, &values[m + r], err);
    }
    if (rc == 0) {
        percentiles(&out->tau_b, values, m);
        percentiles(&out->spearman, values + m, m);
        percentiles(&out->pearson, values + 2 * m, m);
    }
    free(values);
    pair_clear(&from);
    pair_clear(&to);
    return rc;
}

/* Marks bit `bit` of the k items with the highest v; of equal ones at the border the lower indices. */
static void mark_top(const double *v, size_t n, size_t k, uint32_t *index, unsigned char *mark, unsigned char bit)
{
    sort_indices(v, n, index);
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
    int rc = a && index && mark ? 0 : no_memory(err);
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

struct point {
    double cost, gain;
    uint32_t index;
};

static int compare_points(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->cost != q->cost)
        return p->cost < q->cost ? -1 : 1;
    if (p->gain != q->gain)
        return p->gain > q->gain ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index;
}

/* A point can only be on the front if it beats the best gain of its cost's slice of the range from the left: one pass
 * over slices throws out nearly all of a large set before the sort. */
int rankstat_pareto(const double *cost, const double *gain, size_t n, uint32_t *out, size_t *count, struct err *err)
{
    enum { SLICES = 1024 };
    double best[SLICES + 1], lo = INFINITY, hi = -INFINITY;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(cost[i]) && !isnan(gain[i])) {
            lo = fmin(lo, cost[i]);
            hi = fmax(hi, cost[i]);
        }
    double scale = hi > lo ? (SLICES - 1) / (hi - lo) : 0;
    for (int s = 0; s <= SLICES; s++)
        best[s] = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (isfinite(cost[i]) && !isnan(gain[i])) {
            size_t s = (size_t)((cost[i] - lo) * scale) + 1; /* best[s] over slices below s: strictly cheaper points */
            best[s] = fmax(best[s], gain[i]);
        }
    for (int s = 1; s <= SLICES; s++)
        best[s] = fmax(best[s], best[s - 1]);
    struct point *points = malloc((n + 1) * sizeof *points);
    if (!points)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (isfinite(cost[i]) && !isnan(gain[i]) && gain[i] > best[(size_t)((cost[i] - lo) * scale)])
            points[kept++] = (struct point){cost[i], gain[i], (uint32_t)i};
    qsort(points, kept, sizeof *points, compare_points);
    *count = 0;
    double top = -INFINITY;
    for (size_t i = 0; i < kept; i++)
        if (points[i].gain > top) {
            top = points[i].gain;
            out[(*count)++] = points[i].index;
        }
    free(points);
    return 0;
}
