/* expand: a 1x1 convolution and the depthwise one behind it, without storing what is between them.
 *
 * For each image and band of output rows, each panel of the 1x1 writes its rows into a padded buffer, from which the
 * depthwise tiles read. Rows that the next band needs again wait in the panel's halo. */
#ifndef WORKER_ENGINE_CPU_EXPAND_H
#define WORKER_ENGINE_CPU_EXPAND_H

#define EXPAND_FLOATS (192 * 1024 / 4) /* of the input's rows and one panel's band together */

struct expand_plan {
    struct cpu_conv plain; /* the depthwise convolution's geometry with stride 1 */
    struct band b;
    int rows, in_rows, halo; /* output rows of a band, its input rows, those the next band shares */
    int most;                /* blocks of the widest panel */
    size_t block, x, panel;  /* floats: one block's band, in(x) of one band, one panel's halo */
};

static struct expand_plan expand_plan(const struct cpu_conv *e, const struct cpu_conv *d)
{
    struct expand_plan p = {.plain = dw_plain(d), .most = blocks_of(3 * UNIT)};
    p.b = band_of(&p.plain, 1, 1);
    size_t x_line = (size_t)blocks_of(e->c) * (size_t)e->w * 16;
    p.rows = dw_rows(d, p.b.line * 2 + x_line, EXPAND_FLOATS);
    p.in_rows = dw_in_rows(d, p.rows);
    p.halo = (d->kh - 1) * d->dilation + 1 - d->stride;
    p.halo = p.halo < 0 || p.rows == d->oh ? 0 : p.halo;
    p.block = (size_t)p.in_rows * p.b.line;
    p.x = (size_t)p.in_rows * x_line;
    p.panel = (size_t)p.most * (size_t)p.halo * p.b.line;
    return p;
}

static size_t expand_work(const struct cpu_conv *e, const struct cpu_conv *d)
{
    struct expand_plan p = expand_plan(e, d);
    size_t panels = (size_t)(e->o + UNIT - 1) / UNIT;
    return runs_bytes(d->o) + 4 * ((size_t)p.most * p.block + p.x + panels * p.panel);
}

struct expand_run {
    const struct cpu_expand_args *a;
    const struct blob *eb, *db;
    struct expand_plan p;
    const int32_t *tap;
    struct run *runs;
    float *band, *x, *halo;
};

/* Rows from.. of the band (counted from input row `top`) of one panel, from the image's input. */
static void expand_rows(const struct expand_run *c, const struct panel *p, int image, int top, int from, int to)
{
    const struct cpu_conv *e = &c->a->expand;
    const struct cpu_affine *mid = &c->a->mid;
    static const int32_t none[1] = {0};
    struct tile t = {.w = (const float *)c->eb + p->w, .tap = none, .taps = 1, .blocks = p->blocks,
                     .first = p->first, .last = p->last, .y_block = c->p.block, .y_row = c->p.b.line,
                     .scale = mid->scale ? mid->scale + p->o : NULL,
                     .shift = mid->scale ? mid->shift + p->o : NULL,
                     .act = act_is_late(mid->act) ? ACT_NONE : mid->act};
    int pad = c->p.plain.pad_w, wide = (int)(c->p.b.line / 16);
    int cols = e->w < wide - pad ? e->w : wide - pad; /* a stride may leave the last columns unread */
    int lo = top + from < 0 ? -top : from, hi = top + to > e->h ? e->h - top : to;
    lo = lo > to ? to : lo;
    hi = hi < lo ? lo : hi;
    for (int v = 0; v < blocks_of(p->units * UNIT); v++) {
        float *block = c->band + (size_t)v * c->p.block;
        memset(block + (size_t)from * c->p.b.line, 0, (size_t)(lo - from) * c->p.b.line * 4);
        memset(block + (size_t)hi * c->p.b.line, 0, (size_t)(to - hi) * c->p.b.line * 4);
    }
    if (hi <= lo || cols <= 0)
        return;
    const float *x = c->a->x + ((size_t)image * (size_t)e->h + (size_t)(top + lo)) * (size_t)e->w * 16;
    t.block = (size_t)e->n * (size_t)e->h * (size_t)e->w * 16;
    if (c->a->in) {
        x = c->x + (size_t)lo * (size_t)e->w * 16;
        t.block = (size_t)c->p.in_rows * (size_t)e->w * 16;
    }
    float *y = c->band + (size_t)lo * c->p.b.line + (size_t)pad * 16;
    tile_area(&t, p->units, hi - lo, cols, x, (size_t)e->w * 16, y, NULL);
    if (!act_is_late(mid->act))
        return;
    for (int v = 0; v < blocks_of(p->units * UNIT); v++)
        for (int r = 0; r < hi - lo; r++)
            for (int i = 0; i < cols * 16; i += VL) {
                float *at = y + (size_t)v * c->p.block + (size_t)r * c->p.b.line + i;
                v_store(at, v_act(mid->act, v_load(at)));
            }
}

