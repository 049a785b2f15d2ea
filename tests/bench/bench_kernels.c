/* bench_kernels: GF/s of the CPU engine's kernels per shape, next to the measured fp32 peak of this core, OpenBLAS (the
 * product alone) and, when built with HAVE_DNNL, oneDNN. One thread. Each number is the median of REPS runs of at least
 * 10 ms in the thread's own CPU time, so that other processes take cache and clock but no time; the peak is measured
 * anew before each line.
 *
 * Arguments: a pattern of names, the kernels' instruction set, and a number of images in place of each row's own. */
#include "worker/engine/cpu/kernels.h"
#include "proto/plan.h"
#include "tests/bench/bench_dnnl.h"

#include <cblas.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPS = 5 };
extern void openblas_set_num_threads(int n);
extern double bench_peak_avx2(void), bench_peak_avx512(void);

static const struct shape_row {
    const char *name;
    int n, c, o, h, k, stride, groups;
} rows[] = {
    {"1x1 16-96@112", 4, 16, 96, 112, 1, 1, 1},   {"1x1 96-24@56", 8, 96, 24, 56, 1, 1, 1},
    {"1x1 24-144@56", 8, 24, 144, 56, 1, 1, 1},   {"1x1 144-24@56", 8, 144, 24, 56, 1, 1, 1},
    {"1x1 32-192@28", 16, 32, 192, 28, 1, 1, 1},  {"1x1 192-32@28", 16, 192, 32, 28, 1, 1, 1},
    {"1x1 64-384@14", 32, 64, 384, 14, 1, 1, 1},  {"1x1 576-96@14", 32, 576, 96, 14, 1, 1, 1},
    {"1x1 160-960@7", 32, 160, 960, 7, 1, 1, 1},  {"1x1 960-160@7", 32, 960, 160, 7, 1, 1, 1},
    {"1x1 16-96@32", 32, 16, 96, 32, 1, 1, 1},    {"1x1 144-24@32", 32, 144, 24, 32, 1, 1, 1},
    {"1x1 64-384@8", 32, 64, 384, 8, 1, 1, 1},    {"1x1 960-160@4", 64, 960, 160, 4, 1, 1, 1},
    {"3x3 3-32@224 s2", 4, 3, 32, 224, 3, 2, 1},  {"3x3 3-16@32", 32, 3, 16, 32, 3, 1, 1},
    {"3x3 16-16@32", 32, 16, 16, 32, 3, 1, 1},    {"3x3 32-32@16", 32, 32, 32, 16, 3, 1, 1},
    {"3x3 64-64@8", 32, 64, 64, 8, 3, 1, 1},      {"3x3 64-64@56", 4, 64, 64, 56, 3, 1, 1},
    {"3x3 256-256@14", 8, 256, 256, 14, 3, 1, 1}, {"3x3 32-64@32 s2", 16, 32, 64, 32, 3, 2, 1},
    {"3x3 128-128@28 g32", 8, 128, 128, 28, 3, 1, 32},
    {"dw3 96@112 s2", 4, 96, 96, 112, 3, 2, 96},  {"dw3 144@56", 4, 144, 144, 56, 3, 1, 144},
    {"dw5 192@28", 8, 192, 192, 28, 5, 1, 192},   {"dw7 192@28", 8, 192, 192, 28, 7, 1, 192},
    {"dw3 96@32", 8, 96, 96, 32, 3, 1, 96},       {"dw5 384@8", 16, 384, 384, 8, 5, 1, 384},
    {"dw3 960@7", 16, 960, 960, 7, 3, 1, 960},    {"dw7 576@14", 8, 576, 576, 14, 7, 1, 576},
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median seconds of one run. */
static double median(void (*run)(void *), void *with)
{
    double t[REPS], t0 = now();
    run(with);
    int loops = 1 + (int)(0.01 / (now() - t0 + 1e-9));
    for (int r = 0; r < REPS; r++) {
        t0 = now();
        for (int i = 0; i < loops; i++)
            run(with);
        t[r] = (now() - t0) / loops;
    }
    qsort(t, REPS, sizeof *t, by_value);
    return t[REPS / 2];
}

static float *floats(size_t n)
{
    float *p = aligned_alloc(CPU_ALIGN, (n * 4 + 4095) / 4096 * 4096);
    if (!p)
        abort();
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(i % 97) * 1e-3f - 0.04f;
    return p;
}

struct bench {
    const struct cpu_kernels *k;
    struct cpu_conv_args score, calibrate;
    float *a, *b, *c; /* of the bare product */
};

static void run_score(void *with)
{
    struct bench *b = with;
    b->k->conv(&b->score);
}
static void run_calibrate(void *with)
{
    struct bench *b = with;
    b->k->conv(&b->calibrate);
}
static void run_blas(void *with)
{
    struct bench *b = with;
    const struct cpu_conv *s = &b->score.shape;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s->n * s->oh * s->ow, s->o, s->c * s->kh * s->kw, 1.0f, b->a,
                s->c * s->kh * s->kw, b->b, s->o, 0.0f, b->c, s->o);
}

