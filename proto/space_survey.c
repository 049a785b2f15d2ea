/* space_survey: one walk through all architectures of a space at once. Where plan_build has a value, this walk has a
 * table of the value over the few decisions it depends on (space_tab.h); where the network branches, it follows every
 * branch under a guard, the table of when the branch is taken. Each single step is done by plan_build's own functions,
 * once for every entry. It finds: errors anywhere in the document, all parameters of the supernet, when each
 * decision is active, and what every layer costs. */
#include "proto/base/strmap.h"
#include "proto/cost.h"
#include "proto/plan_builder.h"
#include "proto/space_require.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SURVEY_MEMORY = 256 << 20, MAX_TENSORS = 200000, MAX_NAMED = 512, MAX_TERMS = 20000 };

/* Elements of tables have no padding: they are compared as bytes. */
struct slot_value {
    double num[2];
    const char *str[2];
    int32_t type[2];
};
struct tensor_value {
    int32_t c, h, w, full, defined;
};
struct path_value {
    const char *path; /* interned */
    int32_t npath, nparent;
};
struct layer_value {
    struct cost_term cost;
    struct tensor_value tensor;
    int32_t zero;
};
struct int_value {
    int64_t v;
};

struct named_tab {
    int name;
    int64_t index;
    struct tab value;
};

struct survey {
    struct space *s;
    struct arena arena; /* dies with the survey */
    struct plan_builder b;
    struct frame frame; /* concrete values of one entry */
    int choice[SPACE_MAX_DECISIONS];
    unsigned char known[SPACE_MAX_DECISIONS], reads[SPACE_MAX_DECISIONS];
    struct tab *slots; /* [SPACE_MAX_SLOTS] of the current body */
    struct tab guard, path, cur;
    struct named_tab *named;
    int nnamed, named_base, depth, steps, site;
    struct strmap strings, tensors;
    int *tensor_site; /* which layer named a tensor first */
    struct err *err;
};

typedef int world_fn(struct survey *sv, const void *ctx, void *out);

static int survey_layer(struct survey *sv, const struct layer *l, int number, struct tab *keep);

static int no_memory(struct survey *sv)
{
    return err_set(sv->err, ERR_TOO_LARGE, "", "the space is too large to be surveyed");
}

static const char *intern(struct survey *sv, const char *text)
{
    size_t at;
    if (strmap_get(&sv->strings, text, &at))
        return (const char *)at; /* NOLINT: the value is the pointer */
    char *copy = arena_strdup(&sv->s->arena, text);
    return copy && strmap_put(&sv->strings, copy, (size_t)copy) == 0 ? copy : NULL;
}

/* ---- one entry at a time ---- */

/* Makes plan_build's state concrete for the entry that sv->choice names. */
static void concretise(struct survey *sv)
{
    const struct tensor_value *t = tab_at(&sv->cur, sv->choice);
    const struct path_value *p = tab_at(&sv->path, sv->choice);
    struct plan_builder *b = &sv->b;
    b->cur = (struct tensor){.shape = {t->c, t->h, t->w}, .full = t->full};
    b->npath = (size_t)p->npath;
    b->nparent = (size_t)p->nparent;
    b->path[0] = '\0';
    if (p->path) /* not where the guard does not hold */
        memcpy(b->path, p->path, (size_t)p->npath + 1);
    b->nnodes = 1;
    b->nodes[0].out = b->cur.shape;
}

static void load_slots(struct survey *sv, const struct dom *d)
{
    for (int i = 0; i < SPACE_MAX_SLOTS; i++) {
        const struct tab *t = &sv->slots[i];
        int inside = t->data != NULL;
        for (int k = 0; inside && k < t->dom.n; k++)
            inside = dom_has(d, t->dom.dec[k]);
        if (!inside)
            continue;
        const struct slot_value *v = tab_at(t, sv->choice);
        for (int f = 0; f < 2; f++)
            sv->frame.slots[f][i] = (struct val){(enum val_type)v->type[f], v->num[f], v->str[f]};
    }
}

