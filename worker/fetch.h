/* fetch: gets the blobs of one job after the other into the cache, one at a time. It retries what may succeed later and
 * says which job cannot be served, and why; what becomes of that job is the agent's decision. */
#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include "worker/cache.h"
#include "worker/job.h"
#include "worker/session.h"

struct fetch {
    struct session *session;
    struct cache *cache;
    struct job *job; /* being served; NULL for none */
    struct backoff backoff;
    int64_t next_ms;
    int busy;          /* a download is under way */
    struct err failed; /* code set: job cannot be served */
};

void fetch_init(struct fetch *f, struct session *session, struct cache *cache);
/* Takes up a job in phase JOB_FETCH, which must not move in memory until it is served, failed or dropped. */
void fetch_start(struct fetch *f, struct job *job);
void fetch_drop(struct fetch *f); /* stops; what arrived stays in the cache */
/* 1: the job has all its blobs (phase JOB_READY); 0: it goes on; negative: it cannot be served. */
int fetch_step(struct fetch *f, int64_t now, struct err *err);
int64_t fetch_due(const struct fetch *f);

#endif
