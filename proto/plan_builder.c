/* plan_builder: see plan_builder.h. The state of a walk: values of names and decisions, texts, nodes with their keys,
 * names of tensors, the path that parameters are called by. */
#include "proto/plan_builder.h"

#include "proto/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void builder_init(struct plan_builder *b, const struct space *s, struct arena *a, const int *choice, struct err *err)
{
    memset(b, 0, sizeof *b);
    b->s = s;
    b->arena = a;
    b->choice = choice;
    b->err = err;
    b->block = b->missing = -1;
}

void builder_clear(struct plan_builder *b)
{
    free(b->nodes);
    free(b->keys);
    free(b->classes);
    free(b->named);
}

/* ---- values ---- */

int builder_decide(void *builder, int decision, struct val *out, struct err *err)
{
    struct plan_builder *b = builder;
    if (b->known && !b->known[decision]) {
        b->missing = decision;
        return err_set(err, ERR_INTERNAL, "", "decision %d is not known yet", decision);
    }
    if (b->active)
        b->active[decision] = 1;
    *out = b->s->decisions[decision].values[b->choice[decision]];
    return 0;
}

int builder_decide_full(void *builder, int decision, struct val *out, struct err *err)
{
    struct plan_builder *b = builder;
    const struct decision *d = &b->s->decisions[decision];
    if (d->symbols) { /* no size that weights are sliced from; the actual value is read elsewhere */
        if (b->known && !b->known[decision]) {
            b->missing = decision;
            return err_set(err, ERR_INTERNAL, "", "decision %d is not known yet", decision);
        }
        *out = d->values[b->choice[decision]];
        return 0;
    }
    *out = d->full;
    return 0;
}

struct expr_env builder_env(struct plan_builder *b, int full)
{
    return (struct expr_env){.slots = b->frame->slots[full],
                             .in = {full ? b->cur.full : b->cur.shape.c, b->cur.shape.h, b->cur.shape.w},
                             .decide = full ? builder_decide_full : builder_decide,
                             .ctx = b};
}

static int put(struct plan_builder *b, char *out, size_t size, size_t *n, const char *text, size_t len,
               const char *where)
{
    if (*n + len >= size)
        return err_set(b->err, ERR_INVALID, where, "the text becomes longer than %zu bytes", size - 1);
    memcpy(out + *n, text, len);
    *n += len;
    out[*n] = '\0';
    return 0;
}

static size_t decimal(int64_t v, char out[24])
{
    if (v < 0 || v > 99)
        return (size_t)snprintf(out, 24, "%lld", (long long)v);
    size_t n = 0;
    if (v > 9)
        out[n++] = (char)('0' + v / 10);
    out[n++] = (char)('0' + v % 10);
    return n;
}

int builder_text(struct plan_builder *b, const struct tmpl *t, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < t->n; i++) {
        const struct tmpl_piece *p = &t->pieces[i];
        const char *text = p->text;
        size_t len = p->len;
        char digits[24];
        if (!text) {
            struct expr_env env = builder_env(b, 0);
            struct val v = {0};
            int rc = expr_eval(p->expr, &env, &v, b->err);
            if (rc)
                return rc;
            text = v.type == VAL_STR ? v.str : digits;
            int64_t whole = v.type == VAL_STR ? 0 : (int64_t)v.num;
            if (v.type != VAL_STR && (double)whole != v.num)
                return err_set(b->err, ERR_INVALID, t->where, "%.9g in a text: an integer is needed", v.num);
            len = v.type == VAL_STR ? strlen(v.str) : decimal(whole, digits);
        }
        int rc = put(b, out, size, &n, text, len, t->where);
        if (rc)
            return rc;
    }
    return (int)n;
}

/* ---- nodes ---- */

static int grow(struct plan_builder *b, const struct layer *l)
{
    if (b->nnodes < b->capacity)
        return 0;
    if (b->nnodes >= SPACE_MAX_NODES)
        return err_set(b->err, ERR_TOO_LARGE, l ? l->where : "", "a network may have %d operators", SPACE_MAX_NODES);
    int capacity = b->capacity ? b->capacity * 2 : 512;
    struct plan_node *nodes = realloc(b->nodes, (size_t)capacity * sizeof *nodes);
    if (nodes)
        b->nodes = nodes;
    struct hash128 *keys = nodes ? realloc(b->keys, (size_t)capacity * sizeof *keys) : NULL;
    if (keys)
        b->keys = keys;
    struct hash128 *classes = keys ? realloc(b->classes, (size_t)capacity * sizeof *classes) : NULL;
    if (!classes)
        return err_set(b->err, ERR_NO_MEMORY, l ? l->where : "", "no memory for the plan");
    b->classes = classes;
    b->capacity = capacity;
    return 0;
}

/* What a node points to, in one block: parameters and a NULL (operators may look for one), inputs, path. */
static int fill(struct plan_builder *b, struct plan_node *n, const struct param *const *params, const struct tensor *in)
{
    size_t nparams = ((size_t)n->nparams + 1) * sizeof *params, ninputs = (size_t)n->ninputs * sizeof *n->inputs;
    char *block = arena_raw(b->arena, nparams + ninputs + b->npath + 1);
    if (!block)
        return err_set(b->err, ERR_NO_MEMORY, "", "no memory for the plan");
    int32_t *inputs = (int32_t *)(void *)(block + nparams);
    char *path = block + nparams + ninputs;
    const struct param **own = (const struct param **)(void *)block;
    for (int i = 0; i < n->nparams; i++)
        own[i] = params[i];
    own[n->nparams] = NULL;
    for (int i = 0; i < n->ninputs; i++)
        inputs[i] = in[i].node;
    memcpy(path, b->path, b->npath + 1);
    n->params = own;
    n->inputs = inputs;
    n->path = path;
    return 0;
}

