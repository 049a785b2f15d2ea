/* run: statistics of one channel block, gathered while its pixels are written; kernels.h says in which order and why
 * nothing cancels. A run of CPU_RUN pixels is added as soon as it is complete, while it is still in the cache. */
#ifndef WORKER_ENGINE_CPU_RUN_H
#define WORKER_ENGINE_CPU_RUN_H

#define BLOCK_VECS (16 / VL)

struct run {
    double s1[16], s2[16];         /* sums of (x - origin) and its square */
    float origin[16], shift[16];
    int64_t done;                  /* pixels added */
};

/* s1 and s2 get the float32 sums of (x - shift) and its square over n pixels; even and odd pixels apart, so that the
 * additions overlap. */
INL void run_sums(const float *x, int n, const float *shift, float *s1, float *s2)
{
    vec about[BLOCK_VECS], a[2][BLOCK_VECS], q[2][BLOCK_VECS];
    UNROLL
    for (int v = 0; v < BLOCK_VECS; v++) {
        about[v] = v_load(shift + v * VL);
        a[0][v] = a[1][v] = q[0][v] = q[1][v] = v_set(0.0f);
    }
    for (int i = 0; i < n; i += 2, x += 32)
        UNROLL
        for (int odd = 0; odd < 2; odd++)
            if (i + odd < n)
                UNROLL
                for (int v = 0; v < BLOCK_VECS; v++) {
                    vec d = v_load(x + odd * 16 + v * VL) - about[v];
                    a[odd][v] = a[odd][v] + d;
                    q[odd][v] = v_fma(d, d, q[odd][v]);
                }
    UNROLL
    for (int v = 0; v < BLOCK_VECS; v++) {
        v_store(s1 + v * VL, a[0][v] + a[1][v]);
        v_store(s2 + v * VL, q[0][v] + q[1][v]);
    }
}

static void run_add(struct run *r, const float *block, int n)
{
    float s1[16], s2[16];
    const float *x = block + r->done * 16;
    if (r->done == 0) {
        memcpy(r->origin, x, sizeof r->origin);
        memcpy(r->shift, x, sizeof r->shift);
    }
    run_sums(x, n, r->shift, s1, s2);
    for (int l = 0; l < 16; l++) {
        double d = (double)r->shift[l] - (double)r->origin[l], a = (double)s1[l];
        r->s1[l] += a + n * d;
        r->s2[l] += (double)s2[l] + 2 * d * a + n * d * d;
        r->shift[l] += s1[l] / (float)n;
    }
    r->done += n;
}

/* Pixels up to `upto` of the block are written. */
static void run_advance(struct run *r, const float *block, int64_t upto)
{
    while (r->done + CPU_RUN <= upto)
        run_add(r, block, CPU_RUN);
}

static void run_finish(struct run *r, const float *block, int64_t pixels, int lanes, double *mean, double *var)
{
    run_advance(r, block, pixels);
    if (r->done < pixels)
        run_add(r, block, (int)(pixels - r->done));
    for (int l = 0; l < lanes; l++) {
        double m = r->s1[l] / (double)pixels, v = r->s2[l] / (double)pixels - m * m;
        mean[l] = m + (double)r->origin[l];
        var[l] = v < 0 ? 0 : v;
    }
}

static void runs_finish(struct run *runs, const float *y, int32_t c, int64_t pixels, const struct cpu_stats *out)
{
    for (int32_t b = 0; b * 16 < c; b++)
        run_finish(&runs[b], y + b * pixels * 16, pixels, c - b * 16 < 16 ? c - b * 16 : 16, out->mean + b * 16,
                   out->var + b * 16);
}

static void stats_kernel(int32_t c, int64_t pixels, const float *x, const struct cpu_stats *out)
{
    for (int32_t b = 0; b * 16 < c; b++) {
        struct run r = {.done = 0};
        run_finish(&r, x + b * pixels * 16, pixels, c - b * 16 < 16 ? c - b * 16 : 16, out->mean + b * 16,
                   out->var + b * 16);
    }
}

#endif
