#include "tests/unit/worker/kernel_ref.h"
#include "proto/plan.h"
#include "tests/unit/test.h"

#include <assert.h>
#include <stdlib.h>

enum { GUARD = 256, MOST = 64 };
static struct {
    unsigned char *base;
    size_t n;
} guards[MOST];
static int nguards;
static unsigned state = 1;

void *guard_bytes(size_t n)
{
    assert(nguards < MOST);
    size_t all = (n + 2 * GUARD + CPU_ALIGN - 1) / CPU_ALIGN * CPU_ALIGN;
    unsigned char *p = aligned_alloc(CPU_ALIGN, all);
    assert(p);
    memset(p, 0xff, all); /* NaN as float and as double */
    guards[nguards].base = p;
    guards[nguards++].n = n;
    return p + GUARD;
}

float *guard_floats(size_t n)
{
    return guard_bytes(n * sizeof(float));
}

void guard_check(void)
{
    for (int g = 0; g < nguards; g++)
        for (size_t i = 0; i < GUARD; i++)
            if (guards[g].base[i] != 0xff || guards[g].base[GUARD + guards[g].n + i] != 0xff) {
                test_fail(__FILE__, __LINE__, "buffer %d of %zu bytes: written %s it", g, guards[g].n,
                          guards[g].base[i] != 0xff ? "before" : "behind");
                break;
            }
}

void guard_free(void)
{
    while (nguards)
        free(guards[--nguards].base);
}

void ref_seed(unsigned seed)
{
    state = seed * 2654435761u + 12345u;
}

static float next(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(int)(state >> 8) / 8388608.0f - 1.0f;
}

void ref_fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = next();
}

float *ref_blocks(int c, int64_t pixels)
{
    float *x = guard_floats(cpu_floats(c, pixels));
    for (size_t i = 0; i < cpu_floats(c, pixels); i++)
        x[i] = (int)(i / 16 / (size_t)pixels * 16 + i % 16) < c ? next() : 0.0f;
    return x;
}

struct cpu_affine ref_affine(int c, int32_t act)
{
    size_t lanes = cpu_floats(c, 1);
    float *scale = guard_floats(lanes), *shift = guard_floats(lanes);
    for (size_t i = 0; i < lanes; i++) {
        scale[i] = i < (size_t)c ? 1.0f + next() / 2 : 0.0f;
        shift[i] = i < (size_t)c ? next() : 0.0f;
    }
    return (struct cpu_affine){scale, shift, act};
}

float *ref_one_image(const float *x, int c, int n, int hw, int image)
{
    float *one = guard_floats(cpu_floats(c, hw));
    for (int b = 0; b * 16 < c; b++)
        memcpy(one + (size_t)(b * hw) * 16, x + (size_t)((b * n + image) * hw) * 16, (size_t)hw * 64);
    return one;
}

float ref_at(const float *x, int64_t pixels, int c, int64_t p)
{
    return x[((int64_t)(c / 16) * pixels + p) * 16 + c % 16];
}

double ref_act(int32_t act, double x)
{
    double six = fmin(fmax(x + 3, 0), 6);
    switch (act) {
    case ACT_NONE:
        return x;
    case ACT_RELU:
        return fmax(x, 0);
    case ACT_RELU6:
        return fmin(fmax(x, 0), 6);
    case ACT_HSWISH:
        return x * six / 6;
    case ACT_HSIGMOID:
        return six / 6;
    case ACT_SWISH:
        return x / (1 + exp(-x));
    case ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACT_TANH:
        return tanh(x);
    case ACT_GELU:
        return x * 0.5 * (1 + erf(x / sqrt(2)));
    case ACT_ELU:
        return x > 0 ? x : exp(x) - 1;
    case ACT_LEAKY_RELU:
        return x > 0 ? x : x / 100;
    default:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    }
}

double ref_in(const struct cpu_affine *in, int c, float x)
{
    if (!in)
        return (double)x;
    return ref_act(in->act, in->scale ? (double)in->scale[c] * (double)x + (double)in->shift[c] : (double)x);
}

static double pixel(const struct cpu_conv *s, const float *x, const struct cpu_affine *in, int i, int c, int y, int col)
{
    if (y < 0 || y >= s->h || col < 0 || col >= s->w)
        return 0;
    int64_t p = ((int64_t)i * s->h + y) * s->w + col;
    if (s->planar)
        return (double)x[(((int64_t)i * s->c + c) * s->h + y) * s->w + col];
    return ref_in(in, c, ref_at(x, (int64_t)s->n * s->h * s->w, c, p));
}

