/* depthwise: one filter per channel, a channel block at a time, from a padded copy of a band of rows that stays in the
 * first or second-level cache. expand.h uses the same tiles on rows that a 1x1 convolution wrote. */
#ifndef WORKER_ENGINE_CPU_DEPTHWISE_H
#define WORKER_ENGINE_CPU_DEPTHWISE_H

#define DW_PIXELS (ACCS / BLOCK_VECS > TILE_PIXELS ? TILE_PIXELS : ACCS / BLOCK_VECS)
#define DW_FLOATS (64 * 1024 / 4) /* of a copied band */

struct dw {
    const float *w; /* [tap][16] */
    const int32_t *tap;
    int32_t taps;
    size_t step, row; /* floats between the inputs of neighbouring outputs, of outputs one below the other */
    size_t y_row;
    const float *scale, *shift; /* of this block, or NULL */
    int32_t act;
    const float *residual; /* as y, or NULL */
};

typedef void dw_fn(const struct dw *d, const float *a, float *y, const float *residual);

INL void dw_run(const int th, const int tw, const size_t step, const struct dw *d, const float *a, float *y,
                const float *residual)
{
    vec acc[TILE_PIXELS][BLOCK_VECS];
    UNROLL
    for (int r = 0; r < th * tw; r++)
        UNROLL
        for (int v = 0; v < BLOCK_VECS; v++)
            acc[r][v] = v_set(0.0f);
    const float *w = d->w;
    for (int t = 0; t < d->taps; t++, w += 16) {
        const float *p = a + d->tap[t], *q = p + (th > 1 ? d->row : 0);
        vec wv[BLOCK_VECS];
        UNROLL
        for (int v = 0; v < BLOCK_VECS; v++)
            wv[v] = v_load(w + v * VL);
        UNROLL
        for (int r = 0; r < th * tw; r++)
            UNROLL
            for (int v = 0; v < BLOCK_VECS; v++)
                acc[r][v] = v_fma(v_load((r < tw ? p + (size_t)r * step : q + (size_t)(r - tw) * step) + v * VL), wv[v],
                                  acc[r][v]);
    }
    struct tile t = {.y_row = d->y_row, .scale = d->scale, .shift = d->shift, .act = d->act};
    tile_end(th, tw, BLOCK_VECS, BLOCK_VECS, &t, &acc[0][0], y, residual);
}

#define DW_FN(th, tw)                                                                                     \
    static void dw_##th##_##tw(const struct dw *d, const float *a, float *y, const float *residual)       \
    {                                                                                                     \
        if (th * tw > DW_PIXELS)                                                                          \
            return;                                                                                       \
        if (d->step == 16)                                                                                \
            dw_run(th, tw, 16, d, a, y, residual);                                                        \
        else if (d->step == 32)                                                                           \
            dw_run(th, tw, 32, d, a, y, residual);                                                        \
        else                                                                                              \
            dw_run(th, tw, d->step, d, a, y, residual);                                                   \
    }
DW_FN(1, 1)
DW_FN(1, 2)
DW_FN(1, 3)
DW_FN(1, 4)
DW_FN(1, 5)
DW_FN(1, 6)
DW_FN(1, 7)
DW_FN(1, 8)
DW_FN(1, 9)
DW_FN(1, 10)
DW_FN(1, 11)
DW_FN(1, 12)
DW_FN(2, 1)
DW_FN(2, 2)
DW_FN(2, 3)
DW_FN(2, 4)
DW_FN(2, 5)
DW_FN(2, 6)
static dw_fn *const dw_table[2][TILE_PIXELS] = {
    {dw_1_1, dw_1_2, dw_1_3, dw_1_4, dw_1_5, dw_1_6, dw_1_7, dw_1_8, dw_1_9, dw_1_10, dw_1_11, dw_1_12},
    {dw_2_1, dw_2_2, dw_2_3, dw_2_4, dw_2_5, dw_2_6},
};

