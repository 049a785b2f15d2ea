/* gram: mean and covariance of a tensor's channels, and from them the mean and variance of any 1x1 convolution of it:
 * var_o = w_o' Cov w_o. So an expanded tensor's statistics are known before it is computed, from its narrow input.
 *
 * Products are of values about the first run's mean, float32 within a run and double between runs. */
#ifndef WORKER_ENGINE_CPU_GRAM_H
#define WORKER_ENGINE_CPU_GRAM_H

#define GRAM_ROWS (ACCS / BLOCK_VECS >= 8 ? 8 : ACCS / BLOCK_VECS >= 4 ? 4 : 2)

static size_t gram_work(int32_t c)
{
    size_t lanes = (size_t)blocks_of(c) * 16;
    return round_up(lanes * CPU_RUN * 4 + lanes * 4 + lanes * 8, CPU_ALIGN);
}

/* g[rows][16] += products of lanes row.. of a with the lanes of b, over n pixels. */
INL void gram_tile(const float *a, const float *b, int n, double *g, size_t stride)
{
    vec acc[GRAM_ROWS][BLOCK_VECS];
    UNROLL
    for (int r = 0; r < GRAM_ROWS; r++)
        UNROLL
    for (int v = 0; v < BLOCK_VECS; v++)
        acc[r][v] = v_set(0.0f);
    for (int p = 0; p < n; p++, a += 16, b += 16) {
        vec bv[BLOCK_VECS];
        UNROLL
        for (int v = 0; v < BLOCK_VECS; v++)
            bv[v] = v_load(b + v * VL);
        UNROLL
        for (int r = 0; r < GRAM_ROWS; r++)
            UNROLL
        for (int v = 0; v < BLOCK_VECS; v++)
            acc[r][v] = v_fma(v_set(a[r]), bv[v], acc[r][v]);
    }
    UNROLL
    for (int r = 0; r < GRAM_ROWS; r++) {
        float out[16];
        UNROLL
        for (int v = 0; v < BLOCK_VECS; v++)
            v_store(out + v * VL, acc[r][v]);
        for (int l = 0; l < 16; l++)
            g[(size_t)r * stride + (size_t)l] += (double)out[l];
    }
}

/* Adds the products of blocks i <= j of one run. cov is [c][c]; a ragged last block goes through a square of its own.
 */
static void gram_pair(int32_t c, const float *x, int i, int j, int n, double *cov)
{
    const float *a = x + (size_t)i * CPU_RUN * 16, *b = x + (size_t)j * CPU_RUN * 16;
    double square[256] = {0}, *g = cov + (size_t)i * 16 * (size_t)c + (size_t)j * 16;
    int whole = (j + 1) * 16 <= c;
    size_t stride = whole ? (size_t)c : 16;
    for (int r = 0; r < 16; r += GRAM_ROWS)
        gram_tile(a + r, b, n, (whole ? g : square) + (size_t)r * stride, stride);
    for (int r = 0; r < 16 && !whole; r++)
        for (int l = 0; i * 16 + r < c && j * 16 + l < c; l++)
            if (l < 16)
                g[(size_t)r * (size_t)c + (size_t)l] += square[r * 16 + l];
}

/* Centres a run's block in place and adds its sums. */
static void gram_centre(float *x, int n, const float *shift, double *sum)
{
    float s1[16], s2[16];
    run_sums(x, n, shift, s1, s2);
    for (int l = 0; l < 16; l++)
        sum[l] += (double)s1[l];
    for (int v = 0; v < 16; v += VL)
        for (int i = 0; i < n; i++)
            v_store(x + i * 16 + v, v_load(x + i * 16 + v) - v_load(shift + v));
}

static void gram(int32_t c, int64_t pixels, const struct cpu_operand *x, double *mean, double *cov, void *work)
{
    int blocks = blocks_of(c);
    double *sum = work;
    float *shift = (float *)(sum + blocks * 16), *buf = shift + blocks * 16;
    memset(cov, 0, (size_t)c * (size_t)c * sizeof *cov);
    memset(sum, 0, (size_t)blocks * 16 * sizeof *sum);
    for (int64_t p = 0; p < pixels; p += CPU_RUN) {
        int n = pixels - p < CPU_RUN ? (int)(pixels - p) : CPU_RUN;
        for (int b = 0; b < blocks; b++) {
            float *run = buf + (size_t)b * CPU_RUN * 16;
            copy_pixels(run, 16, x->x + (b * pixels + p) * 16, 16, n, x->in, b);
            if (p == 0) {
                float zero[16] = {0}, s2[16];
                run_sums(run, n, zero, shift + b * 16, s2);
                for (int l = 0; l < 16; l++)
                    shift[b * 16 + l] /= (float)n;
            }
            gram_centre(run, n, shift + b * 16, sum + b * 16);
        }
        for (int i = 0; i < blocks; i++)
            for (int j = i; j < blocks; j++)
                gram_pair(c, buf, i, j, n, cov);
    }
    for (int32_t i = 0; i < c; i++)
        mean[i] = sum[i] / (double)pixels;
    for (int32_t i = 0; i < c; i++)
        for (int32_t j = i; j < c; j++) {
            size_t at = (size_t)(i / 16 <= j / 16 ? i : j) * (size_t)c + (size_t)j;
            cov[at] = cov[at] / (double)pixels - mean[i] * mean[j];
            cov[(size_t)j * (size_t)c + (size_t)i] = cov[at];
        }
    for (int32_t i = 0; i < c; i++)
        mean[i] += (double)shift[i];
}

/* One panel: all its outputs side by side. */
static void gram_panel(int32_t c, const struct panel *p, const float *w, const double *mean, const double *cov,
                       int32_t lanes, double *out_mean, double *out_var)
{
    enum { MOST = 3 * UNIT };
    int wide = p->units * UNIT;
    double m[MOST] = {0}, var[MOST] = {0};
    for (int32_t i = 0; i < c; i++) {
        double z[MOST] = {0};
        const double *row = cov + (size_t)i * (size_t)c;
        for (int32_t j = 0; j < c; j++)
            for (int l = 0; l < wide; l++)
                z[l] += row[j] * (double)w[(size_t)j * (size_t)wide + (size_t)l];
        for (int l = 0; l < wide; l++) {
            double wi = (double)w[(size_t)i * (size_t)wide + (size_t)l];
            var[l] += wi * z[l];
            m[l] += wi * mean[i];
        }
    }
    for (int l = 0; l < lanes; l++) {
        out_mean[l] = m[l];
        out_var[l] = var[l] < 0 ? 0 : var[l];
    }
}

static void gram_conv(const struct cpu_conv *s, const void *packed, const double *mean, const double *cov,
                      const struct cpu_stats *out)
{
    const struct blob *b = packed;
    assert(is_points(s) && s->groups == 1 && b->c == s->c && b->o == s->o);
    for (int i = 0; i < b->npanels; i++) {
        const struct panel *p = &b->panels[i];
        int32_t lanes = b->o - p->o < p->units * UNIT ? b->o - p->o : p->units * UNIT;
        gram_panel(s->c, p, (const float *)packed + p->w, mean, cov, lanes, out->mean + p->o, out->var + p->o);
    }
}

#endif
