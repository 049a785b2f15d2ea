/* kernels: the hot loops of the CPU engine, one table of functions per instruction set.
 *
 * This room decides how a convolution, a pool or a sum is computed on blocked activations, and in which order every
 * number is added up. It knows nothing of graphs, plans, policies, threads or memory: the caller brings every buffer.
 *
 * Activations of a mini-batch are [ceil(C/16)][n*h*w][16] float32: channel block, pixel (image, row, column), lane.
 * Every kernel writes zero to the lanes past C, and no kernel lets them reach a value. All tensors, packed weights
 * and workspaces are aligned to CPU_ALIGN bytes; nothing may overlap unless said.
 *
 * Order of summation. An output of a convolution is one chain of multiply-adds over (channel block, kernel row, kernel
 * column, lane) or, for a dense 3x3 of stride 1, one expression of the inputs of its tile of outputs (winograd.h,
 * from 16 channels), whatever n, the epilogue or the address; so a batch may be cut into smaller batches, or an affine
 * be applied later by `sum`, with the same bits. Statistics are gathered over the stored values in runs of CPU_RUN
 * pixels from the tensor's first; so `conv` with statistics and `stats` over its output agree bitwise too.
 * Bits differ between instruction sets only.
 *
 * Statistics: within a run float32 sums of (x - s) and (x - s)^2, where s is the mean of the run before (the first
 * pixel for the first run); runs are merged in double precision about the tensor's first pixel. So nothing cancels
 * when |mean| is much larger than the deviation. */
#ifndef WORKER_ENGINE_CPU_KERNELS_H
#define WORKER_ENGINE_CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { CPU_ALIGN = 64, CPU_LANES = 16, CPU_RUN = 96 };

/* A convolution's geometry. oh = (h + 2 pad_h - dilation (kh - 1) - 1) / stride + 1, likewise ow. */
struct cpu_conv {
    int32_t n, c, h, w, o, oh, ow;
    int32_t kh, kw, stride, pad_h, pad_w, dilation, groups;
    int32_t planar; /* x is n planar images (c, h, w) instead of blocks; groups is 1 and
                       cpu_conv_args.in NULL then */
};

/* v -> act(scale[c] v + shift[c]). scale and shift are [ceil(C/16) * 16], zero past C, or both NULL for none; act is an
 * enum act_kind of proto/plan.h other than ACT_SOFTMAX_C. */
struct cpu_affine {
    const float *scale, *shift;
    int32_t act;
};

/* Mean and biased variance of each channel over all pixels; [C] each. Both NULL: not wanted. */
struct cpu_stats {
    double *mean, *var;
};

/* y = act(scale * conv(in(x)) + shift + residual); padding is zero after `in`. The statistics are those of y. */
struct cpu_conv_args {
    struct cpu_conv shape;
    const void *packed;
    const float *x;
    const struct cpu_affine *in; /* NULL: x as it is */
    struct cpu_affine out;
    const float *residual; /* y's shape, or NULL */
    float *y;
    struct cpu_stats stats;
    void *work; /* conv_work() bytes */
};

/* y = out(depthwise(mid(expand(in(x))))), the expanded tensor never stored. The same bits as two calls of conv. */
struct cpu_expand_args {
    struct cpu_conv expand; /* 1x1, stride 1, one group */
    struct cpu_conv dw;     /* groups = c = o = expand.o */
    const void *expand_packed, *dw_packed;
    const float *x;
    const struct cpu_affine *in; /* NULL: x as it is */
    struct cpu_affine mid, out;
    float *y;
    struct cpu_stats stats; /* of y */
    void *work;             /* expand_work() bytes */
};

struct cpu_operand {
    const float *x;
    const struct cpu_affine *in; /* NULL: x as it is */
};

enum cpu_pool_kind { CPU_POOL_AVG, CPU_POOL_AVG_COUNT_PAD, CPU_POOL_MAX };

struct cpu_pool {
    int32_t n, c, h, w, oh, ow; /* oh and ow say whether the edge was rounded up */
    int32_t kh, kw, stride, pad_h, pad_w;
    enum cpu_pool_kind kind;
};

struct cpu_kernels {
    const char *name; /* "avx512", "avx2", "generic" */

    /* Packed weights: a blob that may be copied or mapped; depends on c, o, kh, kw, stride, dilation, groups and planar
     * only. */
    size_t (*pack_bytes)(const struct cpu_conv *s);
    void (*pack)(const struct cpu_conv *s, const float *oihw, void *packed); /* oihw (o, c/groups, kh, kw) */

    size_t (*conv_work)(const struct cpu_conv *s);
    void (*conv)(const struct cpu_conv_args *a);
    size_t (*expand_work)(const struct cpu_conv *expand, const struct cpu_conv *dw);
    void (*expand)(const struct cpu_expand_args *a);

    /* mean [c] and covariance [c * c] (biased) of in(x) over the pixels; then what a 1x1 convolution makes of them:
     * mean_o = w' mean, var_o = w' cov w. `s` and `packed` are that convolution's (groups 1). */
    size_t (*gram_work)(int32_t c);
    void (*gram)(int32_t c, int64_t pixels, const struct cpu_operand *x, double *mean, double *cov, void *work);
    size_t (*gram_conv_work)(const struct cpu_conv *s);
    void (*gram_conv)(const struct cpu_conv *s, const void *packed, const double *mean, const double *cov,
                      const struct cpu_stats *out, void *work);

    void (*stats)(int32_t c, int64_t pixels, const float *x, const struct cpu_stats *out);
    /* y = act(in_0(x_0) + in_1(x_1) + ...), added left to right; y may be one of the operands. */
    void (*sum)(int32_t c, int64_t pixels, int count, const struct cpu_operand *xs, int32_t act, float *y);
    /* y = in(x) * gate, gate [ceil(C/16)][n][16] one value per image and channel; y may be x. */
    void (*gate)(int32_t c, int32_t n, int32_t hw, const struct cpu_operand *x, const float *gate, float *y);
    void (*pool)(const struct cpu_pool *s, const struct cpu_operand *x, float *y);
    /* y [ceil(C/16)][n][16] = mean of in(x) over each image's hw pixels */
    void (*gap)(int32_t c, int32_t n, int32_t hw, const struct cpu_operand *x, float *y);
    void (*from_planar)(int32_t n, int32_t c, int32_t hw, const float *planar, float *y); /* (n, c, hw) -> blocks */
    void (*to_planar)(int32_t n, int32_t c, int32_t hw, const float *x, float *planar);   /* blocks -> (n, c, hw) */
};

/* The best table this processor runs. */
const struct cpu_kernels *cpu_kernels_best(void);
/* The table of that name, or NULL when there is none or this processor cannot run it. */
const struct cpu_kernels *cpu_kernels_named(const char *name);
/* Table i of all this processor runs, best first; NULL past the last. */
const struct cpu_kernels *cpu_kernels_at(int i);

/* Floats that a blocked tensor of c channels and this many pixels takes. */
static inline size_t cpu_floats(int32_t c, int64_t pixels)
{
    return (size_t)(c + CPU_LANES - 1) / CPU_LANES * (size_t)pixels * CPU_LANES;
}

#endif
