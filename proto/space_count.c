/* space_count: how many architectures, the n-th, a random one, by elimination.
 *
 * The product over decisions of [active or option 0] is 1 for each canonical architecture; summing one decision out of
 * the tables it occurs in leaves tables over the others. The table before a decision is summed out holds, for each of
 * its options, the number of ways to complete the decisions summed out earlier: going back through these tables draws
 * architectures uniformly, or finds the n-th. What "require" leaves out is a factor 0. */
#include "proto/base/rng.h"
#include "proto/eliminate.h"
#include "proto/space_require.h"

#include <stdlib.h>

struct bucket { /* one decision when it is summed out */
    int decision;
    struct dom dom;
    mpz_t *weights; /* [dom.size] */
    int even;       /* hangs on nothing: all options weigh the same */
};

/* ---- counting ---- */

/* Product of the tables with the decision, over their joint decisions. */
static mpz_t *multiply(struct eliminate *e, const struct dom *d)
{
    int choice[SPACE_MAX_DECISIONS] = {0};
    mpz_t *v = eliminate_numbers(d->size);
    for (int w = 0; v && w < d->size; w++) {
        dom_choose(d, w, choice);
        mpz_set_ui(v[w], 1);
        for (int i = 0; i < e->nwith; i++) {
            const struct eliminate_factor *f = &e->f[e->with[i]];
            mpz_mul(v[w], v[w], f->v[dom_index(&f->dom, choice)]);
        }
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

static int sum_out(struct eliminate *e, struct bucket *b)
{
    int choice[SPACE_MAX_DECISIONS] = {0};
    struct eliminate_factor *f = eliminate_replace(e, &b->dom, b->decision);
    if (!f || !(f->v = eliminate_numbers(f->dom.size)))
        return eliminate_no_memory(e->err);
    for (int w = 0; w < b->dom.size; w++) {
        dom_choose(&b->dom, w, choice);
        mpz_t *sum = &f->v[dom_index(&f->dom, choice)];
        mpz_add(*sum, *sum, b->weights[w]);
    }
    return 0;
}

static int add_activity(struct eliminate *e, int decision)
{
    const struct tab *t = &e->s->facts.activity[decision];
    int choice[SPACE_MAX_DECISIONS] = {0};
    if (tab_all(t))
        return 0;
    struct dom d = t->dom;
    int rc = dom_add(&d, e->s, decision, e->err);
    if (rc)
        return rc;
    struct eliminate_factor *f = eliminate_add(e, &d);
    if (!f || !(f->v = eliminate_numbers(d.size)))
        return eliminate_no_memory(e->err);
    for (int w = 0; w < d.size; w++) {
        dom_choose(&d, w, choice);
        mpz_set_ui(f->v[w], *(const unsigned char *)tab_at(t, choice) || choice[decision] == 0);
    }
    return 0;
}

static int add_requirements(struct eliminate *e)
{
    for (int i = 0; i < e->s->nrequirements; i++) {
        const struct tab *t = &e->s->requirements[i].tab;
        struct eliminate_factor *f = eliminate_add(e, &t->dom);
        if (!f || !(f->v = eliminate_numbers(f->dom.size)))
            return eliminate_no_memory(e->err);
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
    struct eliminate e;
    int rc = eliminate_init(&e, s, err), n = s->ndecisions;
    mpz_t total;
    s->buckets = calloc((size_t)n + 1, sizeof *s->buckets);
    if (!s->buckets)
        rc = eliminate_no_memory(err);
    for (int d = 0; d < n && !rc; d++)
        rc = add_activity(&e, d);
    if (!rc)
        rc = add_requirements(&e);
    mpz_init_set_ui(total, 1);
    for (int k = n - 1; k >= 0 && !rc; k--) { /* drawing goes the other way */
        struct bucket *b = &s->buckets[k];
        b->decision = eliminate_next(&e, &b->dom);
        if (b->decision < 0) {
            rc = err_set(err, ERR_UNSUPPORTED, "/decisions",
                         "too many decisions hang together: the space cannot be counted");
            break;
        }
        b->weights = multiply(&e, &b->dom);
        rc = b->weights ? sum_out(&e, b) : eliminate_no_memory(err);
        b->even = !rc && is_even(b);
    }
    for (int i = 0; i < e.nf && !rc; i++)
        if (!e.f[i].used)
            mpz_mul(total, total, e.f[i].v[0]);
    if (!rc && mpz_sgn(total) == 0)
        rc = err_set(err, ERR_INVALID, "/require", "no architecture satisfies all requirements");
    if (!rc && finish_count(s, total))
        rc = eliminate_no_memory(err);
    mpz_clear(total);
    eliminate_clear(&e);
    return rc;
}

int space_count_prepare(struct space *s, struct err *err)
{
    int rc = count(s, err);
    return rc ? rc : space_bounds_prepare(s, err);
}

void space_count_clear(struct space *s)
{
    for (int i = 0; s->buckets && i < s->ndecisions; i++)
        eliminate_free_numbers(s->buckets[i].weights, s->buckets[i].dom.size);
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
