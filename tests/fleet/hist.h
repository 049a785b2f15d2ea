/* hist: latencies in 128 steps for each doubling, so that any percentile is known within 1 %. */
#ifndef FLEET_HIST_H
#define FLEET_HIST_H

#include <stdint.h>

enum { HIST_STEPS = 128, HIST_OCTAVES = 44, HIST_BUCKETS = HIST_STEPS * HIST_OCTAVES };

struct hist {
    uint64_t n, count[HIST_BUCKETS];
    int64_t max_ns;
};

void hist_add(struct hist *h, int64_t ns);
double hist_ms(const struct hist *h, double share); /* share 0.99: the 99th percentile; 0 when empty */

#endif
