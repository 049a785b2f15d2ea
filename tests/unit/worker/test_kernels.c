/* Every kernel of every table this machine runs, over one list of cases, against plain loops in double precision.
 * Each tensor lies between guards, so a kernel that writes past an end is caught without a sanitizer too. */
#include "worker/engine/cpu/kernels.h"
#include "proto/plan.h"
#include "tests/unit/test.h"
#include "tests/unit/worker/kernel_ref.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef __x86_64__
extern const struct cpu_kernels cpu_kernels_wide; /* kernels_wide_avx2.c */
#endif

static const struct cpu_kernels *table(int i)
{
#ifdef __x86_64__
    if (i > 0 && cpu_kernels_at(i - 1) && !cpu_kernels_at(i) && cpu_kernels_named("avx2"))
        return &cpu_kernels_wide;
#endif
    return cpu_kernels_at(i);
}

#define EACH_TABLE(k) for (const struct cpu_kernels *k = NULL; (k = table(k_index)) != NULL; k_index++)

static const int32_t acts[] = {ACT_NONE,    ACT_RELU, ACT_RELU6, ACT_HSWISH,    ACT_HSIGMOID, ACT_SWISH,
                               ACT_SIGMOID, ACT_TANH, ACT_GELU,  ACT_GELU_TANH, ACT_ELU,      ACT_LEAKY_RELU};
enum { NACTS = sizeof acts / sizeof *acts };