/* Which entries may occur; NULL when all may, or without memory. */
static unsigned char *care_of(const struct survey *sv, const struct dom *d)
{
    unsigned char *care = sv->s->nrequirements ? malloc((size_t)d->size) : NULL;
    if (care)
        space_require_mark(sv->s, d, care);
    return care;
}

/* decision D is read in the entries marked in `read`; active = active or read */
static int activity_add(struct survey *sv, int decision, const struct dom *d, const unsigned char *read, unsigned bit)
{
    struct space *s = sv->s;
    struct tab *old = &s->facts.activity[decision], sum;
    if (tab_all(old))
        return 0;
    struct dom all = *d;
    int rc = dom_join(&all, &old->dom, s, sv->err);
    if (!rc)
        rc = tab_alloc(&sum, &sv->arena, &all, 1, sv->err);
    for (int w = 0; !rc && w < all.size; w++) {
        dom_choose(&all, w, sv->choice);
        sum.data[w] = *(const unsigned char *)tab_at(old, sv->choice) | (read[dom_index(d, sv->choice)] >> bit & 1);
    }
    if (rc)
        return rc;
    unsigned char *care = care_of(sv, &all);
    tab_minimise(&sum, care);
    free(care);
    if (dom_has(&sum.dom, decision)) { /* read before it is known: its own value cannot matter */
        struct dom rest = {.size = 1};
        struct tab any;
        for (int k = 0; k < sum.dom.n && !rc; k++)
            if (sum.dom.dec[k] != decision)
                rc = dom_add(&rest, s, sum.dom.dec[k], sv->err);
        if (!rc)
            rc = tab_alloc(&any, &sv->arena, &rest, 1, sv->err);
        for (int w = 0; !rc && w < sum.dom.size; w++) {
            dom_choose(&sum.dom, w, sv->choice);
            any.data[dom_index(&rest, sv->choice)] |= sum.data[w];
        }
        sum = any;
    }
    *old = sum;
    return rc;
}

static const char *first_path(const struct survey *sv)
{
    const struct path_value *p = (const struct path_value *)(const void *)sv->path.data;
    for (int i = 0; i < sv->path.dom.size; i++)
        if (p[i].path)
            return p[i].path;
    return "";
}

static int note_reads(struct survey *sv, const struct dom *d, const uint16_t *masks)
{
    unsigned char *read = malloc((size_t)d->size);
    int rc = read ? 0 : no_memory(sv);
    for (int k = 0; k < d->n && !rc; k++) {
        int any = 0;
        for (int w = 0; w < d->size; w++) {
            read[w] = masks[w] >> k & 1;
            any |= read[w];
        }
        if (any && !sv->s->facts.read_at[d->dec[k]])
            sv->s->facts.read_at[d->dec[k]] = first_path(sv);
        if (any)
            rc = activity_add(sv, d->dec[k], d, read, 0);
    }
    free(read);
    return rc;
}

static int run_entries(struct survey *sv, struct dom *d, world_fn *fn, const void *ctx, struct tab *out,
                       uint16_t *masks, const unsigned char *care, int *again)
{
    int rc = 0;
    memset(sv->known, 0, (size_t)sv->s->ndecisions);
    for (int k = 0; k < d->n; k++)
        sv->known[d->dec[k]] = 1;
    for (int w = 0; w < d->size && !rc; w++) {
        dom_choose(d, w, sv->choice);
        if ((care && !care[w]) || !*(const unsigned char *)tab_at(&sv->guard, sv->choice))
            continue;
        concretise(sv);
        load_slots(sv, d);
        for (int k = 0; k < d->n; k++)
            sv->reads[d->dec[k]] = 0;
        sv->b.missing = -1;
        rc = fn(sv, ctx, out->data + (size_t)w * out->elem);
        if (rc && sv->b.missing >= 0) {
            *again = 1;
            return dom_add(d, sv->s, sv->b.missing, sv->err);
        }
        for (int k = 0; k < d->n; k++)
            masks[w] = (uint16_t)(masks[w] | (unsigned)sv->reads[d->dec[k]] << k);
    }
    return rc;
}

