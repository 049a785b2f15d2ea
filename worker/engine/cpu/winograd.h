/* winograd: a dense 3x3 convolution of stride 1 with a third or a quarter of the products: F(2x4, 3x3) and F(4x4, 3x3),
 * Lavin and Gray 2015.
 *
 * A tile of 2 or 4 rows by 4 columns of outputs is A' [sum over c of (G g G') * (B' d B)] A, where d are its inputs (2
 * more of both) and * multiplies element by element; so each of 24 or 36 positions is a 1x1 convolution over the tiles,
 * which the inner loops of tile.h do, with weights transformed when they are packed. The polynomials are evaluated at
 * 0, +-1 and infinity along two outputs, at 0, +-sqrt(1/2), +-sqrt(2) and infinity along four (sums of squares 1/2, 2,
 * 5/2). Rounding, beside the direct kernel's: about the same with two rows, up to twice as much with four (and four
 * times at 0, +-1, +-2).
 *
 * A strip of tiles at a time: padded inputs (fill.h), transformed inputs, and one panel's products stay in the second
 * level of the cache. Tiles start at each image's corner, so an output never depends on the batch. */
#ifndef WORKER_ENGINE_CPU_WINOGRAD_H
#define WORKER_ENGINE_CPU_WINOGRAD_H

enum { WINO_TILES = 36 };

/* One dimension of B' d B: m + 2 inputs. */
INL void wino_in(const int m, const vec *d, vec *t)
{
    if (m == 2) {
        t[0] = d[0] - d[2];
        t[1] = d[1] + d[2];
        t[2] = d[2] - d[1];
        t[3] = d[3] - d[1];
        return;
    }
    vec a = v_set(0.707106781f), b = v_set(1.41421356f), mid = v_set(-2.5f), half = v_set(-0.5f), two = v_set(-2.0f);
    vec e1 = v_fma(two, d[2], d[4]), o1 = a * v_fma(two, d[1], d[3]);
    vec e2 = v_fma(half, d[2], d[4]), o2 = b * v_fma(half, d[1], d[3]);
    t[0] = v_fma(mid, d[2], d[4]) + d[0];
    t[1] = e1 + o1;
    t[2] = e1 - o1;
    t[3] = e2 + o2;
    t[4] = e2 - o2;
    t[5] = v_fma(mid, d[3], d[5]) + d[1];
}

/* One dimension of A' p A: m outputs. */
INL void wino_out(const int m, const vec *p, vec *y)
{
    if (m == 2) {
        y[0] = p[0] + (p[1] + p[2]);
        y[1] = (p[1] - p[2]) + p[3];
        return;
    }
    vec s1 = p[1] + p[2], d1 = v_set(0.707106781f) * (p[1] - p[2]);
    vec s2 = p[3] + p[4], d2 = v_set(1.41421356f) * (p[3] - p[4]);
    y[0] = p[0] + s1 + s2;
    y[1] = d1 + d2;
    y[2] = v_fma(v_set(2.0f), s2, v_set(0.5f) * s1);
    y[3] = v_fma(v_set(2.0f), d2, v_fma(v_set(0.5f), d1, p[5]));
}

/* Transforms the inputs of a tile of m rows, of one block at x, into planes. */
INL void wino_load(const int m, const float *x, size_t line, float *to, size_t plane)
{
    for (int v = 0; v < 16; v += VL) {
        vec t[6][6];
        for (int j = 0; j < 6; j++) {
            vec d[6], column[6];
            UNROLL
            for (int i = 0; i < m + 2; i++)
                d[i] = v_load(x + (size_t)i * line + j * 16 + v);
            wino_in(m, d, column);
            UNROLL
            for (int i = 0; i < m + 2; i++)
                t[i][j] = column[i];
        }
        for (int i = 0; i < m + 2; i++) {
            vec row[6];
            wino_in(4, t[i], row);
            UNROLL
            for (int j = 0; j < 6; j++)
                v_store(to + (size_t)(i * 6 + j) * plane + v, row[j]);
        }
    }
}

