/* space_sample: what is active, and the moves of a search: mutation, crossover, rejection within limits. */
#include "proto/cost.h"
#include "proto/space_tab.h"

#include <string.h>

enum { MAX_TRIES = 1000 }; /* for a child that "require" allows */

void space_active(const struct space *s, const int *choice, unsigned char *active)
{
    for (int i = 0; i < s->ndecisions; i++)
        active[i] = *(const unsigned char *)tab_at(&s->facts.activity[i], choice) != 0;
}

void space_normalise(const struct space *s, int *choice)
{
    unsigned char active[SPACE_MAX_DECISIONS];
    space_active(s, choice, active);
    for (int i = 0; i < s->ndecisions; i++)
        if (!active[i])
            choice[i] = 0;
}

/* An inactive decision has no value to inherit: if a child makes it active, its value is drawn. */
static void fill_inactive(const struct space *s, struct rng *r, const int *from, int *to)
{
    unsigned char active[SPACE_MAX_DECISIONS];
    space_active(s, from, active);
    for (int i = 0; i < s->ndecisions; i++)
        to[i] = active[i] ? from[i] : (int)rng_below(r, (uint64_t)s->decisions[i].noptions);
}

static void mutate(const struct space *s, struct rng *r, const int *parent, double p, int *child)
{
    unsigned char active[SPACE_MAX_DECISIONS];
    space_active(s, parent, active);
    fill_inactive(s, r, parent, child);
    for (int i = 0; i < s->ndecisions; i++)
        if (active[i] && rng_uniform(r) < p)
            child[i] = (int)rng_below(r, (uint64_t)s->decisions[i].noptions);
}

static void cross(const struct space *s, struct rng *r, const int *a, const int *b, int *child)
{
    unsigned char in_a[SPACE_MAX_DECISIONS], in_b[SPACE_MAX_DECISIONS];
    space_active(s, a, in_a);
    space_active(s, b, in_b);
    for (int i = 0; i < s->ndecisions; i++) {
        int first = rng_next(r) >> 63 == 0;
        if (in_a[i] != in_b[i])
            child[i] = in_a[i] ? a[i] : b[i]; /* only one parent has a value */
        else if (in_a[i])
            child[i] = first ? a[i] : b[i];
        else
            child[i] = (int)rng_below(r, (uint64_t)s->decisions[i].noptions);
    }
}

void space_mutate(const struct space *s, struct rng *r, const int *parent, double p, int *child)
{
    int tries = 0;
    do
        mutate(s, r, parent, p, child);
    while (!space_allowed(s, child, NULL) && ++tries < MAX_TRIES);
    if (tries == MAX_TRIES)
        memcpy(child, parent, (size_t)s->ndecisions * sizeof *child);
    space_normalise(s, child);
}

void space_crossover(const struct space *s, struct rng *r, const int *a, const int *b, int *child)
{
    int tries = 0;
    do
        cross(s, r, a, b, child);
    while (!space_allowed(s, child, NULL) && ++tries < MAX_TRIES);
    if (tries == MAX_TRIES)
        memcpy(child, a, (size_t)s->ndecisions * sizeof *child);
    space_normalise(s, child);
}

static int limited(int64_t v, int64_t min, int64_t max)
{
    return v >= min && (max == 0 || v <= max);
}

/* Sums of the surveyed tables, without a plan. Exact unless parameters are shared. */
static void quick_cost(const struct space *s, const int *choice, struct cost_term *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < s->facts.nterms; i++) {
        const struct cost_term *t = tab_at(&s->facts.terms[i], choice);
        for (int k = 0; k < TERM_KINDS; k++)
            out->v[k] += t->v[k];
    }
}

int space_cost(const struct space *s, const int *choice, int64_t *conv_macs, int64_t *params, struct err *err)
{
    struct cost_term c;
    quick_cost(s, choice, &c);
    *conv_macs = c.v[TERM_CONV_MACS];
    *params = c.v[TERM_PARAMS];
    if (!s->facts.shared)
        return 0;
    struct arena a;
    struct plan p;
    struct cost cost = {0};
    arena_init(&a, 0);
    int rc = plan_build(&a, s, choice, s->input, NULL, &p, err);
    if (!rc)
        rc = cost_plan(&p, &cost, err);
    arena_clear(&a);
    *params = cost.params;
    return rc;
}

int space_within(const struct space *s, const int *choice, const struct space_limits *l, struct err *err)
{
    int64_t macs, params;
    int rc = space_cost(s, choice, &macs, &params, err);
    return rc ? rc : limited(macs, l->macs_min, l->macs_max) && limited(params, l->params_min, l->params_max);
}

int space_sample_within(const struct space *s, struct rng *r, const struct space_limits *l, int tries, int *choice,
                        struct err *err)
{
    for (int i = 0; i < tries; i++) {
        space_sample(s, r, choice);
        int in = space_within(s, choice, l, err);
        if (in)
            return in < 0 ? in : 0;
    }
    return err_set(err, ERR_INVALID, "/constraints", "none of %d random architectures is within the limits", tries);
}
