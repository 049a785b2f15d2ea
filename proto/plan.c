/* plan: identity and text of plans. Shapes are shape.c's, building is plan_build.c's. */
#include "proto/plan.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_texts[OP_COUNT] = {
#define OP(name, text, lo, hi) [OP_##name] = text,
#include "proto/op.def"
#undef OP
};

static const char *const act_texts[ACT_COUNT] = {"none",    "relu",    "relu6",     "hswish", "hsigmoid",
                                                 "swish",   "sigmoid", "tanh",      "gelu",   "gelu_tanh",
                                                 "softmax", "elu",     "leaky_relu"};

const char *op_text(enum op_kind op)
{
    return op_texts[op];
}

const char *act_text(enum act_kind act)
{
    return act_texts[act];
}

static int cmp_int(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

int param_cmp(const struct param *a, const struct param *b)
{
    if (a == b)
        return 0;
    if (!a || !b)
        return a ? 1 : -1;
    int c = cmp_int((int64_t)a->kind, (int64_t)b->kind);
    if (!c)
        c = cmp_int(a->ndim, b->ndim);
    if (!c && a->kind == PARAM_SLICE)
        c = strcmp(a->name, b->name);
    if (!c)
        c = memcmp(a->dims, b->dims, sizeof a->dims);
    if (!c)
        c = memcmp(a->start, b->start, sizeof a->start);
    if (!c)
        c = memcmp(a->count, b->count, sizeof a->count);
    if (!c && a->kind != PARAM_SLICE)
        c = param_cmp(a->base, b->base);
    if (!c && a->kind != PARAM_SLICE)
        c = param_cmp(a->by, b->by);
    return c;
}

/* ---- keys ---- */

enum { KEY_PARAMS = 8, KEY_INPUTS = 64 };

enum { NAME_HASHED = 512 };

struct param_record { /* what a parameter's hash covers, without padding */
    int32_t kind, ndim, dims[PARAM_DIMS], start[PARAM_DIMS], count[PARAM_DIMS];
    char name[NAME_HASHED]; /* only what is used of it */
};
struct derived_record {
    int32_t kind, ndim, count[PARAM_DIMS];
    struct hash128 base, by;
};

static struct hash128 param_key(const struct param *p, int named);

static struct hash128 derived_key(const struct param *p, int named)
{
    struct derived_record r = {.kind = (int32_t)p->kind, .ndim = p->ndim};
    memcpy(r.count, p->count, sizeof r.count);
    r.base = param_key(p->base, named);
    r.by = param_key(p->by, named);
    return hash128(&r, sizeof r);
}

static struct hash128 slice_key(const struct param *p)
{
    struct param_record r;
    size_t n = strlen(p->name), at = offsetof(struct param_record, name);
    r.kind = (int32_t)p->kind;
    r.ndim = p->ndim;
    memcpy(r.dims, p->dims, sizeof r.dims);
    memcpy(r.start, p->start, sizeof r.start);
    memcpy(r.count, p->count, sizeof r.count);
    if (n <= NAME_HASHED) {
        memcpy(r.name, p->name, n);
        return hash128(&r, at + n);
    }
    struct hash128 h = hash128(p->name, n);
    memcpy(r.name, &h, sizeof h);
    return hash128(&r, at + sizeof h);
}

/* Every parameter is hashed twice for every node of every plan: a slice without its name is its four sizes as they are.
 */
static struct hash128 param_key(const struct param *p, int named)
{
    struct hash128 sizes = {0, 0};
    if (!p)
        return sizes;
    if (p->kind != PARAM_SLICE)
        return derived_key(p, named);
    if (named)
        return slice_key(p);
    memcpy(&sizes, p->count, sizeof sizes);
    return sizes;
}

struct node_record {
    struct plan_attr attr;
    int32_t op, ninputs, nparams, out_h, out_w, out_c, zero;
    struct hash128 hashes[KEY_PARAMS + KEY_INPUTS];
};
_Static_assert(offsetof(struct node_record, hashes) == sizeof(struct plan_attr) + 7 * sizeof(int32_t),
               "padding is hashed");
_Static_assert(offsetof(struct param_record, name) == (2 + 3 * PARAM_DIMS) * sizeof(int32_t), "padding is hashed");
_Static_assert(sizeof(struct derived_record) == (2 + PARAM_DIMS) * sizeof(int32_t) + 2 * sizeof(struct hash128),
               "padding is hashed");
_Static_assert(sizeof(struct hash128) == PARAM_DIMS * sizeof(int32_t), "sizes stand for a hash");

static void begin_record(struct node_record *r, const struct plan_node *n) /* only the part that is hashed is filled */
{
    r->op = (int32_t)n->op;
    r->zero = 0;
    r->ninputs = n->ninputs;
    r->nparams = n->nparams;
    r->out_c = n->out.c;
    r->out_h = n->out.h;
    r->out_w = n->out.w;
    r->attr = n->attr;
}

static struct hash128 end_record(struct node_record *r, const struct plan_node *n, const struct hash128 *inputs,
                                 int named)
{
    size_t k = 0;
    for (int i = 0; i < n->nparams; i++)
        r->hashes[k++] = param_key(n->params[i], named);
    memcpy(&r->hashes[k], inputs, (size_t)n->ninputs * sizeof *inputs);
    k += (size_t)n->ninputs;
    return hash128(r, offsetof(struct node_record, hashes) + k * sizeof *r->hashes);
}

struct hash128 plan_node_key(const struct plan_node *n, const struct hash128 *inputs)
{
    struct node_record r;
    begin_record(&r, n);
    return end_record(&r, n, inputs, 1);
}

static int cmp_hash(const void *a, const void *b)
{
    const struct hash128 *x = a, *y = b;
    return x->hi != y->hi ? (x->hi < y->hi ? -1 : 1) : x->lo < y->lo ? -1 : x->lo > y->lo;
}

void plan_node_keys(const struct plan_node *n, const struct hash128 *input_keys, struct hash128 *input_classes,
                    struct hash128 *key, struct hash128 *class_key)
{
    struct node_record r;
    begin_record(&r, n);
    *key = end_record(&r, n, input_keys, 1);
    if (n->op == OP_ADD)
        qsort(input_classes, (size_t)n->ninputs, sizeof *input_classes, cmp_hash);
    *class_key = end_record(&r, n, input_classes, 0);
}

/* ---- text ---- */

static void print_dims(FILE *out, const int32_t *d, int n)
{
    for (int i = 0; i < n; i++)
        fprintf(out, "%s%d", i ? "x" : "", d[i]);
}

static void print_param(FILE *out, const struct param *p)
{
    if (p->kind != PARAM_SLICE) {
        fprintf(out, p->kind == PARAM_TRANSFORM ? "transform(" : "groupmask(");
        print_param(out, p->base);
        fprintf(out, ", ");
        print_param(out, p->by);
        fprintf(out, ")->");
        print_dims(out, p->count, p->ndim);
        return;
    }
    fprintf(out, "%s:", p->name);
    print_dims(out, p->dims, p->ndim);
    if (memcmp(p->dims, p->count, sizeof p->dims) == 0)
        return;
    fprintf(out, "[");
    for (int i = 0; i < p->ndim; i++)
        fprintf(out, "%s%d:%d", i ? "," : "", p->start[i], p->start[i] + p->count[i]);
    fprintf(out, "]");
}

static void print_int(FILE *out, const char *name, int32_t v, int32_t otherwise)
{
    if (v != otherwise)
        fprintf(out, " %s=%d", name, v);
}

static void print_attr(FILE *out, const struct plan_node *n)
{
    const struct plan_attr *a = &n->attr;
    if (a->kernel_h)
        fprintf(out, " kernel=%dx%d", a->kernel_h, a->kernel_w);
    print_int(out, "stride", a->stride, a->kernel_h ? 1 : 0);
    if (a->pad_h || a->pad_w)
        fprintf(out, " pad=%dx%d", a->pad_h, a->pad_w);
    print_int(out, "dilation", a->dilation, a->dilation ? 1 : 0);
    print_int(out, "groups", a->groups, a->kernel_h && a->groups ? 1 : 0);
    print_int(out, "ceil", a->ceil, 0);
    print_int(out, "count_pad", a->count_pad, 0);
    print_int(out, "start", a->start, 0);
    print_int(out, "step", a->step, 0);
    print_int(out, "before", a->before, 0);
    print_int(out, "after", a->after, 0);
    if (a->act)
        fprintf(out, " %s", act_text((enum act_kind)a->act));
    if (n->op == OP_RESIZE)
        fprintf(out, " %s", a->mode == RESIZE_BICUBIC ? "bicubic" : "bilinear");
    if (n->op == OP_ATTENTION && a->mode == ATTENTION_QUERIES)
        fprintf(out, " queries");
    if (a->eps > 0)
        fprintf(out, " eps=%g", (double)a->eps);
    if (n->op == OP_SCALE || n->op == OP_ATTENTION)
        fprintf(out, " scale=%.6g", (double)a->scale);
}

void plan_print(const struct plan *p, FILE *out)
{
    for (int i = 0; i < p->nnodes; i++) {
        const struct plan_node *n = &p->nodes[i];
        fprintf(out, "%d %s (", i, op_text(n->op));
        for (int k = 0; k < n->ninputs; k++)
            fprintf(out, "%s%d", k ? "," : "", n->inputs[k]);
        fprintf(out, ") -> %dx%dx%d", n->out.c, n->out.h, n->out.w);
        print_attr(out, n);
        for (int k = 0; k < n->nparams; k++)
            if (n->params[k]) {
                fprintf(out, " ");
                print_param(out, n->params[k]);
            }
        fprintf(out, "\n");
    }
}
