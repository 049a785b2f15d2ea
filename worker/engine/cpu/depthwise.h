/* depthwise: one filter per channel, a channel block at a time. Input rows lie padded in a ring that stays in the first
 * or second-level cache; the tiles are given the rows' addresses, so that one of zeros stands for all rows outside.
 * expand.h uses the same tiles on rows that a 1x1 convolution wrote. */
#ifndef WORKER_ENGINE_CPU_DEPTHWISE_H
#define WORKER_ENGINE_CPU_DEPTHWISE_H

enum { DW_COLS = 8 }; /* outputs of a tile: with 7 weights and an input they fill 16 registers */

struct dw {
    const float *w; /* [kh][kw][16] */
    int32_t kh, kw, stride, dilation;
    struct tile end[BLOCK_VECS]; /* for tile_end, of each vector of the block */
};

/* `count` tiles side by side. rows[i + j] is the padded input row of output row i * stride (i < 2) and kernel row j (on
 * dilated convolutions, of output row 0 and kernel row j); `at` the first tile's first column, in floats. */
typedef void dw_fn(const struct dw *d, const float *const *rows, size_t at, float *y, const float *residual,
                   int count);

/* Adds one kernel row to th x tw outputs. k is the kernel's width and s its stride: constants, so that the weights stay
 * in registers and every input is loaded once. */
INL void dw_taps(const int th, const int tw, const int k, const int s, const float *const *rows, size_t at,
                 const float *w, vec *acc)
{
    vec wv[DW_COLS + 1];
    UNROLL
    for (int x = 0; x < k; x++)
        wv[x] = v_load(w + x * 16);
    UNROLL
    for (int r = 0; r < th; r++) {
        const float *p = rows[r * s] + at;
        UNROLL
        for (int j = 0; j < (tw - 1) * s + k; j++) {
            vec in = v_load(p + j * 16);
            UNROLL
            for (int i = 0; i < tw; i++)
                if (j - i * s >= 0 && j - i * s < k)
                    acc[r * tw + i] = v_fma(in, wv[j - i * s], acc[r * tw + i]);
        }
    }
}

/* The same for any width, stride and dilation. */
INL void dw_taps_any(const int tw, const struct dw *d, const float *p, const float *w, vec *acc)
{
    for (int x = 0; x < d->kw; x++) {
        vec wv = v_load(w + x * 16);
        UNROLL
        for (int i = 0; i < tw; i++)
            acc[i] = v_fma(v_load(p + (x * d->dilation + i * d->stride) * 16), wv, acc[i]);
    }
}

INL void dw_run(const int th, const int tw, const int k, const int s, const struct dw *d, const float *const *rows,
                size_t at, float *y, const float *residual, int count)
{
    for (; count > 0; count--, at += (size_t)(tw * d->stride) * 16, y += tw * 16) {
        for (int v = 0; v < BLOCK_VECS; v++) {
            vec acc[2 * DW_COLS];
            UNROLL
            for (int i = 0; i < th * tw; i++)
                acc[i] = v_set(0.0f);
            const float *w = d->w + v * VL;
            for (int j = 0; j < d->kh; j++, w += d->kw * 16)
                if (k)
                    dw_taps(th, tw, k, s, rows + j, at + (size_t)v * VL, w, acc);
                else
                    dw_taps_any(tw, d, rows[j] + at + (size_t)v * VL, w, acc);
            tile_end(th, tw, 1, 1, &d->end[v], acc, y + v * VL, residual ? residual + v * VL : NULL);
        }
        if (residual)
            residual += tw * 16;
    }
}

#define DW_FN(name, th, tw, k, s)                                                                                \
    static void dw_##name##_##th##_##tw(const struct dw *d, const float *const *rows, size_t at, float *y,        \
                                        const float *residual, int count)                                        \
    {                                                                                                            \
        dw_run(th, tw, k, s, d, rows, at, y, residual, count);                                                    \
    }
#define DW_FNS1(name, k, s)                                                                                    \
    DW_FN(name, 1, 1, k, s) DW_FN(name, 1, 2, k, s) DW_FN(name, 1, 3, k, s) DW_FN(name, 1, 4, k, s)             \
    DW_FN(name, 1, 5, k, s) DW_FN(name, 1, 6, k, s) DW_FN(name, 1, 7, k, s) DW_FN(name, 1, 8, k, s)
#define DW_FNS2(name, k, s)                                                                                    \
    DW_FNS1(name, k, s)                                                                                        \
    DW_FN(name, 2, 1, k, s) DW_FN(name, 2, 2, k, s) DW_FN(name, 2, 3, k, s) DW_FN(name, 2, 4, k, s)
DW_FNS1(any, 0, 0)
DW_FNS2(k3s1, 3, 1)
DW_FNS2(k3s2, 3, 2)
DW_FNS2(k5s1, 5, 1)
DW_FNS2(k5s2, 5, 2)
DW_FNS2(k7s1, 7, 1)
DW_FNS2(k7s2, 7, 2)

#define DW_ROW1(name)                                                                                            \
    {                                                                                                            \
        dw_##name##_1_1, dw_##name##_1_2, dw_##name##_1_3, dw_##name##_1_4, dw_##name##_1_5, dw_##name##_1_6,      \
            dw_##name##_1_7, dw_##name##_1_8                                                                      \
    }