/* out = fn for every entry of d and of the decisions that fn turns out to read; entries outside the guard stay 0, those
 * that no architecture has become whatever makes the table small. */
static int entries(struct survey *sv, const struct dom *start, world_fn *fn, const void *ctx, size_t elem,
                   struct tab *out)
{
    struct dom d = *start;
    int rc = dom_join(&d, &sv->guard.dom, sv->s, sv->err), again = 1;
    if (!rc)
        rc = dom_join(&d, &sv->cur.dom, sv->s, sv->err);
    if (!rc)
        rc = dom_join(&d, &sv->path.dom, sv->s, sv->err);
    while (!rc && again) {
        again = 0;
        uint16_t *masks = calloc((size_t)d.size, sizeof *masks);
        unsigned char *care = care_of(sv, &d);
        struct dom tried = d;
        rc = masks ? tab_alloc(out, &sv->arena, &d, elem, sv->err) : no_memory(sv);
        if (!rc)
            rc = run_entries(sv, &d, fn, ctx, out, masks, care, &again);
        if (!rc && !again)
            rc = note_reads(sv, &tried, masks);
        if (!rc && !again)
            tab_minimise(out, care);
        free(care);
        free(masks);
    }
    return rc;
}

/* ---- what expressions refer to ---- */

struct refs {
    struct survey *sv;
    struct dom dom;
    int rc;
};

static void add_ref(void *ctx, const struct expr *node, const struct expr_name *name)
{
    struct refs *r = ctx;
    (void)node;
    if (!r->rc && name->kind == NAME_SLOT)
        r->rc = dom_join(&r->dom, &r->sv->slots[name->index].dom, r->sv->s, r->sv->err);
}

static void expr_refs(struct refs *r, const struct expr *x)
{
    if (x)
        expr_walk(x, add_ref, r);
}

static void tmpl_refs(struct refs *r, const struct tmpl *t)
{
    for (int i = 0; t && i < t->n; i++)
        expr_refs(r, t->pieces[i].expr);
}

static int of_expr(struct survey *sv, const struct expr *x, world_fn *fn, const void *ctx, size_t elem, struct tab *out)
{
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    expr_refs(&r, x);
    return r.rc ? r.rc : entries(sv, &r.dom, fn, ctx, elem, out);
}

static int eval_int(struct survey *sv, const void *ctx, void *out)
{
    struct int_value *v = out;
    struct expr_env env = builder_env(&sv->b, 0);
    return expr_int(ctx, &env, -((int64_t)1 << 40), (int64_t)1 << 40, &v->v, sv->err);
}

static int eval_slot(struct survey *sv, const void *ctx, void *out)
{
    struct slot_value *v = out;
    struct frame tmp;
    int rc = builder_slot(&sv->b, 0, ctx, &tmp);
    for (int f = 0; f < 2 && !rc; f++) {
        struct val x = tmp.slots[f][0];
        v->type[f] = (int32_t)x.type;
        v->num[f] = x.type == VAL_STR ? 0 : x.num;
        v->str[f] = x.type == VAL_STR ? x.str : NULL;
    }
    return rc;
}

static int set_int_slot(struct survey *sv, int slot, int64_t v)
{
    struct slot_value s = {.num = {(double)v, (double)v}, .type = {VAL_NUM, VAL_NUM}};
    return tab_const(&sv->slots[slot], &sv->arena, &s, sizeof s, sv->err);
}

/* ---- guards and joins ---- */