/* The products p of one tile and block become rows x cols of its m x 4 outputs; end: of each vector of the block. */
INL void wino_store(const int m, const float *p, size_t plane, const struct tile *end, int rows, int cols, float *y,
                    const float *residual)
{
    for (int v = 0; v < 16; v += VL, end++) {
        vec t[4][6];
        for (int j = 0; j < 6; j++) {
            vec column[6], part[4];
            UNROLL
            for (int i = 0; i < m + 2; i++)
                column[i] = v_load(p + (size_t)(i * 6 + j) * plane + v);
            wino_out(m, column, part);
            UNROLL
            for (int i = 0; i < m; i++)
                t[i][j] = part[i];
        }
        for (int i = 0; i < rows; i++) {
            vec out[4];
            size_t at = (size_t)i * end->y_row + (size_t)v;
            const float *add = residual ? residual + at : NULL;
            wino_out(4, t[i], out);
            if (cols == 4)
                tile_end(1, 4, 1, 1, end, out, y + at, add);
            else
                UNROLL
            for (int j = 0; j < 3; j++)
                if (j < cols)
                    tile_end(1, 1, 1, 1, end, out + j, y + at + j * 16, add ? add + j * 16 : NULL);
        }
    }
}

#define WINO_FNS(m)                                                                                                    \
    static void wino_load_##m(const float *x, size_t line, float *to, size_t plane)                                    \
    {                                                                                                                  \
        wino_load(m, x, line, to, plane);                                                                              \
    }                                                                                                                  \
    static void wino_store_##m(const float *p, size_t plane, const struct tile *end, int rows, int cols, float *y,     \
                               const float *residual)                                                                  \
    {                                                                                                                  \
        wino_store(m, p, plane, end, rows, cols, y, residual);                                                         \
    }
WINO_FNS(2)
WINO_FNS(4)

/* Geometry of a strip: `rows` rows of `across` tiles of each of some images. */
struct strip {
    int m;             /* rows of a tile */
    struct cpu_conv s; /* the convolution with its output rounded up to whole tiles */
    struct band band;
    int rows, across, tiles;
    size_t in_plane, out_plane; /* floats; a cache line apart, lest all planes fall into the same sets */
};

static struct strip strip_of(const struct cpu_conv *s, int rows, int images)
{
    struct strip p = {.m = wino_rows(s), .s = *s, .rows = rows, .across = (s->ow + 3) / 4};
    p.s.oh = (s->oh + p.m - 1) / p.m * p.m;
    p.s.ow = p.across * 4;
    p.band = band_of(&p.s, rows * p.m, images);
    p.tiles = images * rows * p.across;
    p.in_plane = (size_t)(p.tiles * blocks_of(s->c) + 1) * 16;
    p.out_plane = (size_t)(p.tiles * PANEL_BLOCKS + 1) * 16;
    return p;
}

/* About WINO_TILES tiles: rows of one image, or whole images. */
static struct strip strip_choose(const struct cpu_conv *s)
{
    int across = (s->ow + 3) / 4, down = (s->oh + wino_rows(s) - 1) / wino_rows(s), images = 1;
    int rows = WINO_TILES / across;
    rows = rows < 1 ? 1 : rows > down ? down : rows;
    int parts = (down + rows - 1) / rows;
    rows = (down + parts - 1) / parts;
    if (rows == down)
        images = WINO_TILES / (across * down);
    return strip_of(s, rows, images < 1 ? 1 : images > s->n ? s->n : images);
}

static size_t winograd_floats(const struct cpu_conv *s)
{
    struct strip p = strip_choose(s);
    return (size_t)blocks_of(s->c) * p.band.block + (size_t)wino_sets(p.m) * (p.in_plane + p.out_plane);
}