/* c h w o k stride pad dilation groups */
static const struct {
    int n, c, h, w, o, kh, kw, stride, pad_h, pad_w, dilation, groups;
} convs[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1},      {3, 16, 7, 5, 16, 1, 1, 1, 0, 0, 1, 1},
    {2, 24, 9, 11, 40, 1, 1, 1, 0, 0, 1, 1},   {2, 40, 13, 13, 24, 1, 1, 1, 0, 0, 1, 1},
    {5, 17, 3, 3, 8, 1, 1, 1, 0, 0, 1, 1},     {1, 300, 4, 4, 72, 1, 1, 1, 0, 0, 1, 1},
    {2, 600, 7, 8, 88, 1, 1, 1, 0, 0, 1, 2},   {1, 530, 9, 5, 24, 1, 1, 2, 0, 0, 1, 1},
    {4, 256, 8, 8, 33, 1, 1, 1, 0, 0, 1, 1},   {7, 35, 1, 1, 10, 1, 1, 1, 0, 0, 1, 1},
    {2, 24, 9, 8, 56, 1, 1, 2, 0, 0, 1, 1},    {2, 20, 7, 7, 9, 1, 1, 3, 0, 0, 1, 1},
    {2, 16, 8, 8, 16, 3, 3, 1, 1, 1, 1, 1},    {3, 24, 7, 7, 24, 3, 3, 1, 1, 1, 1, 1},
    {2, 19, 9, 10, 50, 3, 3, 2, 1, 1, 1, 1},   {2, 33, 4, 4, 64, 3, 3, 1, 1, 1, 1, 1},
    {1, 64, 30, 29, 17, 3, 3, 1, 1, 1, 1, 1},  {1, 8, 11, 12, 5, 5, 5, 1, 2, 2, 1, 1},
    {1, 40, 10, 9, 24, 5, 5, 2, 2, 2, 1, 1},   {1, 6, 9, 9, 8, 7, 7, 1, 3, 3, 1, 1},
    {1, 16, 14, 14, 20, 3, 3, 1, 2, 2, 2, 1},  {1, 16, 14, 15, 20, 3, 3, 2, 2, 2, 2, 1},
    {2, 21, 6, 9, 18, 1, 7, 1, 0, 3, 1, 1},    {2, 21, 9, 6, 18, 7, 1, 1, 3, 0, 1, 1},
    {2, 18, 6, 6, 16, 1, 1, 1, 1, 1, 1, 1},    {1, 18, 5, 5, 16, 2, 2, 2, 0, 0, 1, 1},
    {1, 70, 2, 2, 16, 3, 3, 1, 1, 1, 1, 1},    {2, 12, 13, 3, 30, 3, 3, 3, 1, 1, 1, 1},
    {1, 130, 40, 40, 8, 3, 3, 1, 1, 1, 1, 1},  {2, 16, 3, 3, 16, 3, 3, 2, 1, 1, 1, 1},
    {2, 32, 7, 7, 32, 3, 3, 1, 1, 1, 1, 2},    {2, 32, 7, 7, 48, 3, 3, 1, 1, 1, 1, 4},
    {2, 64, 5, 5, 64, 1, 1, 1, 0, 0, 1, 8},    {2, 30, 5, 5, 20, 1, 1, 1, 0, 0, 1, 5},
    {2, 36, 9, 7, 36, 3, 3, 2, 1, 1, 1, 12},   {2, 58, 6, 6, 58, 3, 3, 1, 1, 1, 1, 29},
    {2, 24, 6, 6, 48, 3, 3, 1, 1, 1, 1, 24},   {2, 48, 6, 6, 24, 3, 3, 1, 1, 1, 1, 24},
    {1, 96, 5, 5, 96, 3, 3, 1, 1, 1, 1, 3},    {1, 72, 5, 5, 72, 5, 5, 1, 2, 2, 1, 2},
    {3, 16, 7, 7, 16, 3, 3, 1, 1, 1, 1, 16},   {2, 24, 9, 10, 24, 3, 3, 2, 1, 1, 1, 24},
    {2, 40, 13, 12, 40, 5, 5, 1, 2, 2, 1, 40}, {2, 40, 13, 12, 40, 5, 5, 2, 2, 2, 1, 40},
    {2, 17, 9, 9, 17, 7, 7, 1, 3, 3, 1, 17},   {1, 17, 21, 19, 17, 7, 7, 2, 3, 3, 1, 17},
    {1, 20, 12, 13, 20, 9, 9, 1, 4, 4, 1, 20}, {1, 20, 12, 13, 20, 3, 3, 1, 2, 2, 2, 20},
    {1, 20, 12, 13, 20, 3, 3, 2, 2, 2, 2, 20}, {1, 20, 10, 10, 20, 3, 3, 3, 1, 1, 1, 20},
    {2, 33, 4, 4, 33, 3, 3, 1, 1, 1, 1, 33},   {2, 33, 2, 2, 33, 7, 7, 1, 3, 3, 1, 33},
    {1, 16, 60, 70, 16, 3, 3, 1, 1, 1, 1, 16}, {1, 16, 61, 71, 16, 5, 5, 2, 2, 2, 1, 16},
    {1, 16, 1, 1, 16, 3, 3, 1, 1, 1, 1, 16},   {2, 18, 5, 3, 18, 3, 3, 1, 1, 1, 1, 18},
    {2, 18, 7, 8, 18, 3, 3, 2, 1, 1, 1, 18},   {2, 16, 5, 4, 16, 5, 5, 1, 2, 2, 1, 16},
    {1, 24, 9, 3, 24, 5, 5, 2, 2, 2, 1, 24},   {1, 24, 9, 6, 24, 7, 7, 2, 3, 3, 1, 24},
    {1, 17, 6, 11, 17, 5, 5, 1, 2, 2, 1, 17},  {1, 17, 5, 13, 17, 7, 7, 1, 3, 3, 1, 17},
    {1, 16, 9, 23, 16, 3, 3, 2, 1, 1, 1, 16},  {1, 16, 5, 9, 16, 7, 7, 1, 3, 3, 1, 16},
    {2, 20, 6, 9, 20, 3, 5, 1, 1, 2, 1, 20},   {1, 20, 8, 7, 20, 5, 3, 2, 2, 1, 1, 20},
    {1, 20, 13, 13, 20, 3, 3, 5, 0, 0, 1, 20}, {1, 20, 7, 20, 20, 1, 5, 1, 0, 2, 1, 20},
    /* winograd.h: strips of whole images and of rows, ragged tiles, odd paddings and channels, pieces of the sum, one
     * channel too few; first its tiles of four rows */
    {11, 64, 8, 8, 72, 3, 3, 1, 1, 1, 1, 1},   {21, 65, 5, 6, 80, 3, 3, 1, 1, 1, 1, 1},
    {1, 64, 26, 37, 66, 3, 3, 1, 1, 1, 1, 1},  {1, 64, 5, 150, 64, 3, 3, 1, 1, 1, 1, 1},
    {2, 70, 6, 7, 64, 3, 3, 1, 0, 0, 1, 1},    {2, 68, 7, 5, 67, 3, 3, 1, 2, 0, 1, 1},
    {1, 300, 5, 6, 65, 3, 3, 1, 1, 2, 1, 1},   {3, 64, 1, 1, 64, 3, 3, 1, 1, 1, 1, 1},
    {2, 63, 9, 10, 72, 3, 3, 1, 1, 1, 1, 1},   {1, 72, 9, 11, 63, 3, 3, 1, 1, 1, 1, 1},
    {11, 16, 8, 8, 72, 3, 3, 1, 1, 1, 1, 1},   {21, 17, 5, 6, 40, 3, 3, 1, 1, 1, 1, 1},
    {2, 16, 50, 37, 24, 3, 3, 1, 1, 1, 1, 1},  {1, 16, 5, 150, 16, 3, 3, 1, 1, 1, 1, 1},
    {2, 20, 6, 7, 16, 3, 3, 1, 0, 0, 1, 1},    {2, 20, 7, 5, 18, 3, 3, 1, 2, 0, 1, 1},
    {1, 300, 5, 6, 32, 3, 3, 1, 1, 2, 1, 1},   {3, 16, 1, 1, 16, 3, 3, 1, 1, 1, 1, 1},
    {2, 15, 9, 10, 33, 3, 3, 1, 1, 1, 1, 1},   {1, 33, 9, 11, 15, 3, 3, 1, 1, 1, 1, 1},
};
/* first convolutions: planar images */
static const struct {
    int n, c, h, w, o, k, stride, pad;
} stems[] = {
    {2, 3, 32, 32, 16, 3, 1, 1}, {1, 3, 33, 31, 24, 3, 2, 1}, {2, 1, 28, 28, 8, 5, 1, 2}, {1, 4, 30, 30, 40, 7, 2, 3},
    {3, 3, 8, 8, 32, 4, 4, 0},   {2, 3, 5, 6, 12, 1, 1, 0},   {1, 2, 9, 9, 16, 1, 1, 1},
};
enum { NCONVS = sizeof convs / sizeof *convs, NSTEMS = sizeof stems / sizeof *stems };

