/* job: one leased job from its grant to its result document: which blobs it still lacks, what the compute process said
 * about it so far. It neither fetches, nor computes, nor delivers. */
#ifndef WORKER_JOB_H
#define WORKER_JOB_H

#include "worker/cache.h"
#include "worker/wire.h"

enum job_phase { JOB_FETCH, JOB_READY, JOB_RUNNING };
enum job_event { JOB_MORE, JOB_ENDED };

struct job {
    int64_t id;
    char lease[WIRE_LEASE], kind[32];
    json_t *input;
    enum job_phase phase;
    struct cache_item *blobs;
    size_t nblobs, at; /* blobs[0..at) are ready and locked */
    int64_t done, of, started_ms;
    int crashes, corrupt;
    json_t *scores, *summary, *error; /* as the compute process said them */
};

/* Takes lease->input. ERR_INVALID when the input is not one we understand: the job is usable for job_result only. */
int job_init(struct job *j, struct wire_lease *lease, struct err *err);
void job_clear(struct job *j); /* unlocks its blobs */

/* For compute.h; malloc'ed. */
char *job_compute_line(const struct job *j, const struct cache *c, int64_t threads, int64_t memory, int profile);
/* One line of the compute process: JOB_MORE, JOB_ENDED after done or error, negative for nonsense. */
int job_take_line(struct job *j, const char *line, size_t n, struct err *err);
void job_again(struct job *j); /* forget what was computed: it starts anew */

/* The result document, malloc'ed; NULL without memory. `failed` replaces whatever was computed. */
char *job_result(const struct job *j, const struct err *failed);

#endif
