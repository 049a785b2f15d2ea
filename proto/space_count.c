/* space_count: how many architectures, the cheapest and the dearest, the n-th, a random one. All by eliminating one
 * decision after the other from a product (or sum) of tables: exact, and fast as long as few decisions hang together.
 *
 * Counting: the product over decisions of [active or option 0] is 1 for each canonical architecture; summing one
 * decision out of the tables it occurs in leaves tables over the others. The table before a decision is summed out
 * holds, for each of its options, the number of ways to complete the decisions summed out earlier: going back through
 * these tables draws architectures uniformly, or finds the n-th. What "require" leaves out is a factor 0. */
#include "proto/base/rng.h"
#include "proto/cost.h"
#include "proto/space_require.h"

#include <gmp.h>
#include <stdlib.h>
#include <string.h>

static const int64_t PENALTY = (int64_t)1 << 50; /* SPACE_MAX_REQUIREMENTS of them fit a sum */

struct bucket { /* one decision when it is summed out */
    int decision;
    struct dom dom;
    mpz_t *weights; /* [dom.size] */
    int even;       /* hangs on nothing: all options weigh the same */
};

struct factor {
    struct dom dom;
    mpz_t *v;
    int64_t *cost; /* instead of v: minima or maxima */
    int used;
};

struct elimination {
    const struct space *s;
    struct factor *f;
    int nf, capacity;
    unsigned char gone[SPACE_MAX_DECISIONS];
    struct err *err;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory to count a space");
}

static mpz_t *new_numbers(int n)
{
    mpz_t *v = calloc((size_t)n, sizeof *v);
    for (int i = 0; v && i < n; i++)
        mpz_init(v[i]);
    return v;
}

static void free_numbers(mpz_t *v, int n)
{
    for (int i = 0; v && i < n; i++)
        mpz_clear(v[i]);
    free(v);
}

static struct factor *add_factor(struct elimination *e, const struct dom *d)
{
    if (e->nf == e->capacity) {
        int capacity = e->capacity ? e->capacity * 2 : 64;
        struct factor *more = realloc(e->f, (size_t)capacity * sizeof *more);
        if (!more)
            return NULL;
        e->f = more;
        e->capacity = capacity;
    }
    struct factor *f = &e->f[e->nf++];
    *f = (struct factor){.dom = *d};
    if (f->dom.size == 0)
        f->dom.size = 1;
    return f;
}

static void clear(struct elimination *e)
{
    for (int i = 0; i < e->nf; i++) {
        free_numbers(e->f[i].v, e->f[i].dom.size);
        free(e->f[i].cost);
    }
    free(e->f);
}

/* The decision whose removal makes the smallest table; of equals the last, so that drawing goes from first to last. */
static int next_decision(struct elimination *e, struct dom *best)
{
    int found = -1;
    for (int d = e->s->ndecisions - 1; d >= 0; d--) {
        struct dom dom = {.size = 1};
        int rc = e->gone[d] ? -1 : dom_add(&dom, e->s, d, NULL);
        for (int i = 0; i < e->nf && !rc; i++)
            if (!e->f[i].used && dom_has(&e->f[i].dom, d))
                rc = dom_join(&dom, &e->f[i].dom, e->s, NULL);
        if (rc || (found >= 0 && dom.size >= best->size))
            continue;
        found = d;
        *best = dom;
        if (dom.n == 1)
            break;
    }
    return found;
}

static int without(const struct dom *d, int decision, const struct space *s, struct dom *out)
{
    *out = (struct dom){.size = 1};
    for (int i = 0; i < d->n; i++)
        if (d->dec[i] != decision && dom_add(out, s, d->dec[i], NULL))
            return -1;
    return 0;
}

/* ---- counting ---- */

/* Product of all tables with this decision, over their joint decisions. */
static mpz_t *multiply(struct elimination *e, const struct dom *d, int decision)
{
    int choice[SPACE_MAX_DECISIONS] = {0};
    mpz_t *v = new_numbers(d->size);
    for (int w = 0; v && w < d->size; w++) {
        dom_choose(d, w, choice);
        mpz_set_ui(v[w], 1);
        for (int i = 0; i < e->nf; i++)
            if (!e->f[i].used && dom_has(&e->f[i].dom, decision))
                mpz_mul(v[w], v[w], e->f[i].v[dom_index(&e->f[i].dom, choice)]);
    }
    return v;
}

static int is_even(const struct bucket *b)
{
    int even = b->dom.n == 1;
    for (int w = 1; w < b->dom.size && even; w++)
        even = mpz_cmp(b->weights[w], b->weights[0]) == 0;
    return even;
}

static int sum_out(struct elimination *e, struct bucket *b)
{
    struct dom rest;
    int choice[SPACE_MAX_DECISIONS] = {0};
    if (without(&b->dom, b->decision, e->s, &rest))
        return no_memory(e->err);
    for (int i = 0; i < e->nf; i++)
        if (dom_has(&e->f[i].dom, b->decision))
            e->f[i].used = 1;
    struct factor *f = add_factor(e, &rest);
    if (!f || !(f->v = new_numbers(rest.size)))
        return no_memory(e->err);
    for (int w = 0; w < b->dom.size; w++) {
        dom_choose(&b->dom, w, choice);
        mpz_t *sum = &f->v[dom_index(&rest, choice)];
        mpz_add(*sum, *sum, b->weights[w]);
    }
    return 0;
}