static struct cpu_conv conv_case(int i)
{
    struct cpu_conv s = {0};
    if (i < NCONVS)
        s = (struct cpu_conv){.n = convs[i].n,
                              .c = convs[i].c,
                              .h = convs[i].h,
                              .w = convs[i].w,
                              .o = convs[i].o,
                              .kh = convs[i].kh,
                              .kw = convs[i].kw,
                              .stride = convs[i].stride,
                              .pad_h = convs[i].pad_h,
                              .pad_w = convs[i].pad_w,
                              .dilation = convs[i].dilation,
                              .groups = convs[i].groups};
    else
        s = (struct cpu_conv){.n = stems[i - NCONVS].n,
                              .c = stems[i - NCONVS].c,
                              .h = stems[i - NCONVS].h,
                              .w = stems[i - NCONVS].w,
                              .o = stems[i - NCONVS].o,
                              .kh = stems[i - NCONVS].k,
                              .kw = stems[i - NCONVS].k,
                              .stride = stems[i - NCONVS].stride,
                              .pad_h = stems[i - NCONVS].pad,
                              .pad_w = stems[i - NCONVS].pad,
                              .dilation = 1,
                              .groups = 1,
                              .planar = 1};
    s.oh = (s.h + 2 * s.pad_h - s.dilation * (s.kh - 1) - 1) / s.stride + 1;
    s.ow = (s.w + 2 * s.pad_w - s.dilation * (s.kw - 1) - 1) / s.stride + 1;
    return s;
}

/* What a convolution test needs, all guarded. */
struct conv_data {
    struct cpu_conv s;
    float *x, *w, *y, *res;
    void *packed, *work;
    struct cpu_affine in, out;
    double *mean, *var;
};

