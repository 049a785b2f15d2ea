/* blas: OpenBLAS as the engine wants it: one thread per call, and kernels that fit the processor.
 *
 * Debian's OpenBLAS 0.3.21 does not know newer processors by name and then takes its SSE3 kernels (core "Prescott"),
 * a quarter of the speed. The core type is read when the library loads, so a process that finds itself on a crippled
 * one sets OPENBLAS_CORETYPE and starts itself again. */
#ifndef ENGINE_BLAS_H
#define ENGINE_BLAS_H

#include "proto/base/err.h"

/* Call first thing in a process that computes. Does not return when the process is started again, with the arguments
 * it has. ERR_UNSUPPORTED when OpenBLAS still uses kernels that do not fit the processor: say so and stop. */
int blas_open(struct err *err);

const char *blas_core(void); /* the kernels in use: "Haswell", "SkylakeX", ... */

#endif
