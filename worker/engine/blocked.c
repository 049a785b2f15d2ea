/* blocked: conversions between the dense layouts of the outside and the blocked one. */
#include "worker/engine/blocked.h"

#include <string.h>

void blocked_from_nchw(const float *x, struct shape s, int n, float *y)
{
    size_t hw = blocked_pixels(s), pixels = (size_t)n * hw;
    memset(y, 0, blocked_floats(s, n) * sizeof *y);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < s.c; c++) {
            const float *from = x + ((size_t)i * (size_t)s.c + (size_t)c) * hw;
            float *to = y + ((size_t)(c / LANES) * pixels + (size_t)i * hw) * LANES + c % LANES;
            for (size_t p = 0; p < hw; p++)
                to[p * LANES] = from[p];
        }
}

void blocked_to_nchw(const float *x, struct shape s, int n, float *y)
{
    size_t hw = blocked_pixels(s), pixels = (size_t)n * hw;
    for (int i = 0; i < n; i++)
        for (int c = 0; c < s.c; c++) {
            const float *from = x + ((size_t)(c / LANES) * pixels + (size_t)i * hw) * LANES + c % LANES;
            float *to = y + ((size_t)i * (size_t)s.c + (size_t)c) * hw;
            for (size_t p = 0; p < hw; p++)
                to[p] = from[p * LANES];
        }
}

void blocked_pack_rows(const float *x, int c, size_t rest, float *y)
{
    for (int i = 0; i < c; i++)
        for (size_t j = 0; j < rest; j++)
            y[((size_t)(i / LANES) * rest + j) * LANES + (size_t)(i % LANES)] = x[(size_t)i * rest + j];
}
