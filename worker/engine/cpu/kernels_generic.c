/* kernels_generic: 4 lanes by the compiler's vector extensions, for any processor; aarch64 has 32 registers. */
#define VL 4
#ifdef __aarch64__
#define ACCS 24
#else
#define ACCS 12
#endif
#define TABLE cpu_kernels_generic
#define NAME "generic"
#include "worker/engine/cpu/impl.h"
