/* pack: weights as the kernels read them, and what a packed blob says about itself.
 *
 * A dense blob is cut into panels of 1 to 3 units of output channels; a panel starts at a unit, never reaches past the
 * block it started in but for whole further blocks, and lists the input channels it reads: all of them, or those of
 * the groups its outputs belong to, with zeros where an output's group does not read a channel. Weights follow in the
 * order of the sum: [input block][tap][lane][output]. A depthwise blob is [block][tap][16]. What winograd.h computes is
 * packed as 24 or 36 sets of a 1x1 convolution's weights, [set][input block][lane][output]. */
#ifndef WORKER_ENGINE_CPU_PACK_H
#define WORKER_ENGINE_CPU_PACK_H

enum {
    PANEL_BLOCKS = (3 * UNIT + 15) / 16, /* of the widest panel */
    /* Channels from which winograd.h computes tiles of two rows, and of four. Four are faster at all widths; but their
     * rounding, two to three times the direct kernel's in narrow layers, is what deep networks amplify
     * (pi_nas_resnest50.py shows it). */
    WINO_TWO = 16,
    WINO_FOUR = 64,
};

struct panel {
    int32_t o, units;      /* first output channel */
    int32_t block, blocks; /* input channel blocks read */
    int32_t first, last;   /* lanes first.. of the first block, ..last of the last one */
    int64_t w;             /* floats from the blob's start */
};

struct blob {
    int32_t npanels;          /* 0: depthwise */
    int32_t c, o, taps, sets; /* taps of a set; sets of weights, one behind the other in each panel */
    int64_t w;                /* depthwise: floats from the blob's start */
    struct panel panels[];
};

INL int is_depthwise(const struct cpu_conv *s)
{
    return s->groups > 1 && s->groups == s->c && s->c == s->o;
}
INL size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}
INL int blocks_of(int32_t c)
{
    return (c + 15) / 16;
}

/* The input channels c0..c1 that outputs o..o_end read. */
static void panel_inputs(const struct cpu_conv *s, struct panel *p, int32_t o_end)
{
    int32_t cg = s->c / s->groups, og = s->o / s->groups;
    int32_t c0 = p->o / og * cg, c1 = (o_end - 1) / og * cg + cg;
    p->block = c0 / 16;
    p->blocks = (c1 - 1) / 16 - p->block + 1;
    p->first = c0 % 16;
    p->last = (c1 - 1) % 16 + 1;
}

/* Units of the panel that starts at unit u of all: pairs, and three at the end of an odd number. Grouped convolutions
 * with few channels in a group take single units, since each reads fewer channels. */
static int panel_units(const struct cpu_conv *s, int u, int all)
{
    if (s->groups > 1 && s->o / s->groups < 2 * UNIT)
        return 1;
    return all - u == 3 ? 3 : all - u == 1 ? 1 : 2;
}

/* Floats of one set of the panel's weights. */
static int64_t panel_floats(const struct panel *p, int taps)
{
    int64_t lanes = (int64_t)(p->blocks - 1) * 16 + p->last - p->first;
    return (int64_t)round_up((size_t)(lanes * taps * p->units * UNIT), 16);
}

/* Rows of the tiles with which winograd.h computes it: 2 or 4; 0: it does not. */
INL int wino_rows(const struct cpu_conv *s)
{
    int32_t narrow = s->c < s->o ? s->c : s->o;
    if (s->kh != 3 || s->kw != 3 || s->stride != 1 || s->dilation != 1 || s->groups != 1 || s->planar)
        return 0;
    return narrow >= WINO_FOUR ? 4 : narrow >= WINO_TWO ? 2 : 0;
}

/* Positions of a tile of m x 4 outputs. */
INL int wino_sets(int m)
{
    return (m + 2) * 6;
}

