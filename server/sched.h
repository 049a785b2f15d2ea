/* sched: who gets which job, what expired, what a delivery means. Pure: no SQL, no HTTP, the monotonic clock is passed
 * in.
 *
 * Candidates of a search wait in the order they were pushed (the caller pushes each batch sorted by code, so that a run
 * of neighbours shares prefixes). A grant cuts a run off the front: that is a job, and it keeps its candidates and its
 * id through every retry. A lease is one attempt at a job. The first result that comes under any of a job's leases ends
 * the job.
 *
 * sched changes its tables and returns what it decided; the caller makes the same change in the store, in the same
 * transaction, before it answers. If that transaction fails, the caller throws the sched away and loads a new one.
 * Functions that return int fail only with ERR_NO_MEMORY (tables unchanged) or what they say. */
#ifndef SERVER_SCHED_H
#define SERVER_SCHED_H

#include "proto/base/err.h"
#include "proto/base/hash.h"
#include "server/lease.h"

#include <stddef.h>
#include <stdint.h>

enum { SCHED_BLOBS = 8, SCHED_AVOID = 4 };

struct sched_config {     /* zero: the default */
    int64_t beat_ms;      /* 30 000 */
    int64_t expiry_ms;    /* 90 000 */
    int64_t target_ms;    /* 60 000: what a job should take */
    uint32_t probe;       /* 4: candidates of a worker's first job, when it told no speed */
    uint32_t max_job;     /* 512 candidates */
    uint32_t max_failed;  /* 3 attempts that reported a retryable error */
    uint32_t max_expired; /* 8 attempts that fell silent */
    uint32_t max_held;    /* 8 live leases of one worker */
    uint32_t polls_per_s; /* 200: lease requests a second that idle workers may make together */
};

struct sched;
struct sched *sched_new(const struct sched_config *config); /* NULL: no memory */
void sched_free(struct sched *s);

/* ---- searches */
struct sched_search_spec {
    int64_t id;
    uint32_t weight; /* share of the workers, >= 1 */
    int paused;
    size_t nblobs; /* what a worker must fetch before it can start: checkpoint and data */
    unsigned char blobs[SCHED_BLOBS][HASH256_SIZE];
};
int sched_search_add(struct sched *s, const struct sched_search_spec *spec, struct err *err);
void sched_search_pause(struct sched *s, int64_t search, int paused);
void sched_search_weight(struct sched *s, int64_t search, uint32_t weight);
/* Cancelled, failed, deleted or done: forgets its queue, jobs and leases; holders are told "gone". */
void sched_search_drop(struct sched *s, int64_t search);

/* Queues candidates (the caller's row numbers, e.g. proposal indices) behind those there. */
int sched_push(struct sched *s, int64_t search, const uint32_t *rows, size_t n, struct err *err);
uint64_t sched_queued(const struct sched *s, int64_t search); /* candidates in no job yet */
uint64_t sched_jobs_open(const struct sched *s, int64_t search);

/* ---- workers */
int sched_worker_add(struct sched *s, int64_t worker, uint32_t threads, double candidates_per_s, struct err *err);
void sched_worker_drop(struct sched *s, int64_t worker, int64_t now); /* left or revoked: its jobs are queued again */

/* ---- start-up: searches, workers, then open jobs with their leases, then sched_push of what is in no job.
 * Leases get a full expiry from now: no live lease is lost by a restart. */
struct sched_job_row {
    int64_t id, search;
    uint32_t failed, expired;
    size_t navoid;
    int64_t avoid[SCHED_AVOID];
    const uint32_t *rows;
    size_t nrows;
};
int sched_load_job(struct sched *s, const struct sched_job_row *row, struct err *err);
int sched_load_lease(struct sched *s, const struct lease_id *id, int64_t job, int64_t worker, int live, int64_t now,
                     struct err *err);
int64_t sched_new_job(struct sched *s);                      /* an id for a job that the caller then loads */
void sched_load_next_job(struct sched *s, int64_t next_job); /* above every id the store ever gave */

