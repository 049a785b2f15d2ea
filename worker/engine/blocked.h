/* blocked: the layout of activations, [ceil(C/16)][pixels of the batch][16], and the conversions at its two ends. */
#ifndef ENGINE_BLOCKED_H
#define ENGINE_BLOCKED_H

#include "proto/plan.h"

#include <stddef.h>

enum { LANES = 16, BLOCKED_ALIGN = 64 };

static inline int blocked_blocks(int c)
{
    return (c + LANES - 1) / LANES;
}

static inline size_t blocked_pixels(struct shape s)
{
    return (size_t)s.h * (size_t)s.w;
}

/* Floats that n samples of shape s take. */
static inline size_t blocked_floats(struct shape s, int n)
{
    return (size_t)blocked_blocks(s.c) * LANES * (size_t)n * blocked_pixels(s);
}

/* [n][c][h][w] -> blocks, and back. Lanes past c are written as zeros, or ignored. */
void blocked_from_nchw(const float *x, struct shape s, int n, float *y);
void blocked_to_nchw(const float *x, struct shape s, int n, float *y);

/* [c][rest] -> [ceil(c/16)][rest][16]; y must be zeroed. A vector has rest 1. */
void blocked_pack_rows(const float *x, int c, size_t rest, float *y);

#endif
