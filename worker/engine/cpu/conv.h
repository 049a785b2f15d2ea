/* conv: dense and grouped convolutions, driven panel by panel. A 1x1 reads the blocks where they lie (or a gathered,
 * transformed copy of a few pixels); a larger window reads a padded copy of a band of rows, but for those that are left
 * to winograd.h. No im2col.
 *
 * The sum is cut into pieces; the bare sum waits in y between them, so the chain of additions stays the same. The
 * pieces of a window have weights that fit half the first-level cache. Those of a 1x1 have at most POINTS_BLOCKS
 * channel blocks, and it takes all panels of a piece before the next, so that the inputs which each panel reads anew
 * stay in the second level. */
#ifndef WORKER_ENGINE_CPU_CONV_H
#define WORKER_ENGINE_CPU_CONV_H

#define PIECE_FLOATS  (16 * 1024 / 4)
#define POINTS        CPU_RUN      /* pixels of a 1x1 done together */
#define POINTS_STEP   (POINTS + 6) /* of their copy from block to block: no power of two, lest the blocks share sets */
#define POINTS_BLOCKS 16           /* channel blocks of a piece of theirs */
#define BAND_FLOATS   (160 * 1024 / 4)
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

/* Adds what the panel's blocks from..to (exclusive, of its own) contribute; r->a is the first one's input. */
static void panel_piece(const struct conv_run *c, const struct panel *p, const struct area *r, int from, int to)
{
    const struct cpu_affine *out = &c->a->out;
    int lanes = p->units * UNIT;
    size_t at = (size_t)((p->o / 16) * c->pixels + r->pixel) * 16 + (size_t)(p->o % 16);
    size_t skipped = from ? (size_t)(from * 16 - p->first) : 0; /* lanes */
    struct tile t = {.w = (const float *)c->blob + p->w + (size_t)lanes * (size_t)c->blob->taps * skipped,
                     .block = r->a_block,
                     .tap = c->tap,
                     .taps = c->blob->taps,
                     .blocks = to - from,
                     .first = from ? 0 : p->first,
                     .last = to == p->blocks ? p->last : 16,
                     .resume = from > 0,
                     .suspend = to < p->blocks,
                     .y_block = (size_t)c->pixels * 16,
                     .y_row = (size_t)r->cols * 16,
                     .scale = out->scale ? out->scale + p->o : NULL,
                     .shift = out->scale ? out->shift + p->o : NULL,
                     .act = act_is_late(out->act) ? ACT_NONE : out->act};
    for (int i = 0; i < r->images; i++) {
        size_t y = at + (size_t)i * (size_t)r->rows * t.y_row;
        tile_area(&t, p->units, r->rows, r->cols, r->a + (size_t)i * r->a_image, r->a_row, c->a->y + y,
                  c->a->residual ? c->a->residual + y : NULL);
    }
}

/* The whole sum of a panel; r->a is channel block 0's input. */
static void panel_area(const struct conv_run *c, const struct panel *p, const struct area *r)
{
    int most = PIECE_FLOATS / (c->blob->taps * 16 * p->units * UNIT);
    most = most < 1 ? 1 : most;
    for (int b = 0; b < p->blocks; b += most) {
        struct area part = *r;
        part.a += (size_t)(p->block + b) * r->a_block;
        panel_piece(c, p, &part, b, p->blocks - b < most ? p->blocks : b + most);
    }
}

/* Panel i is complete: so are the blocks that it ends, and those before it from block `done` on. Returns the first that
 * is not. */
static int panel_done(const struct conv_run *c, int i, int done, int64_t from, int64_t to)
{
    const struct panel *p = &c->blob->panels[i];
    int32_t o = p->o + p->units * UNIT;
    int end = i + 1 < c->blob->npanels ? o / 16 : blocks_of(c->blob->o);
    for (; done < end; done++)
        block_done(c->a->y + done * c->pixels * 16, from, to, c->a->out.act, o - done * 16 < 16 ? o - done * 16 : 16,
                   c->blob->o - done * 16 < 16 ? c->blob->o - done * 16 : 16, c->runs ? c->runs + done : NULL);
    return done;
}

/* All panels of one area; a block is completed as soon as its last panel is. */
static void conv_area(const struct conv_run *c, const struct area *r)
{
    int64_t end = r->pixel + (int64_t)r->images * r->rows * r->cols;
    for (int i = 0, done = 0; i < c->blob->npanels; i++) {
        panel_area(c, &c->blob->panels[i], r);
        done = panel_done(c, i, done, r->pixel, end);
    }
}

/* Gathers in(x) of output pixels p0.. of a 1x1, channel blocks from..to (exclusive), into [block][POINTS_STEP][16]. */
static void gather_points(const struct cpu_conv *s, const float *x, const struct cpu_affine *in, int64_t p0, int n,
                          int from, int to, float *buf)
{
    int64_t hw = (int64_t)s->oh * s->ow;
    for (int block = from; block < to; block++, buf += POINTS_STEP * 16)
        for (int64_t p = p0; p < p0 + n;) {
            int64_t i = p / hw, y = p % hw / s->ow, col = p % s->ow, len = s->ow - col;
            const float *img = image_block(s, x, (int)i, block);
            if (s->stride == 1) /* rows follow each other, and so do images but planar ones */
                len = s->planar ? hw - p % hw : n;
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

/* What blocks from..to contribute to n pixels from p on: every panel's part of the sum. */
static void points_piece(const struct conv_run *c, struct area r, int from, int to)
{
    const float *a = r.a;
    int all = blocks_of(c->blob->c);
    for (int i = 0, done = 0; i < c->blob->npanels; i++) {
        const struct panel *p = &c->blob->panels[i];
        int begin = from > p->block ? from : p->block, end = to < p->block + p->blocks ? to : p->block + p->blocks;
        if (begin < end) {
            r.a = a + (size_t)(begin - from) * r.a_block;
            panel_piece(c, p, &r, begin - p->block, end - p->block);
        }
        if (to == all)
            done = panel_done(c, i, done, r.pixel, r.pixel + r.cols);
    }
}

static void conv_points(const struct conv_run *c, float *buf)
{
    const struct cpu_conv *s = &c->a->shape;
    int direct = !c->a->in && s->stride == 1 && !s->planar, blocks = blocks_of(s->c);
    int pieces = (blocks + POINTS_BLOCKS - 1) / POINTS_BLOCKS, most = (blocks + pieces - 1) / pieces;
    for (int64_t p = 0; p < c->pixels; p += POINTS) {
        struct area r = {
            .images = 1, .rows = 1, .cols = c->pixels - p < POINTS ? (int)(c->pixels - p) : POINTS, .pixel = p};
        for (int b = 0; b < blocks; b += most) {
            int end = blocks - b < most ? blocks : b + most;
            r.a = direct ? c->a->x + (b * c->pixels + p) * 16 : buf;
            r.a_block = direct ? (size_t)c->pixels * 16 : POINTS_STEP * 16;
            if (!direct)
                gather_points(s, c->a->x, c->a->in, p, r.cols, b, end, buf);
            points_piece(c, r, b, end);
        }
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
    size_t floats = is_depthwise(s) ? depthwise_floats(s)
                    : wino_rows(s)  ? winograd_floats(s)
                    : is_points(s)
                        ? (size_t)(blocks_of(s->c) < POINTS_BLOCKS ? blocks_of(s->c) : POINTS_BLOCKS) * POINTS_STEP * 16
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
