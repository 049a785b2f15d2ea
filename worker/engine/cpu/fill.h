/* fill: moves pixels into the buffers that the inner loops read, applying the affine and activation of the operator
 * before, and laying out padding and strides so that the loops know neither; and what is done to an output block once
 * it is complete. */
#ifndef WORKER_ENGINE_CPU_FILL_H
#define WORKER_ENGINE_CPU_FILL_H

/* in(x) of n pixels of channel block `block`; steps in floats from one pixel to the next. */
static void copy_pixels(float *to, size_t to_step, const float *from, size_t from_step, int64_t n,
                        const struct cpu_affine *in, int block)
{
    if (!in) {
        for (int64_t i = 0; i < n; i++, to += to_step, from += from_step)
            UNROLL
            for (int v = 0; v < 16; v += VL)
                v_store(to + v, v_load(from + v));
        return;
    }
    vec scale[BLOCK_VECS], shift[BLOCK_VECS], lo = v_set(act_lo(in->act)), hi = v_set(act_hi(in->act));
    UNROLL
    for (int v = 0; v < BLOCK_VECS; v++) {
        scale[v] = in->scale ? v_load(in->scale + block * 16 + v * VL) : v_set(1.0f);
        shift[v] = in->scale ? v_load(in->shift + block * 16 + v * VL) : v_set(0.0f);
    }
    if (act_is_clamp(in->act)) {
        for (int64_t i = 0; i < n; i++, to += to_step, from += from_step)
            UNROLL
            for (int v = 0; v < BLOCK_VECS; v++)
                v_store(to + v * VL, v_clamp(v_fma(v_load(from + v * VL), scale[v], shift[v]), lo, hi));
        return;
    }
    for (int64_t i = 0; i < n; i++, to += to_step, from += from_step)
        for (int v = 0; v < BLOCK_VECS; v++)
            v_store(to + v * VL, v_act(in->act, v_fma(v_load(from + v * VL), scale[v], shift[v])));
}

/* n pixels of a planar image's channels c0..: lanes past C stay as they are or become 0, nothing reads them. Three
 * colours go together, for what costs is to visit the pixels of `to`. */
static void copy_planar(float *to, const float *from, size_t from_step, int64_t n, size_t plane, int lanes)
{
    typedef float four __attribute__((vector_size(16)));
    if (lanes == 3) {
        for (int64_t i = 0; i < n; i++, to += 16, from += from_step) {
            four pixel = {from[0], from[plane], from[2 * plane], 0.0f};
            memcpy(to, &pixel, sizeof pixel);
        }
        return;
    }
    for (int l = 0; l < lanes; l++, from += plane)
        for (int64_t i = 0; i < n; i++)
            to[i * 16 + l] = from[(size_t)i * from_step];
}

/* A padded copy of some rows of some images: [block][image][row][phase][column / stride][16], where phase is the
 * padded column modulo the stride; so that neighbouring outputs always read neighbouring pixels. */
struct band {
    int rows, images;          /* output rows, images */
    int in_rows;
    size_t phase, line, image, block; /* floats */
};

static struct band band_of(const struct cpu_conv *s, int rows, int images)
{
    struct band b = {.rows = rows, .images = images, .in_rows = (rows - 1) * s->stride + (s->kh - 1) * s->dilation + 1};
    int wide = (s->ow - 1) * s->stride + (s->kw - 1) * s->dilation + 1;
    b.phase = (size_t)((wide + s->stride - 1) / s->stride) * 16;
    b.line = b.phase * (size_t)s->stride;
    b.image = b.line * (size_t)b.in_rows;
    b.block = b.image * (size_t)images;
    return b;
}

/* The largest band of at most `budget` floats over `blocks` channel blocks: rows of one image, or whole images. */
static struct band band_choose(const struct cpu_conv *s, int blocks, size_t budget)
{
    int rows = s->oh;
    while (rows > 1 && (size_t)blocks * band_of(s, rows, 1).block > budget)
        rows--;
    int parts = (s->oh + rows - 1) / rows;
    rows = (s->oh + parts - 1) / parts;
    if (rows < s->oh)
        return band_of(s, rows, 1);
    size_t images = budget / ((size_t)blocks * band_of(s, rows, 1).block);
    return band_of(s, rows, images < 1 ? 1 : images > (size_t)s->n ? s->n : (int)images);
}

