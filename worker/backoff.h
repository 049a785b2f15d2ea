/* backoff: how long to wait after the n-th failure in a row: min(max, base 2^n) U(0.5, 1), never less than
 * the delay that the server asked for, stretched by up to a tenth (a fleet must not return in one instant). */
#ifndef WORKER_BACKOFF_H
#define WORKER_BACKOFF_H

#include "proto/base/rng.h"

struct backoff {
    int64_t base_ms, max_ms;
    int failures;
};

/* Counts a failure and returns the wait in ms. server_ms: the delay the server asked for; 0 or negative means none. */
int64_t backoff_fail(struct backoff *b, struct rng *r, int64_t server_ms);
void backoff_reset(struct backoff *b);

/* The server's delay with the stretch only, for the ordinary case where nothing failed. */
int64_t backoff_stretch(struct rng *r, int64_t server_ms);

#endif