static void conv_make(const struct cpu_kernels *k, struct conv_data *d, int index, int seed)
{
    const struct cpu_conv *s = &d->s;
    d->s = conv_case(index);
    ref_seed((unsigned)(seed * 1000 + index));
    d->x = s->planar ? guard_floats((size_t)s->n * (size_t)s->c * (size_t)(s->h * s->w))
                     : ref_blocks(s->c, (int64_t)s->n * s->h * s->w);
    if (s->planar)
        ref_fill(d->x, (size_t)s->n * (size_t)s->c * (size_t)(s->h * s->w));
    size_t nw = (size_t)s->o * (size_t)(s->c / s->groups) * (size_t)(s->kh * s->kw);
    d->w = guard_floats(nw);
    ref_fill(d->w, nw);
    int64_t pixels = (int64_t)s->n * s->oh * s->ow;
    d->y = guard_floats(cpu_floats(s->o, pixels));
    d->res = ref_blocks(s->o, pixels);
    d->packed = guard_bytes(k->pack_bytes(s));
    k->pack(s, d->w, d->packed);
    d->work = guard_bytes(k->conv_work(s));
    d->in = ref_affine(s->c, acts[index % NACTS]);
    d->out = ref_affine(s->o, acts[(index + seed) % NACTS]);
    d->mean = guard_bytes((size_t)s->o * 8);
    d->var = guard_bytes((size_t)s->o * 8);
}

static int conv_dense3(const struct cpu_conv *s)
{
    return s->groups == 1 && s->kh == 3 && s->kw == 3 && s->stride == 1 && s->dilation == 1 && !s->planar;
}

/* Rows of winograd.h's tiles, 0 for the direct kernel: the weights take 36 / 9, 24 / 9 or about one of the filters'. */
static int conv_tile_rows(const struct cpu_kernels *k, const struct cpu_conv *s)
{
    double sets = (double)k->pack_bytes(s) / (4.0 * s->o * s->c);
    return !conv_dense3(s) || sets < 24 ? 0 : sets < 36 ? 2 : 4;
}

static void conv_check(const struct cpu_kernels *k, const struct conv_data *d, const struct cpu_conv_args *a)
{
    int64_t pixels = (int64_t)d->s.n * d->s.oh * d->s.ow;
    double *want = ref_conv(&d->s, d->x, d->w, a->in, &a->out, a->residual);
    double term = conv_tile_rows(k, &d->s) == 4 ? 6e-8 : 3e-8; /* tiles of four rows round about twice as much */
    double bad = ref_compare(want, a->y, d->s.o, pixels),
           most = 1e-5 + term * (d->s.c / d->s.groups * d->s.kh * d->s.kw);
    if (!(bad < most) || !ref_pads_zero(a->y, d->s.o, pixels))
        test_fail(__FILE__, __LINE__, "%s: conv c%d h%d w%d o%d k%dx%d s%d d%d g%d act %d: error %g", k->name, d->s.c,
                  d->s.h, d->s.w, d->s.o, d->s.kh, d->s.kw, d->s.stride, d->s.dilation, d->s.groups, a->out.act, bad);
    if (a->stats.mean)
        ref_check_stats(a->y, d->s.o, pixels, a->stats.mean, a->stats.var, k->name);
    free(want);
    guard_check();
}

/* mode 0: bare with statistics; 1: affine, activation and residual; 2: transformed on load; 3: all of it. */
static void conv_mode(int mode)
{
    int k_index = 0;
    EACH_TABLE(k)
    for (int i = 0; i < NCONVS + NSTEMS; i++) {
        struct conv_data d;
        conv_make(k, &d, i, mode);
        struct cpu_conv_args a = {.shape = d.s, .packed = d.packed, .x = d.x, .y = d.y, .work = d.work};
        if (mode & 1) {
            a.out = d.out;
            a.residual = i % 2 ? d.res : NULL;
        }
        if (mode >= 2 && !d.s.planar)
            a.in = &d.in;
        if (mode != 1)
            a.stats = (struct cpu_stats){d.mean, d.var};
        k->conv(&a);
        conv_check(k, &d, &a);
        guard_free();
    }
}

TEST(kernels_conv_bare)
{
    conv_mode(0);
}

TEST(kernels_conv_score)
{
    conv_mode(1);
}

TEST(kernels_conv_load)
{
    conv_mode(2);
}

TEST(kernels_conv_all)
{
    conv_mode(3);
}

