/* conv: dense and grouped convolutions, driven panel by panel. A 1x1 reads the blocks where they lie (or a gathered,
 * transformed copy of a few pixels); a larger window reads a padded copy of a band of rows, but for those that are left
 * to winograd.h. No im2col.
 *
 * The sum is cut into pieces whose weights fit half the first-level cache; the bare sum waits in y between pieces, so
 * the chain of additions stays the same. */
#ifndef WORKER_ENGINE_CPU_CONV_H
#define WORKER_ENGINE_CPU_CONV_H

#define PIECE_FLOATS (16 * 1024 / 4)
#define POINTS       CPU_RUN /* pixels of a 1x1 done together */
#define BAND_FLOATS  (160 * 1024 / 4)
enum { MAX_TAPS = 1024 };

/* An area of output pixels with its input: images of rows of columns. */
struct area {
    const float *a;
    size_t a_block, a_row, a_image;
    int images, rows, cols;
    int64_t pixel; /* the area's first output pixel */
};

struct conv_run {
    const struct cpu_conv_args *a;
    const struct blob *blob;
    const int32_t *tap;
    struct run *runs; /* NULL: no statistics */
    int64_t pixels;
};

static void panel_area(const struct conv_run *c, const struct panel *p, const struct area *r)
{
    const struct cpu_affine *out = &c->a->out;
    int lanes = p->units * UNIT;
    int most = PIECE_FLOATS / (c->blob->taps * 16 * lanes);
    size_t at = (size_t)((p->o / 16) * c->pixels + r->pixel) * 16 + (size_t)(p->o % 16);
    struct tile t = {.w = (const float *)c->blob + p->w,
                     .block = r->a_block,
                     .tap = c->tap,
                     .taps = c->blob->taps,
                     .y_block = (size_t)c->pixels * 16,
                     .y_row = (size_t)r->cols * 16,
                     .scale = out->scale ? out->scale + p->o : NULL,
                     .shift = out->scale ? out->shift + p->o : NULL,
                     .act = act_is_late(out->act) ? ACT_NONE : out->act};
    most = most < 1 ? 1 : most;
    for (int b = 0; b < p->blocks; b += most) {
        t.blocks = p->blocks - b < most ? p->blocks - b : most;
        t.first = b ? 0 : p->first;
        t.last = b + t.blocks == p->blocks ? p->last : 16;
        t.resume = b > 0;
        t.suspend = b + t.blocks < p->blocks;
        for (int i = 0; i < r->images; i++) {
            size_t y = at + (size_t)i * (size_t)r->rows * t.y_row;
            tile_area(&t, p->units, r->rows, r->cols,
                      r->a + (size_t)(p->block + b) * r->a_block + (size_t)i * r->a_image, r->a_row, c->a->y + y,
                      c->a->residual ? c->a->residual + y : NULL);
        }
        t.w += (size_t)lanes * (size_t)c->blob->taps * (size_t)((t.blocks - 1) * 16 + t.last - t.first);
    }
}

/* All panels of one area; a block is completed as soon as its last panel is. */
static void conv_area(const struct conv_run *c, const struct area *r)
{
    int64_t end = r->pixel + (int64_t)r->images * r->rows * r->cols;
    for (int i = 0, block = 0; i < c->blob->npanels; i++) {
        const struct panel *p = &c->blob->panels[i];
        int32_t o = p->o + p->units * UNIT;
        panel_area(c, p, r);
        int done = i + 1 < c->blob->npanels ? o / 16 : blocks_of(c->blob->o);
        for (; block < done; block++)
            block_done(c->a->y + block * c->pixels * 16, r->pixel, end, c->a->out.act,
                       o - block * 16 < 16 ? o - block * 16 : 16,
                       c->blob->o - block * 16 < 16 ? c->blob->o - block * 16 : 16, c->runs ? c->runs + block : NULL);
    }
}

/* Gathers in(x) of output pixels p0.. of a 1x1 into [block][POINTS][16]. */
static void gather_points(const struct cpu_conv *s, const float *x, const struct cpu_affine *in, int64_t p0, int n,
                          float *buf)
{
    int64_t hw = (int64_t)s->oh * s->ow;
    for (int block = 0; block < blocks_of(s->c); block++, buf += POINTS * 16)
        for (int64_t p = p0; p < p0 + n;) {
            int64_t i = p / hw, y = p % hw / s->ow, col = p % s->ow, len = s->ow - col;
            const float *img = image_block(s, x, (int)i, block);
            if (s->stride == 1) { /* rows follow each other */
                len = hw - p % hw;
            }
            len = len < p0 + n - p ? len : p0 + n - p;
            int64_t at = (y * s->w + col) * s->stride;
            if (s->planar)
                copy_planar(buf + (p - p0) * 16, img + at, (size_t)s->stride, len, (size_t)s->h * (size_t)s->w,
                            s->c - block * 16 < 16 ? s->c - block * 16 : 16);
            else
                copy_pixels(buf + (p - p0) * 16, 16, img + at * 16, (size_t)s->stride * 16, len, in, block);
            p += len;
        }
}