/* One padded input row: row `iy` of the image whose block starts at x, or zeros when it lies outside. */
static void fill_line(const struct cpu_conv *s, const struct band *b, float *line, const float *x, int iy,
                      const struct cpu_affine *in, int block)
{
    if (iy < 0 || iy >= s->h) {
        memset(line, 0, b->line * 4);
        return;
    }
    int wide = (int)(b->phase / 16), st = s->stride;
    for (int ph = 0; ph < st; ph++, line += b->phase) {
        /* column j of the phase is input column j * st + ph - pad */
        int from = s->pad_w > ph ? (s->pad_w - ph + st - 1) / st : 0, to = (s->w + s->pad_w - ph + st - 1) / st;
        from = from > wide ? wide : from;
        to = to > wide ? wide : to < from ? from : to;
        memset(line, 0, (size_t)from * 64);
        memset(line + to * 16, 0, (size_t)(wide - to) * 64);
        int64_t at = (int64_t)iy * s->w + from * st + ph - s->pad_w;
        if (s->planar)
            copy_planar(line + from * 16, x + at, (size_t)st, to - from, (size_t)s->h * (size_t)s->w,
                        s->c - block * 16 < 16 ? s->c - block * 16 : 16);
        else
            copy_pixels(line + from * 16, 16, x + at * 16, (size_t)st * 16, to - from, in, block);
    }
}

/* Where image i's part of channel block `block` begins. */
INL const float *image_block(const struct cpu_conv *s, const float *x, int i, int block)
{
    size_t hw = (size_t)s->h * (size_t)s->w;
    if (s->planar)
        return x + ((size_t)i * (size_t)s->c + (size_t)block * 16) * hw;
    return x + ((size_t)block * (size_t)s->n + (size_t)i) * hw * 16;
}

/* Fills the band for images i0.. and output rows y0.. of all channel blocks. */
static void fill_band(const struct cpu_conv *s, const struct band *b, const float *x, const struct cpu_affine *in,
                      int i0, int y0, float *buf)
{
    for (int block = 0; block < blocks_of(s->c); block++)
        for (int i = 0; i < b->images && i0 + i < s->n; i++)
            for (int r = 0; r < b->in_rows; r++)
                fill_line(s, b, buf + (size_t)block * b->block + (size_t)i * b->image + (size_t)r * b->line,
                          image_block(s, x, i0 + i, block), y0 * s->stride - s->pad_h + r, in, block);
}

static void band_taps(const struct cpu_conv *s, const struct band *b, int32_t *tap)
{
    for (int ky = 0; ky < s->kh; ky++)
        for (int kx = 0; kx < s->kw; kx++) {
            int col = kx * s->dilation;
            *tap++ = (int32_t)((size_t)(ky * s->dilation) * b->line + (size_t)(col % s->stride) * b->phase +
                               (size_t)(col / s->stride) * 16);
        }
}

/* Activations that the inner loops leave to us. */
INL int act_is_late(int32_t act)
{
    return !act_is_clamp(act) && act != ACT_HSWISH;
}

/* How the sums of a block become outputs, for each of its vectors. */
static void tile_ends(struct tile *end, const struct cpu_conv *s, const struct cpu_affine *out, int block)
{
    for (int v = 0; v < BLOCK_VECS; v++)
        end[v] = (struct tile){.y_row = (size_t)s->ow * 16,
                               .scale = out->scale ? out->scale + block * 16 + v * VL : NULL,
                               .shift = out->scale ? out->shift + block * 16 + v * VL : NULL,
                               .act = act_is_late(out->act) ? ACT_NONE : out->act};
}

/* Pixels from..to of a block that starts at y were written up to the activation: completes them. `written` lanes of
 * the block were stored, `lanes` of them are channels. */
static void block_done(float *y, int64_t from, int64_t to, int32_t act, int written, int lanes, struct run *run)
{
    if (act_is_late(act)) {
        for (int64_t i = from * 16; i < to * 16; i += VL)
            v_store(y + i, v_act(act, v_load(y + i)));
        written = act_moves_zero(act) ? lanes : written;
    }
    if (written == 8) {
        for (int64_t i = from; i < to; i++)
            memset(y + i * 16 + 8, 0, 32);
    } else if (written < 16) {
        for (int64_t i = from; i < to; i++)
            memset(y + i * 16 + written, 0, (size_t)(16 - written) * 4);
    }
    if (run)
        run_advance(run, y, to);
}

#endif
