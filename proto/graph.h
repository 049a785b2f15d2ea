/* graph: many plans merged into one DAG by hash-consing. A node's key is its operator, attributes, parameter slices
 * and its inputs' keys; equal keys are one node. Exact: BatchNorm in calibration normalises with its own batch, so a
 * node's value depends on nothing but its key and the batch. */
#ifndef PROTO_GRAPH_H
#define PROTO_GRAPH_H

#include "proto/plan.h"

struct graph_node {
    const struct plan_node *node; /* operator, attributes, parameters, shape (node->inputs index the plan, not us) */
    struct hash128 key;
    const int32_t *inputs; /* indices into graph.nodes, all smaller than this node's */
    int32_t uses;          /* number of consumers, outputs of plans included */
};

struct graph {
    int nnodes, nplans;
    struct graph_node *nodes;
    int32_t *outputs; /* [nplans] node of each plan's logits; equal plans share it */
};

/* Merges; linear in the total number of nodes. The plans must outlive the graph. */
int graph_merge(struct arena *a, const struct plan *const *plans, int nplans, struct graph *out, struct err *err);

#endif
