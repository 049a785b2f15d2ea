/* search: the common part of all strategies; see search.h for the contract and search_core.h for the split. */
#include "server/search.h"

#include "proto/base/fields.h"
#include "proto/base/suggest.h"
#include "server/search_core.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWN_MAX = 1 << 22 };

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for another proposal");
}

static uint64_t plan_id(struct hash128 key)
{
    return key.lo ^ (key.hi << 21 | key.hi >> 43);
}

static uint64_t genes_id(const struct strategy *s, const uint16_t *genes)
{
    return plan_id(hash128(genes, (size_t)s->space.ngenes * sizeof *genes));
}

/* ---- what may be proposed */

static int within(const struct search_limits *l, const struct search_cost *c)
{
    return c->macs >= l->macs_min && (!l->macs_max || c->macs <= l->macs_max) && c->params >= l->params_min &&
           (!l->params_max || c->params <= l->params_max);
}

int search_consider(struct strategy *s, const uint16_t *genes, int cache, struct search_cost *cost, struct err *err)
{
    uint64_t id = cache ? genes_id(s, genes) : 0;
    if (cache && map_get(&s->drawn, id))
        return 0;
    int rc = s->space.cost(s->space.ctx, genes, cost, err);
    if (rc)
        return rc;
    if (cache && s->drawn.count < DRAWN_MAX && map_put(&s->drawn, id, s))
        return no_memory(err);
    return within(&s->limits, cost) && !map_get(&s->plans, plan_id(cost->key));
}

static int grow(struct strategy *s, struct err *err)
{
    if (map_reserve(&s->plans, 1))
        return no_memory(err);
    if (!s->method->learns || s->count < s->cap)
        return 0;
    uint32_t cap = s->cap ? 2 * s->cap : 64;
    struct search_item *items = realloc(s->items, cap * sizeof *items);
    if (items)
        s->items = items;
    uint16_t *genes = realloc(s->genes, (size_t)cap * ((size_t)s->space.ngenes + 1) * sizeof *genes);
    if (genes)
        s->genes = genes;
    if (!items || !genes)
        return no_memory(err);
    s->cap = cap;
    return 0;
}

/* Takes a proposal into the record; also used by replay. */
static int record(struct strategy *s, const uint16_t *genes, uint32_t generation, const struct search_cost *cost,
                  struct err *err)
{
    size_t bytes = (size_t)s->space.ngenes * sizeof *genes;
    int rc = s->count == UINT32_MAX ? err_set(err, ERR_TOO_LARGE, "", "too many proposals") : grow(s, err);
    if (rc)
        return rc;
    map_put(&s->plans, plan_id(cost->key), s);
    if (s->method->learns) {
        s->items[s->count] = (struct search_item){NAN, cost->macs, cost->params, generation, SEARCH_UNTOLD};
        memcpy(s->genes + (size_t)s->count * (size_t)s->space.ngenes, genes, bytes);
    }
    if (genes != s->last)
        memcpy(s->last, genes, bytes);
    s->last_generation = generation;
    s->count++;
    return 0;
}

int search_propose(struct strategy *s, const uint16_t *genes, uint32_t generation, const struct search_cost *cost,
                   struct err *err)
{
    if (s->batch_n == s->batch_cap) {
        size_t cap = s->batch_cap ? 2 * s->batch_cap : 64;
        struct search_proposal *batch = realloc(s->batch, cap * sizeof *batch);
        if (!batch)
            return no_memory(err);
        s->batch = batch;
        s->batch_cap = cap;
    }
    int rc = s->space.code(s->space.ctx, genes, s->code, SEARCH_CODE_MAX, err);
    if (rc)
        return rc;
    char *code = strdup(s->code);
    rc = code ? record(s, genes, generation, cost, err) : no_memory(err);
    if (rc) {
        free(code);
        return rc;
    }
    s->batch[s->batch_n++] = (struct search_proposal){s->count - 1, generation, code, *cost};
    return 0;
}

/* Enough to meet the last architecture of a small space almost surely; bounded, because each may cost a plan. */
double search_tries(const struct strategy *s)
{
    return fmax(10000, fmin(20 * s->space.architectures, 1e6));
}

