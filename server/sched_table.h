/* sched_table: the records behind sched.h and the links between them. Decides nothing; only sched.c and share.c look
 * in.
 *
 * A search owns its rows (candidates in queue order) and its open jobs; a job is a slice of the rows. A job without a
 * live lease stands in its search's retry list, oldest first. A search with something to hand out and not paused is
 * active. */
#ifndef SERVER_SCHED_TABLE_H
#define SERVER_SCHED_TABLE_H

#include "server/sched.h"

struct sched_job {
    int64_t id;
    struct sched_search *search;
    uint32_t first, count; /* slice of search->rows */
    uint32_t attempts, failed, expired;
    uint32_t navoid;
    int64_t avoid[SCHED_AVOID]; /* workers that failed it, the latest last */
    double charged;             /* what its live lease cost the search's share so far, thread seconds / weight */
    struct lease *leases;       /* every attempt */
    struct lease *live;         /* the one that counts now; NULL: queued */
    struct sched_job *retry_prev, *retry_next, *prev, *next;
};

struct sched_search {
    struct sched_search_spec spec;
    uint32_t *rows;
    uint32_t nrows, cap, head; /* rows before head are in jobs */
    struct sched_job *jobs, *retry_first, *retry_last;
    uint64_t open_jobs;
    uint32_t active; /* place in table->active, or UINT32_MAX */
    double vtime;    /* thread seconds received / weight */
    double per_s;    /* candidates per second of one worker, smoothed; 0 unknown */
    double flow;     /* candidates per second of all, decayed */
    int64_t flow_ms, start_ms;
};

enum { SCHED_RATES = 4 };
struct sched_rate {
    int64_t search;
    double per_s;
    uint32_t last_job; /* size of the last finished job */
};

struct sched_worker {
    int64_t id;
    uint32_t threads, nlive;
    double told_per_s;
    struct sched_rate rate[SCHED_RATES]; /* latest first */
    int64_t seen_ms, done_ms;
    int seen; /* in the list of workers that spoke lately */
    struct lease *leases;
    struct sched_worker *seen_prev, *seen_next; /* by seen_ms */
};

struct sched {
    struct sched_config config;
    struct map searches, jobs, workers; /* by id */
    struct lease_table leases;
    struct sched_search **active;
    uint32_t nactive, active_cap;
    struct sched_worker *seen_first, *seen_last;
    uint32_t nseen, nbusy;
    uint64_t held_lists; /* counts held lists: a lease not marked with the number was not in it */
    double vclock;       /* share a search starts with when it becomes active */
    int64_t next_job;
    uint64_t queued;
};

struct sched_search *sched_find_search(const struct sched *s, int64_t id);
struct sched_job *sched_find_job(const struct sched *s, int64_t id);
struct sched_worker *sched_find_worker(const struct sched *s, int64_t id);

void sched_search_update(struct sched *s, struct sched_search *q); /* after anything that may change "active" */
int sched_rows_append(struct sched *s, struct sched_search *q, const uint32_t *rows, size_t n, struct err *err);
int sched_job_add(struct sched *s, struct sched_search *q, int64_t id, uint32_t first, uint32_t count,
                  struct sched_job **out, struct err *err); /* neither queued nor leased yet */
void sched_job_queue(struct sched *s, struct sched_job *j, int front);
void sched_job_unqueue(struct sched *s, struct sched_job *j);
void sched_job_end(struct sched *s, struct sched_job *j); /* with all its leases; j is gone */
void sched_job_shun(struct sched_job *j, int64_t worker);
void sched_job_lapse(struct sched *s, struct sched_job *j); /* its live lease */

void sched_worker_seen(struct sched *s, struct sched_worker *w, int64_t now);
void sched_forget_silent(struct sched *s, int64_t now);
void sched_worker_unlink(struct sched *s, struct sched_worker *w);

#endif
