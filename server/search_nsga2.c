/* search_nsga2: NSGA-II (Deb et al. 2002) for two objectives, high fitness and low cost (MACs or parameters). Survivors
 * are chosen front by front, the last one by crowding distance, from the survivors before and the newest generation;
 * children come from binary tournaments, crossed with probability `crossover_probability`, then mutated. Two proposals
 * that are equal in both objectives: the earlier one counts as better, which keeps fronts free of copies.
 *
 * Barrier as in search_evolution: generation g is drawn whole from the stream (seed, g) when all before it are told. */
#include "server/search_core.h"

#include "proto/base/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 10, POPULATION_MAX = 2000 };

struct ranked {
    uint32_t index; /* proposal */
    uint32_t front;
    double cost, fitness, crowding;
};

struct nsga2 {
    const char *name;
    uint32_t population, generations;
    int objective; /* index of objectives[] */
    double crossover_probability, mutation_probability;
    uint32_t folded; /* proposals that went through selection */
    uint32_t nalive;
    struct ranked *alive; /* [2 population] survivors first, best first */
};

static const char *const objectives[] = {"macs", "params", NULL};

static int nsga2_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct nsga2 *e = s->state = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    *e = (struct nsga2){.population = 50,
                        .generations = 20,
                        .crossover_probability = .9,
                        .mutation_probability = s->space.ngenes > 0 ? 1.0 / s->space.ngenes : 0};
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct nsga2, name)},
        {"population", FIELD_INT, .min = 2, .max = POPULATION_MAX, FIELD_AT(struct nsga2, population)},
        {"generations", FIELD_INT, .min = 1, .max = 1e6, FIELD_AT(struct nsga2, generations)},
        {"objective", FIELD_ENUM, .choices = objectives, FIELD_AT(struct nsga2, objective)},
        {"crossover_probability", FIELD_NUMBER, .min = 0, .max = 1, FIELD_AT(struct nsga2, crossover_probability)},
        {"mutation_probability", FIELD_NUMBER, .min = 0, .max = 1, FIELD_AT(struct nsga2, mutation_probability)},
    };
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), e, err);
    if (rc == 0 && !(e->alive = calloc(2 * (size_t)e->population, sizeof *e->alive)))
        rc = err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    return rc;
}

static void nsga2_close(struct strategy *s)
{
    free(((struct nsga2 *)s->state)->alive);
}

static int by_cost(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->fitness != y->fitness)
        return x->fitness > y->fitness ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static int by_front_and_cost(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    return by_cost(a, b);
}

static int by_merit(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    if (x->crowding != y->crowding)
        return x->crowding > y->crowding ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* By rising cost, a point is dominated by a front exactly when the front's best fitness so far is no lower. */
static void find_fronts(struct ranked *v, uint32_t n)
{
    double best[2 * POPULATION_MAX];
    uint32_t fronts = 0;
    qsort(v, n, sizeof *v, by_cost);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t lo = 0, hi = fronts; /* best[] falls with the front's number */
        while (lo < hi) {
            uint32_t mid = (lo + hi) / 2;
            if (best[mid] >= v[i].fitness)
                lo = mid + 1;
            else
                hi = mid;
        }
        best[lo] = v[i].fitness;
        v[i].front = lo;
        fronts += lo == fronts;
    }
}

static void find_crowding(struct ranked *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_front_and_cost);
    for (uint32_t at = 0, end; at < n; at = end) {
        for (end = at; end < n && v[end].front == v[at].front; end++)
            ;
        double costs = v[end - 1].cost - v[at].cost, gains = v[end - 1].fitness - v[at].fitness;
        for (uint32_t i = at; i < end; i++)
            v[i].crowding = i == at || i + 1 == end ? INFINITY
                                                    : (v[i + 1].cost - v[i - 1].cost) / costs +
                                                          (v[i + 1].fitness - v[i - 1].fitness) / gains;
    }
}

