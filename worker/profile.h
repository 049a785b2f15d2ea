/* profile: where computing spent its time, as a table: a row for each kind of operator, the longest first. */
#ifndef WORKER_PROFILE_H
#define WORKER_PROFILE_H

#include "worker/engine/exec.h"

#include <stdio.h>

/* Columns: calls, CPU milliseconds of all threads and their share, 10^9 multiply-accumulates, GFLOP/s of one core,
 * the least GB moved and GB/s. The last row is their total. */
void profile_print(const struct exec_profile *p, FILE *out);

#endif
