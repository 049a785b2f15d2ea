/* evaluate: candidates, from plans to scores, group after group (cut.h): prepare (group.h), calibrate, score (pass.h).
 *
 * Decides what happens to a group that cannot run as it is (halves of it when it does not fit the memory limit, the
 * rest of it when a candidate cannot be scored) and hands out what a candidate's walk yielded. How candidates are
 * grouped changes no bit of a result. Knows nothing of JSON, files or spaces. */
#ifndef ENGINE_EVALUATE_H
#define ENGINE_EVALUATE_H

#include "proto/policy.h"
#include "worker/engine/exec.h"
#include "worker/engine/tally.h"

struct evaluate_candidate {
    const struct plan *plan;
    struct err error; /* code not ERR_NONE: it could not be scored; why */
    struct tally tally;
    char digest[33]; /* of the statistics it was scored with, over its tracked BatchNorms in plan order */
};

struct evaluate_images {
    const float *const *images; /* [n] each (c, h, w) */
    const int32_t *labels;      /* [n]; NULL where none are needed */
    int64_t n;
};

struct evaluate_job {
    const struct op_backend *backend;
    struct params *params;
    const struct policy *policy;
    struct evaluate_images calibration; /* policy order; empty when the policy calibrates nothing */
    struct evaluate_images scoring;
    int score_batch; /* images per batch where BatchNorm uses the batch's own statistics */
    int threads;
    size_t memory_bytes; /* 0: no limit */
    size_t held_bytes;   /* of the limit, taken by the caller (images) */
    int more;    /* other candidates follow: the last group, which may share with them, waits; an only one does not */
    int waiting; /* out: the last so many candidates, which wait */
    const atomic_int *cancel;
    struct exec_profile *profile;

    void *ctx;
    /* A candidate is finished (scored, or its error is set). Not 0 stops the job. */
    int (*finished)(void *ctx, struct evaluate_candidate *c);
    int (*progress)(void *ctx, double fraction); /* of the candidates given; NULL: not wanted */
    /* Statistics of a candidate's BatchNorm after calibration, in plan order; NULL: not wanted. */
    void (*statistics)(void *ctx, const struct evaluate_candidate *c, const struct plan_node *bn, const float *mean,
                       const float *var);
    /* Logits of image i (classes floats); NULL: not wanted. Called in image order by one thread at a time. */
    int64_t logits_wanted; /* of the first so many images */
    void (*logits)(void *ctx, const struct evaluate_candidate *c, int64_t image, const float *logits, int classes);
    int64_t calibration_ns, scoring_ns; /* out: wall time, added to */
};

/* 0 when every candidate that does not wait is finished; an error stops all: ERR_CANCELLED, ERR_NO_MEMORY,
 * ERR_UNSUPPORTED. */
int evaluate(struct evaluate_job *job, struct evaluate_candidate *candidates, int n, struct err *err);

#endif
