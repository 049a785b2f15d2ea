/* search_regularized: regularised (ageing) evolution, Real et al. 2019. The population is a queue: the newest
 * `population` results; each child is the mutation of the best of `sample` members drawn with replacement, one gene on
 * average.
 *
 * So that workers need not wait for each other and replay stays exact, child i sees the results of proposals below
 * i - lag only: it is proposed, from the stream (seed, i), once those are all told. `lag` is how many may be in flight.
 */
#include "server/search_core.h"

#include "proto/base/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 100 };

struct ageing {
    const char *name;
    uint32_t population, sample, count, lag;
    uint32_t told; /* all proposals below it are told */
};

static int ageing_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct ageing *e = s->state = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    *e = (struct ageing){.population = 100, .sample = 25, .count = 1000, .lag = 20};
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct ageing, name)},
        {"population", FIELD_INT, .min = 1, .max = 1e6, FIELD_AT(struct ageing, population)},
        {"sample", FIELD_INT, .min = 1, .max = 1e6, FIELD_AT(struct ageing, sample)},
        {"count", FIELD_INT, .min = 1, .max = 1e8, FIELD_AT(struct ageing, count)},
        {"lag", FIELD_INT, .min = 1, .max = 1e6, FIELD_AT(struct ageing, lag)},
    };
    return fields_read(doc, rows, FIELDS_COUNT(rows), e, err);
}

/* Proposals that child i may look at: [end - population, end). */
static uint32_t horizon(const struct ageing *e, uint32_t i)
{
    uint32_t end = i > e->lag ? i - e->lag : 0;
    return end > e->population ? end : e->population;
}

static int uniform(const struct ageing *e, uint32_t i)
{
    return i < e->population;
}

static void count_told(const struct strategy *s, struct ageing *e)
{
    while (e->told < s->count && s->items[e->told].told)
        e->told++;
}

static int ready_for(const struct strategy *s, struct ageing *e, uint32_t i)
{
    count_told(s, e);
    return uniform(e, i) || e->told >= horizon(e, i);
}

/* The best of a sample, or UINT32_MAX when all of it failed. */
static uint32_t tournament(const struct strategy *s, const struct ageing *e, uint32_t i, struct rng *rng)
{
    uint32_t end = horizon(e, i), best = UINT32_MAX;
    for (uint32_t k = 0; k < e->sample; k++) {
        uint32_t at = end - e->population + (uint32_t)rng_below(rng, e->population);
        if (s->items[at].told == SEARCH_OK && (best == UINT32_MAX || search_better(s, at, best)))
            best = at;
    }
    return best;
}

/* 1: proposed; 0: no new child in TRIES. */
static int mutant(struct strategy *s, uint32_t parent, struct rng *rng, struct err *err)
{
    struct search_cost cost;
    for (int tries = 0; tries < TRIES; tries++) {
        memcpy(s->scratch, search_genes(s, parent), (size_t)s->space.ngenes * sizeof *s->scratch);
        int rc = s->space.mutate(s->space.ctx, rng, 1.0 / (s->space.ngenes + !s->space.ngenes), s->scratch, err);
        if (rc == 0)
            rc = search_consider(s, s->scratch, 1, &cost, err);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            rc = search_propose(s, s->scratch, 0, &cost, err);
            return rc ? rc : 1;
        }
    }
    return 0;
}

static int ageing_ask(struct strategy *s, size_t max, struct err *err)
{
    struct ageing *e = s->state;
    while (s->count < e->count && s->batch_n < max && ready_for(s, e, s->count)) {
        struct rng rng;
        rng_seed(&rng, s->seed, s->count);
        uint32_t parent = uniform(e, s->count) ? UINT32_MAX : tournament(s, e, s->count, &rng);
        int rc = parent == UINT32_MAX ? 0 : mutant(s, parent, &rng, err);
        if (rc == 0)
            rc = search_draw(s, &rng, 0, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return search_exhausted(s, search_tries(s), err);
    }
    return 0;
}

static int ageing_done(const struct strategy *s)
{
    return s->count >= ((const struct ageing *)s->state)->count;
}

static int ageing_ready(const struct strategy *s)
{
    return !ageing_done(s) && ready_for(s, s->state, s->count);
}

static double ageing_expected(const struct strategy *s)
{
    return fmin(((const struct ageing *)s->state)->count, s->space.architectures);
}

static void ageing_document(const struct strategy *s, json_t *doc)
{
    const struct ageing *e = s->state;
    json_t *all = json_pack("{s:I,s:I,s:I,s:I}", "population", (json_int_t)e->population, "sample",
                            (json_int_t)e->sample, "count", (json_int_t)e->count, "lag", (json_int_t)e->lag);
    json_object_update_new(doc, all);
}

const struct search_method search_regularized = {.name = "regularized",
                                                 .learns = 1,
                                                 .open = ageing_open,
                                                 .ask = ageing_ask,
                                                 .ready = ageing_ready,
                                                 .done = ageing_done,
                                                 .expected = ageing_expected,
                                                 .document = ageing_document};