static void strip_load(const struct strip *p, const float *band, float *v)
{
    size_t line = p->band.line;
    for (int block = 0; block < blocks_of(p->s.c); block++, band += p->band.block)
        for (int i = 0; i < p->band.images; i++)
            for (int r = 0; r < p->rows; r++) {
                const float *x = band + (size_t)i * p->band.image + (size_t)(r * p->m) * line;
                for (int col = 0; col < p->across; col++, x += 64, v += 16)
                    (p->m == 2 ? wino_load_2 : wino_load_4)(x, line, v, p->in_plane);
            }
}

/* One panel's products: of each position a 1x1 convolution of the tiles. */
static void strip_product(const struct conv_run *c, const struct strip *p, const struct panel *panel, const float *v,
                          float *m)
{
    struct panel one = *panel;
    struct cpu_conv_args a = {.y = m};
    struct conv_run product = {.a = &a, .blob = c->blob, .tap = c->tap, .pixels = p->tiles};
    struct area r = {.a = v, .a_block = (size_t)p->tiles * 16, .images = 1, .rows = 1, .cols = p->tiles};
    one.o = 0;
    for (int i = 0; i < c->blob->sets; i++, a.y += p->out_plane, r.a += p->in_plane, one.w += panel_floats(panel, 1))
        panel_area(&product, &one, &r);
}

/* Tile rows from row y of images i0.. of one block. */
static void strip_store(const struct conv_run *c, const struct strip *p, int block, int i0, int y, const float *m)
{
    const struct cpu_conv *s = &c->a->shape;
    struct tile end[BLOCK_VECS];
    tile_ends(end, s, &c->a->out, block);
    for (int i = i0; i < i0 + p->band.images; i++)
        for (int r = y; r < y + p->rows * p->m; r += p->m)
            for (int x = 0; x < s->ow; x += 4, m += 16) {
                size_t at = (size_t)((block * (int64_t)s->n + i) * s->oh * s->ow + (int64_t)r * s->ow + x) * 16;
                (p->m == 2 ? wino_store_2 : wino_store_4)(m, p->out_plane, end, s->oh - r < p->m ? s->oh - r : p->m,
                                                          s->ow - x < 4 ? s->ow - x : 4, c->a->y + at,
                                                          c->a->residual ? c->a->residual + at : NULL);
            }
}

static void winograd(const struct conv_run *c, float *buf)
{
    const struct cpu_conv *s = &c->a->shape;
    struct strip most = strip_choose(s);
    int64_t hw = (int64_t)s->oh * s->ow;
    float *v = buf + (size_t)blocks_of(s->c) * most.band.block, *m = v + (size_t)c->blob->sets * most.in_plane;
    for (int i = 0; i < s->n; i += most.band.images)
        for (int y = 0; y < s->oh; y += most.rows * most.m) {
            int rows = (s->oh - y + most.m - 1) / most.m, images = s->n - i;
            struct strip p =
                strip_of(s, rows < most.rows ? rows : most.rows, images < most.band.images ? images : most.band.images);
            int64_t from = i * hw + (int64_t)y * s->ow, to = from + (int64_t)p.rows * p.m * s->ow;
            if (y + p.rows * p.m >= s->oh)
                to = (i + p.band.images) * hw;
            fill_band(&p.s, &p.band, c->a->x, c->a->in, i, y, buf);
            strip_load(&p, buf, v);
            for (int k = 0; k < c->blob->npanels; k++) {
                const struct panel *panel = &c->blob->panels[k];
                int32_t lanes = panel->units * UNIT;
                strip_product(c, &p, panel, v, m);
                for (int b = 0, block = panel->o / 16; b < blocks_of(lanes); b++, block++) {
                    strip_store(c, &p, block, i, y, m + (size_t)(b * p.tiles) * 16);
                    block_done(c->a->y + block * c->pixels * 16, from, to, c->a->out.act,
                               lanes - b * 16 < 16 ? lanes - b * 16 : 16,
                               s->o - block * 16 < 16 ? s->o - block * 16 : 16, c->runs ? c->runs + block : NULL);
                }
            }
        }
}

#endif
