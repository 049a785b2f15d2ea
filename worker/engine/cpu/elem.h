/* elem: what is not a convolution: sums of transformed tensors, gates, pools, global averages and changes of layout. */
#ifndef WORKER_ENGINE_CPU_ELEM_H
#define WORKER_ENGINE_CPU_ELEM_H

enum { STRIP = 64 }; /* pixels that pass through a buffer on the stack */

INL void add_pixels(float *to, const float *from, int n)
{
    for (int i = 0; i < n * 16; i += VL)
        v_store(to + i, v_load(to + i) + v_load(from + i));
}

INL void clear_lanes(float *y, int64_t pixels, int from)
{
    for (int64_t i = 0; i < pixels && from < 16; i++)
        memset(y + i * 16 + from, 0, (size_t)(16 - from) * 4);
}

/* Whether `in` makes something of lanes that hold zero. */
INL int fills_lanes(const struct cpu_affine *in)
{
    return in && act_moves_zero(in->act);
}

static void sum_kernel(int32_t c, int64_t pixels, int count, const struct cpu_operand *xs, int32_t act, float *y)
{
    float total[STRIP * 16] __attribute__((aligned(CPU_ALIGN))), one[STRIP * 16] __attribute__((aligned(CPU_ALIGN)));
    for (int block = 0; block < blocks_of(c); block++) {
        int lanes = c - block * 16 < 16 ? c - block * 16 : 16, clear = lanes < 16;
        for (int64_t p = 0; p < pixels; p += STRIP) {
            int n = pixels - p < STRIP ? (int)(pixels - p) : STRIP;
            size_t at = (size_t)(block * pixels + p) * 16;
            copy_pixels(total, 16, xs[0].x + at, 16, n, xs[0].in, block);
            for (int i = 1; i < count; i++) {
                copy_pixels(one, 16, xs[i].x + at, 16, n, xs[i].in, block);
                add_pixels(total, one, n);
            }
            struct cpu_affine last = {.act = act};
            copy_pixels(y + at, 16, total, 16, n, act == ACT_NONE ? NULL : &last, block);
            if (clear)
                clear_lanes(y + at, n, lanes);
        }
    }
}

static void gate_kernel(int32_t c, int32_t n, int32_t hw, const struct cpu_operand *x, const float *gate, float *y)
{
    for (int block = 0; block < blocks_of(c); block++)
        for (int32_t i = 0; i < n; i++, gate += 16) {
            size_t at = ((size_t)block * (size_t)n + (size_t)i) * (size_t)hw * 16;
            copy_pixels(y + at, 16, x->x + at, 16, hw, x->in, block);
            for (int v = 0; v < 16; v += VL)
                for (int32_t p = 0; p < hw; p++)
                    v_store(y + at + (size_t)p * 16 + v, v_load(y + at + (size_t)p * 16 + v) * v_load(gate + v));
            if (fills_lanes(x->in) && c - block * 16 < 16)
                clear_lanes(y + at, hw, c - block * 16);
        }
}

/* One output pixel of a pool; the window's valid part is rows y0..y1, columns x0..x1 of the image at x. */
INL void pool_pixel(const struct cpu_pool *s, const float *x, int y0, int y1, int x0, int x1, float divide,
                    const struct cpu_affine *in, int block, float *y)
{
    vec acc[BLOCK_VECS];
    for (int v = 0; v < BLOCK_VECS; v++)
        acc[v] = v_set(s->kind == CPU_POOL_MAX ? -INFINITY : 0.0f);
    for (int r = y0; r < y1; r++)
        for (int i = x0; i < x1; i++) {
            float p[16];
            const float *at = x + ((size_t)r * (size_t)s->w + (size_t)i) * 16;
            if (in) {
                copy_pixels(p, 16, at, 16, 1, in, block);
                at = p;
            }
            for (int v = 0; v < BLOCK_VECS; v++)
                acc[v] = s->kind == CPU_POOL_MAX ? v_max(acc[v], v_load(at + v * VL)) : acc[v] + v_load(at + v * VL);
        }
    for (int v = 0; v < BLOCK_VECS; v++)
        v_store(y + v * VL, s->kind == CPU_POOL_MAX ? acc[v] : acc[v] / v_set(divide));
}

