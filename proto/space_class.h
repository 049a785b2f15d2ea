/* space_class: which codes of a cell space are isomorphic, by the rule of the benchmark the space comes from.
 *
 * A document may say {"classes": {"dag": "edge", "zero": "none", "identity": "skip_connect"}}: the decisions edge[0],
 * edge[1], ... are the edges 1<-0, 2<-0, 2<-1, 3<-0, ... of a cell whose nodes sum what comes in. A node's formula is
 * the sorted list of its edges' formulas joined by "+"; an edge's is "#" for the zero operator or on "#", that of its
 * origin for the identity, else "(origin)@operator". Codes are one class when the last nodes' formulas are equal.
 * This is NAS-Bench-201's own rule: it gives the 6,466 of its paper. It is about texts, not graphs: it keeps apart a
 * few equal cells and joins a few where one operator is used twice with others where two stand side by side.
 * Documents without it use plan_node_class. */
#ifndef PROTO_SPACE_CLASS_H
#define PROTO_SPACE_CLASS_H

#include "proto/space_parser.h"

int space_class_read(struct space_parser *p, const json_t *doc); /* doc may be NULL */

/* The class of an architecture for images of shape input; only when s->dag. */
struct hash128 space_class_key(const struct space *s, const int *choice, struct shape input);

#endif
