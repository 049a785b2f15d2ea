/* spool: finished results on disk until the coordinator gave a definite answer. A result is here, fsynced, before its
 * first upload, so neither an outage nor a crash of this process loses it. Oldest first. It does not talk to anyone. */
#ifndef WORKER_SPOOL_H
#define WORKER_SPOOL_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { SPOOL_LEASE = 33 };

struct spool_item {
    int64_t seq, job;
    char lease[SPOOL_LEASE]; /* 32 hex digits */
    size_t bytes;
};
struct spool {
    int dirfd;
    int64_t limit, bytes, next_seq;
    struct spool_item *items; /* by seq */
    size_t n;
};

int spool_open(struct spool *s, const char *dir, int64_t limit, struct err *err);
void spool_close(struct spool *s);

int spool_put(struct spool *s, int64_t job, const char *lease, const void *data, size_t n, struct err *err);
char *spool_read(struct spool *s, size_t i, size_t *n, struct err *err); /* malloc'ed */
int spool_drop(struct spool *s, size_t i, struct err *err);      /* after a definite answer; forgotten in any case */
int spool_set_aside(struct spool *s, size_t i, struct err *err); /* unreadable: kept as *.bad for a human */
int spool_find(const struct spool *s, const char *lease);        /* index or -1 */
int spool_full(const struct spool *s);                           /* at or over the limit */
int spool_probe(struct spool *s, struct err *err);               /* can it be written right now? */

#endif
