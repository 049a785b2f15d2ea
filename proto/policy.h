/* policy: how BatchNorm statistics are re-estimated before a candidate is scored (the calibration policy).
 *
 * Calibration runs `batches` mini-batches of `batch_size` images of data set split `split` through the candidate with
 * train-mode BatchNorm: it normalises with the batch mean and the biased batch variance, and what it stores is the
 * average, over batches, of the batch means and of the batch variances (biased: sum/n; unbiased: sum/(n-1)).
 *   ema         s <- (1 - momentum) s + momentum batch, from 0 and 1 after a reset (or the checkpoint's, reset false)
 *   cumulative  plain average over batches                     (PyTorch momentum = None after a reset)
 *   last        the last batch's                               (momentum = 1)
 *   batch       no calibration: every scored batch uses its own statistics; gamma and beta still apply
 *   none        the checkpoint's stored statistics are used as they are
 * With reset false, cumulative starts from the batch count 0 all the same, as PyTorch does when
 * num_batches_tracked is 0; ema starts from the checkpoint's values. */
#ifndef PROTO_POLICY_H
#define PROTO_POLICY_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdint.h>

enum policy_average { AVERAGE_EMA, AVERAGE_CUMULATIVE, AVERAGE_LAST, AVERAGE_BATCH, AVERAGE_NONE };

struct policy {
    int reset;
    enum policy_average average;
    double momentum; /* ema only */
    int unbiased;
    int batches, batch_size;
    char split[64];     /* data set split the images come from */
    int64_t first;      /* index of the first image used */
    int shuffled;       /* order: 0 as stored, 1 a permutation drawn from `seed` */
    uint64_t seed;
};

/* {"reset": true, "average": "cumulative", "momentum": .1, "variance": "unbiased", "batches": 8, "batch_size": 128,
 *  "split": "train", "first": 0, "order": "stored"|"shuffled", "seed": 0}. Unknown members are refused; "where" names
 * the member ("/average"). Defaults: reset true, cumulative, momentum 0.1, unbiased, split "train", first 0, stored. */
int policy_parse(const json_t *doc, struct policy *out, struct err *err);
json_t *policy_json(const struct policy *p); /* canonical: every member present; new reference */

/* Images of the split in calibration order: out[batches * batch_size] indices. ERR_INVALID when the split has fewer. */
int policy_samples(const struct policy *p, int64_t split_size, int64_t *out, struct err *err);

#endif
