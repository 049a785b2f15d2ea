/* plan: one architecture as a list of primitive operators with shapes and parameter slices.
 *
 * The space language (space.h) makes plans; graph.h merges many; the engine runs them; cost.h counts them.
 * A plan lives in the arena it was made in and is never changed afterwards. Nodes are in topological order and each is
 * needed by the output. What does nothing (an identity layer) is not a node, so equal plans are equal lists. */
#ifndef PROTO_PLAN_H
#define PROTO_PLAN_H

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/base/hash.h"

#include <stdint.h>
#include <stdio.h>

enum op_kind {
#define OP(name, text, lo, hi) OP_##name,
#include "proto/op.def"
#undef OP
    OP_COUNT
};

enum act_kind {
    ACT_NONE,
    ACT_RELU,
    ACT_RELU6,
    ACT_HSWISH,   /* x relu6(x + 3) / 6 */
    ACT_HSIGMOID, /* relu6(x + 3) / 6 */
    ACT_SWISH,    /* x sigmoid(x) */
    ACT_SIGMOID,
    ACT_TANH,
    ACT_GELU,       /* x Phi(x), by erf */
    ACT_GELU_TANH,  /* the tanh approximation */
    ACT_SOFTMAX_C,  /* softmax over channels */
    ACT_ELU,        /* x above 0, exp(x) - 1 below */
    ACT_LEAKY_RELU, /* x above 0, x / 100 below */
    ACT_COUNT
};

enum resize_mode { RESIZE_BILINEAR, RESIZE_BICUBIC };
enum attention_mode {
    ATTENTION_KEYS,   /* a token's result is the sum over all values with the weights of its own softmax */
    ATTENTION_QUERIES /* with the weights that all tokens' softmaxes give to it */
};

struct shape {
    int32_t c, h, w; /* of one sample */
};

enum { PARAM_DIMS = 4 };

/* How a parameter's values are made from the checkpoint's tensors. */
enum param_kind {
    PARAM_SLICE,     /* tensor[start : start + count] in each dimension */
    PARAM_TRANSFORM, /* base (O, I, k, k) -> centre crop to count (c x c), each flattened filter v becomes matrix * v,
                        matrix (c*c, c*c) as (out, in): Once-for-All's learned kernel transform; may be chained */
    PARAM_GROUPMASK  /* base (O, I, k, k) times the 0/1 mask that the gates (K) describe: DGConv */
};

struct param {
    enum param_kind kind;
    const char *name; /* state-dict name; NULL for the derived kinds */
    int ndim;
    int32_t dims[PARAM_DIMS];  /* the whole tensor as the space says it must be in the checkpoint */
    int32_t start[PARAM_DIMS]; /* PARAM_SLICE */
    int32_t count[PARAM_DIMS]; /* the resulting shape */
    const struct param *base;  /* derived kinds: what it is made from */
    const struct param *by;    /* matrix, or gates */
};

struct plan_attr { /* what an operator does not use is zero */
    int32_t kernel_h, kernel_w, stride, pad_h, pad_w, dilation, groups;
    int32_t ceil, count_pad;            /* pools */
    int32_t start, step, before, after; /* SLICE, PADC, SELECT, SUBSAMPLE (start = offset) */
    int32_t act;                        /* enum act_kind */
    int32_t mode;                       /* enum resize_mode, attention_mode */
    float eps, scale;
};

struct plan_node {
    enum op_kind op;
    struct plan_attr attr;
    int ninputs, nparams;
    const int32_t *inputs;             /* indices of earlier nodes */
    const struct param *const *params; /* in op.def's order; an absent one is NULL */
    struct shape out;
    const char *path; /* module path, for messages, drawings and profiles; no part of the node's identity */
    int32_t block;    /* index of the space's block (section) it belongs to, -1 for none */
};

struct plan {
    int nnodes;
    const struct plan_node *nodes;
    const struct hash128 *keys; /* [nnodes] plan_node_key of each; NULL in a plan that was not built by plan_build */
    int32_t output;             /* node whose (classes, 1, 1) are the logits: always nnodes - 1 */
    struct hash128 key;         /* of the whole plan with parameter names: equal keys are one candidate */
    struct hash128 class_key;   /* without parameter names: isomorphic candidates share it */
};

const char *op_text(enum op_kind op);
const char *act_text(enum act_kind act);

/* 0 when two parameters make the same values (same tensors, same slices, same derivation). */
int param_cmp(const struct param *a, const struct param *b);

/* A node's identity from its inputs' identities: the key covers parameter names and slices. */
struct hash128 plan_node_key(const struct plan_node *n, const struct hash128 *inputs);
/* The same, and its class, which covers only the sizes of parameters and the inputs of a sum in any order: those
 * classes are sorted in place. */
void plan_node_keys(const struct plan_node *n, const struct hash128 *input_keys, struct hash128 *input_classes,
                    struct hash128 *key, struct hash128 *class_key);

/* Prints one line a node: index, op, attributes, inputs, output shape, parameter slices. Golden files hold it. */
void plan_print(const struct plan *p, FILE *out);

#endif