/* Lest a change of winograd.h's rule leaves it without cases. */
TEST(kernels_conv_covers_winograd)
{
    int k_index = 0;
    EACH_TABLE(k)
    {
        int four = 0, two = 0, direct = 0;
        for (int i = 0; i < NCONVS; i++) {
            struct cpu_conv s = conv_case(i);
            int rows = conv_tile_rows(k, &s);
            if (conv_dense3(&s))
                ++*(rows == 4 ? &four : rows == 2 ? &two : &direct);
        }
        CHECK(four >= 8 && two >= 8 && direct >= 3);
    }
}

/* The bits of an output must not depend on the batch it is in, on when the affine is applied, or on who counts. */
TEST(kernels_conv_bits)
{
    int k_index = 0;
    EACH_TABLE(k)
    for (int i = 0; i < NCONVS; i++) {
        struct conv_data d;
        conv_make(k, &d, i, 1);
        int64_t hw = d.s.oh * d.s.ow, pixels = d.s.n * hw;
        struct cpu_conv_args a = {.shape = d.s, .packed = d.packed, .x = d.x, .out = d.out, .y = d.y, .work = d.work};
        k->conv(&a);

        /* one image alone, in another place */
        struct cpu_conv_args one = a;
        int last = d.s.n - 1;
        one.shape.n = 1;
        one.x = ref_one_image(d.x, d.s.c, d.s.n, d.s.h * d.s.w, last);
        one.y = guard_floats(cpu_floats(d.s.o, hw) + 16);
        k->conv(&one);
        float *same = ref_one_image(a.y, d.s.o, d.s.n, (int)hw, last);
        CHECK(memcmp(same, one.y, cpu_floats(d.s.o, hw) * 4) == 0);

        /* bare, statistics fused and apart, affine later */
        float *raw = guard_floats(cpu_floats(d.s.o, pixels)), *later = guard_floats(cpu_floats(d.s.o, pixels));
        struct cpu_conv_args bare = {
            .shape = d.s, .packed = d.packed, .x = d.x, .y = raw, .stats = {d.mean, d.var}, .work = d.work};
        k->conv(&bare);
        double *mean = guard_bytes((size_t)d.s.o * 8), *var = guard_bytes((size_t)d.s.o * 8);
        k->stats(d.s.o, pixels, raw, &(struct cpu_stats){mean, var});
        CHECK(memcmp(mean, d.mean, (size_t)d.s.o * 8) == 0 && memcmp(var, d.var, (size_t)d.s.o * 8) == 0);
        k->sum(d.s.o, pixels, 1, &(struct cpu_operand){raw, &d.out}, ACT_NONE, later);
        if (memcmp(later, a.y, cpu_floats(d.s.o, pixels) * 4) != 0)
            test_fail(__FILE__, __LINE__, "%s: case %d: an affine applied later differs", k->name, i);

        /* input transformed before or on load */
        struct cpu_conv_args load = bare;
        float *tx = guard_floats(cpu_floats(d.s.c, (int64_t)d.s.n * d.s.h * d.s.w));
        k->sum(d.s.c, (int64_t)d.s.n * d.s.h * d.s.w, 1, &(struct cpu_operand){d.x, &d.in}, ACT_NONE, tx);
        bare.x = tx;
        k->conv(&bare);
        load.in = &d.in;
        load.y = later;
        k->conv(&load);
        CHECK(memcmp(later, raw, cpu_floats(d.s.o, pixels) * 4) == 0);
        guard_check();
        guard_free();
    }
}

/* A mean a thousand deviations away from zero must not cost the variance its digits. */
TEST(kernels_stats_far_mean)
{
    int k_index = 0;
    EACH_TABLE(k)
    for (int n = 1; n <= 5000; n = n * 7 + 3) {
        ref_seed(9);
        float *x = ref_blocks(21, n);
        for (size_t i = 0; i < cpu_floats(21, n); i++)
            x[i] = 1000.0f * (float)(i / 16 / (size_t)n + 1) + x[i] * (i % 16 == 3 ? 30.0f : 1.0f) -
                   (i / 16 < 2 ? 700.0f : 0.0f);
        double mean[21], var[21];
        k->stats(21, n, x, &(struct cpu_stats){mean, var});
        ref_check_stats(x, 21, n, mean, var, k->name);
        guard_free();
    }
}

