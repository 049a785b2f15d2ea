/* Plans per second of processor time for spaces of proto/spaces, one after the other as the coordinator makes them, and
 * what merging them costs for growing numbers: the last column stays level when merging is linear. Usage: bench-plan
 * FILE... */
#include "proto/graph.h"
#include "proto/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PLANS = 2000, ROUNDS = 7 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct space *open_space(const char *path)
{
    static char text[SPACE_MAX_BYTES];
    struct err err = {0};
    struct space *s = NULL;
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f)
        fclose(f);
    if (space_parse(text, n, &s, &err))
        fprintf(stderr, "%s: %s: %s\n", path, err.where, err.text);
    return s;
}

static void plan_one(const struct space *s, const int *choice, struct arena *a, struct plan *plan)
{
    struct err err = {0};
    if (plan_build(a, s, choice, space_input(s), NULL, plan, &err))
        fprintf(stderr, "%s: %s\n", err.where, err.text);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The plans stay in the arena for merging; the time, the median of several rounds, is that of making each and
 * forgetting it. */
static double plan_all(const struct space *s, struct arena *a, struct plan *plans)
{
    static int choice[PLANS][SPACE_MAX_DECISIONS];
    struct rng r;
    struct arena one;
    arena_init(&one, 0);
    rng_seed(&r, 1, 0);
    for (int i = 0; i < PLANS; i++)
        space_sample(s, &r, choice[i]);
    double took[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double begin = seconds();
        for (int i = 0; i < PLANS; i++) {
            plan_one(s, choice[i], &one, &plans[i]);
            arena_clear(&one);
        }
        took[round] = seconds() - begin;
    }
    qsort(took, ROUNDS, sizeof *took, by_value);
    for (int i = 0; i < PLANS; i++)
        plan_one(s, choice[i], a, &plans[i]);
    return took[ROUNDS / 2];
}

static void merge_all(const struct plan *plans)
{
    static const struct plan *all[PLANS];
    for (int n = PLANS / 8; n <= PLANS; n *= 2) {
        struct arena a;
        struct graph g;
        struct err err;
        long nodes = 0;
        for (int i = 0; i < n; i++) {
            all[i] = &plans[i];
            nodes += plans[i].nnodes;
        }
        arena_init(&a, 0);
        double begin = seconds();
        if (graph_merge(&a, all, n, &g, &err) == 0)
            printf("  merge %5d plans  %8ld -> %8d nodes  %6.0f ns a node\n", n, nodes, g.nnodes,
                   (seconds() - begin) * 1e9 / (double)nodes);
        arena_clear(&a);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        static struct plan plans[PLANS];
        struct arena a;
        struct space *s = open_space(argv[i]);
        if (!s)
            return 1;
        arena_init(&a, 0);
        double t = plan_all(s, &a, plans);
        printf("%-20s %8.0f plans/s  %5d nodes\n", space_name(s), PLANS / t, plans[0].nnodes);
        merge_all(plans);
        arena_clear(&a);
        space_free(s);
    }
    return 0;
}
