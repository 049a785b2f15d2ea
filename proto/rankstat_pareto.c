/* rankstat_pareto: the Pareto front of cost and gain in one sort of the few points that can be on it. */
#include "proto/rankstat.h"

#include <math.h>
#include <stdlib.h>

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
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the Pareto front");
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