static const struct {
    int n, c, hid, h, w, k, stride, pad, dilation;
} expands[] = {
    {2, 16, 96, 32, 32, 3, 1, 1, 1},  {2, 24, 144, 14, 14, 5, 2, 2, 1}, {1, 24, 40, 56, 56, 7, 1, 3, 1},
    {1, 17, 72, 57, 55, 3, 2, 1, 1},  {2, 40, 24, 7, 7, 7, 1, 3, 1},    {3, 8, 8, 9, 9, 3, 1, 1, 1},
    {1, 33, 200, 60, 60, 5, 2, 2, 1}, {1, 16, 48, 40, 40, 3, 1, 2, 2},  {1, 300, 33, 20, 20, 3, 1, 1, 1},
    {1, 16, 16, 70, 90, 3, 3, 1, 1},  {1, 48, 56, 64, 64, 9, 1, 4, 1},  {2, 24, 40, 4, 4, 3, 1, 1, 1},
    {1, 16, 32, 9, 7, 5, 2, 2, 1},    {1, 20, 24, 13, 13, 3, 5, 0, 1},  {2, 32, 64, 5, 3, 7, 1, 3, 1},
};

TEST(kernels_expand)
{
    int k_index = 0;
    EACH_TABLE(k)
    for (size_t i = 0; i < sizeof expands / sizeof *expands; i++)
        for (int mode = 0; mode < 3; mode++) {
            struct cpu_conv e = {.n = expands[i].n,
                                 .c = expands[i].c,
                                 .h = expands[i].h,
                                 .w = expands[i].w,
                                 .o = expands[i].hid,
                                 .oh = expands[i].h,
                                 .ow = expands[i].w,
                                 .kh = 1,
                                 .kw = 1,
                                 .stride = 1,
                                 .dilation = 1,
                                 .groups = 1};
            struct cpu_conv d = e;
            d.c = d.groups = d.o = e.o;
            d.kh = d.kw = expands[i].k;
            d.stride = expands[i].stride;
            d.pad_h = d.pad_w = expands[i].pad;
            d.dilation = expands[i].dilation;
            d.oh = (d.h + 2 * d.pad_h - d.dilation * (d.kh - 1) - 1) / d.stride + 1;
            d.ow = (d.w + 2 * d.pad_w - d.dilation * (d.kw - 1) - 1) / d.stride + 1;
            ref_seed((unsigned)i);
            int64_t pi = (int64_t)e.n * e.h * e.w, po = (int64_t)d.n * d.oh * d.ow;
            float *x = ref_blocks(e.c, pi), *ew = guard_floats((size_t)(e.o * e.c)),
                  *dw = guard_floats((size_t)(d.o * d.kh * d.kw));
            ref_fill(ew, (size_t)(e.o * e.c));
            ref_fill(dw, (size_t)(d.o * d.kh * d.kw));
            float *mid = guard_floats(cpu_floats(e.o, pi)), *want = guard_floats(cpu_floats(d.o, po)),
                  *got = guard_floats(cpu_floats(d.o, po));
            void *ep = guard_bytes(k->pack_bytes(&e)), *dp = guard_bytes(k->pack_bytes(&d));
            k->pack(&e, ew, ep);
            k->pack(&d, dw, dp);
            struct cpu_affine in = ref_affine(e.c, acts[(i + 1) % NACTS]), am = ref_affine(e.o, acts[(i + 2) % NACTS]),
                              ad = ref_affine(d.o, acts[(i * 3) % NACTS]);
            struct cpu_stats st[2];
            for (int j = 0; j < 2; j++)
                st[j] = (struct cpu_stats){guard_bytes((size_t)d.o * 8), guard_bytes((size_t)d.o * 8)};
            struct cpu_conv_args one = {.shape = e,
                                        .packed = ep,
                                        .x = x,
                                        .in = mode ? &in : NULL,
                                        .out = am,
                                        .y = mid,
                                        .work = guard_bytes(k->conv_work(&e))};
            struct cpu_conv_args two = {
                .shape = d, .packed = dp, .x = mid, .y = want, .stats = st[0], .work = guard_bytes(k->conv_work(&d))};
            struct cpu_expand_args both = {.expand = e,
                                           .dw = d,
                                           .expand_packed = ep,
                                           .dw_packed = dp,
                                           .x = x,
                                           .in = one.in,
                                           .mid = am,
                                           .y = got,
                                           .stats = st[1],
                                           .work = guard_bytes(k->expand_work(&e, &d))};
            if (mode < 2)
                both.out = two.out = ad;
            k->conv(&one);
            k->conv(&two);
            k->expand(&both);
            if (memcmp(want, got, cpu_floats(d.o, po) * 4) != 0)
                test_fail(__FILE__, __LINE__, "%s: expand case %zu mode %d differs from two convolutions", k->name, i,
                          mode);
            CHECK(memcmp(st[0].mean, st[1].mean, (size_t)d.o * 8) == 0 &&
                  memcmp(st[0].var, st[1].var, (size_t)d.o * 8) == 0);
            guard_check();
            guard_free();
        }
}

