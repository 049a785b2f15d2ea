/* deliver: brings finished results to the coordinator, from the spool and until a definite answer. When the spool
 * cannot be written (full or read-only disk) a result waits in memory, is uploaded from there, and deliver_blocked
 * says that no new job should be taken until the disk is well again. */
#ifndef WORKER_DELIVER_H
#define WORKER_DELIVER_H

#include "worker/session.h"
#include "worker/spool.h"

struct deliver_loose { /* a finished result that could not be spooled */
    int64_t job;
    char lease[WIRE_LEASE], *text;
};
struct deliver {
    struct session *session;
    struct spool *spool;
    struct backoff backoff, probe;
    int64_t next_ms, probe_ms;
    struct deliver_loose *loose;
    size_t nloose, turn; /* turn: which spooled result is next, so that one that is refused for now blocks no other */
    int busy, sick;      /* sick: the last write to the spool failed */
    char lease[WIRE_LEASE]; /* of the upload under way */
};

void deliver_init(struct deliver *d, struct session *session, struct spool *spool);
void deliver_clear(struct deliver *d);
int deliver_add(struct deliver *d, int64_t job, const char *lease, char *text, struct err *err); /* takes text */
void deliver_step(struct deliver *d, int64_t now);
int64_t deliver_due(const struct deliver *d); /* when deliver_step has something to do; INT64_MAX for never */
int deliver_holds(const struct deliver *d, const char *lease);
int deliver_blocked(const struct deliver *d);
size_t deliver_count(const struct deliver *d);
/* Job and lease of the i-th undelivered result, for the beat's list. */
void deliver_at(const struct deliver *d, size_t i, int64_t *job, const char **lease);

#endif
