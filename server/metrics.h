/* metrics: counters and histograms of this process, as Prometheus text. It measures; nobody decides by it. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "proto/api.h"

#include <stdint.h>
#include <stdio.h>

struct metrics;

struct metrics *metrics_new(void); /* NULL: no memory */
void metrics_free(struct metrics *m);
void metrics_request(struct metrics *m, const struct api_operation *op, int status, int64_t ns);
void metrics_commit(struct metrics *m, int64_t ns, int failed);

enum metrics_counter {
    METRICS_LEASES,
    METRICS_EXPIRED,
    METRICS_STORED,
    METRICS_DUPLICATE,
    METRICS_SUPERSEDED,
    METRICS_CANCELLED,
    METRICS_INVALID,
    METRICS_SCORES,
    METRICS_BEATS,
    METRICS_COUNTERS
};
void metrics_add(struct metrics *m, enum metrics_counter which, uint64_t n);

/* As Prometheus text: one value of the program's, and all that is counted here. */
void metrics_value(FILE *f, const char *name, const char *type, const char *help, double value);
void metrics_write(const struct metrics *m, FILE *f);

#endif
