/* The 16-lane template that AVX-512 uses, compiled for AVX2: so that its sizes, panels and tails are tested on machines
 * without AVX-512 too. */
#ifdef __AVX2__
#pragma GCC diagnostic ignored "-Wpsabi"
#define VL 16
#define ACCS 24
#define TABLE cpu_kernels_wide
#define NAME "wide"
#include "worker/engine/cpu/impl.h"
#endif