static void conv_points(const struct conv_run *c, float *buf)
{
    const struct cpu_conv *s = &c->a->shape;
    int direct = !c->a->in && s->stride == 1 && !s->planar;
    for (int64_t p = 0; p < c->pixels; p += POINTS) {
        int n = c->pixels - p < POINTS ? (int)(c->pixels - p) : POINTS;
        struct area r = {.images = 1, .rows = 1, .cols = n, .pixel = p};
        if (direct) {
            r.a = c->a->x + p * 16;
            r.a_block = (size_t)c->pixels * 16;
        } else {
            gather_points(s, c->a->x, c->a->in, p, n, buf);
            r.a = buf;
            r.a_block = POINTS * 16;
        }
        conv_area(c, &r);
    }
}

static void conv_window(const struct conv_run *whole, float *buf)
{
    struct conv_run with_taps = *whole, *c = &with_taps;
    const struct cpu_conv *s = &c->a->shape;
    struct band b = band_choose(s, blocks_of(s->c), BAND_FLOATS);
    int32_t tap[MAX_TAPS];
    band_taps(s, &b, tap);
    c->tap = tap;
    for (int i = 0; i < s->n; i += b.images)
        for (int y = 0; y < s->oh; y += b.rows) {
            struct band part =
                band_of(s, s->oh - y < b.rows ? s->oh - y : b.rows, s->n - i < b.images ? s->n - i : b.images);
            fill_band(s, &part, c->a->x, c->a->in, i, y, buf);
            struct area r = {.a = buf,
                             .a_block = part.block,
                             .a_row = part.line * (size_t)s->stride,
                             .a_image = part.image,
                             .images = part.images,
                             .rows = part.rows,
                             .cols = s->ow,
                             .pixel = ((int64_t)i * s->oh + y) * s->ow};
            conv_area(c, &r);
        }
}

INL int is_points(const struct cpu_conv *s)
{
    return s->kh == 1 && s->kw == 1 && s->pad_h == 0 && s->pad_w == 0;
}

INL size_t runs_bytes(int32_t c)
{
    return round_up((size_t)blocks_of(c) * sizeof(struct run), CPU_ALIGN);
}

static void depthwise(const struct conv_run *c, float *buf);
static size_t depthwise_floats(const struct cpu_conv *s);
static void winograd(const struct conv_run *c, float *buf);
static size_t winograd_floats(const struct cpu_conv *s);

static size_t conv_work(const struct cpu_conv *s)
{
    size_t floats = is_depthwise(s)   ? depthwise_floats(s)
                    : wino_rows(s) ? winograd_floats(s)
                    : is_points(s)   ? (size_t)blocks_of(s->c) * POINTS * 16
                                     : (size_t)blocks_of(s->c) * band_choose(s, blocks_of(s->c), BAND_FLOATS).block;
    return runs_bytes(s->o) + floats * 4;
}

static void conv(const struct cpu_conv_args *a)
{
    const struct cpu_conv *s = &a->shape;
    static const int32_t none[1] = {0};
    struct conv_run c = {.a = a, .blob = a->packed, .tap = none, .pixels = (int64_t)s->n * s->oh * s->ow};
    float *buf = (float *)a->work + runs_bytes(s->o) / 4;
    assert(c.blob->c == s->c && c.blob->o == s->o && c.blob->taps <= MAX_TAPS);
    assert(c.blob->sets > 1 ? wino_rows(s) : c.blob->taps == s->kh * s->kw);
    assert(!s->planar || (!a->in && s->groups == 1));
    if (a->stats.mean) {
        c.runs = a->work;
        memset(c.runs, 0, runs_bytes(s->o));
    }
    if (is_depthwise(s))
        depthwise(&c, buf);
    else if (c.blob->sets > 1)
        winograd(&c, buf);
    else if (is_points(s))
        conv_points(&c, buf);
    else
        conv_window(&c, buf);
    if (c.runs)
        runs_finish(c.runs, a->y, s->o, c.pixels, &a->stats);
}

#endif
