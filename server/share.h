/* share: which search a worker serves next and how many candidates it gets. Decides fairness and job size, moves
 * nothing.
 *
 * Fairness: every search has a virtual time, the thread-seconds it received divided by its weight; the active search
 * with the lowest is next. A worker that already holds a search's blobs stays with it as long as that search is not
 * ahead by more than a quarter of a round of the fleet. A scan over the active searches: tens, not thousands. Size:
 * about target_ms of this worker's measured speed in this search, never four times more than its last job there, and
 * near the end of the queue half an even share of what is left, so that a fleet finishes together. */
#ifndef SERVER_SHARE_H
#define SERVER_SHARE_H

#include "server/sched_table.h"

/* The active search that serves the worker next, or NULL; also moves vclock on. `skip` marks searches (by their place
 * in active) to pass over. */
struct sched_search *share_choose(struct sched *s, const struct sched_worker *w, const struct sched_ask *ask,
                                  const unsigned char *skip);
/* The first queued job of q that the worker may take: not one it failed while others could take it; NULL for none. */
struct sched_job *share_retry(const struct sched *s, const struct sched_search *q, const struct sched_worker *w);
uint32_t share_size(const struct sched *s, const struct sched_search *q, const struct sched_worker *w, double told);

/* Books the cost of an attempt: estimated at the grant, corrected when it ends (elapsed_ms; negative: not known). */
void share_charge(const struct sched *s, struct sched_job *j, const struct sched_worker *w);
void share_settle(struct sched_job *j, const struct sched_worker *w, int64_t elapsed_ms);

/* Learns from a finished job: the worker's and the search's speed. */
void share_learn(struct sched_job *j, struct sched_worker *w, int64_t granted_ms, int64_t now);
double share_flow(const struct sched_search *q, int64_t now); /* candidates per second of the whole fleet */

#endif
