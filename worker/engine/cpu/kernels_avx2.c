/* kernels_avx2: 8 lanes, 16 registers: 12 accumulators, 3 weights, 1 broadcast. */
#ifdef __AVX2__
#define VL 8
#define ACCS 12
#define TABLE cpu_kernels_avx2
#define NAME "avx2"
#include "worker/engine/cpu/impl.h"
#endif
