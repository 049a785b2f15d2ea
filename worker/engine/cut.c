/* cut: see cut.h. */
#include "worker/engine/cut.h"

#include "proto/cost.h"
#include "worker/engine/merge.h"

#include <stdlib.h>

static const double LEAST = 1e11; /* multiply-accumulates: a few seconds of one core */
static const double SHARED = 1.0 / 50;

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory to group the candidates");
}

static double node_cost(const struct plan *p, int v)
{
    int64_t conv, all;
    cost_node(&p->nodes[v], p->nodes, &conv, &all);
    return (double)conv;
}

/* What plan i costs alone and what of it no earlier plan has: nodes [seen, ...) of the graph are its own. */
static int plan_cost(const struct graph *g, const struct plan *p, int i, int32_t *seen, double *all, double *own,
                     struct err *err)
{
    int32_t *map = malloc((size_t)p->nnodes * sizeof *map), top = *seen;
    if (!map)
        return out_of_memory(err);
    merge_map(g, i, p, map);
    *all = *own = 0;
    for (int v = 0; v < p->nnodes; v++) {
        double c = node_cost(p, v);
        *all += c;
        *own += map[v] >= *seen ? c : 0;
        top = map[v] >= top ? map[v] + 1 : top;
    }
    *seen = top;
    free(map);
    return 0;
}

int cut_groups(const struct plan *const *plans, int n, double images, unsigned char *last, double *work,
               struct err *err)
{
    struct arena a = {0};
    struct graph g;
    int32_t seen = 0;
    double group = 0;
    int rc = merge_plans(&a, plans, n, &g, err);
    for (int i = 0; i < n && !rc; i++) {
        double all = 0, own = 0;
        rc = plan_cost(&g, plans[i], i, &seen, &all, &own, err);
        double shared = all - own;
        int cut = i > 0 && group * images >= LEAST && shared <= SHARED * group;
        if (cut)
            last[i - 1] = 1;
        work[i] = cut ? all : own;
        group = cut ? all : group + own;
        last[i] = i == n - 1;
    }
    arena_clear(&a);
    return rc;
}