/* One panel of one band: its input rows, then the depthwise outputs of its blocks. */
static void expand_panel(const struct expand_run *c, const struct panel *p, float *halo, int image, int y0, int rows)
{
    const struct cpu_conv *d = &c->a->dw;
    int top = y0 * d->stride - d->pad_h, in_rows = dw_in_rows(d, rows), kept = y0 ? c->p.halo : 0;
    int64_t pixels = (int64_t)d->n * d->oh * d->ow, pixel = ((int64_t)image * d->oh + y0) * d->ow;
    size_t keep = (size_t)c->p.halo * c->p.b.line, next = (size_t)(rows * d->stride) * c->p.b.line;
    int blocks = blocks_of(p->units * UNIT);
    for (int v = 0; v < blocks && kept; v++)
        memcpy(c->band + (size_t)v * c->p.block, halo + (size_t)v * keep, keep * 4);
    expand_rows(c, p, image, top, kept, in_rows);
    for (int v = 0; v < blocks; v++) {
        int block = p->o / 16 + v, lanes = d->c - block * 16 < 16 ? d->c - block * 16 : 16;
        float *from = c->band + (size_t)v * c->p.block, *y = c->a->y + block * pixels * 16;
        if (c->p.halo && y0 + rows < d->oh)
            memcpy(halo + (size_t)v * keep, from + next, keep * 4);
        struct dw dw = dw_make(d, c->db, &c->a->out, block, c->p.b.line, c->tap);
        dw_area(&dw, rows, d->ow, from, y + pixel * 16);
        block_done(y, pixel, pixel + (int64_t)rows * d->ow, c->a->out.act, 16, lanes, c->runs ? c->runs + block : NULL);
    }
}

/* in(x) of the band's rows, for all panels. */
static void expand_input(const struct expand_run *c, int image, int top, int rows)
{
    const struct cpu_conv *e = &c->a->expand;
    int lo = top < 0 ? -top : 0, hi = top + rows > e->h ? e->h - top : rows;
    for (int block = 0; block < blocks_of(e->c) && hi > lo; block++)
        copy_pixels(c->x + ((size_t)block * (size_t)c->p.in_rows + (size_t)lo) * (size_t)e->w * 16, 16,
                    image_block(e, c->a->x, image, block) + (size_t)(top + lo) * (size_t)e->w * 16, 16,
                    (int64_t)(hi - lo) * e->w, c->a->in, block);
}

static void expand(const struct cpu_expand_args *a)
{
    const struct cpu_conv *d = &a->dw;
    struct expand_run c = {.a = a, .eb = a->expand_packed, .db = a->dw_packed, .p = expand_plan(&a->expand, d)};
    int32_t tap[MAX_TAPS];
    assert(is_depthwise(d) && is_points(&a->expand) && a->expand.stride == 1 && a->expand.groups == 1);
    assert(c.eb->o == d->c && c.db->c == d->c && c.db->taps <= MAX_TAPS && a->expand.n == d->n);
    band_taps(&c.p.plain, &c.p.b, tap);
    c.tap = tap;
    if (a->stats.mean) {
        c.runs = a->work;
        memset(c.runs, 0, runs_bytes(d->o));
    }
    c.band = (float *)a->work + runs_bytes(d->o) / 4;
    c.x = c.band + (size_t)c.p.most * c.p.block;
    c.halo = c.x + c.p.x;
    memset(c.band, 0, (size_t)c.p.most * c.p.block * 4); /* the padding columns stay so */
    for (int i = 0; i < d->n; i++)
        for (int y0 = 0; y0 < d->oh; y0 += c.p.rows) {
            int rows = d->oh - y0 < c.p.rows ? d->oh - y0 : c.p.rows;
            if (a->in)
                expand_input(&c, i, y0 * d->stride - d->pad_h, dw_in_rows(d, rows));
            for (int p = 0; p < c.eb->npanels; p++)
                expand_panel(&c, &c.eb->panels[p], c.halo + (size_t)p * c.p.panel, i, y0, rows);
        }
    if (c.runs)
        runs_finish(c.runs, a->y, d->o, (int64_t)d->n * d->oh * d->ow, &a->stats);
}

#endif