static int add_activity(struct elimination *e, int decision)
{
    const struct tab *t = &e->s->facts.activity[decision];
    int choice[SPACE_MAX_DECISIONS] = {0};
    if (tab_all(t))
        return 0;
    struct dom d = t->dom;
    int rc = dom_add(&d, e->s, decision, e->err);
    if (rc)
        return rc;
    struct factor *f = add_factor(e, &d);
    if (!f || !(f->v = new_numbers(d.size)))
        return no_memory(e->err);
    for (int w = 0; w < d.size; w++) {
        dom_choose(&d, w, choice);
        mpz_set_ui(f->v[w], *(const unsigned char *)tab_at(t, choice) || choice[decision] == 0);
    }
    return 0;
}

static int add_requirements(struct elimination *e)
{
    for (int i = 0; i < e->s->nrequirements; i++) {
        const struct tab *t = &e->s->requirements[i].tab;
        struct factor *f = add_factor(e, &t->dom);
        if (!f || !(f->v = new_numbers(f->dom.size)))
            return no_memory(e->err);
        for (int w = 0; w < t->dom.size; w++)
            mpz_set_ui(f->v[w], t->data[w]);
    }
    return 0;
}

static int finish_count(struct space *s, const mpz_t total)
{
    s->count = malloc(mpz_sizeinbase(total, 10) + 2);
    if (!s->count)
        return -1;
    mpz_get_str(s->count, 10, total);
    s->count64 = mpz_fits_ulong_p(total) ? mpz_get_ui(total) : UINT64_MAX;
    return 0;
}

static int count(struct space *s, struct err *err)
{
    struct elimination e = {.s = s, .err = err};
    int rc = 0, n = s->ndecisions;
    mpz_t total;
    s->buckets = calloc((size_t)n + 1, sizeof *s->buckets);
    if (!s->buckets)
        return no_memory(err);
    for (int d = 0; d < n && !rc; d++)
        rc = add_activity(&e, d);
    if (!rc)
        rc = add_requirements(&e);
    mpz_init_set_ui(total, 1);
    for (int k = n - 1; k >= 0 && !rc; k--) { /* drawing goes the other way */
        struct bucket *b = &s->buckets[k];
        b->decision = next_decision(&e, &b->dom);
        if (b->decision < 0) {
            rc = err_set(err, ERR_UNSUPPORTED, "/decisions",
                         "too many decisions hang together: the space cannot be counted");
            break;
        }
        e.gone[b->decision] = 1;
        b->weights = multiply(&e, &b->dom, b->decision);
        rc = b->weights ? sum_out(&e, b) : no_memory(err);
        b->even = !rc && is_even(b);
    }
    for (int i = 0; i < e.nf && !rc; i++)
        if (!e.f[i].used)
            mpz_mul(total, total, e.f[i].v[0]);
    if (!rc && mpz_sgn(total) == 0)
        rc = err_set(err, ERR_INVALID, "/require", "no architecture satisfies all requirements");
    if (!rc && finish_count(s, total))
        rc = no_memory(err);
    mpz_clear(total);
    clear(&e);
    return rc;
}

/* ---- bounds ---- */

static int64_t better(int64_t a, int64_t b, int sign)
{
    return (a < b) == (sign < 0) ? a : b;
}

static int best_out(struct elimination *e, const struct dom *d, int decision, int sign)
{
    struct dom rest;
    int choice[SPACE_MAX_DECISIONS] = {0};
    if (without(d, decision, e->s, &rest))
        return no_memory(e->err);
    unsigned char *set = calloc((size_t)rest.size, 1);
    int64_t *out = calloc((size_t)rest.size, sizeof *out);
    for (int w = 0; set && out && w < d->size; w++) {
        dom_choose(d, w, choice);
        int64_t sum = 0;
        for (int i = 0; i < e->nf; i++)
            if (!e->f[i].used && dom_has(&e->f[i].dom, decision))
                sum += e->f[i].cost[dom_index(&e->f[i].dom, choice)];
        int at = dom_index(&rest, choice);
        out[at] = set[at] ? better(out[at], sum, sign) : sum;
        set[at] = 1;
    }
    free(set);
    for (int i = 0; i < e->nf; i++)
        if (dom_has(&e->f[i].dom, decision))
            e->f[i].used = 1;
    struct factor *f = out ? add_factor(e, &rest) : NULL;
    if (!f) {
        free(out);
        return no_memory(e->err);
    }
    f->cost = out;
    return 0;
}

/* What is left out costs more than anything (or less, when looking for the largest). */
static int add_penalties(struct elimination *e, int sign)
{
    for (int i = 0; i < e->s->nrequirements; i++) {
        const struct tab *t = &e->s->requirements[i].tab;
        struct factor *f = add_factor(e, &t->dom);
        if (!f || !(f->cost = calloc((size_t)f->dom.size, sizeof *f->cost)))
            return no_memory(e->err);
        for (int w = 0; w < t->dom.size; w++)
            f->cost[w] = t->data[w] ? 0 : -sign * PENALTY;
    }
    return 0;
}

