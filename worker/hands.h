/* hands: the jobs this worker holds, from the grant to the finished result: fetching their blobs, computing them in the
 * child process, handing the result to delivery. It decides what a crash, a hang, a full disk or a cancellation means
 * for a job. When to ask for more is the agent's matter; hands says whether it is fit and has room. */
#ifndef WORKER_HANDS_H
#define WORKER_HANDS_H

#include "worker/child.h"
#include "worker/deliver.h"
#include "worker/fetch.h"

enum { HANDS_MAX = 9 };

struct hands {
    const struct config *config;
    const char *program; /* serves --compute */
    struct session *session;
    struct cache *cache;
    struct deliver *deliver;
    struct fetch fetch;
    struct child child;
    struct job *jobs[HANDS_MAX]; /* in order of arrival */
    size_t njobs;
    struct backoff unfit;
    int64_t unfit_ms; /* no new jobs before */
    int crash_streak;
    double candidates_per_s, images_per_s; /* measured; 0: not yet */
};

void hands_init(struct hands *h, const struct config *c, const char *program, struct session *session,
                struct cache *cache, struct deliver *deliver);
void hands_clear(struct hands *h);

int hands_room(const struct hands *h);
/* Takes the leases of an answer that it does not hold yet; returns to the coordinator what it has no room for, or
 * everything when `refuse` is set. */
void hands_accept(struct hands *h, struct wire_answer *answer, int refuse);
void hands_gone(struct hands *h, const char *lease); /* the coordinator took it back */
void hands_step(struct hands *h, int64_t now);
int64_t hands_due(const struct hands *h, int64_t now); /* when hands_step has something to do by itself */
void hands_return_all(struct hands *h);                /* stops computing and gives every lease back */

#endif
