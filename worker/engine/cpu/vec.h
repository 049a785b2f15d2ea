/* vec: VL floats at a time. The kernels are written once on these few operations and compiled per instruction set by
 * the kernels_*.c files, which define VL (4, 8 or 16) before including them. Intrinsics where the file is compiled for
 * AVX2 or AVX-512 and VL fits; otherwise GCC's vector extensions, which any target accepts.
 *
 * v_fma is fused where the target has such an instruction (the generic file is compiled with -ffp-contract=fast, which
 * on aarch64 makes it so) and rounds twice otherwise: bits differ between instruction sets, never within one. */
#ifndef WORKER_ENGINE_CPU_VEC_H
#define WORKER_ENGINE_CPU_VEC_H

#include "proto/plan.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INL static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#define UNROLL4 _Pragma("unroll 4")
#else
#define UNROLL _Pragma("GCC unroll 32")
#define UNROLL4 _Pragma("GCC unroll 4")
#endif

typedef float vec __attribute__((vector_size(VL * 4)));
typedef int32_t ivec __attribute__((vector_size(VL * 4)));

#if VL == 16 && defined(__AVX512F__)
#include <immintrin.h>
#define v_set(x) (vec)_mm512_set1_ps(x)
#define v_fma(a, b, c) (vec)_mm512_fmadd_ps(a, b, c)
#define v_max(a, b) (vec)_mm512_max_ps(a, b)
#define v_min(a, b) (vec)_mm512_min_ps(a, b)
#elif VL == 8 && defined(__AVX2__)
#include <immintrin.h>
#define v_set(x) (vec)_mm256_set1_ps(x)
#define v_fma(a, b, c) (vec)_mm256_fmadd_ps(a, b, c)
#define v_max(a, b) (vec)_mm256_max_ps(a, b)
#define v_min(a, b) (vec)_mm256_min_ps(a, b)
#else
INL vec v_set(float x)
{
    vec v;
    UNROLL
    for (int i = 0; i < VL; i++)
        v[i] = x;
    return v;
}
INL vec v_fma(vec a, vec b, vec c)
{
    return a * b + c;
}
/* As the x86 instructions: b when either is not a number. */
INL vec v_max(vec a, vec b)
{
    ivec m = a > b;
    return (vec)(((ivec)a & m) | ((ivec)b & ~m));
}
INL vec v_min(vec a, vec b)
{
    ivec m = a < b;
    return (vec)(((ivec)a & m) | ((ivec)b & ~m));
}
#endif

INL vec v_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
INL void v_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}
/* NaN passes through, as in PyTorch. */
INL vec v_clamp(vec x, vec lo, vec hi)
{
    return v_min(hi, v_max(lo, x));
}

/* exp(x), within 2 units in the last place; x is clamped to where the result is a normal number. Range reduction by
 * ln 2 in two parts, then the Taylor polynomial of degree 7 on |r| <= ln 2 / 2 (remainder below 6e-9). */
INL vec v_exp(vec x)
{
    x = v_clamp(x, v_set(-87.0f), v_set(88.0f));
    vec magic = v_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    vec shifted = v_fma(x, v_set(1.44269504f), magic), k = shifted - magic;
    vec r = v_fma(k, v_set(-0.693145752f), x);
    r = v_fma(k, v_set(-1.42860677e-6f), r);
    vec p = v_set(1.0f / 5040);
    p = v_fma(p, r, v_set(1.0f / 720));
    p = v_fma(p, r, v_set(1.0f / 120));
    p = v_fma(p, r, v_set(1.0f / 24));
    p = v_fma(p, r, v_set(1.0f / 6));
    p = v_fma(p, r, v_set(0.5f));
    p = v_fma(p, r, v_set(1.0f));
    p = v_fma(p, r, v_set(1.0f));
    ivec two_k = (((ivec)shifted - (ivec)magic) + 127) << 23;
    return p * (vec)two_k;
}

/* lo and hi of the activations that are a mere clamp. */
INL float act_lo(int32_t act)
{
    return act == ACT_RELU || act == ACT_RELU6 ? 0.0f : -INFINITY;
}
INL float act_hi(int32_t act)
{
    return act == ACT_RELU6 ? 6.0f : INFINITY;
}
INL int act_is_clamp(int32_t act)
{
    return act == ACT_NONE || act == ACT_RELU || act == ACT_RELU6;
}
/* Whether act(0) is not 0, so that lanes past C must be cleared behind it. */
INL int act_moves_zero(int32_t act)
{
    return act == ACT_HSIGMOID || act == ACT_SIGMOID;
}

static inline float act_scalar(int32_t act, float x)
{
    switch (act) {
    case ACT_TANH:
        return tanhf(x);
    case ACT_GELU:
        return 0.5f * x * (1.0f + erff(x * 0.707106781f));
    case ACT_ELU:
        return x > 0.0f ? x : expm1f(x);
    case ACT_LEAKY_RELU:
        return x > 0.0f ? x : 0.01f * x;
    default: /* ACT_GELU_TANH */
        return 0.5f * x * (1.0f + tanhf(0.797884561f * (x + 0.044715f * x * x * x)));
    }
}

INL vec v_act(int32_t act, vec x)
{
    vec one = v_set(1.0f), gate;
    switch (act) {
    case ACT_NONE:
        return x;
    case ACT_RELU:
    case ACT_RELU6:
        return v_clamp(x, v_set(act_lo(act)), v_set(act_hi(act)));
    case ACT_HSWISH:
    case ACT_HSIGMOID:
        gate = v_clamp(x + v_set(3.0f), v_set(0.0f), v_set(6.0f));
        return (act == ACT_HSWISH ? x * gate : gate) * v_set(1.0f / 6);
    case ACT_SWISH:
    case ACT_SIGMOID:
        gate = one + v_exp(v_set(0.0f) - x);
        return (act == ACT_SWISH ? x : one) / gate;
    default:
        for (int i = 0; i < VL; i++)
            x[i] = act_scalar(act, x[i]);
        return x;
    }
}

#endif