/* Lays out the blob; writes the panels when asked to. Returns its floats. */
static int64_t blob_layout(const struct cpu_conv *s, struct blob *b)
{
    int all = (s->o + UNIT - 1) / UNIT, n = 0, wino = wino_rows(s), taps = wino ? 1 : s->kh * s->kw;
    int sets = wino ? wino_sets(wino) : 1;
    if (is_depthwise(s)) {
        int64_t at = (int64_t)round_up(sizeof *b, CPU_ALIGN) / 4;
        if (b)
            *b = (struct blob){.c = s->c, .o = s->o, .taps = taps, .w = at};
        return at + (int64_t)blocks_of(s->c) * taps * 16;
    }
    for (int u = 0; u < all; u += panel_units(s, u, all))
        n++;
    int64_t at = (int64_t)round_up(sizeof *b + (size_t)n * sizeof b->panels[0], CPU_ALIGN) / 4;
    if (b)
        *b = (struct blob){.npanels = n, .c = s->c, .o = s->o, .taps = taps, .sets = sets};
    for (int u = 0, i = 0; i < n; i++) {
        struct panel p = {.o = u * UNIT, .units = panel_units(s, u, all), .w = at};
        u += p.units;
        panel_inputs(s, &p, u * UNIT < s->o ? u * UNIT : s->o);
        at += panel_floats(&p, taps) * sets;
        if (b)
            b->panels[i] = p;
    }
    return at;
}

static size_t pack_bytes(const struct cpu_conv *s)
{
    return (size_t)blob_layout(s, NULL) * 4;
}

static void pack_panel(const struct cpu_conv *s, const struct panel *p, const float *oihw, float *w)
{
    int32_t cg = s->c / s->groups, og = s->o / s->groups, taps = s->kh * s->kw;
    for (int b = 0; b < p->blocks; b++)
        for (int tap = 0; tap < taps; tap++)
            for (int k = b ? 0 : p->first, to = b + 1 < p->blocks ? 16 : p->last; k < to; k++)
                for (int j = 0; j < p->units * UNIT; j++, w++) {
                    int32_t o = p->o + j, c = (p->block + b) * 16 + k;
                    int mine = o < s->o && o / og == c / cg;
                    *w = mine ? oihw[((int64_t)o * cg + c % cg) * taps + tap] : 0.0f;
                }
}

/* G g G' of one filter, for tiles of m rows: see winograd.h. */
static void pack_filter(int m, const float *g, float *w, int64_t set)
{
    static const double two[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    static const double four[6][3] = {{1, 0, 0},
                                      {-2.0 / 3, -M_SQRT2 / 3, -1.0 / 3},
                                      {-2.0 / 3, M_SQRT2 / 3, -1.0 / 3},
                                      {1.0 / 6, M_SQRT2 / 6, 1.0 / 3},
                                      {1.0 / 6, -M_SQRT2 / 6, 1.0 / 3},
                                      {0, 0, 1}};
    for (int i = 0; i < wino_sets(m); i++) {
        const double *row = m == 2 ? two[i / 6] : four[i / 6], *col = four[i % 6];
        double sum = 0;
        for (int j = 0; j < 9; j++)
            sum += row[j / 3] * col[j % 3] * (double)g[j];
        w[i * set] = (float)sum;
    }
}

static void pack_winograd(const struct cpu_conv *s, const struct panel *p, const float *oihw, float *w)
{
    int64_t set = panel_floats(p, 1);
    for (int32_t c = 0; c < s->c; c++)
        for (int32_t o = p->o; o < p->o + p->units * UNIT; o++, w++)
            if (o < s->o)
                pack_filter(wino_rows(s), oihw + ((int64_t)o * s->c + c) * 9, w, set);
}

static void pack_weights(const struct cpu_conv *s, const float *oihw, void *packed)
{
    struct blob *b = packed;
    memset(packed, 0, pack_bytes(s));
    blob_layout(s, b);
    for (int i = 0; i < b->npanels; i++)
        (b->sets > 1 ? pack_winograd : pack_panel)(s, &b->panels[i], oihw, (float *)packed + b->panels[i].w);
    if (!b->npanels)
        for (int32_t c = 0; c < s->c; c++)
            for (int tap = 0; tap < b->taps; tap++)
                ((float *)packed + b->w)[((int64_t)(c / 16) * b->taps + tap) * 16 + c % 16] =
                    oihw[(int64_t)c * b->taps + tap];
}

#endif