static int eval_when(struct survey *sv, const void *ctx, void *out)
{
    int keep = 0;
    struct expr_env env = builder_env(&sv->b, 0);
    int rc = expr_bool(ctx, &env, &keep, sv->err);
    *(unsigned char *)out = (unsigned char)keep;
    return rc;
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

struct pick_ctx {
    const struct tab *a, *b, *which; /* which ? a : b */
};

static int eval_pick(struct survey *sv, const void *ctx, void *out)
{
    const struct pick_ctx *c = ctx;
    const struct tab *t = *(const unsigned char *)tab_at(c->which, sv->choice) ? c->a : c->b;
    memcpy(out, tab_at(t, sv->choice), t->elem);
    return 0;
}

/* *t = which ? *t : otherwise, wherever the guard holds. */
static int join(struct survey *sv, struct tab *t, const struct tab *otherwise, const struct tab *which)
{
    struct pick_ctx c = {t, otherwise, which};
    struct dom d = {.size = 1};
    struct tab out;
    if (tab_all(which))
        return 0;
    int rc = dom_join(&d, &t->dom, sv->s, sv->err);
    if (!rc)
        rc = dom_join(&d, &otherwise->dom, sv->s, sv->err);
    if (!rc)
        rc = dom_join(&d, &which->dom, sv->s, sv->err);
    if (!rc)
        rc = entries(sv, &d, eval_pick, &c, t->elem, &out);
    if (!rc)
        *t = out;
    return rc;
}

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
                return no_memory(sv);
        }
        struct space_tensor *t = &f->tensors[f->ntensors];
        *t = (struct space_tensor){.name = arena_strdup(&sv->s->arena, p->name), .ndim = p->ndim};
        if (!t->name || strmap_put(&sv->tensors, t->name, (size_t)f->ntensors) < 0)
            return no_memory(sv);
        memcpy(t->dims, p->dims, sizeof t->dims);
        sv->tensor_site[f->ntensors++] = sv->site;
        return 0;
    }
    struct space_tensor *t = &f->tensors[at];
    if (t->ndim != p->ndim || memcmp(t->dims, p->dims, sizeof t->dims) != 0)
        return err_set(sv->err, ERR_INVALID, where,
                       "parameter \"%s\" has two shapes: (%d, %d, %d, %d) and (%d, %d, %d, %d)", p->name, t->dims[0],
                       t->dims[1], t->dims[2], t->dims[3], p->dims[0], p->dims[1], p->dims[2], p->dims[3]);
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
static int record_nodes(struct survey *sv, const struct layer *l, struct cost_term *cost)
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
    int rc = entries(sv, &layer->dom, eval_cost, layer, sizeof(struct cost_term), &t);
    if (rc)
        return rc;
    for (int i = 0; i < f->nterms; i++)
        if (f->terms[i].dom.n == t.dom.n &&
            memcmp(f->terms[i].dom.dec, t.dom.dec, (size_t)t.dom.n * sizeof(int)) == 0) {
            add_into(sv, &f->terms[i], &t);
            return 0;
        }
    if (f->nterms == MAX_TERMS)
        return no_memory(sv);
    if ((f->nterms & (f->nterms - 1)) == 0) {
        struct tab *more = realloc(f->terms, (size_t)(f->nterms ? f->nterms * 2 : 1) * sizeof *more);
        if (!more)
            return no_memory(sv);
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

static void put_tensor(struct tensor_value *out, const struct tensor *t)
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

static int accept(struct survey *sv, struct tab *layer)
{
    struct tab t;
    int rc = record_cost(sv, layer);
    if (!rc)
        rc = entries(sv, &layer->dom, eval_tensor, layer, sizeof(struct tensor_value), &t);
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
        rc = record_nodes(sv, ctx, &v->cost);
    put_tensor(&v->tensor, &t);
    arena_clear(&scratch);
    sv->b.arena = kept;
    return rc;
}

static int survey_prim(struct survey *sv, const struct layer *l)
{
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    struct tab out;
    for (int i = 0; i < A_COUNT_OF; i++) {
        expr_refs(&r, l->attr[i]);
        tmpl_refs(&r, l->text[i]);
    }
    sv->site++;
    int rc = r.rc ? r.rc : entries(sv, &r.dom, eval_prim, l, sizeof(struct layer_value), &out);
    return rc ? rc : accept(sv, &out);
}

/* ---- named tensors ---- */

static int ref_index(struct survey *sv, const struct tensor_ref *r, int64_t *index)
{
    struct tab t;
    *index = -1;
    if (!r->index)
        return 0;
    int rc = of_expr(sv, r->index, eval_int, r->index, sizeof(struct int_value), &t);
    struct dom d = t.dom;
    if (!rc)
        rc = dom_join(&d, &sv->guard.dom, sv->s, sv->err);
    for (int w = 0; w < d.size && !rc; w++) {
        dom_choose(&d, w, sv->choice);
        if (!*(const unsigned char *)tab_at(&sv->guard, sv->choice))
            continue; /* the layer is not there: no value */
        int64_t v = ((const struct int_value *)tab_at(&t, sv->choice))->v;
        if (*index >= 0 && v != *index)
            rc = err_set(sv->err, ERR_UNSUPPORTED, r->where, "which tensor is meant may not depend on decisions");
        *index = v;
    }
    return rc;
}

static int find_named(struct survey *sv, const struct tensor_ref *r, struct tab *out)
{
    int64_t index;
    int rc = ref_index(sv, r, &index);
    for (int i = sv->nnamed - 1; i >= sv->named_base && !rc; i--)
        if (sv->named[i].name == r->name && sv->named[i].index == index) {
            *out = sv->named[i].value;
            return 0;
        }
    return rc ? rc
              : err_set(sv->err, ERR_INVALID, r->where, "no tensor is called \"%s\" here", sv->s->tensors[r->name]);
}

static int set_named(struct survey *sv, int name, int64_t index, const struct tab *value, const char *where)
{
    for (int i = sv->nnamed - 1; i >= sv->named_base; i--)
        if (sv->named[i].name == name && sv->named[i].index == index) {
            struct tab t = *value, guard = sv->guard, all;
            unsigned char yes = 1;
            int rc = tab_const(&all, &sv->arena, &yes, 1, sv->err);
            sv->guard = all; /* elsewhere the old value stays */
            if (!rc)
                rc = join(sv, &t, &sv->named[i].value, &guard);
            sv->guard = guard;
            sv->named[i].value = t;
            return rc;
        }
    if (sv->nnamed == MAX_NAMED)
        return err_set(sv->err, ERR_TOO_LARGE, where, "more than %d named tensors", MAX_NAMED);
    sv->named[sv->nnamed++] = (struct named_tab){name, index, *value};
    return 0;
}

static int eval_defined(struct survey *sv, const void *ctx, void *out)
{
    const struct tensor_ref *r = ctx;
    const struct tensor_value *t = tab_at(&sv->cur, sv->choice);
    (void)out;
    return t->defined ? 0
                      : err_set(sv->err, ERR_INVALID, r->where, "some architectures have no tensor \"%s\" here",
                                sv->s->tensors[r->name]);
}

static int take_named(struct survey *sv, const struct tensor_ref *r)
{
    struct tab t, none;
    int rc = find_named(sv, r, &t);
    if (!rc) {
        sv->cur = t;
        rc = entries(sv, &t.dom, eval_defined, r, 1, &none);
    }
    return rc;
}

/* ---- structure ---- */

static int survey_call(struct survey *sv, const struct layer *l)
{
    const struct module *m = l->module;
    struct tab *outer = sv->slots, *slots = calloc(SPACE_MAX_SLOTS, sizeof *slots), bound[SPACE_MAX_BRANCHES], keep;
    int base = sv->named_base, count = sv->nnamed, rc = slots ? 0 : no_memory(sv);
    for (int i = 0; i < m->nargs && !rc; i++)
        rc = of_expr(sv, l->args[i], eval_slot, l->args[i], sizeof(struct slot_value), &slots[i]);
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = find_named(sv, &l->from[i], &bound[i]);
    sv->named_base = count;
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = set_named(sv, m->inputs[i], -1, &bound[i], l->where);
    if (!rc && m->ninputs)
        sv->cur = bound[0];
    sv->slots = slots;
    if (!rc)
        rc = survey_layer(sv, m->body, -1, &keep);
    sv->slots = outer;
    sv->named_base = base;
    sv->nnamed = count;
    free(slots);
    return rc;
}

/* Narrows the guard to `keep` (a table that is 0 outside the guard). Returns the old one. */
static struct tab narrow(struct survey *sv, const struct tab *keep)
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

static int survey_choose(struct survey *sv, const struct layer *l)
{
    struct tab select, before = sv->cur, result = sv->cur, keep, inner;
    int rc = of_expr(sv, l->select, eval_int, l->select, sizeof(struct int_value), &select);
    for (int i = 0; i < l->nkids && !rc; i++) {
        struct equal_ctx c = {&select, i, l->nkids, expr_where(l->select), 0};
        rc = entries(sv, &select.dom, eval_selected, &c, 1, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = narrow(sv, &keep);
        sv->cur = before;
        rc = survey_layer(sv, l->kids[i], i, &inner);
        sv->guard = guard;
        if (!rc) {
            struct tab t = sv->cur;
            sv->cur = before;
            rc = join(sv, &t, &result, &keep);
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
    int rc = l->first ? of_expr(sv, l->first, eval_int, l->first, sizeof zero, &f->first)
                      : tab_const(&f->first, &sv->arena, &zero, sizeof zero, sv->err);
    if (!rc)
        rc = of_expr(sv, l->select, eval_int, l->select, sizeof zero, &f->end);
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
        rc = entries(sv, &d, eval_in_range, &c, 1, keep);
    return rc ? rc : set_int_slot(sv, f->l->slot, i);
}

static int survey_for(struct survey *sv, const struct layer *l)
{
    struct for_state f;
    struct tab keep, inner;
    int rc = for_begin(sv, l, &f);
    for (int64_t i = f.lo; !rc && i < f.hi; i++) {
        rc = for_round(sv, &f, i, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = narrow(sv, &keep), before = sv->cur;
        rc = survey_layer(sv, l->kids[0], -1, &inner);
        sv->guard = guard;
        if (!rc) {
            struct tab t = sv->cur;
            sv->cur = before;
            rc = join(sv, &t, &before, &keep);
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
        struct tab guard = narrow(sv, &keep);
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
        return no_memory(sv);
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
        rc = record_nodes(sv, tabs->l, &v->cost);
    put_tensor(&v->tensor, &t);
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
        rc = entries(sv, &d, eval_reduce, br, sizeof(struct layer_value), &out);
    return rc ? rc : accept(sv, &out);
}

static int survey_branches(struct survey *sv, const struct layer *l)
{
    struct branch_tabs *br = calloc(1, sizeof *br);
    struct tab select = {0}, keep;
    if (!br)
        return no_memory(sv);
    br->in = sv->cur;
    br->l = l;
    int rc = l->kind == L_PATHS ? of_expr(sv, l->select, eval_int, l->select, sizeof(struct int_value), &select) : 0;
    for (int i = 0; i < l->nkids && !rc; i++) {
        if (l->kind == L_REDUCE) {
            rc = collect(sv, br, l->kids[i], l->numbered ? i : -1);
            continue;
        }
        struct equal_ctx c = {&select, i, 0, l->where, 1};
        rc = entries(sv, &select.dom, eval_selected, &c, 1, &keep);
        if (rc || !tab_any(&keep))
            continue;
        struct tab guard = narrow(sv, &keep);
        rc = collect(sv, br, l->kids[i], l->numbered ? i : -1);
        sv->guard = guard;
    }
    if (!rc)
        rc = reduce(sv, br);
    free(br);
    return rc;
}

static int survey_list(struct survey *sv, const struct layer *l)
{
    struct tab keep;
    int rc = 0;
    for (int i = 0; i < l->nkids && !rc; i++)
        rc = survey_layer(sv, l->kids[i], l->numbered ? i : -1, &keep);
    return rc;
}

static int dispatch(struct survey *sv, const struct layer *l)
{
    switch (l->kind) {
    case L_PRIM:
        return survey_prim(sv, l);
    case L_LIST:
        return survey_list(sv, l);
    case L_CALL:
        return survey_call(sv, l);
    case L_CHOOSE:
        return survey_choose(sv, l);
    case L_FOR:
        return survey_for(sv, l);
    case L_LET:
        return of_expr(sv, l->select, eval_slot, l->select, sizeof(struct slot_value), &sv->slots[l->slot]);
    default:
        return survey_branches(sv, l);
    }
}

/* ---- names ---- */

struct name_ctx {
    const struct layer *l;
    int number;
};

static int eval_name(struct survey *sv, const void *ctx, void *out)
{
    const struct name_ctx *c = ctx;
    struct path_value *p = out;
    int rc = builder_push_name(&sv->b, c->l, c->number);
    if (rc)
        return rc;
    p->path = intern(sv, sv->b.path);
    p->npath = (int32_t)sv->b.npath;
    p->nparent = (int32_t)sv->b.nparent;
    return p->path ? 0 : no_memory(sv);
}

static int enter_name(struct survey *sv, const struct layer *l, int number)
{
    struct name_ctx c = {l, number};
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    struct tab path;
    if (!l->name && number < 0 && l->kind != L_PRIM)
        return 0; /* nparent is looked at by primitives only */
    tmpl_refs(&r, l->name);
    int rc = r.rc ? r.rc : entries(sv, &r.dom, eval_name, &c, sizeof(struct path_value), &path);
    if (!rc)
        sv->path = path;
    return rc;
}

static int eval_block(struct survey *sv, const void *ctx, void *out)
{
    char text[SPACE_MAX_PATH];
    struct space *s = sv->s;
    const struct tmpl *t = ctx;
    (void)out;
    int n = builder_text(&sv->b, t, text, sizeof text);
    if (n < 0)
        return n;
    for (int i = 0; i < s->nblocks; i++)
        if (strcmp(s->blocks[i], text) == 0)
            return 0;
    if (s->nblocks == SPACE_MAX_BLOCKS)
        return err_set(sv->err, ERR_TOO_LARGE, t->where, "more than %d blocks", SPACE_MAX_BLOCKS);
    s->blocks[s->nblocks] = arena_strdup(&s->arena, text);
    return s->blocks[s->nblocks++] ? 0 : no_memory(sv);
}

static int name_block(struct survey *sv, const struct tmpl *t)
{
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    struct tab none;
    tmpl_refs(&r, t);
    return r.rc ? r.rc : entries(sv, &r.dom, eval_block, t, 1, &none);
}

static int inside(struct survey *sv, const struct layer *l, int number)
{
    int rc = l->nfrom == 1 && !(l->kind == L_CALL && l->module->ninputs) ? take_named(sv, &l->from[0]) : 0;
    if (!rc)
        rc = enter_name(sv, l, number);
    if (!rc && l->block)
        rc = name_block(sv, l->block);
    if (!rc)
        rc = dispatch(sv, l);
    if (!rc && l->as) {
        int64_t index;
        rc = ref_index(sv, l->as, &index);
        if (!rc)
            rc = set_named(sv, l->as->name, index, &sv->cur, l->as->where);
    }
    return rc;
}

/* *keep: where the layer is not left out. */
static int survey_layer(struct survey *sv, const struct layer *l, int number, struct tab *keep)
{
    struct tab path = sv->path, before = sv->cur;
    *keep = sv->guard;
    if (++sv->steps > SPACE_MAX_STEPS)
        return err_set(sv->err, ERR_TOO_LARGE, l->where, "all options together take more than %d steps",
                       SPACE_MAX_STEPS);
    if (++sv->depth > SPACE_MAX_DEPTH * 4)
        return err_set(sv->err, ERR_TOO_LARGE, l->where, "layers are nested too deeply");
    int rc = l->when ? of_expr(sv, l->when, eval_when, l->when, 1, keep) : 0;
    if (!rc && tab_any(keep)) {
        struct tab guard = narrow(sv, keep);
        rc = inside(sv, l, number);
        sv->guard = guard;
        sv->path = path;
        if (!rc && l->when) {
            struct tab t = sv->cur;
            sv->cur = before;
            rc = join(sv, &t, &before, keep);
            sv->cur = t;
        }
    }
    sv->path = path;
    sv->depth--;
    if (rc && sv->err && !sv->err->where[0])
        snprintf(sv->err->where, sizeof sv->err->where, "%s", l->where);
    return rc;
}

/* ---- the whole ---- */

static int eval_logits(struct survey *sv, const void *ctx, void *out)
{
    (void)ctx, (void)out;
    struct shape t = sv->b.cur.shape;
    return t.h == 1 && t.w == 1
               ? 0
               : err_set(sv->err, ERR_INVALID, "/network",
                         "the network ends in %d x %d x %d; logits are classes x 1 x 1", t.c, t.h, t.w);
}

static int check_read(struct survey *sv)
{
    const struct space *s = sv->s;
    for (int i = 0; i < s->ndecisions; i++)
        if (!tab_any(&s->facts.activity[i])) {
            char where[200];
            snprintf(where, sizeof where, "/decisions/%.*s", (int)strcspn(s->decisions[i].name, "["),
                     s->decisions[i].name);
            return err_set(sv->err, ERR_INVALID, where, "no architecture%s reads decision \"%s\"",
                           s->nrequirements ? " that \"require\" allows" : "", s->decisions[i].name);
        }
    return 0;
}

/* The survey's own tables die with it: what is kept moves to the space's arena. */
static int keep_activity(struct survey *sv)
{
    struct space *s = sv->s;
    for (int i = 0; i < s->ndecisions; i++) {
        struct tab old = s->facts.activity[i], *t = &s->facts.activity[i];
        int rc = tab_alloc(t, &s->arena, &old.dom, 1, sv->err);
        if (rc)
            return rc;
        memcpy(t->data, old.data, (size_t)old.dom.size);
    }
    return 0;
}

static int prepare(struct survey *sv)
{
    static const struct plan_attr no_attr;
    struct space *s = sv->s;
    unsigned char yes = 1, no = 0;
    struct tensor_value in = {s->input.c, s->input.h, s->input.w, s->input.c, 1};
    struct path_value root = {intern(sv, ""), 0, 0};
    struct tensor t = {.shape = s->input, .full = s->input.c};
    s->facts.activity = arena_array(&s->arena, (size_t)s->ndecisions + 1, sizeof *s->facts.activity);
    sv->slots = calloc(SPACE_MAX_SLOTS, sizeof *sv->slots);
    sv->named = calloc(MAX_NAMED, sizeof *sv->named);
    s->facts.read_at = arena_array(&s->arena, (size_t)s->ndecisions + 1, sizeof *s->facts.read_at);
    if (!s->facts.activity || !s->facts.read_at || !sv->slots || !sv->named || !root.path)
        return no_memory(sv);
    int rc = tab_const(&sv->guard, &sv->arena, &yes, 1, sv->err);
    if (!rc)
        rc = tab_const(&sv->cur, &sv->arena, &in, sizeof in, sv->err);
    if (!rc)
        rc = tab_const(&sv->path, &sv->arena, &root, sizeof root, sv->err);
    for (int i = 0; i < s->ndecisions && !rc; i++)
        rc = tab_const(&s->facts.activity[i], &sv->arena, &no, 1, sv->err);
    sv->b.frame = &sv->frame;
    sv->b.active = sv->reads;
    sv->b.known = sv->known;
    return rc ? rc : builder_emit(&sv->b, NULL, OP_INPUT, &no_attr, NULL, 0, NULL, 0, &t);
}

int space_survey(struct space *s, struct err *err)
{
    struct survey *sv = calloc(1, sizeof *sv);
    struct tab keep, none;
    if (!sv)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to survey a space");
    sv->s = s;
    sv->err = err;
    arena_init(&sv->arena, SURVEY_MEMORY);
    builder_init(&sv->b, s, &sv->arena, sv->choice, err);
    int rc = prepare(sv);
    if (!rc)
        rc = survey_layer(sv, s->network->body, -1, &keep);
    if (!rc)
        rc = entries(sv, &sv->cur.dom, eval_logits, NULL, 1, &none);
    if (!rc)
        rc = check_read(sv);
    if (!rc)
        rc = keep_activity(sv);
    builder_clear(&sv->b);
    arena_clear(&sv->arena);
    strmap_clear(&sv->strings);
    strmap_clear(&sv->tensors);
    free(sv->tensor_site);
    free(sv->slots);
    free(sv->named);
    free(sv);
    return rc;
}
