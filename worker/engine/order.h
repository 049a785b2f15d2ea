/* order: in what order a program's steps run. Depth first: a step runs as soon as its last input exists, and what it
 * makes runnable runs next; so what is alive at any moment is about one path through the graph. */
#ifndef ENGINE_ORDER_H
#define ENGINE_ORDER_H

#include "worker/engine/lower.h"

/* Replaces p->steps by a sorted copy in `a`; p->home follows. */
int order_steps(struct arena *a, struct lower_program *p, struct err *err);

#endif
