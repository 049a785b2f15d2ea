/* kernel_ref: the plain truth that kernels are tested against, in double precision, and buffers between guards. */
#ifndef TESTS_UNIT_WORKER_KERNEL_REF_H
#define TESTS_UNIT_WORKER_KERNEL_REF_H

#include "worker/engine/cpu/kernels.h"

/* Memory aligned to CPU_ALIGN between two guards, filled with NaN; guard_check fails the test when one was written
 * over; guard_free ends all of them. */
void *guard_bytes(size_t n);
float *guard_floats(size_t n);
void guard_check(void);
void guard_free(void);

void ref_seed(unsigned seed);
void ref_fill(float *x, size_t n);                /* values in -1..1 */
float *ref_blocks(int c, int64_t pixels);         /* a guarded blocked tensor of them, zero past C */
struct cpu_affine ref_affine(int c, int32_t act); /* scales in 0.5..1.5, shifts in -1..1 */
float *ref_one_image(const float *x, int c, int n, int hw, int image);

float ref_at(const float *x, int64_t pixels, int c, int64_t p); /* of a blocked tensor */
double ref_act(int32_t act, double x);
double ref_in(const struct cpu_affine *in, int c, float x);

/* [o][pixels], to be freed */
double *ref_conv(const struct cpu_conv *s, const float *x, const float *oihw, const struct cpu_affine *in,
                 const struct cpu_affine *out, const float *residual);
double *ref_pool(const struct cpu_pool *s, const float *x, const struct cpu_affine *in);

/* Largest difference over max(1, the channel's largest value). */
double ref_compare(const double *want, const float *got, int c, int64_t pixels);
int ref_pads_zero(const float *x, int c, int64_t pixels);
/* Fail unless mean and variance are those of the tensor within 1e-4 (relative; the mean relative to the deviation). */
void ref_check_stats(const float *x, int c, int64_t pixels, const double *mean, const double *var, const char *who);
void ref_check_moments(const double *x, int c, int64_t pixels, const double *mean, const double *var, const char *who);

#endif
