/* survey_facts: what the walk keeps of the layers it has seen: the supernet's parameters, which two uses must give one
 * shape, and what every layer costs. */
#include "proto/cost.h"
#include "proto/survey.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 200000, MAX_TERMS = 20000 };

/* ---- parameters and costs ---- */

static int record_slice(struct survey *sv, const struct param *p, const char *where)
{
    struct space_facts *f = &sv->s->facts;
    size_t at;
    if (!strmap_get(&sv->tensors, p->name, &at)) {
        if (f->ntensors == MAX_TENSORS)
            return err_set(sv->err, ERR_TOO_LARGE, where, "more than %d parameters", MAX_TENSORS);
        if (f->ntensors % 1024 == 0) {
            struct space_tensor *more = realloc(f->tensors, (size_t)(f->ntensors + 1024) * sizeof *more);
            int *sites = realloc(sv->tensor_site, (size_t)(f->ntensors + 1024) * sizeof *sites);
            if (more)
                f->tensors = more;
            if (sites)
                sv->tensor_site = sites;
            if (!more || !sites)
                return survey_no_memory(sv);
        }
        struct space_tensor *t = &f->tensors[f->ntensors];
        *t = (struct space_tensor){.name = arena_strdup(&sv->s->arena, p->name), .ndim = p->ndim};
        if (!t->name || strmap_put(&sv->tensors, t->name, (size_t)f->ntensors) < 0)
            return survey_no_memory(sv);
        memcpy(t->dims, p->dims, sizeof t->dims);
        sv->tensor_site[f->ntensors++] = sv->site;
        return 0;
    }
    struct space_tensor *t = &f->tensors[at];
    if (t->ndim != p->ndim || memcmp(t->dims, p->dims, sizeof t->dims) != 0)
        return err_set(
            sv->err, ERR_INVALID, where,
            "parameter \"%s\" has two shapes: (%d, %d, %d, %d) and (%d, %d, %d, %d); two layers need two names",
            p->name, t->dims[0], t->dims[1], t->dims[2], t->dims[3], p->dims[0], p->dims[1], p->dims[2], p->dims[3]);
    if (sv->tensor_site[at] != sv->site)
        f->shared = 1;
    return 0;
}

static int record_param(struct survey *sv, const struct param *p, const char *where)
{
    if (!p)
        return 0;
    if (p->kind == PARAM_SLICE)
        return record_slice(sv, p, where);
    int rc = record_param(sv, p->base, where);
    return rc ? rc : record_param(sv, p->by, where);
}

/* Reads off the nodes that a step has made after the placeholder. */
int survey_record(struct survey *sv, const struct layer *l, struct cost_term *cost)
{
    struct plan_builder *b = &sv->b;
    int rc = 0;
    for (int i = 1; i < b->nnodes && !rc; i++) {
        int64_t conv, all;
        cost_node(&b->nodes[i], b->nodes, &conv, &all);
        cost->v[TERM_CONV_MACS] += conv;
        cost->v[TERM_ALL_MACS] += all;
        cost->v[TERM_PARAMS] += cost_node_params(&b->nodes[i]);
        for (int k = 0; k < b->nodes[i].nparams && !rc; k++)
            rc = record_param(sv, b->nodes[i].params[k], l->where);
    }
    return rc;
}

static int eval_cost(struct survey *sv, const void *ctx, void *out)
{
    const struct layer_value *v = tab_at(ctx, sv->choice);
    *(struct cost_term *)out = v->cost;
    return 0;
}

struct sum_ctx {
    const struct tab *a, *b;
};

static void add_into(struct survey *sv, struct tab *into, const struct tab *t)
{
    for (int w = 0; w < into->dom.size; w++) {
        dom_choose(&into->dom, w, sv->choice);
        struct cost_term *a = (struct cost_term *)(void *)(into->data + (size_t)w * into->elem);
        const struct cost_term *x = tab_at(t, sv->choice);
        for (int k = 0; k < TERM_KINDS; k++)
            a->v[k] += x->v[k];
    }
}

/* Terms over the same decisions are added up at once. */
static int record_cost(struct survey *sv, const struct tab *layer)
{
    struct space_facts *f = &sv->s->facts;
    struct tab t;
    int rc = survey_entries(sv, &layer->dom, eval_cost, layer, sizeof(struct cost_term), &t);
    if (rc)
        return rc;
    for (int i = 0; i < f->nterms; i++)
        if (f->terms[i].dom.n == t.dom.n &&
            memcmp(f->terms[i].dom.dec, t.dom.dec, (size_t)t.dom.n * sizeof(int)) == 0) {
            add_into(sv, &f->terms[i], &t);
            return 0;
        }
    if (f->nterms == MAX_TERMS)
        return survey_no_memory(sv);
    if ((f->nterms & (f->nterms - 1)) == 0) {
        struct tab *more = realloc(f->terms, (size_t)(f->nterms ? f->nterms * 2 : 1) * sizeof *more);
        if (!more)
            return survey_no_memory(sv);
        f->terms = more;
    }
    struct tab *kept = &f->terms[f->nterms];
    rc = tab_alloc(kept, &sv->s->arena, &t.dom, t.elem, sv->err);
    if (!rc) {
        memcpy(kept->data, t.data, (size_t)t.dom.size * t.elem);
        f->nterms++;
    }
    return rc;
}

void survey_put_tensor(struct tensor_value *out, const struct tensor *t)
{
    *out = (struct tensor_value){t->shape.c, t->shape.h, t->shape.w, t->full, 1};
}

static int eval_tensor(struct survey *sv, const void *ctx, void *out)
{
    const struct layer_value *v = tab_at(ctx, sv->choice);
    memcpy(out, &v->tensor, sizeof v->tensor);
    (void)sv;
    return 0;
}

int survey_accept(struct survey *sv, struct tab *layer)
{
    struct tab t;
    int rc = record_cost(sv, layer);
    if (!rc)
        rc = survey_entries(sv, &layer->dom, eval_tensor, layer, sizeof(struct tensor_value), &t);
    if (!rc)
        sv->cur = t;
    return rc;
}

static int eval_prim(struct survey *sv, const void *ctx, void *out)
{
    struct layer_value *v = out;
    struct tensor t = sv->b.cur;
    struct arena scratch, *kept = sv->b.arena;
    arena_init(&scratch, 0);
    sv->b.arena = &scratch;
    memset(v, 0, sizeof *v);
    int rc = builder_layer(&sv->b, ctx, &t);
    if (!rc)
        rc = survey_record(sv, ctx, &v->cost);
    survey_put_tensor(&v->tensor, &t);
    arena_clear(&scratch);
    sv->b.arena = kept;
    return rc;
}

int survey_prim(struct survey *sv, const struct layer *l)
{
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    struct tab out;
    for (int i = 0; i < A_COUNT_OF; i++) {
        survey_expr_refs(&r, l->attr[i]);
        survey_tmpl_refs(&r, l->text[i]);
    }
    sv->site++;
    int rc = r.rc ? r.rc : survey_entries(sv, &r.dom, eval_prim, l, sizeof(struct layer_value), &out);
    return rc ? rc : survey_accept(sv, &out);
}
