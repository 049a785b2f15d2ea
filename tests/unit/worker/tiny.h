/* tiny: plans written by hand and parameters made up from their names, for tests of the engine without spaces,
 * checkpoints or files. A node is named by the index that its maker returns. */
#ifndef UNIT_WORKER_TINY_H
#define UNIT_WORKER_TINY_H

#include "proto/graph.h"
#include "worker/engine/op.h"
#include "worker/engine/params.h"

enum { TINY_NODES = 64, TINY_PLANS = 64 };

struct tiny { /* one plan being written; what it is made of lives in the arena */
    struct arena *arena;
    struct plan_node nodes[TINY_NODES];
    int n;
};

int tiny_input(struct tiny *t, int c, int h, int w);
/* Weight "<name>.weight", padded so that stride 1 keeps the size. groups = channels of `from` and out 0: depthwise. */
int tiny_conv(struct tiny *t, int from, const char *name, int out, int kernel, int stride, int groups);
int tiny_bn(struct tiny *t, int from, const char *name);       /* gamma, beta, mean and variance below the name */
int tiny_bn_batch(struct tiny *t, int from, const char *name); /* keeps no statistics */
int tiny_act(struct tiny *t, int from, enum act_kind act);
int tiny_add(struct tiny *t, int a, int b);
int tiny_concat(struct tiny *t, int a, int b);
int tiny_gap(struct tiny *t, int from);
int tiny_linear(struct tiny *t, int from, const char *name, int out);
int tiny_conv_bn_relu(struct tiny *t, int from, const char *name, int out, int kernel, int stride, int groups);

struct plan *tiny_plan(const struct tiny *t); /* the last node is the output; a copy in the arena */
struct graph tiny_graph(struct arena *a, const struct plan *const *plans, int n);
/* The node made by the module `path` that some plan holds, -1. */
int32_t tiny_node(const struct graph *g, const char *path);

struct tiny_source { /* a checkpoint: each name's values are its own, in [-0.5, 0.5]; variances are positive */
    int reads;
    const char *broken; /* a tensor whose last value is NaN */
};
struct params_source tiny_params_source(struct tiny_source *s);
float tiny_value(uint64_t seed); /* in [-0.5, 0.5] */

/* A back end that computes nothing: rows with the CPU back end's abilities, a dummy forward. */
struct op_backend tiny_backend(void);

#endif
