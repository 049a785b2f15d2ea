/* tiny: see tiny.h. */
#include "tests/unit/worker/tiny.h"

#include "proto/base/hash.h"
#include "proto/param_values.h"
#include "tests/unit/test.h"
#include "worker/engine/merge.h"

#include <stdlib.h>

static void *made(void *p)
{
    if (!p)
        abort();
    return p;
}

static struct plan_node *add(struct tiny *t, enum op_kind op, const char *path, int ninputs, int a, int b)
{
    struct plan_node *n = &t->nodes[t->n++];
    int32_t *inputs = made(arena_array(t->arena, 2, sizeof *inputs));
    inputs[0] = a;
    inputs[1] = b;
    *n = (struct plan_node){.op = op, .path = path, .ninputs = ninputs, .inputs = inputs, .block = -1};
    if (ninputs)
        n->out = t->nodes[a].out;
    return n;
}

static const struct param *tensor(struct tiny *t, const char *name, const char *leaf, int ndim, const int32_t *dims)
{
    struct param *p = made(arena_alloc(t->arena, sizeof *p));
    p->name = made(arena_printf(t->arena, "%s.%s", name, leaf));
    p->ndim = ndim;
    for (int i = 0; i < ndim; i++)
        p->dims[i] = p->count[i] = dims[i];
    return p;
}

static void give_params(struct tiny *t, struct plan_node *n, int count, const struct param *const *params)
{
    const struct param **own = made(arena_array(t->arena, (size_t)count, sizeof(const struct param *)));
    memcpy(own, params, (size_t)count * sizeof *own);
    n->params = own;
    n->nparams = count;
}

int tiny_input(struct tiny *t, int c, int h, int w)
{
    add(t, OP_INPUT, "input", 0, 0, 0)->out = (struct shape){c, h, w};
    return t->n - 1;
}

int tiny_conv(struct tiny *t, int from, const char *name, int out, int kernel, int stride, int groups)
{
    struct plan_node *n = add(t, OP_CONV, name, 1, from, 0);
    struct shape in = n->out;
    int o = out ? out : in.c;
    n->attr = (struct plan_attr){.kernel_h = kernel,
                                 .kernel_w = kernel,
                                 .stride = stride,
                                 .pad_h = kernel / 2,
                                 .pad_w = kernel / 2,
                                 .dilation = 1,
                                 .groups = groups};
    n->out = (struct shape){o, (in.h - 1) / stride + 1, (in.w - 1) / stride + 1};
    const struct param *weight = tensor(t, name, "weight", 4, (int32_t[]){o, in.c / groups, kernel, kernel});
    give_params(t, n, 1, &weight);
    return t->n - 1;
}

static int bn(struct tiny *t, int from, const char *name, int tracked)
{
    struct plan_node *n = add(t, OP_BN, name, 1, from, 0);
    int32_t c = n->out.c;
    const struct param *all[4] = {tensor(t, name, "gamma", 1, &c), tensor(t, name, "beta", 1, &c),
                                  tracked ? tensor(t, name, "mean", 1, &c) : NULL,
                                  tracked ? tensor(t, name, "var", 1, &c) : NULL};
    n->attr.eps = 1e-5f;
    give_params(t, n, 4, all);
    return t->n - 1;
}

int tiny_bn(struct tiny *t, int from, const char *name)
{
    return bn(t, from, name, 1);
}

int tiny_bn_batch(struct tiny *t, int from, const char *name)
{
    return bn(t, from, name, 0);
}

int tiny_act(struct tiny *t, int from, enum act_kind act)
{
    add(t, OP_ACT, "act", 1, from, 0)->attr.act = (int32_t)act;
    return t->n - 1;
}

int tiny_add(struct tiny *t, int a, int b)
{
    add(t, OP_ADD, "add", 2, a, b);
    return t->n - 1;
}

int tiny_concat(struct tiny *t, int a, int b)
{
    struct plan_node *n = add(t, OP_CONCAT, "concat", 2, a, b);
    n->out.c = t->nodes[a].out.c + t->nodes[b].out.c;
    return t->n - 1;
}

int tiny_gap(struct tiny *t, int from)
{
    struct plan_node *n = add(t, OP_GAP, "gap", 1, from, 0);
    n->out.h = n->out.w = 1;
    return t->n - 1;
}

int tiny_linear(struct tiny *t, int from, const char *name, int out)
{
    struct plan_node *n = add(t, OP_LINEAR, name, 1, from, 0);
    const struct param *all[2] = {tensor(t, name, "weight", 2, (int32_t[]){out, n->out.c}),
                                  tensor(t, name, "bias", 1, (int32_t[]){out})};
    n->out.c = out;
    give_params(t, n, 2, all);
    return t->n - 1;
}