static int add_terms(struct elimination *e, int kind)
{
    for (int i = 0; i < e->s->facts.nterms; i++) {
        const struct tab *t = &e->s->facts.terms[i];
        struct factor *f = add_factor(e, &t->dom);
        if (!f || !(f->cost = calloc((size_t)t->dom.size, sizeof *f->cost)))
            return no_memory(e->err);
        for (int w = 0; w < t->dom.size; w++)
            f->cost[w] = ((const struct cost_term *)(const void *)t->data)[w].v[kind];
    }
    return 0;
}

/* The smallest (sign -1) or largest sum of all terms. What cannot be eliminated is bounded term by term. */
static int bound(const struct space *s, int kind, int sign, int64_t *out, int *exact, struct err *err)
{
    struct elimination e = {.s = s, .err = err};
    struct dom d;
    int rc = add_terms(&e, kind), left = s->ndecisions, decision = 0;
    if (!rc)
        rc = add_penalties(&e, sign);
    while (!rc && left && (decision = next_decision(&e, &d)) >= 0) {
        e.gone[decision] = 1;
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
    clear(&e);
    return rc;
}

static int bounds(struct space *s, struct err *err)
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

int space_count_prepare(struct space *s, struct err *err)
{
    int rc = count(s, err);
    return rc ? rc : bounds(s, err);
}

void space_count_clear(struct space *s)
{
    for (int i = 0; s->buckets && i < s->ndecisions; i++)
        free_numbers(s->buckets[i].weights, s->buckets[i].dom.size);
    free(s->buckets);
    free(s->count);
}

const char *space_architectures(const struct space *s)
{
    return s->count;
}

uint64_t space_architectures64(const struct space *s)
{
    return s->count64;
}

const struct space_bounds *space_bounds(const struct space *s)
{
    return &s->bounds;
}

/* ---- drawing ---- */

static void random_below(struct rng *r, const mpz_t n, mpz_t out)
{
    size_t bits = mpz_sizeinbase(n, 2);
    do {
        mpz_set_ui(out, 0);
        for (size_t done = 0; done < bits; done += 64) {
            mpz_mul_2exp(out, out, 64);
            mpz_add_ui(out, out, rng_next(r));
        }
        mpz_fdiv_r_2exp(out, out, bits);
    } while (mpz_cmp(out, n) >= 0);
}

/* The option of b's decision in which `at` falls when the options' weights are laid end to end; *at becomes the rest.
 */
static int pick(const struct bucket *b, int noptions, int *choice, mpz_t at)
{
    for (int o = 0; o < noptions; o++) {
        choice[b->decision] = o;
        const mpz_t *w = &b->weights[dom_index(&b->dom, choice)];
        if (mpz_cmp(at, *w) < 0)
            return o;
        mpz_sub(at, at, *w);
    }
    return noptions - 1;
}

static void weight_sum(const struct bucket *b, int noptions, int *choice, mpz_t sum)
{
    mpz_set_ui(sum, 0);
    for (int o = 0; o < noptions; o++) {
        choice[b->decision] = o;
        mpz_add(sum, sum, b->weights[dom_index(&b->dom, choice)]);
    }
}

void space_sample(const struct space *s, struct rng *r, int *choice)
{
    mpz_t sum, at;
    mpz_inits(sum, at, NULL);
    for (int i = 0; i < s->ndecisions; i++) {
        const struct bucket *b = &s->buckets[i];
        int n = s->decisions[b->decision].noptions;
        if (b->even) {
            choice[b->decision] = (int)rng_below(r, (uint64_t)n);
            continue;
        }
        weight_sum(b, n, choice, sum);
        random_below(r, sum, at);
        choice[b->decision] = pick(b, n, choice, at);
    }
    mpz_clears(sum, at, NULL);
}

int space_nth(const struct space *s, uint64_t index, int *choice, struct err *err)
{
    mpz_t left, total, sum, unit, at;
    if (index >= s->count64)
        return err_set(err, ERR_INVALID, "index", "there are %s architectures", s->count);
    mpz_inits(left, sum, unit, at, NULL);
    mpz_init_set_str(total, s->count, 10);
    mpz_set_ui(left, index);
    for (int i = 0; i < s->ndecisions; i++) {
        const struct bucket *b = &s->buckets[i];
        int n = s->decisions[b->decision].noptions;
        weight_sum(b, n, choice, sum);
        mpz_divexact(unit, total, sum); /* ways to complete what hangs on other decisions */
        mpz_fdiv_q(at, left, unit);
        mpz_set(sum, at);
        choice[b->decision] = pick(b, n, choice, at);
        mpz_sub(sum, sum, at); /* weights before the option */
        mpz_submul(left, sum, unit);
        mpz_mul(total, unit, b->weights[dom_index(&b->dom, choice)]);
    }
    mpz_clears(left, total, sum, unit, at, NULL);
    return 0;
}