static void bench_row(const struct cpu_kernels *k, const struct shape_row *r, int images, double peak)
{
    struct cpu_conv s = {.n = images ? images : r->n,
                         .c = r->c, .h = r->h, .w = r->h, .o = r->o, .kh = r->k, .kw = r->k,
                         .stride = r->stride, .pad_h = r->k / 2, .pad_w = r->k / 2, .dilation = 1,
                         .groups = r->groups, .planar = r->c < 8};
    s.oh = s.ow = (r->h + 2 * s.pad_h - r->k) / r->stride + 1;
    int64_t in = (int64_t)s.n * s.h * s.w, out = (int64_t)s.n * s.oh * s.ow;
    size_t taps = (size_t)(s.kh * s.kw), weights = (size_t)(s.o * (s.c / s.groups)) * taps;
    double gf = 2e-9 * (double)out * (double)weights;
    float *x = floats(cpu_floats(s.c, in)), *w = floats(weights), *y = floats(cpu_floats(s.o, out));
    float *affine = floats(cpu_floats(s.c > s.o ? s.c : s.o, 1));
    void *packed = floats(k->pack_bytes(&s) / 4 + 1), *work = floats(k->conv_work(&s) / 4 + 1);
    k->pack(&s, w, packed);
    struct cpu_affine on_load = {affine, affine, ACT_RELU6};
    double *mean = calloc((size_t)s.o * 2, sizeof *mean);
    struct bench b = {.k = k,
                      .score = {.shape = s, .packed = packed, .x = x, .out = on_load, .y = y, .work = work},
                      .calibrate = {.shape = s, .packed = packed, .x = x, .in = s.planar ? NULL : &on_load, .y = y,
                                    .stats = {mean, mean + s.o}, .work = work}};
    double score = gf / median(run_score, &b), calibrate = gf / median(run_calibrate, &b), blas = 0;
    if (s.groups == 1) {
        b.a = floats((size_t)out * (size_t)s.c * taps);
        b.b = w;
        b.c = floats((size_t)out * (size_t)s.o);
        blas = gf / median(run_blas, &b);
        free(b.a);
        free(b.c);
    }
    double dnnl = bench_dnnl_conv(&s, median);
    printf("%-20s %6.1f %7.1f (%3.0f%%) %9.1f %9.1f %9.1f\n", r->name, peak, score, 100 * score / peak, calibrate, blas,
           dnnl > 0 ? gf / dnnl : 0.0);
    fflush(stdout);
    free(x), free(w), free(y), free(affine), free(packed), free(work), free(mean);
}

int main(int argc, char **argv)
{
    const struct cpu_kernels *k = argc > 2 ? cpu_kernels_named(argv[2]) : cpu_kernels_best();
    if (!k) {
        fprintf(stderr, "bench_kernels: this machine has no kernels \"%s\"\n", argv[2]);
        return 2;
    }
    double peak = cpu_kernels_named("avx512") ? bench_peak_avx512() : bench_peak_avx2();
    if (argc > 1 && strcmp(argv[1], "peak") == 0)
        return printf("peak %.1f\n", peak) < 0;
    openblas_set_num_threads(1);
    printf("kernels %s, one thread, GF/s, median of %d; 0 = not measured\n", k->name, REPS);
    printf("%-20s %6s %15s %9s %9s %9s\n", "shape", "peak", "score (of peak)", "calibrate", "openblas", "onednn");
    int images = argc > 3 ? atoi(argv[3]) : 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (argc < 2 || fnmatch(argv[1], rows[i].name, 0) == 0)
            bench_row(k, &rows[i], images, cpu_kernels_named("avx512") ? bench_peak_avx512() : bench_peak_avx2());
    return 0;
}