/* As PyTorch counts: the divisor covers padding on request, but never what rounding up adds beyond it. */
static void pool_kernel(const struct cpu_pool *s, const struct cpu_operand *x, float *y)
{
    for (int block = 0; block < blocks_of(s->c); block++)
        for (int32_t i = 0; i < s->n; i++) {
            const float *img = x->x + ((size_t)block * (size_t)s->n + (size_t)i) * (size_t)(s->h * s->w) * 16;
            for (int oy = 0; oy < s->oh; oy++)
                for (int ox = 0; ox < s->ow; ox++, y += 16) {
                    int y0 = oy * s->stride - s->pad_h, x0 = ox * s->stride - s->pad_w;
                    int y1 = y0 + s->kh < s->h + s->pad_h ? y0 + s->kh : s->h + s->pad_h;
                    int x1 = x0 + s->kw < s->w + s->pad_w ? x0 + s->kw : s->w + s->pad_w;
                    int counted = (y1 - y0) * (x1 - x0);
                    y0 = y0 < 0 ? 0 : y0;
                    x0 = x0 < 0 ? 0 : x0;
                    y1 = y1 < s->h ? y1 : s->h;
                    x1 = x1 < s->w ? x1 : s->w;
                    if (s->kind != CPU_POOL_AVG_COUNT_PAD)
                        counted = (y1 - y0) * (x1 - x0);
                    pool_pixel(s, img, y0, y1, x0, x1, (float)counted, x->in, block, y);
                    if (fills_lanes(x->in) && s->c - block * 16 < 16)
                        clear_lanes(y, 1, s->c - block * 16);
                }
        }
}

static void gap_kernel(int32_t c, int32_t n, int32_t hw, const struct cpu_operand *x, float *y)
{
    float buf[STRIP * 16] __attribute__((aligned(CPU_ALIGN))), zero[16] = {0}, s1[16], s2[16];
    for (int block = 0; block < blocks_of(c); block++)
        for (int32_t i = 0; i < n; i++, y += 16) {
            const float *img = x->x + ((size_t)block * (size_t)n + (size_t)i) * (size_t)hw * 16;
            double sum[16] = {0};
            for (int32_t p = 0; p < hw; p += STRIP) {
                int len = hw - p < STRIP ? hw - p : STRIP;
                copy_pixels(buf, 16, img + (size_t)p * 16, 16, len, x->in, block);
                run_sums(buf, len, zero, s1, s2);
                for (int l = 0; l < 16; l++)
                    sum[l] += (double)s1[l];
            }
            for (int l = 0; l < 16; l++)
                y[l] = block * 16 + l < c ? (float)(sum[l] / hw) : 0.0f;
        }
}

static void from_planar(int32_t n, int32_t c, int32_t hw, const float *planar, float *y)
{
    for (int block = 0; block < blocks_of(c); block++)
        for (int32_t i = 0; i < n; i++, y += (size_t)hw * 16) {
            int lanes = c - block * 16 < 16 ? c - block * 16 : 16;
            copy_planar(y, planar + ((size_t)i * (size_t)c + (size_t)block * 16) * (size_t)hw, 1, hw, (size_t)hw,
                        lanes);
            clear_lanes(y, hw, lanes);
        }
}

static void to_planar(int32_t n, int32_t c, int32_t hw, const float *x, float *planar)
{
    for (int32_t i = 0; i < n; i++)
        for (int32_t ch = 0; ch < c; ch++) {
            const float *from = x + ((size_t)(ch / 16) * (size_t)n + (size_t)i) * (size_t)hw * 16 + ch % 16;
            for (int32_t p = 0; p < hw; p++)
                *planar++ = from[(size_t)p * 16];
        }
}

#endif
