/* search_evolution: the evolution of Single Path One-Shot. A generation is at most `mutations` children of one random
 * parent (each gene redrawn with mutation_probability), at most `crossovers` children of two (each gene from either),
 * each kind with at most ten tries a child, filled up to `population` with uniform ones. Parents are the best `parents`
 * of everything scored so far. The first generation is uniform; `generations` counts it.
 *
 * Barrier: a generation is drawn, whole, from the random stream (seed, generation) when every earlier one is told. */
#include "server/search_core.h"

#include "proto/base/fields.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 10, PARENTS_MAX = 1000 };

struct evolution {
    const char *name;
    uint32_t population, generations, parents, mutations, crossovers;
    double mutation_probability;
    uint32_t ranked; /* proposals that went into best */
    uint32_t nbest;
    uint32_t *best; /* [parents] the best so far, best first */
};

static int evolution_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct evolution *e = s->state = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    *e = (struct evolution){.population = 50,
                            .generations = 20,
                            .parents = 10,
                            .mutations = UINT32_MAX,
                            .crossovers = UINT32_MAX,
                            .mutation_probability = .1};
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct evolution, name)},
        {"population", FIELD_INT, .min = 1, .max = 10000, FIELD_AT(struct evolution, population)},
        {"generations", FIELD_INT, .min = 1, .max = 1e6, FIELD_AT(struct evolution, generations)},
        {"parents", FIELD_INT, .min = 1, .max = PARENTS_MAX, FIELD_AT(struct evolution, parents)},
        {"mutation_probability", FIELD_NUMBER, .min = 0, .max = 1, FIELD_AT(struct evolution, mutation_probability)},
        {"mutations", FIELD_INT, .min = 0, .max = 10000, FIELD_AT(struct evolution, mutations)},
        {"crossovers", FIELD_INT, .min = 0, .max = 10000, FIELD_AT(struct evolution, crossovers)},
    };
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), e, err);
    if (rc)
        return rc;
    uint32_t half = e->population / 2; /* 25 of 50, as published */
    e->mutations = e->mutations == UINT32_MAX ? half : e->mutations;
    e->crossovers = e->crossovers == UINT32_MAX ? half : e->crossovers;
    if (e->mutations + e->crossovers > e->population)
        return err_set(err, ERR_INVALID, "/population", "mutations (%u) and crossovers (%u) exceed the population (%u)",
                       e->mutations, e->crossovers, e->population);
    e->best = calloc(e->parents + 1, sizeof *e->best);
    return e->best ? 0 : err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
}

static void evolution_close(struct strategy *s)
{
    free(((struct evolution *)s->state)->best);
}

/* Takes what was told since into the list of the best. */
static void rank(struct strategy *s, struct evolution *e)
{
    for (; e->ranked < s->count; e->ranked++) {
        if (s->items[e->ranked].told != SEARCH_OK)
            continue;
        uint32_t at = e->nbest < e->parents ? e->nbest++ : e->parents;
        for (; at > 0 && search_better(s, e->ranked, e->best[at - 1]); at--)
            e->best[at] = e->best[at - 1]; /* best has a place more than parents */
        e->best[at] = e->ranked;
    }
}

static int child(struct strategy *s, struct evolution *e, struct rng *rng, int crossed, uint16_t *out, struct err *err)
{
    const uint16_t *a = search_genes(s, e->best[rng_below(rng, e->nbest)]);
    if (crossed) {
        const uint16_t *b = search_genes(s, e->best[rng_below(rng, e->nbest)]);
        return s->space.crossover(s->space.ctx, rng, a, b, out, err);
    }
    memcpy(out, a, (size_t)s->space.ngenes * sizeof *out);
    return s->space.mutate(s->space.ctx, rng, e->mutation_probability, out, err);
}

static int breed(struct strategy *s, struct evolution *e, struct rng *rng, int crossed, uint32_t want,
                 uint32_t generation, struct err *err)
{
    struct search_cost cost;
    uint32_t made = 0;
    for (uint64_t tries = (uint64_t)TRIES * want; e->nbest && made < want && tries > 0; tries--) {
        int rc = child(s, e, rng, crossed, s->scratch, err);
        if (rc == 0)
            rc = search_consider(s, s->scratch, 1, &cost, err);
        if (rc == 1) {
            made++;
            rc = search_propose(s, s->scratch, generation, &cost, err);
        }
        if (rc)
            return rc;
    }
    return 0;
}

static int evolution_ask(struct strategy *s, size_t max, struct err *err)
{
    struct evolution *e = s->state;
    uint32_t generation = s->count ? s->last_generation + 1 : 0;
    struct rng rng;
    (void)max;
    rank(s, e);
    rng_seed(&rng, s->seed, generation);
    int rc = breed(s, e, &rng, 0, e->mutations, generation, err);
    if (rc == 0)
        rc = breed(s, e, &rng, 1, e->crossovers, generation, err);
    while (rc == 0 && s->batch_n < e->population) {
        rc = search_draw(s, &rng, generation, err);
        if (rc == 0)
            break;
        rc = rc == 1 ? 0 : rc;
    }
    if (rc == 0 && s->batch_n == 0)
        rc = search_exhausted(s, search_tries(s), err);
    return rc;
}

static int evolution_ready(const struct strategy *s)
{
    return s->told == s->count;
}

static int evolution_done(const struct strategy *s)
{
    return s->count > 0 && s->last_generation + 1 >= ((const struct evolution *)s->state)->generations;
}

static double evolution_expected(const struct strategy *s)
{
    const struct evolution *e = s->state;
    double all = (double)e->population * e->generations;
    return all < s->space.architectures ? all : s->space.architectures;
}

static void evolution_document(const struct strategy *s, json_t *doc)
{
    const struct evolution *e = s->state;
    json_t *all = json_pack("{s:I,s:I,s:I,s:f,s:I,s:I}", "population", (json_int_t)e->population, "generations",
                            (json_int_t)e->generations, "parents", (json_int_t)e->parents, "mutation_probability",
                            e->mutation_probability, "mutations", (json_int_t)e->mutations, "crossovers",
                            (json_int_t)e->crossovers);
    json_object_update_new(doc, all);
}

const struct search_method search_evolution = {.name = "evolution",
                                               .learns = 1,
                                               .open = evolution_open,
                                               .close = evolution_close,
                                               .ask = evolution_ask,
                                               .ready = evolution_ready,
                                               .done = evolution_done,
                                               .expected = evolution_expected,
                                               .document = evolution_document};
