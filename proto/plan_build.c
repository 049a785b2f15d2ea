/* plan_build: one architecture to a plan. Follows the structure of the compact form under a choice; every decision that
 * is read is active. Bounded by SPACE_MAX_STEPS and SPACE_MAX_NODES whatever the document says. */
#include "proto/plan_builder.h"

#include "proto/shape.h"
#include "proto/space_class.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int walk(struct plan_builder *b, const struct layer *l, struct tensor *t, int number);

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
    int capacity = b->capacity ? b->capacity * 2 : 256;
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
    char *block = arena_alloc(b->arena, nparams + ninputs + b->npath + 1);
    if (!block)
        return err_set(b->err, ERR_NO_MEMORY, "", "no memory for the plan");
    int32_t *inputs = (int32_t *)(void *)(block + nparams);
    char *path = block + nparams + ninputs;
    if (n->nparams)
        memcpy(block, params, (size_t)n->nparams * sizeof *params);
    for (int i = 0; i < n->ninputs; i++)
        inputs[i] = in[i].node;
    memcpy(path, b->path, b->npath);
    n->params = (const struct param *const *)(void *)block;
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

static int ref_index(struct plan_builder *b, const struct tensor_ref *r, int64_t *index)
{
    struct expr_env env = builder_env(b, 0);
    *index = -1;
    return r->index ? expr_int(r->index, &env, 0, 1 << 20, index, b->err) : 0;
}

