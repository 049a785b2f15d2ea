/* tile: the inner loop of every dense convolution: TH x TW output pixels times NU units of output channels, held in
 * registers while the products are added up.
 *
 * A unit is 8 channels (16 where a vector holds 16). An input pixel is 16 lanes of one block, the next pixel of a row
 * the next 16 floats (whoever fills the input buffer lays out strided convolutions so), a kernel tap an offset.
 * Included once per instruction set, after vec.h and with ACCS, the accumulators that fit the registers. The caller
 * decides panels, bands and pieces of the sum. */
#ifndef WORKER_ENGINE_CPU_TILE_H
#define WORKER_ENGINE_CPU_TILE_H

#define UNIT (VL > 8 ? VL : 8)
#define UNIT_VECS (UNIT / VL)
#define TILE_VECS (3 * UNIT_VECS)
#define TILE_PIXELS 12
/* Pixels of a tile this many units wide. */
#define TILE_MAX(nu) (ACCS / ((nu)*UNIT_VECS) > TILE_PIXELS ? TILE_PIXELS : ACCS / ((nu)*UNIT_VECS))

/* What is the same for all tiles of one panel and one piece of the sum. */
struct tile {
    const float *w; /* [block][tap][lane][units] */
    size_t block;   /* floats from an input channel block to the next */
    size_t row;     /* floats from an input row of the tile to the next */
    const int32_t *tap;
    int32_t taps, blocks, first, last; /* lanes first.. of the first block, ..last (exclusive) of the last */
    int32_t resume, suspend;           /* y holds the sum so far; leave the bare sum in y */
    size_t y_block, y_row;             /* floats between output blocks, output rows */
    const float *scale, *shift;        /* of the panel's first channel, or NULL */
    int32_t act;                       /* a clamp or hard swish */
};

/* `count` tiles side by side. */
typedef void tile_fn(const struct tile *t, const float *a, float *y, const float *residual, int count);

/* Adds lanes from..to of one block and tap. */
INL void tile_lanes(const int th, const int tw, const int nv, const float *p, const float *q, const float *w,
                    vec (*acc)[TILE_VECS])
{
    vec wv[TILE_VECS];
    UNROLL
    for (int v = 0; v < nv; v++)
        wv[v] = v_load(w + v * VL);
    UNROLL
    for (int r = 0; r < th * tw; r++) {
        vec b = v_set(r < tw ? p[r * 16] : q[(r - tw) * 16]);
        UNROLL
        for (int v = 0; v < nv; v++)
            acc[r][v] = v_fma(b, wv[v], acc[r][v]);
    }
}

INL const float *tile_block(const int th, const int tw, const int nv, const struct tile *t, const float *a,
                            const float *w, int from, int to, vec (*acc)[TILE_VECS])
{
    for (int tap = 0; tap < t->taps; tap++) {
        const float *p = a + t->tap[tap], *q = p + (th > 1 ? t->row : 0);
        if (from == 0 && to == 16) {
            if (t->taps == 1)
                UNROLL
                for (int r = 0; r < th * tw; r++) /* the next tile's */
                    __builtin_prefetch(r < tw ? p + (tw + r) * 16 : q + r * 16);
            UNROLL4
            for (int k = 0; k < 16; k++, w += nv * VL)
                tile_lanes(th, tw, nv, p + k, q + k, w, acc);
        } else {
            for (int k = from; k < to; k++, w += nv * VL)
                tile_lanes(th, tw, nv, p + k, q + k, w, acc);
        }
    }
    return w;
}

/* Where vector v of the tile's pixel r lies in y. */
INL size_t tile_at(const struct tile *t, const int tw, const int r, const int v)
{
    return (size_t)(v * VL / 16) * t->y_block + (size_t)(r / tw) * t->y_row + (size_t)(v * VL % 16 + r % tw * 16);
}

/* Completes a tile whose bare sums lie in y: what the straight path of tile_end does not cover. One for all sizes. */
static __attribute__((noinline)) void tile_general(const struct tile *t, int th, int tw, int nv, float *y,
                                                   const float *residual)
{
    for (int r = 0; r < th * tw; r++)
        for (int v = 0; v < nv; v++) {
            size_t at = tile_at(t, tw, r, v);
            vec x = v_load(y + at);
            if (t->scale)
                x = v_fma(x, v_load(t->scale + v * VL), v_load(t->shift + v * VL));
            if (residual)
                x = x + v_load(residual + at);
            v_store(y + at, t->act == ACT_HSWISH ? v_act(ACT_HSWISH, x)
                                                 : v_clamp(x, v_set(act_lo(t->act)), v_set(act_hi(t->act))));
        }
}

/* Stores the sums, with affine, residual and clamp on the way when that is all. */
INL void tile_end(const int th, const int tw, const int nv, const int vecs, const struct tile *t, const vec *acc,
                  float *y, const float *residual)
{
    if (!t->suspend && t->scale && t->act != ACT_HSWISH) {
        const float *scale = t->scale, *shift = t->shift;
        vec lo = v_set(act_lo(t->act)), hi = v_set(act_hi(t->act));
        UNROLL
        for (int v = 0; v < nv; v++) {
            vec a = v_load(scale + v * VL), b = v_load(shift + v * VL);
            if (!residual)
                UNROLL
                for (int r = 0; r < th * tw; r++)
                    v_store(y + tile_at(t, tw, r, v), v_clamp(v_fma(acc[r * vecs + v], a, b), lo, hi));
            else
                UNROLL
                for (int r = 0; r < th * tw; r++)
                    v_store(y + tile_at(t, tw, r, v),
                            v_clamp(v_fma(acc[r * vecs + v], a, b) + v_load(residual + tile_at(t, tw, r, v)), lo, hi));
        }
        return;
    }
    UNROLL
    for (int r = 0; r < th * tw; r++)
        UNROLL
        for (int v = 0; v < nv; v++)
            v_store(y + tile_at(t, tw, r, v), acc[r * vecs + v]);
    if (!t->suspend && (t->scale || residual || t->act != ACT_NONE))
        tile_general(t, th, tw, nv, y, residual);
}

