/* rankpair: see rankpair.h. Tau-b counts with a Fenwick tree, n log n for any ties; Spearman's influence needs a sum
 * over the ranks above each. */
#include "proto/rankpair.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int rankpair_no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for rank statistics");
}

static int compare_at(const void *a, const void *b, void *values)
{
    const double *v = values;
    double x = v[*(const uint32_t *)a], y = v[*(const uint32_t *)b];
    return (x > y) - (x < y);
}

void rankpair_sort(const double *v, size_t n, uint32_t *index)
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
void rankpair_fill(struct rankpair_list *r, const double *v, size_t n, uint32_t *index)
{
    rankpair_sort(v, n, index);
    r->groups = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || v[index[i]] > v[index[i - 1]])
            r->count[r->groups++] = 0;
        r->count[r->groups - 1]++;
        r->dense[index[i]] = (uint32_t)(r->groups - 1);
    }
}

void rankpair_clear(struct rankpair *p)
{
    free(p->x.dense);
    free(p->psi);
    memset(p, 0, sizeof *p);
}

int rankpair_alloc(struct rankpair *p, size_t n, struct err *err)
{
    memset(p, 0, sizeof *p);
    assert(n < UINT32_MAX / 8);
    uint32_t *u = malloc((6 * n + 1) * sizeof *u);
    double *d = malloc((3 * n + 1) * sizeof *d);
    if (!u || !d) {
        free(u);
        free(d);
        return rankpair_no_memory(err);
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

int rankpair_open(struct rankpair *p, const double *x, const double *y, size_t n, struct err *err)
{
    int rc = rankpair_alloc(p, n, err);
    if (rc)
        return rc;
    rankpair_fill(&p->x, x, n, p->order);
    rankpair_fill(&p->y, y, n, p->order);
    return 0;
}

/* Counting sort of the items by x. */
static void order_by_x(struct rankpair *p)
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
static void concordances(struct rankpair *p)
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
double rankpair_tau_b(struct rankpair *p)
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
void rankpair_mid_ranks(const struct rankpair_list *r, size_t n, double *of_group)
{
    double below = 0;
    for (size_t g = 0; g < r->groups; g++) {
        of_group[g] = (below + .5 * r->count[g]) / (double)n - .5;
        below += r->count[g];
    }
}

static void spread(const struct rankpair_list *r, size_t n, const double *of_group, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = of_group[r->dense[i]];
}

/* add[i] += factor * E[1*(rank i <= rank X) value(X)], 1* being 1/2 on equality. */
static int add_tail(const struct rankpair_list *r, size_t n, const double *value, double factor, double *add)
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

double rankpair_product_mean(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum / (double)n;
}

/* Spearman's rho; with `influence`, psi too: moments of the mid-ranks plus what a point does to everyone's ranks. */
int rankpair_spearman(struct rankpair *p, int influence, double *out, struct err *err)
{
    size_t n = p->n;
    double *f = p->scratch, *g = p->scratch + n;
    rankpair_mid_ranks(&p->x, n, p->psi);
    spread(&p->x, n, p->psi, f);
    rankpair_mid_ranks(&p->y, n, p->psi);
    spread(&p->y, n, p->psi, g);
    double fg = rankpair_product_mean(f, g, n), ff = rankpair_product_mean(f, f, n),
           gg = rankpair_product_mean(g, g, n);
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
        return rankpair_no_memory(err);
    return 0;
}

/* Pearson's r in two passes; with psi not NULL, its influence values. */
double rankpair_pearson(const double *x, const double *y, size_t n, double *psi)
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