int search_draw(struct strategy *s, struct rng *rng, uint32_t generation, struct err *err)
{
    struct search_cost cost;
    for (double tries = search_tries(s); tries > 0; tries--) {
        int rc = s->space.sample(s->space.ctx, rng, s->scratch, err);
        if (rc == 0)
            rc = search_consider(s, s->scratch, 1, &cost, err);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            rc = search_propose(s, s->scratch, generation, &cost, err);
            return rc ? rc : 1;
        }
    }
    return 0;
}

static int nothing_fits(const struct search_space *p, double tries, struct err *err)
{
    return err_set(err, ERR_INVALID, "/constraints",
                   "no architecture found within constraints after %.0f tries (space bounds: %llu to %llu MACs, "
                   "%llu to %llu parameters)",
                   tries, (unsigned long long)p->macs_min, (unsigned long long)p->macs_max,
                   (unsigned long long)p->params_min, (unsigned long long)p->params_max);
}

int search_exhausted(struct strategy *s, double tries, struct err *err)
{
    if (s->count == 0)
        return nothing_fits(&s->space, tries, err);
    if (!s->ended)
        snprintf(s->note, sizeof s->note,
                 "ended after %u proposals: no other architecture within the constraints was found in %.0f tries",
                 s->count, tries);
    s->ended = 1;
    return 0;
}

const uint16_t *search_genes(const struct strategy *s, uint32_t index)
{
    assert(s->method->learns && index < s->count);
    return s->genes + (size_t)index * (size_t)s->space.ngenes;
}

int search_better(const struct strategy *s, uint32_t a, uint32_t b)
{
    const struct search_item *x = &s->items[a], *y = &s->items[b];
    if ((x->told == SEARCH_OK) != (y->told == SEARCH_OK))
        return x->told == SEARCH_OK;
    if (x->told == SEARCH_OK && x->fitness != y->fitness)
        return x->fitness > y->fitness;
    return a < b;
}

/* ---- life */

static const struct search_method *find_method(const json_t *doc, struct err *err)
{
    static const struct search_method *const all[] = {&search_list,      &search_random, &search_exhaustive,
                                                      &search_evolution, &search_nsga2,  &search_regularized};
    const json_t *name = json_object_get(doc, "name");
    if (!json_is_string(name)) {
        err_set(err, ERR_INVALID, "/name", "a strategy needs a name");
        return NULL;
    }
    struct suggest near;
    suggest_init(&near, json_string_value(name));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i]->name, json_string_value(name)) == 0)
            return all[i];
        suggest_offer(&near, all[i]->name);
    }
    err_set(err, ERR_INVALID, "/name", "unknown strategy%s", suggest_hint(&near));
    return NULL;
}

/* Limits that miss the space's bounds altogether need no search to be refused. */
static int check_range(const char *what, uint64_t lo, uint64_t hi, uint64_t min, uint64_t max, struct err *err)
{
    char where[64];
    snprintf(where, sizeof where, "/constraints/%s", what);
    if (hi && lo > hi)
        return err_set(err, ERR_INVALID, where, "min %llu is above max %llu", (unsigned long long)lo,
                       (unsigned long long)hi);
    if (lo > max || (hi && hi < min))
        return err_set(err, ERR_INVALID, where,
                       "no architecture found within constraints after 0 tries (space bounds: %llu to %llu %s)",
                       (unsigned long long)min, (unsigned long long)max, what);
    return 0;
}

static int check_limits(const struct search_limits *l, const struct search_space *p, struct err *err)
{
    int rc = check_range("macs", l->macs_min, l->macs_max, p->macs_min, p->macs_max, err);
    return rc ? rc : check_range("params", l->params_min, l->params_max, p->params_min, p->params_max, err);
}