/* ---- decisions */
struct sched_grant {
    int64_t job, search;
    struct lease_id lease;
    int fresh_job;        /* the store must insert the job */
    int fresh_lease;      /* the store must insert the lease; 0: sent again because the worker forgot it */
    uint32_t attempt;     /* 1 for the first lease of the job */
    const uint32_t *rows; /* valid until the next call that changes the search */
    uint32_t nrows;
};

struct sched_ask {
    int64_t worker, now;
    const struct lease_id *held; /* what the worker says it holds */
    size_t nheld;
    const unsigned char (*blobs)[HASH256_SIZE]; /* what it has in its cache; may be NULL */
    size_t nblobs;
    size_t max;                   /* room in out and fresh */
    const struct lease_id *fresh; /* `max` random ids; used from the front */
    double candidates_per_s;      /* 0: not told */
    int64_t lag_ms;               /* how late the caller's loop is: stretches the delay */
};
/* Leases the worker forgot come first, then new ones. *delay_ms: when to ask again if *n is 0.
 * ERR_NOT_FOUND for an unknown worker. */
int sched_lease(struct sched *s, const struct sched_ask *ask, struct sched_grant *out, size_t *n, int64_t *delay_ms,
                struct err *err);

/* A beat renews what it lists. gone[nheld] receives the listed leases to stop; forgotten[room] those to send again. */
struct sched_beat {
    size_t ngone, nforgotten;
    int64_t delay_ms;
};
int sched_beat(struct sched *s, int64_t worker, int64_t now, const struct lease_id *held, size_t nheld,
               struct lease_id *gone, struct sched_grant *forgotten, size_t room, int64_t lag_ms,
               struct sched_beat *out, struct err *err);

enum sched_verdict {
    SCHED_STORED,  /* the first result of an open job: write it; the job is over */
    SCHED_UNKNOWN, /* no open job has this lease: the store tells which (sched_final) */
};
struct sched_delivery {
    int64_t search, worker; /* the worker the lease was given to */
    const uint32_t *rows;
    uint32_t nrows;
    int late; /* the lease had lapsed */
};
enum sched_verdict sched_result(struct sched *s, int64_t job, const struct lease_id *lease, int64_t now,
                                struct sched_delivery *out);

/* The four answers' names, and the answer for SCHED_UNKNOWN from what the store knows of the job. */
enum sched_answer { SCHED_ANSWER_STORED, SCHED_ANSWER_DUPLICATE, SCHED_ANSWER_SUPERSEDED, SCHED_ANSWER_CANCELLED };
enum sched_answer sched_final(int job_done, const struct lease_id *accepted, const struct lease_id *lease);

/* A whole-job error that another attempt may heal. SCHED_RETRY: queued again; SCHED_GIVE_UP: too many, the job is over
 * and the caller records its candidates as failed; SCHED_IGNORE: an attempt that no longer counts. */
enum sched_failure { SCHED_RETRY, SCHED_GIVE_UP, SCHED_IGNORE };
enum sched_failure sched_failed(struct sched *s, int64_t job, const struct lease_id *lease, int64_t now,
                                struct sched_delivery *out);

/* The worker gives a lease back unfinished. 1: it was live and its job is queued again; 0: nothing to do. */
int sched_return(struct sched *s, int64_t worker, const struct lease_id *lease, int64_t now, int64_t *job);

struct sched_expired {
    struct lease_id lease;
    int64_t job, worker, search;
    int gave_up; /* too many attempts fell silent: the job is over, its candidates failed */
    const uint32_t *rows;
    uint32_t nrows;
};
/* Takes up to `max` leases whose deadline has passed; call again while it returns max. */
size_t sched_expire(struct sched *s, int64_t now, struct sched_expired *out, size_t max);
int64_t sched_next_deadline(const struct sched *s); /* INT64_MAX: none */

/* ---- figures */
struct sched_stats {
    uint64_t queued, open_jobs, live_leases, workers, live_workers;
};
void sched_stats(const struct sched *s, int64_t now, struct sched_stats *out);
double sched_worker_rate(const struct sched *s, int64_t worker); /* candidates per second, measured; 0 unknown */
double sched_search_rate(const struct sched *s, int64_t search, int64_t now); /* all workers together */

#endif