TEST(kernels_gram)
{
    static const struct {
        int c, o, n;
        float far;
    } cases[] = {{16, 96, 1000, 0}, {24, 144, 97, 0},   {40, 24, 333, 0},
                 {3, 8, 5000, 0},   {24, 40, 2000, 50}, {70, 30, 96, 3}};
    int k_index = 0;
    EACH_TABLE(k)
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int c = cases[i].c, o = cases[i].o, n = cases[i].n;
        struct cpu_conv s = {.n = 1,
                             .c = c,
                             .h = n,
                             .w = 1,
                             .o = o,
                             .oh = n,
                             .ow = 1,
                             .kh = 1,
                             .kw = 1,
                             .stride = 1,
                             .dilation = 1,
                             .groups = 1};
        ref_seed((unsigned)i);
        float *x = ref_blocks(c, n), *w = guard_floats((size_t)(o * c));
        ref_fill(w, (size_t)(o * c));
        struct cpu_affine in = ref_affine(c, ACT_RELU6);
        float *shift = (float *)(uintptr_t)in.shift;
        for (int j = 0; j < c; j++)
            shift[j] += cases[i].far;
        in.act = cases[i].far > 0 ? ACT_NONE : ACT_RELU6;
        void *packed = guard_bytes(k->pack_bytes(&s));
        k->pack(&s, w, packed);
        double *mean = guard_bytes((size_t)c * 8), *cov = guard_bytes((size_t)(c * c) * 8),
               *om = guard_bytes((size_t)o * 8), *ov = guard_bytes((size_t)o * 8);
        k->gram(c, n, &(struct cpu_operand){x, &in}, mean, cov, guard_bytes(k->gram_work(c)));
        k->gram_conv(&s, packed, mean, cov, &(struct cpu_stats){om, ov}, guard_bytes(k->gram_conv_work(&s)));
        double *y = ref_conv(&s, x, w, &in, &(struct cpu_affine){.act = ACT_NONE}, NULL);
        ref_check_moments(y, o, n, om, ov, k->name);
        free(y);
        guard_check();
        guard_free();
    }
}

TEST(kernels_sum_gate)
{
    int k_index = 0;
    EACH_TABLE(k)
    for (int i = 0; i < NACTS; i++) {
        int c = 13 + 7 * i, n = 2, hw = 37 + 30 * i, p = n * hw;
        float *x[3] = {ref_blocks(c, p), ref_blocks(c, p), ref_blocks(c, p)}, *y = guard_floats(cpu_floats(c, p));
        float *g = ref_blocks(c, n);
        struct cpu_affine in = ref_affine(c, acts[i]), in2 = ref_affine(c, ACT_NONE);
        struct cpu_operand xs[3] = {{x[0], &in}, {x[1], NULL}, {x[2], &in2}};
        k->sum(c, p, 3, xs, acts[NACTS - 1 - i], y);
        double worst = 0;
        for (int ch = 0; ch < c; ch++)
            for (int j = 0; j < p; j++) {
                double v = ref_in(&in, ch, ref_at(x[0], p, ch, j)) + (double)ref_at(x[1], p, ch, j) +
                           ref_in(&in2, ch, ref_at(x[2], p, ch, j));
                worst = fmax(worst, fabs(ref_act(acts[NACTS - 1 - i], v) - (double)ref_at(y, p, ch, j)));
            }
        CHECK_NEAR(worst, 0, 1e-5);
        CHECK(ref_pads_zero(y, c, p));
        k->gate(c, n, hw, &xs[0], g, y);
        worst = 0;
        for (int ch = 0; ch < c; ch++)
            for (int j = 0; j < p; j++)
                worst = fmax(worst, fabs(ref_in(&in, ch, ref_at(x[0], p, ch, j)) * (double)ref_at(g, n, ch, j / hw) -
                                         (double)ref_at(y, p, ch, j)));
        CHECK_NEAR(worst, 0, 1e-5);
        CHECK(ref_pads_zero(y, c, p));
        guard_check();
        guard_free();
    }
}