int tiny_conv_bn_relu(struct tiny *t, int from, const char *name, int out, int kernel, int stride, int groups)
{
    int conv = tiny_conv(t, from, name, out, kernel, stride, groups);
    return tiny_act(t, tiny_bn(t, conv, made(arena_printf(t->arena, "%s.bn", name))), ACT_RELU);
}

struct plan *tiny_plan(const struct tiny *t)
{
    struct plan *p = made(arena_alloc(t->arena, sizeof *p));
    struct plan_node *nodes = made(arena_array(t->arena, (size_t)t->n, sizeof *nodes));
    memcpy(nodes, t->nodes, (size_t)t->n * sizeof *nodes);
    *p = (struct plan){.nnodes = t->n, .nodes = nodes, .output = t->n - 1};
    return p;
}

struct graph tiny_graph(struct arena *a, const struct plan *const *plans, int n)
{
    struct graph g;
    struct err err = {0};
    CHECK_INT(merge_plans(a, plans, n, &g, &err), 0);
    return g;
}

int32_t tiny_node(const struct graph *g, const char *path)
{
    for (int32_t v = 0; v < g->nnodes; v++)
        if (strcmp(g->nodes[v].node->path, path) == 0)
            return v;
    return -1;
}

float tiny_value(uint64_t seed)
{
    seed = (seed + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    seed = (seed ^ (seed >> 29)) * 0x94d049bb133111ebu;
    return (float)(seed >> 40) / (float)(1 << 24) - 0.5f;
}

static int read_tensor(void *ctx, const struct param *p, float *out, struct err *err)
{
    struct tiny_source *s = ctx;
    (void)err;
    size_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= (size_t)p->dims[i];
    uint64_t seed = hash128(p->name, strlen(p->name)).lo;
    for (size_t i = 0; i < n; i++)
        out[i] = tiny_value(seed + i) + (strstr(p->name, ".var") ? 1.0f : 0.0f);
    if (s->broken && strcmp(p->name, s->broken) == 0)
        out[n - 1] = NAN;
    s->reads++;
    return 0;
}

struct params_source tiny_params_source(struct tiny_source *s)
{
    return (struct params_source){read_tensor, s};
}

/* ---- the back end ---- */

static void forward(const struct op_call *call)
{
    (void)call;
    abort();
}

static int fuses_act(enum act_kind act)
{
    return act == ACT_RELU || act == ACT_RELU6;
}

static size_t workspace(const struct op_site *site, int n)
{
    return (size_t)n * (size_t)site->out.c;
}

static int pairs(const struct op_site *first, const struct op_site *second)
{
    return first->op == OP_CONV && second->op == OP_CONV && first->attr.kernel_h == 1 && second->attr.groups > 1;
}

static size_t pair_workspace(const struct op_site *first, const struct op_site *second, int n)
{
    return workspace(first, n) + workspace(second, n);
}

static int foresees(const struct op_site *site, int n)
{
    return site->op == OP_CONV && site->attr.kernel_h == 1 && site->out.c >= 4 * site->in[0].c && n >= 2;
}

static const char *refuse(const struct op_site *site)
{
    return site->in[0].c % 2 ? "an odd number of channels" : NULL;
}

struct op_backend tiny_backend(void)
{
    enum { STORE = FUSE_RESIDUAL | FUSE_ACT };
    static const struct op_row rows[OP_COUNT] = {
        [OP_INPUT] = {.forward = forward},
        [OP_CONV] = {.forward = forward,
                     .workspace = workspace,
                     .fuses = FUSE_AFFINE | STORE | FUSE_STATS | FUSE_IMAGE,
                     .loads = 1},
        [OP_LINEAR] = {.forward = forward, .fuses = FUSE_AFFINE | FUSE_ACT, .loads = 1},
        [OP_BN] = {.forward = forward, .fuses = FUSE_ACT},
        [OP_ADD] = {.forward = forward, .fuses = FUSE_ACT, .loads = 2},
        [OP_ACT] = {.forward = forward},
        [OP_CONCAT] = {.forward = forward, .fuses = FUSE_PARTS},
        [OP_GAP] = {.forward = forward, .loads = 1},
        [OP_SHUFFLE] = {.forward = forward, .refuse = refuse},
    };
    return (struct op_backend){.name = "tiny",
                               .rows = rows,
                               .fuses_act = fuses_act,
                               .pairs = pairs,
                               .pair_workspace = pair_workspace,
                               .foresees = foresees,
                               .foresee_workspace = workspace};
}
