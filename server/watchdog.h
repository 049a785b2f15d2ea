/* watchdog: a thread that sees when the loop does not turn, which the loop itself cannot say at the time. */
#ifndef SERVER_WATCHDOG_H
#define SERVER_WATCHDOG_H

#include "proto/base/err.h"

#include <stdint.h>

struct watchdog;

/* stall_ms: a pause of the loop this long is a stall: it is logged while it lasts and counted. */
int watchdog_new(int64_t stall_ms, struct watchdog **out, struct err *err);
void watchdog_free(struct watchdog *w);
void watchdog_beat(struct watchdog *w, int64_t now); /* the loop turns */

/* How long the worst stall of the last `window_ms` was; 0: none. */
int64_t watchdog_recent(const struct watchdog *w, int64_t now, int64_t window_ms);
uint64_t watchdog_stalls(const struct watchdog *w);

#endif