INL void tile_run(const int th, const int tw, const int nv, const struct tile *t, const float *a, float *y,
                  const float *residual, int count)
{
    for (; count > 0; count--, a += tw * 16, y += tw * 16) {
        vec acc[TILE_PIXELS][TILE_VECS];
        UNROLL
        for (int r = 0; r < th * tw; r++)
            UNROLL
            for (int v = 0; v < nv; v++)
                acc[r][v] = v_set(0.0f);
        if (t->resume)
            UNROLL
            for (int r = 0; r < th * tw; r++)
                UNROLL
                for (int v = 0; v < nv; v++)
                    acc[r][v] = v_load(y + tile_at(t, tw, r, v));

        const float *w = t->w, *x = a;
        for (int b = 0; b < t->blocks; b++, x += t->block)
            w = tile_block(th, tw, nv, t, x, w, b ? 0 : t->first, b + 1 < t->blocks ? 16 : t->last, acc);

        tile_end(th, tw, nv, TILE_VECS, t, &acc[0][0], y, residual);
        if (residual)
            residual += tw * 16;
    }
}

/* One function per tile size; those that would not fit the registers are empty and never called. */
#define TILE_FN(th, tw, nu)                                                                                          \
    static void tile_##th##_##tw##_##nu(const struct tile *t, const float *a, float *y, const float *res, int count) \
    {                                                                                                                \
        if (th * tw <= TILE_MAX(nu))                                                                                 \
            tile_run(th, tw, nu *UNIT_VECS, t, a, y, res, count);                                                    \
    }
#define TILE_FNS(nu)                                                                                       \
    TILE_FN(1, 1, nu) TILE_FN(1, 2, nu) TILE_FN(1, 3, nu) TILE_FN(1, 4, nu) TILE_FN(1, 5, nu)              \
    TILE_FN(1, 6, nu) TILE_FN(1, 7, nu) TILE_FN(1, 8, nu) TILE_FN(1, 9, nu) TILE_FN(1, 10, nu)             \
    TILE_FN(1, 11, nu) TILE_FN(1, 12, nu) TILE_FN(2, 1, nu) TILE_FN(2, 2, nu) TILE_FN(2, 3, nu)            \
    TILE_FN(2, 4, nu) TILE_FN(2, 5, nu) TILE_FN(2, 6, nu)
TILE_FNS(1)
TILE_FNS(2)
TILE_FNS(3)

#define TILE_ROW(nu)                                                                                        \
    {                                                                                                       \
        {tile_1_1_##nu, tile_1_2_##nu, tile_1_3_##nu, tile_1_4_##nu, tile_1_5_##nu, tile_1_6_##nu,          \
         tile_1_7_##nu, tile_1_8_##nu, tile_1_9_##nu, tile_1_10_##nu, tile_1_11_##nu, tile_1_12_##nu},      \
        {                                                                                                   \
            tile_2_1_##nu, tile_2_2_##nu, tile_2_3_##nu, tile_2_4_##nu, tile_2_5_##nu, tile_2_6_##nu        \
        }                                                                                                   \
    }
/* [units - 1][rows - 1][columns - 1] */
static tile_fn *const tile_table[3][2][TILE_PIXELS] = {TILE_ROW(1), TILE_ROW(2), TILE_ROW(3)};

INL int tile_width(int units)
{
    return units == 1 ? TILE_MAX(1) : units == 2 ? TILE_MAX(2) : TILE_MAX(3);
}

/* `cols` columns as tiles of nearly equal width: `more` of width + 1, then the others. */
struct tile_cut {
    int width, parts, more;
};

INL struct tile_cut tile_cut(int cols, int most)
{
    int parts = (cols + most - 1) / most;
    return (struct tile_cut){cols / parts, parts, cols % parts};
}

/* Rows x cols output pixels of one panel: a and y point to the first; in_row floats between the input rows. */
static void tile_area(struct tile *t, int units, int rows, int cols, const float *a, size_t in_row, float *y,
                      const float *residual)
{
    int most = tile_width(units);
    struct tile_cut cut = tile_cut(cols, most);
    int tall = 2 * (cut.width + (cut.more > 0)) <= most;
    size_t wide = (size_t)cut.more * (size_t)(cut.width + 1) * 16;
    t->row = in_row;
    for (int r = 0; r < rows;) {
        int high = tall && r + 2 <= rows ? 2 : 1;
        tile_fn *const *fn = tile_table[units - 1][high - 1];
        if (cut.more)
            fn[cut.width](t, a, y, residual, cut.more);
        fn[cut.width - 1](t, a + wide, y + wide, residual ? residual + wide : NULL, cut.parts - cut.more);
        r += high;
        a += (size_t)high * in_row;
        y += (size_t)high * t->y_row;
        residual = residual ? residual + (size_t)high * t->y_row : NULL;
    }
}

#endif
