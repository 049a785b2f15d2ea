/* expand: a 1x1 convolution and the depthwise one behind it, without storing what is between them.
 *
 * Image by image and panel by panel, the 1x1 writes its rows into the padded ring from which the depthwise tiles read:
 * ring, panel and the image's input stay in the first two levels of the cache. */
#ifndef WORKER_ENGINE_CPU_EXPAND_H
#define WORKER_ENGINE_CPU_EXPAND_H

static size_t expand_input_floats(const struct cpu_conv *e)
{
    return (size_t)blocks_of(e->c) * (size_t)e->h * (size_t)e->w * 16;
}

static size_t expand_work(const struct cpu_conv *e, const struct cpu_conv *d)
{
    struct dw_ring r = dw_ring(d);
    return runs_bytes(d->o) + 4 * (dw_ring_floats(&r, PANEL_BLOCKS) + expand_input_floats(e));
}

struct expand_run {
    const struct cpu_expand_args *a;
    const struct blob *eb, *db;
    struct dw_ring r;
    struct run *runs;
    float *ring, *zeros, *x; /* ring [block][row][wide][16]; x: in(x) of one image */
};

/* Input row `row` of the image at x, expanded into the ring. */
static void expand_row(const struct expand_run *c, struct tile *t, const struct panel *p, const float *x, int row,
                       int cols)
{
    const struct cpu_conv *e = &c->a->expand;
    int act = c->a->mid.act;
    float *y = c->ring + (size_t)(row % c->r.rows) * c->r.line + c->a->dw.pad_w * 16;
    tile_area(t, p->units, 1, cols, x + (size_t)(row * e->w) * 16, 0, y, NULL);
    for (int v = 0; act_is_late(act) && v < blocks_of(p->units * UNIT); v++)
        for (int i = 0; i < cols * 16; i += VL)
            v_store(y + (size_t)v * t->y_block + i, v_act(act, v_load(y + (size_t)v * t->y_block + i)));
}

/* One panel of one image: its outputs of the depthwise convolution. */
static void expand_panel(const struct expand_run *c, const struct panel *p, int image, const float *x, size_t x_block)
{
    static const int32_t none[1] = {0};
    const struct cpu_conv *d = &c->a->dw;
    const struct cpu_affine *mid = &c->a->mid;
    struct tile t = {.w = (const float *)c->eb + p->w, .block = x_block, .tap = none, .taps = 1, .blocks = p->blocks,
                     .first = p->first, .last = p->last, .y_block = (size_t)c->r.rows * c->r.line,
                     .scale = mid->scale ? mid->scale + p->o : NULL,
                     .shift = mid->scale ? mid->shift + p->o : NULL,
                     .act = act_is_late(mid->act) ? ACT_NONE : mid->act};
    int blocks = blocks_of(p->units * UNIT), cols = dw_ring_cols(&c->r, d);
    int64_t hw = (int64_t)d->oh * d->ow;
    struct dw dw[PANEL_BLOCKS];
    for (int v = 0; v < blocks; v++)
        dw[v] = dw_make(d, c->db, &c->a->out, p->o / 16 + v);
    for (int y = 0, next = 0, high; y < d->oh; y += high) {
        high = y + c->r.high <= d->oh ? c->r.high : 1;
        for (int need = dw_need(d, y + high); cols && next < need; next++)
            expand_row(c, &t, p, x, next, cols);
        for (int v = 0; v < blocks; v++)
            dw_rows(&dw[v], d, &c->r, c->ring + (size_t)v * t.y_block, c->zeros, y, high,
                    c->a->y + (size_t)(((p->o / 16 + v) * d->n + image) * hw + y * d->ow) * 16, NULL);
    }
    for (int v = 0; v < blocks; v++) {
        int block = p->o / 16 + v;
        block_done(c->a->y + block * d->n * hw * 16, image * hw, (image + 1) * hw, c->a->out.act, 16,
                   d->c - block * 16 < 16 ? d->c - block * 16 : 16, c->runs ? c->runs + block : NULL);
    }
}

static void expand(const struct cpu_expand_args *a)
{
    const struct cpu_conv *e = &a->expand, *d = &a->dw;
    struct expand_run c = {.a = a, .eb = a->expand_packed, .db = a->dw_packed, .r = dw_ring(d)};
    size_t hw = (size_t)e->h * (size_t)e->w * 16, x_block = a->in ? hw : (size_t)e->n * hw;
    assert(is_depthwise(d) && is_points(e) && e->stride == 1 && e->groups == 1);
    assert(c.eb->o == d->c && c.db->c == d->c && c.db->taps <= MAX_TAPS && e->n == d->n);
    if (a->stats.mean) {
        c.runs = a->work;
        memset(c.runs, 0, runs_bytes(d->o));
    }
    c.ring = (float *)a->work + runs_bytes(d->o) / 4;
    c.zeros = c.ring + (size_t)c.r.rows * PANEL_BLOCKS * c.r.line;
    c.x = c.zeros + c.r.line;
    memset(c.ring, 0, dw_ring_floats(&c.r, PANEL_BLOCKS) * 4); /* the padding columns stay so */
    for (int i = 0; i < d->n; i++) {
        const float *x = a->x + (size_t)i * hw;
        for (int block = 0; a->in && block < blocks_of(e->c); block++)
            copy_pixels(c.x + (size_t)block * hw, 16, image_block(e, a->x, i, block), 16, (int64_t)e->h * e->w, a->in,
                        block);
        for (int p = 0; p < c.eb->npanels; p++)
            expand_panel(&c, &c.eb->panels[p], i, a->in ? c.x : x, x_block);
    }
    if (c.runs)
        runs_finish(c.runs, a->y, d->o, (int64_t)d->n * d->oh * d->ow, &a->stats);
}

#endif
