/* gram: mean and covariance of a tensor's channels, and from them the mean and variance of any 1x1 convolution of it:
 * var_o = w_o' Cov w_o. So an expanded tensor's statistics are known before it is computed, from its narrow input.
 *
 * Products are of values about the first run's mean, float32 within a run and double between runs; Cov w is a
 * convolution in float32. */
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

/* The convolution of the covariance's rows: o outputs for each of c "pixels". */
static struct cpu_conv gram_rows(const struct cpu_conv *s)
{
    return (struct cpu_conv){.n = 1, .c = s->c, .h = 1, .w = s->c, .o = s->o, .oh = 1, .ow = s->c, .kh = 1, .kw = 1,
                             .stride = 1, .dilation = 1, .groups = 1};
}

static size_t gram_conv_work(const struct cpu_conv *s)
{
    struct cpu_conv rows = gram_rows(s);
    return (cpu_floats(s->c, s->c) + cpu_floats(s->o, s->c)) * sizeof(float) + conv_work(&rows);
}

/* One unit of outputs: w' mean, and w' (Cov w), where z holds Cov w. */
INL void gram_unit(int32_t c, const float *w, size_t w_step, const float *z, const double *mean, double *m, double *var)
{
    for (int l = 0; l < UNIT; l++)
        m[l] = var[l] = 0;
    for (int32_t i = 0; i < c; i++, w += w_step, z += 16)
        for (int l = 0; l < UNIT; l++) {
            m[l] += (double)w[l] * mean[i];
            var[l] += (double)w[l] * (double)z[l];
        }
}

static void gram_conv(const struct cpu_conv *s, const void *packed, const double *mean, const double *cov,
                      const struct cpu_stats *out, void *work)
{
    const struct blob *b = packed;
    struct cpu_conv rows = gram_rows(s);
    float *x = work, *z = x + cpu_floats(s->c, s->c);
    assert(is_points(s) && s->groups == 1 && b->c == s->c && b->o == s->o);
    memset(x, 0, cpu_floats(s->c, s->c) * sizeof *x);
    for (int32_t i = 0; i < s->c; i++)
        for (int32_t j = 0; j < s->c; j++)
            x[((size_t)(j / 16) * (size_t)s->c + (size_t)i) * 16 + (size_t)(j % 16)] =
                (float)cov[(size_t)i * (size_t)s->c + (size_t)j];
    conv(&(struct cpu_conv_args){.shape = rows, .packed = packed, .x = x, .y = z, .work = z + cpu_floats(s->o, s->c)});
    for (int i = 0; i < b->npanels; i++) {
        const struct panel *p = &b->panels[i];
        for (int u = 0; u < p->units; u++) {
            double m[UNIT], var[UNIT];
            int32_t o = p->o + u * UNIT;
            const float *own = z + ((size_t)(o / 16) * (size_t)s->c) * 16 + (size_t)(o % 16);
            gram_unit(s->c, (const float *)packed + p->w + u * UNIT, (size_t)p->units * UNIT, own, mean, m, var);
            for (int l = 0; l < UNIT && o + l < s->o; l++) {
                out->mean[o + l] = m[l];
                out->var[o + l] = var[l] < 0 ? 0 : var[l];
            }
        }
    }
}

#endif
