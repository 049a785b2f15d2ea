/* plan_build: one architecture to a plan. Follows the structure of the compact form under a choice; every decision that
 * is read is active. Bounded by SPACE_MAX_STEPS and SPACE_MAX_NODES whatever the document says. */
#include "proto/plan_builder.h"

#include "proto/space_class.h"

#include <stdlib.h>
#include <string.h>

static int walk(struct plan_builder *b, const struct layer *l, struct tensor *t, int number);

/* ---- structure ---- */

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
        rc = builder_find_named(b, &l->from[i], &bound[i]);
    b->named_base = count;
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = builder_set_named(b, m->inputs[i], -1, bound[i], l->where);
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

/* ---- layers with their names ---- */

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
        rc = builder_find_named(b, &l->from[0], t);
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
        rc = builder_ref_index(b, l->as, &index);
        if (!rc)
            rc = builder_set_named(b, l->as->name, index, *t, l->as->where);
    }
    return rc;
}

/* ---- the plan ---- */

/* Drops what the output does not need, keeping the order. */
static int sweep(struct plan_builder *b, struct plan *out)
{
    int32_t *to = calloc((size_t)b->nnodes, sizeof *to);
    struct plan_node *nodes = arena_raw(b->arena, (size_t)b->nnodes * sizeof *nodes);
    struct hash128 *keys = arena_raw(b->arena, (size_t)b->nnodes * sizeof *keys);
    int n = 0;
    if (!to || !nodes || !keys) {
        free(to);
        return err_set(b->err, ERR_NO_MEMORY, "", "no memory for the plan");
    }
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