#define DW_ROW2(name)                                                                                            \
    {                                                                                                            \
        DW_ROW1(name), {dw_##name##_2_1, dw_##name##_2_2, dw_##name##_2_3, dw_##name##_2_4}                       \
    }
static const struct dw_kind {
    int32_t k, s;
    dw_fn *fn[2][DW_COLS]; /* [rows - 1][columns - 1] */
} dw_kinds[] = {{3, 1, DW_ROW2(k3s1)}, {3, 2, DW_ROW2(k3s2)}, {5, 1, DW_ROW2(k5s1)}, {5, 2, DW_ROW2(k5s2)},
                {7, 1, DW_ROW2(k7s1)}, {7, 2, DW_ROW2(k7s2)}, {0, 0, {DW_ROW1(any)}}};

INL const struct dw_kind *dw_kind(const struct cpu_conv *s)
{
    const struct dw_kind *kind = dw_kinds;
    while (kind->k && (s->dilation > 1 || kind->k != s->kw || kind->s != s->stride))
        kind++;
    return kind;
}

/* The ring: geometry of a padded row, how many there are, and output rows done at a time: two where they are narrow. */
struct dw_ring {
    int wide, rows, high; /* wide: pixels */
    size_t line;          /* floats */
};

static struct dw_ring dw_ring(const struct cpu_conv *s)
{
    struct dw_ring r = {.wide = (s->ow - 1) * s->stride + (s->kw - 1) * s->dilation + 1};
    r.high = dw_kind(s)->k && s->ow <= DW_COLS / 2 && s->oh > 1 ? 2 : 1;
    r.rows = (s->kh - 1) * s->dilation + 1 + (r.high - 1) * s->stride;
    r.line = (size_t)r.wide * 16;
    return r;
}

/* Floats of a ring of `blocks` channel blocks and the row of zeros. */
static size_t dw_ring_floats(const struct dw_ring *r, int blocks)
{
    return ((size_t)r->rows * (size_t)blocks + 1) * r->line;
}

/* Columns of an input row that lie in the ring: a stride may leave the last ones unread. */
INL int dw_ring_cols(const struct dw_ring *r, const struct cpu_conv *s)
{
    int room = r->wide - s->pad_w;
    return room < 0 ? 0 : room < s->w ? room : s->w;
}

/* The input row past the last one that output rows ..y (exclusive) read. */
INL int dw_need(const struct cpu_conv *s, int y)
{
    int end = (y - 1) * s->stride - s->pad_h + (s->kh - 1) * s->dilation + 1;
    return end < s->h ? end : s->h;
}

static struct dw dw_make(const struct cpu_conv *s, const struct blob *blob, const struct cpu_affine *out, int block)
{
    struct dw d = {.w = (const float *)blob + blob->w + (size_t)block * (size_t)blob->taps * 16,
                   .kh = s->kh,
                   .kw = s->kw,
                   .stride = s->stride,
                   .dilation = s->dilation};
    tile_ends(d.end, s, out, block);
    return d;
}

/* `high` output rows from row y of one block: `ring` holds their input rows, `zeros` is the row of zeros. */
static void dw_rows(const struct dw *d, const struct cpu_conv *s, const struct dw_ring *r, const float *ring,
                    const float *zeros, int y, int high, float *to, const float *residual)
{
    const float *rows[MAX_TAPS + 2];
    int top = y * s->stride - s->pad_h, step = s->dilation;
    for (int i = 0; i < s->kh + (high - 1) * s->stride; i++) {
        int at = top + i * step;
        rows[i] = at < 0 || at >= s->h ? zeros : ring + (size_t)(at % r->rows) * r->line;
    }
    const struct dw_kind *kind = dw_kind(s);
    struct tile_cut cut = tile_cut(s->ow, DW_COLS);
    size_t wide = (size_t)(cut.more * (cut.width + 1)) * 16;
    if (cut.more)
        kind->fn[high - 1][cut.width](d, rows, 0, to, residual, cut.more);
    kind->fn[high - 1][cut.width - 1](d, rows, wide * (size_t)s->stride, to + wide,
                                      residual ? residual + wide : NULL, cut.parts - cut.more);
}

static size_t depthwise_floats(const struct cpu_conv *s)
{
    struct dw_ring r = dw_ring(s);
    return dw_ring_floats(&r, 1);
}

static void depthwise_image(const struct conv_run *c, const struct dw *d, const struct dw_ring *r, int block, int image,
                            float *ring)
{
    const struct cpu_conv *s = &c->a->shape;
    const float *x = image_block(s, c->a->x, image, block);
    size_t size = (size_t)s->oh * (size_t)s->ow * 16, at = (size_t)(block * s->n + image) * size;
    int cols = dw_ring_cols(r, s);
    for (int y = 0, next = 0, high; y < s->oh; y += high) {
        high = y + r->high <= s->oh ? r->high : 1;
        for (int need = dw_need(s, y + high); next < need; next++)
            copy_pixels(ring + (size_t)(next % r->rows) * r->line + s->pad_w * 16, 16, x + (size_t)(next * s->w) * 16,
                        16, cols, c->a->in, block);
        size_t row = at + (size_t)(y * s->ow) * 16;
        dw_rows(d, s, r, ring, ring + (size_t)r->rows * r->line, y, high, c->a->y + row,
                c->a->residual ? c->a->residual + row : NULL);
    }
}

static void depthwise(const struct conv_run *c, float *buf)
{
    const struct cpu_conv *s = &c->a->shape;
    struct dw_ring r = dw_ring(s);
    int64_t hw = (int64_t)s->oh * s->ow;
    memset(buf, 0, dw_ring_floats(&r, 1) * 4); /* the padding columns stay so */
    for (int block = 0; block < blocks_of(s->c); block++) {
        struct dw d = dw_make(s, c->blob, &c->a->out, block);
        for (int i = 0; i < s->n; i++) {
            depthwise_image(c, &d, &r, block, i, buf);
            block_done(c->a->y + block * c->pixels * 16, i * hw, (i + 1) * hw, c->a->out.act, 16,
                       s->c - block * 16 < 16 ? s->c - block * 16 : 16, c->runs ? c->runs + block : NULL);
        }
    }
}

#endif