int search_open(const json_t *strategy, const struct search_limits *limits, uint64_t seed,
                const struct search_space *space, struct strategy **out, struct err *err)
{
    const struct search_method *method = find_method(strategy, err);
    int rc = method ? check_limits(limits, space, err) : -ERR_INVALID;
    if (rc)
        return rc;
    struct strategy *s = calloc(1, sizeof *s);
    if (!s)
        return no_memory(err);
    *s = (struct strategy){.method = method, .limits = *limits, .seed = seed, .space = *space};
    size_t n = (size_t)space->ngenes + 1;
    s->last = calloc(n, sizeof *s->last);
    s->scratch = calloc(2 * n, sizeof *s->scratch);
    s->code = malloc(SEARCH_CODE_MAX);
    rc = s->last && s->scratch && s->code ? method->open(s, strategy, err) : no_memory(err);
    if (rc) {
        search_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void clear_batch(struct strategy *s)
{
    for (size_t i = 0; i < s->batch_n; i++)
        free(s->batch[i].code);
    s->batch_n = 0;
}

void search_close(struct strategy *s)
{
    if (!s)
        return;
    if (s->state && s->method->close)
        s->method->close(s);
    free(s->state);
    clear_batch(s);
    free(s->batch);
    free(s->items);
    free(s->genes);
    free(s->last);
    free(s->scratch);
    free(s->code);
    map_clear(&s->plans);
    map_clear(&s->drawn);
    free(s);
}

/* ---- ask, tell, replay */

int search_ask(struct strategy *s, size_t max, const struct search_proposal **out, size_t *n, struct err *err)
{
    clear_batch(s);
    int rc = s->last_code ? s->space.parse(s->space.ctx, s->code, s->last, err) : 0;
    if (rc)
        return rc;
    s->last_code = 0;
    rc = max > 0 && search_ready(s) ? s->method->ask(s, max, err) : 0;
    *out = s->batch;
    *n = rc ? 0 : s->batch_n;
    return rc;
}

int search_tell(struct strategy *s, uint32_t index, int failed, double fitness, struct err *err)
{
    if (index >= s->count)
        return err_set(err, ERR_INVALID, "", "proposal %u does not exist", index);
    if (!s->method->learns || s->items[index].told)
        return 0;
    if (!failed && isnan(fitness))
        return err_set(err, ERR_INVALID, "", "the fitness of proposal %u is not a number", index);
    s->items[index].told = failed ? SEARCH_FAILED : SEARCH_OK;
    s->items[index].fitness = fitness;
    s->told++;
    return 0;
}

int search_reserve(struct strategy *s, uint32_t proposals, struct err *err)
{
    return map_reserve(&s->plans, proposals) ? no_memory(err) : 0;
}

void search_expect(const struct strategy *s, const struct search_cost *cost)
{
    map_expect(&s->plans, plan_id(cost->key));
}

int search_restore(struct strategy *s, const struct search_proposal *p, struct err *err)
{
    if (p->index != s->count)
        return err_set(err, ERR_CORRUPT, "", "proposal %u is missing: the next one stored is %u", s->count, p->index);
    if (s->method->learns) {
        int rc = s->space.parse(s->space.ctx, p->code, s->scratch, err);
        return rc ? rc : record(s, s->scratch, p->generation, &p->cost, err);
    }
    size_t length = strlen(p->code);
    if (length >= SEARCH_CODE_MAX)
        return err_set(err, ERR_CORRUPT, "", "the code of proposal %u is too long", p->index);
    memcpy(s->code, p->code, length + 1); /* only the last one's genes are asked for, by the next search_ask */
    s->last_code = 1;
    return record(s, s->last, p->generation, &p->cost, err);
}

int search_ready(const struct strategy *s)
{
    return !search_done(s) && s->method->ready(s);
}

int search_done(const struct strategy *s)
{
    return s->ended || s->method->done(s);
}

uint32_t search_proposed(const struct strategy *s)
{
    return s->count;
}

double search_expected(const struct strategy *s)
{
    return s->ended ? s->count : s->method->expected(s);
}

const char *search_note(const struct strategy *s)
{
    return s->note;
}

json_t *search_document(const struct strategy *s)
{
    json_t *doc = json_pack("{s:s}", "name", s->method->name);
    if (doc)
        s->method->document(s, doc);
    return doc;
}
