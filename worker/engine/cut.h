/* cut: a job's candidates in groups that are scored one after the other, so that scores appear while it runs.
 *
 * A group is long enough to be worth it, and cut off where the next candidate shares little with it: what the next
 * group computes again costs a fiftieth of the group at most. Knows nothing of memory (group.h) or time. */
#ifndef ENGINE_CUT_H
#define ENGINE_CUT_H

#include "proto/plan.h"

/* Plans in an order in which neighbours share prefixes; `images`: run through each plan. last[i] becomes 1 where plan i
 * is the last of its group, and work[i] the multiply-accumulates that plan i adds to what is before it in its group. */
int cut_groups(const struct plan *const *plans, int n, double images, unsigned char *last, double *work,
               struct err *err);

#endif
