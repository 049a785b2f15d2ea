/* cost: what a plan costs. Two conventions for multiply-accumulates, always named:
 *   conv_macs  convolutions (bias additions not counted) and linear layers, as SPOS, OFA, AttentiveNAS, NAS-Bench-Macro
 *              and most papers count "FLOPs"; the attention products count too
 *   all_macs   conv_macs plus one operation per output element of every other operator (BatchNorm, activations, sums,
 *              products, bias) and one per input element of a pool
 * Parameters are the values a stand-alone network of this plan would train: weights, biases, BatchNorm weight and bias,
 * learned matrices' products counted as the weights they make; running statistics are not parameters. A tensor that is
 * used twice with the same slice counts once. */
#ifndef PROTO_COST_H
#define PROTO_COST_H

#include "proto/plan.h"

#include <stdint.h>

struct cost {
    int64_t conv_macs, all_macs, params;
    int64_t activation_bytes; /* of all node outputs of one image, float32: what training would keep */
    int64_t peak_bytes;       /* the largest sum of live outputs when nodes run in order and are freed after last use */
};

void cost_node(const struct plan_node *n, const struct plan_node *nodes, int64_t *conv_macs, int64_t *all_macs);
int64_t cost_node_params(const struct plan_node *n); /* trainable values that this node reads */

int cost_plan(const struct plan *p, struct cost *out, struct err *err);

#endif
