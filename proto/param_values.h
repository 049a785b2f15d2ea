/* param_values: the numbers of a plan's parameter, made from whole tensors of a checkpoint: sliced, or derived by
 * Once-for-All's kernel transform (a flattened centre crop times the matrix) or DGConv's group mask (entry (i, j) is
 * kept when the bits of i and j agree wherever a gate is closed; gate 0 belongs to the highest bit, open means > 0).
 * Where the tensors come from, and how long they are kept, is the caller's business. */
#ifndef PROTO_PARAM_VALUES_H
#define PROTO_PARAM_VALUES_H

#include "proto/plan.h"

struct param_reader {
    /* A whole tensor, dense row-major float32 of p->dims, valid until the next call; p is a slice. */
    int (*whole)(void *ctx, const struct param *p, const float **out, struct err *err);
    void *ctx;
};

/* param_count(p) floats. ERR_INVALID naming the tensor when a value is NaN or infinite. */
int param_values(const struct param_reader *r, const struct param *p, float *out, struct err *err);
size_t param_count(const struct param *p);

#endif
