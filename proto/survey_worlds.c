/* survey_worlds: values of all architectures at once, as tables over the decisions they depend on. Every entry is
 * computed by plan_build's own functions on a concrete state; what they read makes decisions active. */
#include "proto/space_require.h"
#include "proto/survey.h"

#include <stdlib.h>
#include <string.h>

int survey_no_memory(struct survey *sv)
{
    return err_set(sv->err, ERR_TOO_LARGE, "", "the space is too large to be surveyed");
}

const char *survey_intern(struct survey *sv, const char *text)
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

unsigned char *survey_care(const struct survey *sv, const struct dom *d)
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
    unsigned char *care = survey_care(sv, &all);
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
    int rc = read ? 0 : survey_no_memory(sv);
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
int survey_entries(struct survey *sv, const struct dom *start, world_fn *fn, const void *ctx, size_t elem,
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
        unsigned char *care = survey_care(sv, &d);
        struct dom tried = d;
        rc = masks ? tab_alloc(out, &sv->arena, &d, elem, sv->err) : survey_no_memory(sv);
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

static void add_ref(void *ctx, const struct expr *node, const struct expr_name *name)
{
    struct refs *r = ctx;
    (void)node;
    if (!r->rc && name->kind == NAME_SLOT)
        r->rc = dom_join(&r->dom, &r->sv->slots[name->index].dom, r->sv->s, r->sv->err);
}

void survey_expr_refs(struct refs *r, const struct expr *x)
{
    if (x)
        expr_walk(x, add_ref, r);
}

void survey_tmpl_refs(struct refs *r, const struct tmpl *t)
{
    for (int i = 0; t && i < t->n; i++)
        survey_expr_refs(r, t->pieces[i].expr);
}

int survey_expr(struct survey *sv, const struct expr *x, world_fn *fn, const void *ctx, size_t elem, struct tab *out)
{
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    survey_expr_refs(&r, x);
    return r.rc ? r.rc : survey_entries(sv, &r.dom, fn, ctx, elem, out);
}

int survey_eval_int(struct survey *sv, const void *ctx, void *out)
{
    struct int_value *v = out;
    struct expr_env env = builder_env(&sv->b, 0);
    return expr_int(ctx, &env, -((int64_t)1 << 40), (int64_t)1 << 40, &v->v, sv->err);
}

int survey_eval_slot(struct survey *sv, const void *ctx, void *out)
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

int survey_set_slot(struct survey *sv, int slot, int64_t v)
{
    struct slot_value s = {.num = {(double)v, (double)v}, .type = {VAL_NUM, VAL_NUM}};
    return tab_const(&sv->slots[slot], &sv->arena, &s, sizeof s, sv->err);
}

/* ---- guards and joins ---- */

int survey_eval_when(struct survey *sv, const void *ctx, void *out)
{
    int keep = 0;
    struct expr_env env = builder_env(&sv->b, 0);
    int rc = expr_bool(ctx, &env, &keep, sv->err);
    *(unsigned char *)out = (unsigned char)keep;
    return rc;
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
int survey_join(struct survey *sv, struct tab *t, const struct tab *otherwise, const struct tab *which)
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
        rc = survey_entries(sv, &d, eval_pick, &c, t->elem, &out);
    if (!rc)
        *t = out;
    return rc;
}
