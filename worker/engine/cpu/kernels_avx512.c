/* kernels_avx512: 16 lanes, 32 registers: 24 accumulators, 3 weights, 1 broadcast. */
#ifdef __AVX512F__
#define VL 16
#define ACCS 24
#define TABLE cpu_kernels_avx512
#define NAME "avx512"
#include "worker/engine/cpu/impl.h"
#endif
