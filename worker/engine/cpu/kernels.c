/* kernels: which tables there are and which this processor runs. */
#include "worker/engine/cpu/kernels.h"

#include <string.h>

extern const struct cpu_kernels cpu_kernels_generic;
#ifdef __x86_64__
extern const struct cpu_kernels cpu_kernels_avx2, cpu_kernels_avx512;

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

const struct cpu_kernels *cpu_kernels_at(int i)
{
    const struct cpu_kernels *have[3];
    int n = 0;
#ifdef __x86_64__
    if (has_avx512())
        have[n++] = &cpu_kernels_avx512;
    if (has_avx2())
        have[n++] = &cpu_kernels_avx2;
#endif
    have[n++] = &cpu_kernels_generic;
    return i >= 0 && i < n ? have[i] : NULL;
}

const struct cpu_kernels *cpu_kernels_best(void)
{
    return cpu_kernels_at(0);
}

const struct cpu_kernels *cpu_kernels_named(const char *name)
{
    for (int i = 0; cpu_kernels_at(i); i++)
        if (strcmp(cpu_kernels_at(i)->name, name) == 0)
            return cpu_kernels_at(i);
    return NULL;
}
