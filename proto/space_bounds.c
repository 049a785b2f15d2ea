/* space_bounds: the smallest and the largest cost of any architecture, by elimination: a sum of tables from which one
 * decision after the other is removed by taking its best option. */
#include "proto/cost.h"
#include "proto/eliminate.h"
#include "proto/space_require.h"

#include <stdlib.h>

static const int64_t PENALTY = (int64_t)1 << 50; /* SPACE_MAX_REQUIREMENTS of them fit a sum */

static int64_t better(int64_t a, int64_t b, int sign)
{
    return (a < b) == (sign < 0) ? a : b;
}

static int best_out(struct eliminate *e, const struct dom *d, int decision, int sign)
{
    int choice[SPACE_MAX_DECISIONS] = {0};
    struct eliminate_factor *best = eliminate_replace(e, d, decision);
    unsigned char *set = best ? calloc((size_t)best->dom.size, 1) : NULL;
    if (!set || !(best->cost = calloc((size_t)best->dom.size, sizeof *best->cost))) {
        free(set);
        return eliminate_no_memory(e->err);
    }
    for (int w = 0; w < d->size; w++) {
        dom_choose(d, w, choice);
        int64_t sum = 0;
        for (int i = 0; i < e->nwith; i++) {
            const struct eliminate_factor *f = &e->f[e->with[i]];
            sum += f->cost[dom_index(&f->dom, choice)];
        }
        int at = dom_index(&best->dom, choice);
        best->cost[at] = set[at] ? better(best->cost[at], sum, sign) : sum;
        set[at] = 1;
    }
    free(set);
    return 0;
}

/* What is left out costs more than anything (or less, when looking for the largest). */
static int add_penalties(struct eliminate *e, int sign)
{
    for (int i = 0; i < e->s->nrequirements; i++) {
        const struct tab *t = &e->s->requirements[i].tab;
        struct eliminate_factor *f = eliminate_add(e, &t->dom);
        if (!f || !(f->cost = calloc((size_t)f->dom.size, sizeof *f->cost)))
            return eliminate_no_memory(e->err);
        for (int w = 0; w < t->dom.size; w++)
            f->cost[w] = t->data[w] ? 0 : -sign * PENALTY;
    }
    return 0;
}

static int add_terms(struct eliminate *e, int kind)
{
    for (int i = 0; i < e->s->facts.nterms; i++) {
        const struct tab *t = &e->s->facts.terms[i];
        struct eliminate_factor *f = eliminate_add(e, &t->dom);
        if (!f || !(f->cost = calloc((size_t)t->dom.size, sizeof *f->cost)))
            return eliminate_no_memory(e->err);
        for (int w = 0; w < t->dom.size; w++)
            f->cost[w] = ((const struct cost_term *)(const void *)t->data)[w].v[kind];
    }
    return 0;
}

/* The smallest (sign -1) or largest sum of all terms. What cannot be eliminated is bounded term by term. */
static int bound(const struct space *s, int kind, int sign, int64_t *out, int *exact, struct err *err)
{
    struct eliminate e;
    struct dom d;
    int rc = eliminate_init(&e, s, err), left = s->ndecisions, decision = 0;
    if (!rc)
        rc = add_terms(&e, kind);
    if (!rc)
        rc = add_penalties(&e, sign);
    while (!rc && left && (decision = eliminate_next(&e, &d)) >= 0) {
        left--;
        rc = best_out(&e, &d, decision, sign);
    }
    *out = 0;
    *exact &= left == 0;
    for (int i = 0; i < e.nf && !rc; i++) {
        if (e.f[i].used)
            continue;
        int64_t best = e.f[i].cost[0];
        for (int w = 1; w < e.f[i].dom.size; w++)
            best = better(best, e.f[i].cost[w], sign);
        *out += best;
    }
    eliminate_clear(&e);
    return rc;
}

int space_bounds_prepare(struct space *s, struct err *err)
{
    struct space_bound *b[TERM_KINDS] = {&s->bounds.conv_macs, &s->bounds.all_macs, &s->bounds.params};
    int rc = 0;
    for (int k = 0; k < TERM_KINDS && !rc; k++) {
        b[k]->exact = k != TERM_PARAMS || !s->facts.shared;
        rc = bound(s, k, -1, &b[k]->min, &b[k]->exact, err);
        if (!rc)
            rc = bound(s, k, 1, &b[k]->max, &b[k]->exact, err);
    }
    if (s->facts.shared) /* a parameter used twice was counted twice */
        s->bounds.params.min = 0;
    return rc;
}

const struct space_bounds *space_bounds(const struct space *s)
{
    return &s->bounds;
}
