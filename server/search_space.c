/* search_space: see search_space.h. */
#include "server/search_space.h"

#include "proto/base/arena.h"
#include "proto/cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAN_MEMORY = 64 << 20 };

struct genes {
    const struct space *space;
    struct shape input;
    int n;
    int *a, *b, *out; /* [n] each */
};

static const int *widen(const struct genes *g, const uint16_t *genes, int *out)
{
    for (int i = 0; i < g->n; i++)
        out[i] = genes[i];
    return out;
}

static void narrow(const struct genes *g, const int *choice, uint16_t *genes)
{
    for (int i = 0; i < g->n; i++)
        genes[i] = (uint16_t)choice[i];
}

static int sample(void *ctx, struct rng *rng, uint16_t *genes, struct err *err)
{
    struct genes *g = ctx;
    (void)err;
    space_sample(g->space, rng, g->out);
    narrow(g, g->out, genes);
    return 0;
}

static int mutate(void *ctx, struct rng *rng, double p, uint16_t *genes, struct err *err)
{
    struct genes *g = ctx;
    (void)err;
    space_mutate(g->space, rng, widen(g, genes, g->a), p, g->out);
    narrow(g, g->out, genes);
    return 0;
}

static int crossover(void *ctx, struct rng *rng, const uint16_t *a, const uint16_t *b, uint16_t *out, struct err *err)
{
    struct genes *g = ctx;
    (void)err;
    space_crossover(g->space, rng, widen(g, a, g->a), widen(g, b, g->b), g->out);
    narrow(g, g->out, out);
    return 0;
}

static int nth(void *ctx, uint64_t index, uint16_t *genes, struct err *err)
{
    struct genes *g = ctx;
    int rc = space_nth(g->space, index, g->out, err);
    if (rc == 0)
        narrow(g, g->out, genes);
    return rc;
}

static int cost(void *ctx, const uint16_t *genes, struct search_cost *out, struct err *err)
{
    struct genes *g = ctx;
    struct arena arena;
    struct plan plan;
    struct cost c;
    arena_init(&arena, PLAN_MEMORY);
    int rc = plan_build(&arena, g->space, widen(g, genes, g->a), g->input, NULL, &plan, err);
    if (rc == 0)
        rc = cost_plan(&plan, &c, err);
    if (rc == 0)
        *out = (struct search_cost){plan.key, plan.class_key, (uint64_t)c.conv_macs, (uint64_t)c.params};
    arena_clear(&arena);
    return rc;
}

static int parse(void *ctx, const char *code, uint16_t *genes, struct err *err)
{
    struct genes *g = ctx;
    int rc = space_code_parse(g->space, code, g->out, err);
    if (rc)
        return rc;
    space_normalise(g->space, g->out);
    narrow(g, g->out, genes);
    return 0;
}

static int code(void *ctx, const uint16_t *genes, char *out, size_t size, struct err *err)
{
    struct genes *g = ctx;
    return space_code_print(g->space, widen(g, genes, g->a), out, size, err);
}

int search_space_open(const struct space *space, struct shape input, struct search_space *out, struct err *err)
{
    size_t n = (size_t)space_ndecisions(space) + 1;
    struct genes *g = calloc(1, sizeof *g);
    int *room = calloc(3 * n, sizeof *room);
    if (!g || !room) {
        free(g);
        free(room);
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory to search a space");
    }
    *g = (struct genes){space, input, space_ndecisions(space), room, room + n, room + 2 * n};
    struct shape own = space_input(space);
    const struct space_bounds *b = space_bounds(space);
    int known = own.c == input.c && own.h == input.h && own.w == input.w;
    *out = (struct search_space){.ctx = g,
                                 .ngenes = g->n,
                                 .architectures = strtod(space_architectures(space), NULL),
                                 .macs_min = known ? (uint64_t)b->conv_macs.min : 0,
                                 .macs_max = known ? (uint64_t)b->conv_macs.max : UINT64_MAX,
                                 .params_min = known ? (uint64_t)b->params.min : 0,
                                 .params_max = known ? (uint64_t)b->params.max : UINT64_MAX,
                                 .sample = sample,
                                 .mutate = mutate,
                                 .crossover = crossover,
                                 .nth = nth,
                                 .cost = cost,
                                 .parse = parse,
                                 .code = code};
    return 0;
}

void search_space_close(struct search_space *s)
{
    struct genes *g = s->ctx;
    if (g)
        free(g->a);
    free(g);
    memset(s, 0, sizeof *s);
}
