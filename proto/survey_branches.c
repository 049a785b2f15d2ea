/* survey_branches: where the network depends on decisions: choices, loops and parallel branches are followed each under
 * its guard, and joined. */
#include "proto/survey.h"

#include <stdlib.h>
#include <string.h>

/* Narrows the guard to `keep` (a table that is 0 outside the guard). Returns the old one. */
struct tab survey_narrow(struct survey *sv, const struct tab *keep)
{
    struct tab old = sv->guard;
    sv->guard = *keep;
    return old;
}

struct equal_ctx {
    const struct tab *select;
    int64_t i, n;
    const char *where;
    int mask;
};

static int eval_selected(struct survey *sv, const void *ctx, void *out)
{
    const struct equal_ctx *c = ctx;
    const struct int_value *v = tab_at(c->select, sv->choice);
    if (!c->mask && (v->v < 0 || v->v >= c->n))
        return err_set(sv->err, ERR_INVALID, c->where, "%lld is not between 0 and %lld", (long long)v->v,
                       (long long)c->n - 1);
    *(unsigned char *)out = (unsigned char)(c->mask ? v->v >> c->i & 1 : v->v == c->i);
    return 0;
}

int survey_choose(struct survey *sv, const struct layer *l)
{
    struct tab select, before = sv->cur, result = sv->cur, keep, inner;
    int rc = survey_expr(sv, l->select, survey_eval_int, l->select, sizeof(struct int_value), &select);
    for (int i = 0; i < l->nkids && !rc; i++) {
        struct equal_ctx c = {&select, i, l->nkids, expr_where(l->select), 0};
        rc = survey_entries(sv, &select.dom, eval_selected, &c, 1, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = survey_narrow(sv, &keep);
        sv->cur = before;
        rc = survey_layer(sv, l->kids[i], i, &inner);
        sv->guard = guard;
        if (!rc) {
            struct tab t = sv->cur;
            sv->cur = before;
            rc = survey_join(sv, &t, &result, &keep);
            result = t;
        }
    }
    sv->cur = result;
    return rc;
}

static void int_range(const struct tab *t, int64_t *lo, int64_t *hi)
{
    const struct int_value *v = (const struct int_value *)(const void *)t->data;
    *lo = *hi = v[0].v;
    for (int i = 1; i < t->dom.size; i++) {
        *lo = v[i].v < *lo ? v[i].v : *lo;
        *hi = v[i].v > *hi ? v[i].v : *hi;
    }
}

struct range_ctx {
    const struct tab *first, *end;
    int64_t i;
};

static int eval_in_range(struct survey *sv, const void *ctx, void *out)
{
    const struct range_ctx *c = ctx;
    const struct int_value *first = tab_at(c->first, sv->choice), *end = tab_at(c->end, sv->choice);
    *(unsigned char *)out = c->i >= first->v && c->i < end->v;
    return 0;
}

struct for_state {
    const struct layer *l;
    struct tab first, end;
    int64_t lo, hi;
};

static int for_begin(struct survey *sv, const struct layer *l, struct for_state *f)
{
    int64_t unused;
    struct int_value zero = {0};
    f->l = l;
    int rc = l->first ? survey_expr(sv, l->first, survey_eval_int, l->first, sizeof zero, &f->first)
                      : tab_const(&f->first, &sv->arena, &zero, sizeof zero, sv->err);
    if (!rc)
        rc = survey_expr(sv, l->select, survey_eval_int, l->select, sizeof zero, &f->end);
    if (rc)
        return rc;
    int_range(&f->first, &f->lo, &unused);
    int_range(&f->end, &unused, &f->hi);
    if (f->hi - f->lo > SPACE_MAX_STEPS)
        return err_set(sv->err, ERR_TOO_LARGE, l->where, "a loop of %lld rounds", (long long)(f->hi - f->lo));
    return 0;
}

/* The guard of round i, and the counter. */
static int for_round(struct survey *sv, struct for_state *f, int64_t i, struct tab *keep)
{
    struct range_ctx c = {&f->first, &f->end, i};
    struct dom d = f->first.dom;
    int rc = dom_join(&d, &f->end.dom, sv->s, sv->err);
    if (!rc)
        rc = survey_entries(sv, &d, eval_in_range, &c, 1, keep);
    return rc ? rc : survey_set_slot(sv, f->l->slot, i);
}

int survey_for(struct survey *sv, const struct layer *l)
{
    struct for_state f;
    struct tab keep, inner;
    int rc = for_begin(sv, l, &f);
    for (int64_t i = f.lo; !rc && i < f.hi; i++) {
        rc = for_round(sv, &f, i, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = survey_narrow(sv, &keep), before = sv->cur;
        rc = survey_layer(sv, l->kids[0], -1, &inner);
        sv->guard = guard;
        if (!rc) {
            struct tab t = sv->cur;
            sv->cur = before;
            rc = survey_join(sv, &t, &before, &keep);
            sv->cur = t;
        }
    }
    return rc;
}

struct branch_tabs {
    struct tab in, out[SPACE_MAX_BRANCHES], keep[SPACE_MAX_BRANCHES];
    const struct layer *l;
    int n;
};

static int add_branch(struct survey *sv, struct branch_tabs *br, const struct layer *kid, int number)
{
    if (br->n == SPACE_MAX_BRANCHES)
        return err_set(sv->err, ERR_TOO_LARGE, kid->where, "more than %d branches", SPACE_MAX_BRANCHES);
    sv->cur = br->in;
    int rc = survey_layer(sv, kid, number, &br->keep[br->n]);
    if (!rc && tab_any(&br->keep[br->n]))
        br->out[br->n++] = sv->cur;
    sv->cur = br->in;
    return rc;
}

static int collect(struct survey *sv, struct branch_tabs *br, const struct layer *kid, int number);

static int round_branches(struct survey *sv, struct branch_tabs *br, const struct layer *body)
{
    int rc = 0;
    if (!builder_one_layer(body))
        return add_branch(sv, br, body, -1);
    for (int i = 0; i < body->nkids && !rc; i++)
        rc = collect(sv, br, body->kids[i], -1);
    return rc;
}

static int for_branches(struct survey *sv, struct branch_tabs *br, const struct layer *l)
{
    struct for_state f;
    struct tab keep;
    int rc = for_begin(sv, l, &f);
    for (int64_t i = f.lo; !rc && i < f.hi; i++) {
        rc = for_round(sv, &f, i, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = survey_narrow(sv, &keep);
        rc = round_branches(sv, br, l->kids[0]);
        sv->guard = guard;
    }
    return rc;
}

static int collect(struct survey *sv, struct branch_tabs *br, const struct layer *kid, int number)
{
    struct tab keep;
    if (builder_is_let(kid))
        return survey_layer(sv, kid, -1, &keep);
    if (kid->kind != L_FOR || kid->when || kid->name || kid->as)
        return add_branch(sv, br, kid, number);
    return for_branches(sv, br, kid);
}

static int eval_reduce(struct survey *sv, const void *ctx, void *out)
{
    const struct branch_tabs *tabs = ctx;
    struct layer_value *v = out;
    struct branches *br = calloc(1, sizeof *br);
    struct tensor t = sv->b.cur;
    if (!br)
        return survey_no_memory(sv);
    for (int i = 0; i < tabs->n; i++) {
        if (!*(const unsigned char *)tab_at(&tabs->keep[i], sv->choice))
            continue;
        const struct tensor_value *x = tab_at(&tabs->out[i], sv->choice);
        br->out[br->n++] = (struct tensor){.shape = {x->c, x->h, x->w}, .full = x->full};
    }
    sv->b.nodes[0].op = OP_INPUT;
    memset(v, 0, sizeof *v);
    int rc = builder_reduce(&sv->b, tabs->l, br, &t);
    if (!rc)
        rc = survey_record(sv, tabs->l, &v->cost);
    survey_put_tensor(&v->tensor, &t);
    free(br);
    return rc;
}

static int reduce(struct survey *sv, struct branch_tabs *br)
{
    struct dom d = {.size = 1};
    struct tab out;
    int rc = 0;
    for (int i = 0; i < br->n && !rc; i++) {
        rc = dom_join(&d, &br->out[i].dom, sv->s, sv->err);
        if (!rc)
            rc = dom_join(&d, &br->keep[i].dom, sv->s, sv->err);
    }
    if (!rc)
        rc = survey_entries(sv, &d, eval_reduce, br, sizeof(struct layer_value), &out);
    return rc ? rc : survey_accept(sv, &out);
}

int survey_branches(struct survey *sv, const struct layer *l)
{
    struct branch_tabs *br = calloc(1, sizeof *br);
    struct tab select = {0}, keep;
    if (!br)
        return survey_no_memory(sv);
    br->in = sv->cur;
    br->l = l;
    int rc = l->kind == L_PATHS
                 ? survey_expr(sv, l->select, survey_eval_int, l->select, sizeof(struct int_value), &select)
                 : 0;
    for (int i = 0; i < l->nkids && !rc; i++) {
        if (l->kind == L_REDUCE) {
            rc = collect(sv, br, l->kids[i], l->numbered ? i : -1);
            continue;
        }
        struct equal_ctx c = {&select, i, 0, l->where, 1};
        rc = survey_entries(sv, &select.dom, eval_selected, &c, 1, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = survey_narrow(sv, &keep);
        rc = collect(sv, br, l->kids[i], l->numbered ? i : -1);
        sv->guard = guard;
    }
    if (!rc)
        rc = reduce(sv, br);
    free(br);
    return rc;
}
