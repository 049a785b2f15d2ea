/* score: a score job from its document to its scores; the engine's door.
 *
 * Reads the job document, opens the files it names, makes the candidates' plans and hands them to evaluate.h. Decides
 * which of these outlive the job (struct score_cache): the checkpoint with its packed weights, the decoded images, the
 * space. Knows nothing of leases, HTTP or the process it runs in. */
#ifndef ENGINE_SCORE_H
#define ENGINE_SCORE_H

#include "proto/base/err.h"
#include "worker/engine/exec.h"

#include <jansson.h>
#include <stdatomic.h>

struct score_file { /* a blob's hash (64 hex digits) and where it lies */
    const char *sha, *path;
};
struct score_files {
    const struct score_file *items;
    size_t count;
};

struct score_cache;                        /* one thread at a time */
struct score_cache *score_cache_new(void); /* NULL: no memory */
void score_cache_free(struct score_cache *c);

struct score_options {
    int threads;
    size_t memory_bytes;          /* 0: no limit */
    const char *isa;              /* NULL: the best; else a name of cpu_backend */
    struct score_cache *cache;    /* NULL: nothing is kept */
    const atomic_int *cancel;     /* not 0: stop within a second; NULL: never */
    struct exec_profile *profile; /* NULL: not wanted */
    int64_t logits_wanted;        /* of the first so many scored images: added to each score as "logits" */
    int statistics; /* 1, or a job of kind "weights": scores carry "statistics": {path: {"mean": [...], "var": [...]}}
                     */
};

/* A not-zero answer of either stops the job. */
struct score_callbacks {
    void *ctx;
    int (*progress)(void *ctx, int64_t done, int64_t of); /* in candidates, interpolated; NULL: not wanted */
    /* {"code", "n_images", "n_correct", "n_correct_top5", "loss_sum", "stats_digest"} or
     * {"code", "error": {"type", "where", "detail"}}; borrowed. */
    int (*score)(void *ctx, const json_t *score);
};

struct score_summary {
    char backend[24];
    int threads;
    int64_t wall_ms, load_ms, calibration_ms, scoring_ms, calibration_images;
};

/* 0 when every candidate has been reported. Errors concern the whole job: where = JSON pointer into the job, a tensor
 * or a file. ERR_CANCELLED when it was stopped. */
int score_job(const json_t *job, const struct score_files *files, const struct score_options *opt,
              const struct score_callbacks *calls, struct score_summary *summary, struct err *err);

/* {"type", "where", "detail"}: a new reference. */
json_t *score_error_json(const struct err *err);

/* Name of the back end that scores on this machine: "cpu-avx2". buf holds it. */
const char *score_backend(char buf[24]);

#endif