/* Selection over every generation that is told but not folded yet; replay passes through the same steps. */
static void fold(struct strategy *s, struct nsga2 *e)
{
    while (e->folded < s->count) {
        uint32_t generation = s->items[e->folded].generation, n = e->nalive;
        for (; e->folded < s->count && s->items[e->folded].generation == generation; e->folded++) {
            const struct search_item *it = &s->items[e->folded];
            if (it->told == SEARCH_OK && n < 2 * e->population)
                e->alive[n++] = (struct ranked){
                    .index = e->folded, .cost = (double)(e->objective ? it->params : it->macs), .fitness = it->fitness};
        }
        find_fronts(e->alive, n);
        find_crowding(e->alive, n);
        qsort(e->alive, n, sizeof *e->alive, by_merit);
        e->nalive = n < e->population ? n : e->population;
    }
}

static const uint16_t *parent(const struct strategy *s, const struct nsga2 *e, struct rng *rng)
{
    uint64_t a = rng_below(rng, e->nalive), b = rng_below(rng, e->nalive); /* alive is sorted by merit */
    return search_genes(s, e->alive[a < b ? a : b].index);
}

static int child(struct strategy *s, const struct nsga2 *e, struct rng *rng, uint16_t *out, struct err *err)
{
    const uint16_t *a = parent(s, e, rng), *b = parent(s, e, rng);
    int rc = 0;
    if (rng_uniform(rng) < e->crossover_probability)
        rc = s->space.crossover(s->space.ctx, rng, a, b, out, err);
    else
        memcpy(out, a, (size_t)s->space.ngenes * sizeof *out);
    return rc ? rc : s->space.mutate(s->space.ctx, rng, e->mutation_probability, out, err);
}

static int nsga2_ask(struct strategy *s, size_t max, struct err *err)
{
    struct nsga2 *e = s->state;
    uint32_t generation = s->count ? s->last_generation + 1 : 0;
    struct search_cost cost;
    struct rng rng;
    (void)max;
    fold(s, e);
    rng_seed(&rng, s->seed, generation);
    int rc = 0;
    for (uint32_t tries = TRIES * e->population; e->nalive && s->batch_n < e->population && tries > 0; tries--) {
        rc = child(s, e, &rng, s->scratch, err);
        if (rc == 0)
            rc = search_consider(s, s->scratch, 1, &cost, err);
        if (rc == 1)
            rc = search_propose(s, s->scratch, generation, &cost, err);
        if (rc)
            return rc;
    }
    while (s->batch_n < e->population) {
        rc = search_draw(s, &rng, generation, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
    }
    return s->batch_n ? 0 : search_exhausted(s, search_tries(s), err);
}

static int nsga2_ready(const struct strategy *s)
{
    return s->told == s->count;
}

static int nsga2_done(const struct strategy *s)
{
    return s->count > 0 && s->last_generation + 1 >= ((const struct nsga2 *)s->state)->generations;
}

static double nsga2_expected(const struct strategy *s)
{
    const struct nsga2 *e = s->state;
    return fmin((double)e->population * e->generations, s->space.architectures);
}

static void nsga2_document(const struct strategy *s, json_t *doc)
{
    const struct nsga2 *e = s->state;
    json_t *all = json_pack("{s:I,s:I,s:s,s:f,s:f}", "population", (json_int_t)e->population, "generations",
                            (json_int_t)e->generations, "objective", objectives[e->objective], "crossover_probability",
                            e->crossover_probability, "mutation_probability", e->mutation_probability);
    json_object_update_new(doc, all);
}

const struct search_method search_nsga2 = {.name = "nsga2",
                                           .learns = 1,
                                           .open = nsga2_open,
                                           .close = nsga2_close,
                                           .ask = nsga2_ask,
                                           .ready = nsga2_ready,
                                           .done = nsga2_done,
                                           .expected = nsga2_expected,
                                           .document = nsga2_document};
