/* merge: the plans of a group as one graph (proto/graph.h) in which the ends of networks stand apart.
 *
 * An end is a convolution that calibration needs the statistics of and not the value: no BatchNorm comes after its own.
 * Its statistics may be foreseen (op.h), with other last bits than measured ones. Where another candidate goes on from
 * the same convolution, the two are different nodes; so a candidate's numbers do not depend on its company. */
#ifndef ENGINE_MERGE_H
#define ENGINE_MERGE_H

#include "proto/graph.h"

int merge_plans(struct arena *a, const struct plan *const *plans, int n, struct graph *out, struct err *err);

/* Graph nodes of plan i's nodes: map[p->nnodes], where p is the i-th of the plans merged. */
void merge_map(const struct graph *g, int i, const struct plan *p, int32_t *map);

#endif