double *ref_conv(const struct cpu_conv *s, const float *x, const float *oihw, const struct cpu_affine *in,
                 const struct cpu_affine *out, const float *residual)
{
    int64_t pixels = (int64_t)s->n * s->oh * s->ow, in_pixels = (int64_t)s->n * s->h * s->w;
    double *v = malloc((size_t)(in_pixels * s->c) * sizeof *v), *all = malloc((size_t)(pixels * s->o) * sizeof *all);
    int cg = s->c / s->groups, og = s->o / s->groups;
    assert(v && all);
    for (int c = 0; c < s->c; c++)
        for (int64_t p = 0; p < in_pixels; p++)
            v[c * in_pixels + p] =
                pixel(s, x, in, (int)(p / (s->h * s->w)), c, (int)(p / s->w % s->h), (int)(p % s->w));
    for (int o = 0; o < s->o; o++)
        for (int64_t p = 0; p < pixels; p++) {
            int i = (int)(p / (s->oh * s->ow)), oy = (int)(p / s->ow % s->oh), ox = (int)(p % s->ow);
            double sum = 0;
            for (int c = 0; c < cg; c++)
                for (int ky = 0; ky < s->kh; ky++)
                    for (int kx = 0; kx < s->kw; kx++) {
                        int iy = oy * s->stride - s->pad_h + ky * s->dilation,
                            ix = ox * s->stride - s->pad_w + kx * s->dilation;
                        if (iy >= 0 && iy < s->h && ix >= 0 && ix < s->w)
                            sum += v[(o / og * cg + c) * in_pixels + ((int64_t)i * s->h + iy) * s->w + ix] *
                                   (double)oihw[((o * cg + c) * s->kh + ky) * s->kw + kx];
                    }
            if (out->scale)
                sum = sum * (double)out->scale[o] + (double)out->shift[o];
            if (residual)
                sum += (double)ref_at(residual, pixels, o, p);
            all[o * pixels + p] = ref_act(out->act, sum);
        }
    free(v);
    return all;
}

double *ref_pool(const struct cpu_pool *s, const float *x, const struct cpu_affine *in)
{
    int64_t pixels = (int64_t)s->n * s->oh * s->ow;
    double *all = malloc((size_t)(pixels * s->c) * sizeof *all);
    assert(all);
    for (int c = 0; c < s->c; c++)
        for (int64_t p = 0; p < pixels; p++) {
            int i = (int)(p / (s->oh * s->ow)), oy = (int)(p / s->ow % s->oh), ox = (int)(p % s->ow), inside = 0,
                counted = 0;
            double sum = 0, most = -INFINITY;
            for (int ky = 0; ky < s->kh; ky++)
                for (int kx = 0; kx < s->kw; kx++) {
                    int y = oy * s->stride - s->pad_h + ky, col = ox * s->stride - s->pad_w + kx;
                    counted += y < s->h + s->pad_h && col < s->w + s->pad_w;
                    if (y < 0 || y >= s->h || col < 0 || col >= s->w)
                        continue;
                    double v =
                        ref_in(in, c, ref_at(x, (int64_t)s->n * s->h * s->w, c, ((int64_t)i * s->h + y) * s->w + col));
                    inside++;
                    sum += v;
                    most = fmax(most, v);
                }
            all[c * pixels + p] = s->kind == CPU_POOL_MAX ? most : sum / (s->kind == CPU_POOL_AVG ? inside : counted);
        }
    return all;
}

double ref_compare(const double *want, const float *got, int c, int64_t pixels)
{
    double worst = 0;
    for (int ch = 0; ch < c; ch++) {
        double most = 1, diff = 0;
        for (int64_t p = 0; p < pixels; p++) {
            double d = fabs(want[ch * pixels + p] - (double)ref_at(got, pixels, ch, p));
            most = fmax(most, fabs(want[ch * pixels + p]));
            diff = d <= diff ? diff : d; /* keeps a NaN */
        }
        worst = diff / most <= worst ? worst : diff / most;
    }
    return worst;
}

int ref_pads_zero(const float *x, int c, int64_t pixels)
{
    for (size_t i = 0; i < cpu_floats(c, pixels); i++)
        if ((int64_t)(i / 16) / pixels * 16 + (int64_t)(i % 16) >= c && x[i] != 0.0f)
            return 0;
    return 1;
}

void ref_check_moments(const double *x, int c, int64_t pixels, const double *mean, const double *var, const char *who)
{
    for (int ch = 0; ch < c; ch++) {
        double m = 0, v = 0;
        for (int64_t p = 0; p < pixels; p++)
            m += x[ch * pixels + p];
        m /= (double)pixels;
        for (int64_t p = 0; p < pixels; p++)
            v += (x[ch * pixels + p] - m) * (x[ch * pixels + p] - m);
        v /= (double)pixels;
        if (!(fabs(var[ch] - v) <= 1e-4 * v + 1e-12) || !(fabs(mean[ch] - m) <= 1e-4 * sqrt(v) + 1e-9 * fabs(m) + 1e-9))
            test_fail(__FILE__, __LINE__,
                      "%s: channel %d of %d over %d pixels: mean %.9g want %.9g, variance %.9g want %.9g", who, ch, c,
                      (int)pixels, mean[ch], m, var[ch], v);
    }
}

void ref_check_stats(const float *x, int c, int64_t pixels, const double *mean, const double *var, const char *who)
{
    double *all = malloc((size_t)(pixels * c) * sizeof *all);
    assert(all);
    for (int ch = 0; ch < c; ch++)
        for (int64_t p = 0; p < pixels; p++)
            all[ch * pixels + p] = (double)ref_at(x, pixels, ch, p);
    ref_check_moments(all, c, pixels, mean, var, who);
    free(all);
}
