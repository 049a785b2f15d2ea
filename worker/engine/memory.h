/* memory: where every value of a program lies while a mini-batch runs, known before anything runs.
 *
 * Walks the steps once with the sizes for n samples, giving each value the lowest gap that is free from the step that
 * writes it to the last that reads it. A value that is one of the parts of another (FUSE_PARTS of op.h) lies in there
 * from the start. One region per thread holds them all; a second one is the workspace. */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include "worker/engine/lower.h"

struct memory_plan {
    int n;
    size_t *value;  /* [nnodes] byte offset of a stored node, or of the whole that it lies in */
    int32_t *whole; /* [nnodes] the node in whose value a stored node lies as a part of it, -1: none */
    size_t *part;   /* [nnodes] where in there it begins: bytes for each sample of the batch */
    size_t *affine; /* [nnodes] byte offset of a measured BatchNorm's scale and shift: 2 x padded channels floats */
    size_t region_bytes, work_bytes;
    int32_t channels_max; /* of any measured node, padded */
};

int memory_plan(struct arena *a, const struct lower_program *p, int n, struct memory_plan *out, struct err *err);

/* Byte offset of a stored node while a batch of n samples runs, at most the plan's. */
static inline size_t memory_at(const struct memory_plan *m, int32_t node, int n)
{
    return m->value[node] + m->part[node] * (size_t)n;
}

/* Bytes that one thread needs: region, workspace, statistics of one node. */
size_t memory_thread_bytes(const struct memory_plan *m);

#endif