static int find_named(struct plan_builder *b, const struct tensor_ref *r, struct tensor *out)
{
    int64_t index;
    int rc = ref_index(b, r, &index);
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

static int set_named(struct plan_builder *b, int name, int64_t index, struct tensor t, const char *where)
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

/* ---- structure ---- */

int builder_slot(struct plan_builder *b, int slot, const struct expr *x, struct frame *into)
{
    struct expr_env env = builder_env(b, 0), full = builder_env(b, 1);
    struct val v = {0}, f = {0};
    int rc = expr_eval(x, &env, &v, b->err);
    f = v;
    if (!rc && !expr_is_const(x))
        rc = expr_eval(x, &full, &f, b->err);
    into->slots[0][slot] = v;
    into->slots[1][slot] = f;
    return rc;
}

static int walk_kids(struct plan_builder *b, const struct layer *l, struct tensor *t)
{
    int rc = 0;
    for (int i = 0; i < l->nkids && rc >= 0; i++)
        rc = walk(b, l->kids[i], t, l->numbered ? i : -1);
    return rc < 0 ? rc : 0;
}

/* Calls each for every round of the loop. */
static int loop(struct plan_builder *b, const struct layer *l, int (*each)(struct plan_builder *, void *), void *ctx)
{
    struct expr_env env = builder_env(b, 0);
    int64_t first = 0, end = 0;
    int rc = l->first ? expr_int(l->first, &env, -(1 << 20), 1 << 20, &first, b->err) : 0;
    if (!rc)
        rc = expr_int(l->select, &env, -(1 << 20), 1 << 20, &end, b->err);
    for (int64_t i = first; i < end && !rc; i++) {
        struct val v = {.type = VAL_NUM, .num = (double)i};
        b->frame->slots[0][l->slot] = b->frame->slots[1][l->slot] = v;
        if (++b->steps > SPACE_MAX_STEPS)
            rc = err_set(b->err, ERR_TOO_LARGE, l->where, "the network takes more than %d steps", SPACE_MAX_STEPS);
        if (!rc)
            rc = each(b, ctx);
    }
    return rc;
}

struct for_ctx {
    const struct layer *body;
    struct tensor *t;
};

static int for_round(struct plan_builder *b, void *ctx)
{
    struct for_ctx *c = ctx;
    int rc = walk(b, c->body, c->t, -1);
    return rc < 0 ? rc : 0;
}

static int walk_call(struct plan_builder *b, const struct layer *l, struct tensor *t)
{
    const struct module *m = l->module;
    struct frame *outer = b->frame, frame;
    int base = b->named_base, count = b->nnamed, rc = 0;
    struct tensor bound[SPACE_MAX_BRANCHES];
    for (int i = 0; i < m->nargs && !rc; i++)
        rc = builder_slot(b, i, l->args[i], &frame);
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = find_named(b, &l->from[i], &bound[i]);
    b->named_base = count;
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = set_named(b, m->inputs[i], -1, bound[i], l->where);
    if (!rc && m->ninputs)
        *t = bound[0];
    b->frame = &frame;
    if (!rc)
        rc = walk(b, m->body, t, -1);
    b->frame = outer;
    b->named_base = base;
    b->nnamed = count;
    return rc < 0 ? rc : 0;
}

static int walk_choose(struct plan_builder *b, const struct layer *l, struct tensor *t)
{
    struct expr_env env = builder_env(b, 0);
    int64_t i = 0;
    int rc = expr_int(l->select, &env, 0, l->nkids - 1, &i, b->err);
    if (!rc)
        rc = walk(b, l->kids[i], t, (int)i);
    return rc < 0 ? rc : 0;
}

static int add_branch(struct plan_builder *b, struct branches *br, const struct layer *kid, int number)
{
    struct tensor t = br->in;
    int rc = walk(b, kid, &t, number);
    if (rc)
        return rc < 0 ? rc : 0; /* left out */
    if (br->n == SPACE_MAX_BRANCHES)
        return err_set(b->err, ERR_TOO_LARGE, kid->where, "more than %d branches", SPACE_MAX_BRANCHES);
    br->out[br->n++] = t;
    return 0;
}

int builder_is_let(const struct layer *l)
{
    return l->kind == L_LIST && l->nkids && l->kids[0]->kind == L_LET && l->kids[l->nkids - 1]->kind == L_LET;
}

int builder_one_layer(const struct layer *body)
{
    int n = 0;
    for (int i = 0; i < body->nkids; i++)
        n += !builder_is_let(body->kids[i]);
    return n == 1;
}

static int collect(struct plan_builder *b, struct branches *br, const struct layer *kid, int number);

static int branch_round(struct plan_builder *b, void *ctx)
{
    struct branches *br = ctx;
    const struct layer *body = br->l;
    int rc = 0;
    if (!builder_one_layer(body))
        return add_branch(b, br, body, -1);
    for (int i = 0; i < body->nkids && !rc; i++)
        rc = collect(b, br, body->kids[i], -1);
    br->l = body; /* a loop in this loop had its own */
    return rc;
}

/* A loop among branches is one branch a round, none when the round's only layer is left out; a let is none. */
static int collect(struct plan_builder *b, struct branches *br, const struct layer *kid, int number)
{
    if (builder_is_let(kid)) {
        struct tensor t = br->in;
        int rc = walk(b, kid, &t, -1);
        return rc < 0 ? rc : 0;
    }
    if (kid->kind != L_FOR || kid->when || kid->name || kid->as)
        return add_branch(b, br, kid, number);
    br->l = kid->kids[0];
    return loop(b, kid, branch_round, br);
}

static int is_zero(const struct plan_builder *b, struct tensor t)
{
    return b->nodes[t.node].op == OP_ZERO;
}

/* Zeros add nothing to a sum: they are left out, unless there is nothing else. */
static int reduce_sum(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t)
{
    int kept = 0, rc = 0;
    for (int i = 1; i < br->n; i++)
        if (!shape_equal(br->out[i].shape, br->out[0].shape))
            return err_set(b->err, ERR_INVALID, l->where, "branches of unequal shapes: %d x %d x %d and %d x %d x %d",
                           br->out[0].shape.c, br->out[0].shape.h, br->out[0].shape.w, br->out[i].shape.c,
                           br->out[i].shape.h, br->out[i].shape.w);
    for (int i = 0; i < br->n; i++)
        if (!is_zero(b, br->out[i]))
            br->out[kept++] = br->out[i];
    *t = br->out[0];
    for (int i = 1; i < kept; i++)
        if (br->out[i].full > t->full)
            t->full = br->out[i].full;
    struct plan_attr attr = {0};
    struct tensor out = *t;
    if (kept > 1)
        rc = builder_emit(b, l, OP_ADD, &attr, NULL, 0, br->out, kept, &out);
    *t = out;
    attr.scale = 1.0F / (float)br->n;
    if (!rc && l->reduce == REDUCE_MEAN && br->n > 1)
        rc = builder_emit(b, l, OP_SCALE, &attr, NULL, 0, &out, 1, t);
    return rc;
}

static int reduce_concat(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t)
{
    int32_t full = 0;
    for (int i = 0; i < br->n; i++) {
        if (i + 1 < br->n && br->out[i].full != br->out[i].shape.c)
            return err_set(b->err, ERR_UNSUPPORTED, l->where, "concat of a sliced tensor before another one");
        full += br->out[i].full;
    }
    if (br->n == 1) {
        *t = br->out[0];
        return 0;
    }
    struct plan_attr attr = {0};
    struct tensor out = br->out[0];
    int rc = builder_emit(b, l, OP_CONCAT, &attr, NULL, 0, br->out, br->n, &out);
    out.full = full;
    *t = out;
    return rc;
}

static int reduce_by(struct plan_builder *b, const struct layer *l, enum op_kind op, struct branches *br,
                     struct tensor *t)
{
    struct plan_attr attr = {0};
    struct tensor out = br->out[0];
    int rc = br->n == 1 ? 0 : builder_emit(b, l, op, &attr, NULL, 0, br->out, br->n, &out);
    *t = out;
    return rc;
}

int builder_reduce(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t)
{
    if (br->n == 0)
        return err_set(b->err, ERR_INVALID, l->where, "no branch is left");
    return l->reduce == REDUCE_CONCAT ? reduce_concat(b, l, br, t)
           : l->reduce == REDUCE_MUL  ? reduce_by(b, l, OP_MUL, br, t)
           : l->reduce == REDUCE_MAX  ? reduce_by(b, l, OP_MAX, br, t)
                                      : reduce_sum(b, l, br, t);
}

static int walk_branches(struct plan_builder *b, const struct layer *l, struct tensor *t)
{
    struct expr_env env = builder_env(b, 0);
    struct branches branches, *br = &branches; /* 2 KiB; SPACE_MAX_DEPTH bounds how many */
    int64_t mask = -1;
    br->in = *t;
    br->n = 0;
    int rc = l->kind == L_PATHS ? expr_int(l->select, &env, 0, UINT32_MAX, &mask, b->err) : 0;
    for (int i = 0; i < l->nkids && !rc; i++)
        if (l->kind == L_REDUCE || (mask >> i & 1))
            rc = collect(b, br, l->kids[i], l->numbered ? i : -1);
    if (!rc)
        rc = builder_reduce(b, l, br, t);
    return rc;
}

static int dispatch(struct plan_builder *b, const struct layer *l, struct tensor *t)
{
    struct for_ctx c = {NULL, t};
    switch (l->kind) {
    case L_PRIM:
        return builder_layer(b, l, t);
    case L_LIST:
        return walk_kids(b, l, t);
    case L_CALL:
        return walk_call(b, l, t);
    case L_CHOOSE:
        return walk_choose(b, l, t);
    case L_FOR:
        c.body = l->kids[0];
        return loop(b, l, for_round, &c);
    case L_LET:
        return builder_slot(b, l->slot, l->select, b->frame);
    default:
        return walk_branches(b, l, t);
    }
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

/* One name for each section, in the order of first use. */
static int find_block(struct plan_builder *b, const struct tmpl *t)
{
    char text[SPACE_MAX_PATH];
    int n = builder_text(b, t, text, sizeof text);
    if (n < 0)
        return n;
    for (int i = 0; i < b->s->nblocks; i++)
        if (strcmp(b->s->blocks[i], text) == 0) {
            b->block = i;
            return 0;
        }
    return err_set(b->err, ERR_INVALID, t->where, "block \"%s\" is not known", text);
}

/* What is inside a name: path, block, tensors. 1: left out by "when". */
static int walk_named(struct plan_builder *b, const struct layer *l, struct tensor *t, int number)
{
    int rc = 0;
    b->cur = *t;
    if (l->when) {
        struct expr_env env = builder_env(b, 0);
        int keep = 1;
        rc = expr_bool(l->when, &env, &keep, b->err);
        if (rc || !keep)
            return rc ? rc : 1;
    }
    if (l->nfrom == 1 && !(l->kind == L_CALL && l->module->ninputs))
        rc = find_named(b, &l->from[0], t);
    b->cur = *t;
    if (!rc)
        rc = builder_push_name(b, l, number);
    if (!rc && l->block && b->s->nblocks)
        rc = find_block(b, l->block);
    if (!rc)
        rc = dispatch(b, l, t);
    return rc;
}

/* May the name replace the path, not only lengthen it? */
static int from_root(const struct tmpl *t)
{
    return t && t->n && (!t->pieces[0].text || t->pieces[0].text[0] == '/');
}

static int walk(struct plan_builder *b, const struct layer *l, struct tensor *t, int number)
{
    char saved[SPACE_MAX_PATH];
    size_t npath = b->npath, nparent = b->nparent;
    int block = b->block, absolute = from_root(l->name);
    if (++b->steps > SPACE_MAX_STEPS)
        return err_set(b->err, ERR_TOO_LARGE, l->where, "the network takes more than %d steps", SPACE_MAX_STEPS);
    if (++b->depth > SPACE_MAX_DEPTH * 4)
        return err_set(b->err, ERR_TOO_LARGE, l->where, "layers are nested too deeply");
    if (absolute)
        memcpy(saved, b->path, npath + 1);
    int rc = walk_named(b, l, t, number);
    if (absolute)
        memcpy(b->path, saved, npath + 1);
    b->npath = npath;
    b->path[npath] = '\0';
    b->nparent = nparent;
    b->block = block;
    b->depth--;
    if (rc)
        return rc;
    if (l->as) {
        int64_t index;
        rc = ref_index(b, l->as, &index);
        if (!rc)
            rc = set_named(b, l->as->name, index, *t, l->as->where);
    }
    return rc;
}

/* ---- the plan ---- */

/* Drops what the output does not need, keeping the order. */
static int sweep(struct plan_builder *b, struct plan *out)
{
    int32_t *to = malloc((size_t)b->nnodes * sizeof *to);
    struct plan_node *nodes = arena_array(b->arena, (size_t)b->nnodes, sizeof *nodes);
    struct hash128 *keys = arena_array(b->arena, (size_t)b->nnodes, sizeof *keys);
    int n = 0;
    if (!to || !nodes || !keys) {
        free(to);
        return err_set(b->err, ERR_NO_MEMORY, "", "no memory for the plan");
    }
    memset(to, 0, (size_t)b->nnodes * sizeof *to);
    to[out->output] = 1;
    for (int i = out->output; i >= 0; i--)
        for (int k = 0; to[i] && k < b->nodes[i].ninputs; k++)
            to[b->nodes[i].inputs[k]] = 1;
    for (int i = 0; i <= out->output; i++) {
        if (!to[i])
            continue;
        nodes[n] = b->nodes[i];
        keys[n] = b->keys[i];
        int32_t *inputs = (int32_t *)(uintptr_t)nodes[n].inputs; /* ours: made by fill */
        for (int k = 0; k < nodes[n].ninputs; k++)
            inputs[k] = to[inputs[k]];
        to[i] = n++;
    }
    free(to);
    out->nodes = nodes;
    out->keys = keys;
    out->nnodes = n;
    out->output = n - 1;
    return 0;
}

static int run(struct plan_builder *b, struct shape input, struct plan *out)
{
    static const struct plan_attr no_attr;
    struct tensor t = {.shape = input, .full = input.c};
    struct frame frame;
    b->frame = &frame;
    b->block = -1;
    int rc = builder_emit(b, NULL, OP_INPUT, &no_attr, NULL, 0, NULL, 0, &t);
    if (!rc)
        rc = walk(b, b->s->network->body, &t, -1);
    if (rc)
        return rc;
    if (t.shape.h != 1 || t.shape.w != 1)
        return err_set(b->err, ERR_INVALID, "/network", "the network ends in %d x %d x %d; logits are classes x 1 x 1",
                       t.shape.c, t.shape.h, t.shape.w);
    out->output = t.node;
    out->key = b->keys[t.node];
    out->class_key = b->s->dag ? space_class_key(b->s, b->choice, input) : b->classes[t.node];
    return sweep(b, out);
}

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

int plan_build(struct arena *a, const struct space *s, const int *choice, struct shape input, unsigned char *active,
               struct plan *out, struct err *err)
{
    struct plan_builder b;
    struct err local = {0};
    builder_init(&b, s, a, choice, &local);
    b.active = active;
    if (active)
        memset(active, 0, (size_t)s->ndecisions);
    int rc = run(&b, input, out);
    builder_clear(&b);
    if (rc && err)
        *err = local;
    return rc;
}
