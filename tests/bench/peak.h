/* peak: the fp32 multiply-adds a core can do, in GF/s: 12 independent chains in registers, best of several runs of
 * about 2 ms. The file that includes this defines VL and PEAK. */
#include "worker/engine/cpu/vec.h"

#include <time.h>

double PEAK(void);

static double peak_once(long loops)
{
    struct timespec a, b;
    vec acc[12], m = v_set(0.999999f), p = v_set(1e-6f);
    UNROLL
    for (int i = 0; i < 12; i++)
        acc[i] = v_set((float)i);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    for (long l = 0; l < loops; l++) {
        UNROLL
        for (int i = 0; i < 12; i++)
            acc[i] = v_fma(acc[i], m, p);
        __asm__ volatile("" ::: "memory");
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    volatile float keep = 0;
    UNROLL
    for (int i = 0; i < 12; i++)
        keep += acc[i][0];
    double s = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    return 2e-9 * 12 * VL * (double)loops / s;
}

double PEAK(void)
{
    double best = 0;
    for (int r = 0; r < 9; r++) {
        double g = peak_once(1000000);
        best = g > best ? g : best;
    }
    return best;
}