/* Rows x cols outputs of one block from its band. */
static void dw_area(const struct dw *d, int rows, int cols, const float *a, float *y)
{
    for (int k = 0, x = 0; x < cols; k++) {
        int wide = tile_cut(cols, DW_PIXELS, k + 1) - x;
        for (int r = 0, high = 2 * wide <= DW_PIXELS ? 2 : 1; r < rows; r += high) {
            high = r + high > rows ? 1 : high;
            size_t at = (size_t)r * d->y_row + (size_t)x * 16;
            dw_table[high - 1][wide - 1](d, a + (size_t)r * d->row + (size_t)x * d->step, y + at,
                                         d->residual ? d->residual + at : NULL);
        }
        x += wide;
    }
}

/* The padded band of a depthwise convolution keeps columns in order; the stride is in the loops. */
static struct cpu_conv dw_plain(const struct cpu_conv *s)
{
    struct cpu_conv plain = *s;
    plain.stride = 1;
    plain.ow = (s->ow - 1) * s->stride + 1;
    plain.oh = (s->oh - 1) * s->stride + 1;
    return plain;
}

static int dw_in_rows(const struct cpu_conv *s, int rows)
{
    return (rows - 1) * s->stride + (s->kh - 1) * s->dilation + 1;
}

/* Output rows of a band, in equal parts, whose input fits the budget; `line` floats a row. */
static int dw_rows(const struct cpu_conv *s, size_t line, size_t budget)
{
    int rows = s->oh;
    while (rows > 1 && (size_t)dw_in_rows(s, rows) * line > budget)
        rows--;
    int parts = (s->oh + rows - 1) / rows;
    return (s->oh + parts - 1) / parts;
}

static size_t depthwise_floats(const struct cpu_conv *s)
{
    struct cpu_conv plain = dw_plain(s);
    struct band b = band_of(&plain, 1, 1);
    return (size_t)dw_in_rows(s, dw_rows(s, b.line, DW_FLOATS)) * b.line;
}

static struct dw dw_make(const struct cpu_conv *s, const struct blob *blob, const struct cpu_affine *out, int block,
                         size_t line, const int32_t *tap)
{
    return (struct dw){.w = (const float *)blob + blob->w + (size_t)block * (size_t)blob->taps * 16,
                       .tap = tap,
                       .taps = blob->taps,
                       .step = (size_t)s->stride * 16,
                       .row = (size_t)s->stride * line,
                       .y_row = (size_t)s->ow * 16,
                       .scale = out->scale ? out->scale + block * 16 : NULL,
                       .shift = out->scale ? out->shift + block * 16 : NULL,
                       .act = act_is_late(out->act) ? ACT_NONE : out->act};
}

static void depthwise(const struct conv_run *c, float *buf)
{
    const struct cpu_conv *s = &c->a->shape;
    struct cpu_conv plain = dw_plain(s);
    struct band b = band_of(&plain, 1, 1);
    int most = dw_rows(s, b.line, DW_FLOATS);
    int32_t tap[MAX_TAPS];
    band_taps(&plain, &b, tap);
    for (int block = 0; block < blocks_of(s->c); block++) {
        struct dw d = dw_make(s, c->blob, &c->a->out, block, b.line, tap);
        float *y = c->a->y + block * c->pixels * 16;
        for (int i = 0; i < s->n; i++)
            for (int y0 = 0; y0 < s->oh; y0 += most) {
                int rows = s->oh - y0 < most ? s->oh - y0 : most;
                int64_t pixel = ((int64_t)i * s->oh + y0) * s->ow;
                for (int r = 0; r < dw_in_rows(s, rows); r++)
                    fill_line(&plain, &b, buf + (size_t)r * b.line, image_block(s, c->a->x, i, block),
                              y0 * s->stride - s->pad_h + r, c->a->in, block);
                d.residual = c->a->residual ? c->a->residual + (block * c->pixels + pixel) * 16 : NULL;
                dw_area(&d, rows, s->ow, buf, y + pixel * 16);
                block_done(y, pixel, pixel + (int64_t)rows * s->ow, c->a->out.act, 16,
                           s->c - block * 16 < 16 ? s->c - block * 16 : 16, c->runs ? c->runs + block : NULL);
            }
    }
}

#endif