int builder_emit(struct plan_builder *b, const struct layer *l, enum op_kind op, const struct plan_attr *attr,
                 const struct param *const *params, int nparams, const struct tensor *in, int nin, struct tensor *out)
{
    struct shape shapes[SPACE_MAX_BRANCHES];
    struct hash128 keys[SPACE_MAX_BRANCHES], classes[SPACE_MAX_BRANCHES];
    int rc = grow(b, l);
    if (rc)
        return rc;
    for (int i = 0; i < nin; i++) {
        shapes[i] = in[i].shape;
        keys[i] = b->keys[in[i].node];
        classes[i] = b->classes[in[i].node];
    }
    struct plan_node *n = &b->nodes[b->nnodes];
    n->op = op; /* one by one: clearing the whole first costs more than all of it */
    n->attr = *attr;
    n->ninputs = nin;
    n->nparams = nparams;
    n->out = out->shape;
    n->block = b->block;
    rc = fill(b, n, params, in);
    if (rc)
        return rc;
    rc = shape_infer(op, attr, n->params, shapes, nin, &n->out, b->err);
    if (rc) {
        if (b->err)
            snprintf(b->err->where, sizeof b->err->where, "%s", l ? l->where : "");
        return rc;
    }
    if ((int64_t)n->out.c * n->out.h * n->out.w > 1 << 28)
        return err_set(b->err, ERR_TOO_LARGE, l ? l->where : "", "a tensor of %d x %d x %d", n->out.c, n->out.h,
                       n->out.w);
    plan_node_keys(n, keys, classes, &b->keys[b->nnodes], &b->classes[b->nnodes]);
    out->node = b->nnodes++;
    out->shape = n->out;
    return 0;
}

/* ---- names of tensors ---- */

int builder_ref_index(struct plan_builder *b, const struct tensor_ref *r, int64_t *index)
{
    struct expr_env env = builder_env(b, 0);
    *index = -1;
    return r->index ? expr_int(r->index, &env, 0, 1 << 20, index, b->err) : 0;
}

int builder_find_named(struct plan_builder *b, const struct tensor_ref *r, struct tensor *out)
{
    int64_t index;
    int rc = builder_ref_index(b, r, &index);
    for (int i = b->nnamed - 1; i >= b->named_base && !rc; i--)
        if (b->named[i].name == r->name && b->named[i].index == index) {
            *out = b->named[i].value;
            return 0;
        }
    if (rc)
        return rc;
    char text[32] = "";
    if (r->index)
        snprintf(text, sizeof text, "[%lld]", (long long)index);
    return err_set(b->err, ERR_INVALID, r->where, "no tensor is called \"%s%s\" here", b->s->tensors[r->name], text);
}

int builder_set_named(struct plan_builder *b, int name, int64_t index, struct tensor t, const char *where)
{
    for (int i = b->nnamed - 1; i >= b->named_base; i--)
        if (b->named[i].name == name && b->named[i].index == index) {
            b->named[i].value = t;
            return 0;
        }
    if (b->nnamed == BUILDER_MAX_NAMED)
        return err_set(b->err, ERR_TOO_LARGE, where, "more than %d named tensors", BUILDER_MAX_NAMED);
    if (!b->named && !(b->named = malloc(BUILDER_MAX_NAMED * sizeof *b->named)))
        return err_set(b->err, ERR_NO_MEMORY, where, "no memory for the plan");
    b->named[b->nnamed++] = (struct named_tensor){name, index, t};
    return 0;
}

/* ---- paths ---- */

int builder_push_name(struct plan_builder *b, const struct layer *l, int number)
{
    char text[SPACE_MAX_PATH];
    int n = 0;
    const char *name = text;
    b->nparent = b->npath;
    if (l->name) {
        const struct tmpl_piece *only = l->name->n == 1 && l->name->pieces[0].text ? l->name->pieces : NULL;
        n = only ? (int)only->len : builder_text(b, l->name, text, sizeof text);
        if (n < 0)
            return n;
        if (only)
            name = only->text;
        if (name[0] == '/') { /* from the root */
            b->nparent = b->npath = 0;
            name++;
            n--;
        }
    } else if (number >= 0) {
        n = (int)decimal(number, text);
        text[n] = '\0';
    }
    if (n == 0)
        return 0;
    int rc = b->npath ? put(b, b->path, sizeof b->path, &b->npath, ".", 1, l->where) : 0;
    return rc ? rc : put(b, b->path, sizeof b->path, &b->npath, name, (size_t)n, l->where);
}

/* ---- names of values ---- */

int builder_slot(struct plan_builder *b, int slot, const struct expr *x, struct frame *into)
{
    struct expr_env env = builder_env(b, 0);
    struct val v = {0};
    int rc = expr_eval(x, &env, &v, b->err);
    struct val f = v;
    if (!rc && !expr_is_const(x)) {
        env = builder_env(b, 1);
        rc = expr_eval(x, &env, &f, b->err);
    }
    into->slots[0][slot] = v;
    into->slots[1][slot] = f;
    return rc;
}