TEST(kernels_pool)
{
    static const struct cpu_pool cases[] = {
        {2, 20, 9, 8, 5, 4, 3, 3, 2, 1, 1, CPU_POOL_MAX},           {2, 20, 9, 8, 9, 8, 3, 3, 1, 1, 1, CPU_POOL_AVG},
        {1, 16, 7, 7, 4, 4, 3, 3, 2, 1, 1, CPU_POOL_AVG_COUNT_PAD}, {1, 33, 6, 6, 3, 3, 2, 2, 2, 0, 0, CPU_POOL_AVG},
        {2, 5, 6, 6, 3, 3, 3, 3, 2, 0, 0, CPU_POOL_AVG_COUNT_PAD},  {2, 5, 6, 6, 3, 3, 3, 3, 2, 0, 0, CPU_POOL_MAX},
    };
    int k_index = 0;
    EACH_TABLE(k)
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const struct cpu_pool *s = &cases[i / 2];
        int64_t pi = (int64_t)s->n * s->h * s->w, po = (int64_t)s->n * s->oh * s->ow;
        float *x = ref_blocks(s->c, pi), *y = guard_floats(cpu_floats(s->c, po));
        struct cpu_affine in = ref_affine(s->c, i % 4 == 1 ? ACT_HSIGMOID : ACT_RELU);
        const struct cpu_affine *use = i % 2 ? &in : NULL;
        k->pool(s, &(struct cpu_operand){x, use}, y);
        double *want = ref_pool(s, x, use);
        CHECK_NEAR(ref_compare(want, y, s->c, po), 0, 1e-6);
        CHECK(ref_pads_zero(y, s->c, po));
        free(want);
        guard_check();
        guard_free();
    }
}

TEST(kernels_gap_layout)
{
    int k_index = 0;
    EACH_TABLE(k)
    for (int c = 1; c < 60; c = c * 2 + 3) {
        int n = 3, hw = 65 + c;
        size_t count = (size_t)(n * c * hw);
        float *planar = guard_floats(count), *back = guard_floats(count), *x = guard_floats(cpu_floats(c, n * hw)),
              *y = guard_floats(cpu_floats(c, n));
        ref_fill(planar, count);
        k->from_planar(n, c, hw, planar, x);
        CHECK(ref_pads_zero(x, c, n * hw));
        k->to_planar(n, c, hw, x, back);
        CHECK(memcmp(planar, back, count * 4) == 0);
        CHECK(planar[(1 * c + c - 1) * hw + 5] == ref_at(x, n * hw, c - 1, hw + 5));
        struct cpu_affine in = ref_affine(c, ACT_SIGMOID);
        k->gap(c, n, hw, &(struct cpu_operand){x, &in}, y);
        for (int i = 0; i < n; i++)
            for (int ch = 0; ch < c; ch++) {
                double s = 0;
                for (int p = 0; p < hw; p++)
                    s += ref_in(&in, ch, ref_at(x, n * hw, ch, i * hw + p));
                CHECK_NEAR(ref_at(y, n, ch, i), s / hw, 1e-6);
            }
        CHECK(ref_pads_zero(y, c, n));
        guard_check();
        guard_free();
    }
}

TEST(kernels_named)
{
    CHECK(cpu_kernels_named("generic") != NULL);
    CHECK(cpu_kernels_named("nonesuch") == NULL);
    CHECK(cpu_kernels_best() == cpu_kernels_at(0));
}
