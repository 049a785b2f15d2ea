/* norm: the BatchNorm statistics of a merged graph, and the affines made of them.
 *
 * Batch statistics come in batch order and are averaged as the policy says (proto/policy.h). Decides nothing about how
 * they are measured. Formulas: PyTorch's train-mode BatchNorm; affine: scale = gamma / sqrt(var + eps),
 * shift = beta - mean * scale, in double precision, stored as float32. */
#ifndef ENGINE_NORM_H
#define ENGINE_NORM_H

#include "proto/graph.h"
#include "proto/policy.h"
#include "worker/engine/params.h"

struct norm {
    const struct graph *graph;
    size_t *at;       /* [nnodes] a BatchNorm's first channel in the arrays below; SIZE_MAX for other nodes */
    size_t nchannels; /* of all BatchNorms, each padded to 16 */
    const float **gamma, **beta; /* [nnodes], padded vectors; NULL: ones, zeros */
    float *mean, *var;           /* running statistics; what scoring uses */
    float *scale, *shift;        /* their affine; NULL until norm_finish makes it */
    int folded;                  /* batches averaged so far */
    int32_t culprit;             /* on failure of norm_init: the BatchNorm whose parameters cannot be used, or -1 */
};

/* One thread's record of a batch: nchannels means, then as many variances. */
struct norm_batch {
    float *mean, *var;
};

/* Bytes of the statistics of this graph, and as many again of their affines. */
size_t norm_bytes(const struct graph *g);
size_t norm_record_bytes(const struct graph *g);

/* Reads gamma and beta, and mean and variance where the policy starts from the checkpoint's. Memory is malloc'd. */
int norm_init(struct norm *n, struct arena *a, const struct graph *g, const struct policy *policy,
              struct params *params, struct err *err);
void norm_clear(struct norm *n);

/* Writes the affine of one BatchNorm for a batch's mean and biased variance: scale and shift, padded with zeros. */
void norm_batch_affine(const struct norm *n, int32_t bn, const double *mean, const double *var, float *scale,
                       float *shift);
/* Records a batch's mean and variance of one BatchNorm; count: values per channel. */
void norm_record(const struct norm *n, const struct policy *policy, int32_t bn, const double *mean, const double *var,
                 double count, const struct norm_batch *r);
/* Averages one batch into the running statistics; batches come in order. */
void norm_fold(struct norm *n, const struct policy *policy, const struct norm_batch *r);
/* The running statistics become affines, once. ERR_NO_MEMORY. */
int norm_finish(struct norm *n, struct err *err);

#endif
