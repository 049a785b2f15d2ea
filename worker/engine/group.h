/* group: candidates that are merged into one graph, from their plans to the moment before the first computation.
 *
 * Decides how many images are scored at a time and how many threads fit the memory limit; neither changes a bit of a
 * result. Refuses a group that does not fit. */
#ifndef ENGINE_GROUP_H
#define ENGINE_GROUP_H

#include "worker/engine/evaluate.h"

struct group {
    struct evaluate_job *job;
    struct evaluate_candidate **candidates;
    int n;
    double done_before, share; /* of the whole job's work */
    struct arena arena;
    struct graph graph;
    struct norm norm;
    struct lower_program calibrate, score;
    struct memory_plan calibrate_memory, score_memory;
    int calibrates, score_batch, threads;
    int32_t culprit; /* node whose fault a failure is, -1: nobody's */

    int32_t *slot; /* [nnodes] output node -> tally, -1 */
    int nslots, classes;
    float *kept; /* [nslots][logits_wanted][classes] */
    struct tally *tallies;
    int64_t calibration_done; /* images */
};

/* `candidates` lives as long as the group; `before` and `share`: of the whole job's work. */
void group_init(struct group *g, struct evaluate_job *job, struct evaluate_candidate **candidates, int n, double before,
                double share);
void group_clear(struct group *g);

/* Everything up to the first computation. ERR_NO_MEMORY with where "memory": the group is too large for the limit. */
int group_prepare(struct group *g, struct err *err);

size_t group_score_record_bytes(const struct group *g);

#endif
