/* exec: runs a program over mini-batches.
 *
 * A thread takes whole mini-batches, in any order; inside one there is no barrier. What a batch yields (statistics,
 * counts) goes into the thread's own record, and records are handed over in batch order, one at a time: so results do
 * not depend on the number of threads. Decides nothing about what the records mean. */
#ifndef ENGINE_EXEC_H
#define ENGINE_EXEC_H

#include "worker/engine/memory.h"
#include "worker/engine/norm.h"

#include <stdatomic.h>
#include <stdint.h>

/* CPU time, multiply-accumulates (convolutions and linear layers) and the least bytes moved (operands, parameters and
 * result once each), of all threads together. Convolutions are told apart: row OP_CONV is the dense and grouped ones,
 * EXEC_PAIR a 1x1 with the depthwise behind it, EXEC_FORESEEN the statistics of a 1x1 that is not computed (its
 * multiply-accumulates are those it would take). */
enum { EXEC_POINTWISE = OP_COUNT, EXEC_DEPTHWISE, EXEC_PAIR, EXEC_FORESEEN, EXEC_KINDS };
struct exec_profile {
    struct exec_cost {
        int64_t ns, calls, macs, bytes;
    } kind[EXEC_KINDS];
};
const char *exec_kind_text(int kind);

struct exec_pass {
    const struct lower_program *program;
    const struct memory_plan *memory; /* for batch_size samples */
    const struct norm *norm;
    const float *const *images; /* [nimages] each (c, h, w), dense */
    int64_t nimages;
    int batch_size;
    int first_batch, nbatches; /* batch b holds images [b * batch_size, ...), the last one may be short */
    int threads;
    const atomic_int *cancel;     /* not 0: stop soon; NULL: never */
    struct exec_profile *profile; /* NULL: not wanted; added to */

    void *ctx;
    size_t record_bytes; /* of one batch's record; it arrives zeroed */
    /* A BatchNorm's batch statistics (biased variance), count values each; NULL: not wanted. */
    void (*measured)(void *ctx, void *record, int32_t bn, const double *mean, const double *var, double count);
    /* A plan's output node: blocked logits of images [first, first + n); NULL: not wanted. */
    void (*logits)(void *ctx, void *record, int32_t node, const float *x, int64_t first, int n);
    /* In batch order, never two at once; not 0 stops the pass with ERR_CANCELLED. */
    int (*fold)(void *ctx, void *record, int batch);
};

/* Bytes that running it takes with this many threads. */
size_t exec_bytes(const struct memory_plan *m, struct shape image, size_t record_bytes, int threads);

/* 0; ERR_CANCELLED; ERR_NO_MEMORY before anything has run. */
int exec_run(const struct exec_pass *pass, struct err *err);

#endif
