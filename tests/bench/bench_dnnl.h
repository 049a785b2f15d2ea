/* bench_dnnl: the same convolution by oneDNN in the layout it likes best, bare (no affine, no statistics). */
#ifndef TESTS_BENCH_BENCH_DNNL_H
#define TESTS_BENCH_BENCH_DNNL_H

#include "worker/engine/cpu/kernels.h"

/* Median seconds of one run as `median` measures it; 0 when oneDNN is not built in. */
double bench_dnnl_conv(const struct cpu_conv *s, double (*median)(void (*run)(void *), void *with));

#endif
