/* op: what a back end offers: one table row per operator of op.def.
 *
 * Activations are float32 in blocks of 16 channels, [ceil(C/16)][n*h*w][16], lanes past C zero, 64-byte aligned
 * (blocked.h). A row computes one operator for one mini-batch, in one thread, without allocating: what it needs besides
 * is the workspace it asked for. A result for an output pixel depends on nothing but that sample's inputs and the
 * parameters (statistics: on the whole mini-batch), never on the thread or on what else is in the job.
 *
 * A row may offer to do neighbours' work on the fly (enum op_fuse). Contract: fusing never changes a bit of the
 * result compared with running the neighbours as steps of their own, in the same back end. */
#ifndef ENGINE_OP_H
#define ENGINE_OP_H

#include "proto/plan.h"

#include <stddef.h>

enum op_fuse {
    FUSE_AFFINE = 1,   /* writes a y + b */
    FUSE_RESIDUAL = 2, /* then adds a tensor of the output's shape */
    FUSE_ACT = 4,      /* then applies an activation */
    FUSE_STATS = 8,    /* measures mean and variance of what it writes; the same bits as op_backend.stats */
    FUSE_IMAGE = 16,   /* takes the image batch itself, [n][c][h][w], as input */
    FUSE_PARTS = 32    /* its output is its inputs' channels one behind the other: an input may lie there already */
};

enum { OP_PARAMS = 4 }; /* the most parameters an operator has */

struct op_backend;

struct op_site { /* what is known when a step is lowered */
    const struct op_backend *backend;
    enum op_kind op;
    struct plan_attr attr;
    int ninputs;
    const struct shape *in; /* [ninputs] */
    struct shape out;
    int image;                             /* the input is [n][c][h][w] (FUSE_IMAGE) */
    const struct param *params[OP_PARAMS]; /* NULL: absent */
};

struct op_affine { /* y = act(a x + b); vectors padded to 16 channels with zeros; a and b NULL: act(x) */
    const float *a, *b;
    enum act_kind act;
};

struct op_call {
    const struct op_site *site;
    int n; /* samples */
    const float *const *x;
    float *y;
    const float *params[OP_PARAMS]; /* packed by the row's pack */
    const struct op_affine
        *loads; /* [min(ninputs, row.loads)] applied to inputs as they are read; padding is 0 after */
    struct op_affine store;
    const float *residual; /* NULL: none */
    double *mean, *var;    /* of y, biased, [c]; NULL: not wanted */
    void *work;
};

struct op_row {
    void (*forward)(const struct op_call *call);
    void (*backward)(const struct op_call *call);            /* NULL: the back end cannot train it yet */
    size_t (*workspace)(const struct op_site *site, int n);  /* bytes; NULL: none */
    size_t (*packed)(const struct op_site *site, int index); /* floats of parameter `index`; NULL: see below */
    void (*pack)(const struct op_site *site, int index, const float *dense, float *packed);
    const char *(*refuse)(const struct op_site *site); /* why this site cannot run here; NULL: it can */
    unsigned fuses;                                    /* enum op_fuse */
    int loads; /* the first so many inputs may be read through an affine and an activation */
};
/* Without `packed`, every parameter is stored as a tensor of its own shape: its first dimension in blocks of 16 lanes,
 * [ceil(c/16)][rest][16]; a vector is simply padded with zeros. Packed memory arrives zeroed. */

struct op_backend {
    char name[24];                       /* "cpu-avx2": reported with every result */
    const struct op_row *rows;           /* [OP_COUNT]; forward NULL: the back end lacks the operator */
    int (*fuses_act)(enum act_kind act); /* may `act` be part of a fused load or store? */
    void (*stats)(const struct op_backend *b, const float *x, int c, size_t pixels, double *mean, double *var);
    /* Two steps in one, what is between them never stored. `first` is a call without a result: its store is applied to
     * what the second reads. NULL: none. */
    int (*pairs)(const struct op_site *first, const struct op_site *second);
    size_t (*pair_workspace)(const struct op_site *first, const struct op_site *second, int n);
    void (*pair)(const struct op_call *first, const struct op_call *second);
    /* The statistics of a result from the input alone, without computing it: writes call->mean and var. Whether that is
     * worth it for n samples depends on nothing but the site and n, for the numbers differ from measured ones in their
     * last bits. NULL: never. */
    int (*foresees)(const struct op_site *site, int n);
    size_t (*foresee_workspace)(const struct op_site *site, int n);
    void (*foresee)(const struct op_call *call);
    const void *impl; /* the back end's own */
};

#endif
