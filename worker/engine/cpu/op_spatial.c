/* op_spatial: operators that move or average rows and columns. */
#include "worker/engine/cpu/cpu.h"

#include <math.h>
#include <string.h>

static size_t planes_of(const struct op_call *call) /* (block, sample) pairs */
{
    return (size_t)blocked_blocks(call->site->out.c) * (size_t)call->n;
}

void cpu_subsample_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    int h = s->in[0].h, w = s->in[0].w, stride = s->attr.stride, off = s->attr.start;
    size_t in_plane = blocked_pixels(s->in[0]) * LANES, planes = planes_of(call);
    float *y = call->y;
    for (size_t plane = 0; plane < planes; plane++)
        for (int i = 0; i < s->out.h; i++)
            for (int j = 0; j < s->out.w; j++, y += LANES) {
                int row = off + i * stride, col = off + j * stride;
                if (row < h && col < w)
                    memcpy(y, call->x[0] + plane * in_plane + ((size_t)row * (size_t)w + (size_t)col) * LANES,
                           LANES * sizeof *y);
                else
                    memset(y, 0, LANES * sizeof *y);
            }
}

void cpu_pool_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    const struct plan_attr *a = &s->attr;
    struct cpu_affine affine;
    struct cpu_operand x = cpu_operand_of(call, 0, &affine);
    struct cpu_pool pool = {.n = call->n,
                            .c = s->out.c,
                            .h = s->in[0].h,
                            .w = s->in[0].w,
                            .oh = s->out.h,
                            .ow = s->out.w,
                            .kh = a->kernel_h,
                            .kw = a->kernel_w,
                            .stride = a->stride,
                            .pad_h = a->pad_h,
                            .pad_w = a->pad_w,
                            .kind = s->op == OP_MAXPOOL ? CPU_POOL_MAX
                                    : a->count_pad      ? CPU_POOL_AVG_COUNT_PAD
                                                        : CPU_POOL_AVG};
    cpu_of(s)->pool(&pool, &x, call->y);
}

void cpu_gap_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    struct cpu_affine affine;
    struct cpu_operand x = cpu_operand_of(call, 0, &affine);
    cpu_of(s)->gap(s->out.c, call->n, (int32_t)blocked_pixels(s->in[0]), &x, call->y);
}

/* ---- resize ---- */

enum { TAPS = 4 };

struct taps { /* one output row or column: the input lines it mixes; a line past the edge repeats the edge */
    int32_t at[TAPS];
    float weight[TAPS];
};

/* Cubic convolution (Keys 1981) at distance d, with a = -0.75. */
static float cubic(float d)
{
    const float a = -0.75F;
    d = fabsf(d);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

static int32_t clamp(int32_t v, int32_t n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : v;
}

/* Half-pixel centres: output i samples the input at (i + 1/2) in/out - 1/2; bilinear clamps that at zero. */
static void make_taps(struct taps *t, int in, int out, int bicubic)
{
    for (int i = 0; i < out; i++) {
        float x = ((float)i + 0.5F) * ((float)in / (float)out) - 0.5F;
        if (!bicubic && x < 0)
            x = 0;
        int32_t base = (int32_t)floorf(x);
        float f = x - (float)base;
        for (int k = 0; k < TAPS; k++) {
            t[i].at[k] = clamp(base + k - 1, in);
            t[i].weight[k] = bicubic ? cubic(f - (float)(k - 1)) : k == 1 ? 1 - f : k == 2 ? f : 0;
        }
    }
}

size_t cpu_resize_workspace(const struct op_site *site, int n)
{
    (void)n;
    return ((size_t)site->out.h + (size_t)site->out.w) * sizeof(struct taps);
}

static void mix(const float *plane, int w, const struct taps *row, const struct taps *col, float *y)
{
    float sum[LANES] = {0};
    for (int i = 0; i < TAPS; i++) {
        float line[LANES] = {0};
        for (int j = 0; j < TAPS; j++) {
            const float *x = plane + ((size_t)row->at[i] * (size_t)w + (size_t)col->at[j]) * LANES;
            for (int l = 0; l < LANES; l++)
                line[l] += col->weight[j] * x[l];
        }
        for (int l = 0; l < LANES; l++)
            sum[l] += row->weight[i] * line[l];
    }
    memcpy(y, sum, sizeof sum);
}

void cpu_resize_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    struct taps *rows = call->work, *cols = rows + s->out.h;
    make_taps(rows, s->in[0].h, s->out.h, s->attr.mode == RESIZE_BICUBIC);
    make_taps(cols, s->in[0].w, s->out.w, s->attr.mode == RESIZE_BICUBIC);
    size_t in_plane = blocked_pixels(s->in[0]) * LANES, planes = planes_of(call);
    float *y = call->y;
    for (size_t plane = 0; plane < planes; plane++)
        for (int i = 0; i < s->out.h; i++)
            for (int j = 0; j < s->out.w; j++, y += LANES)
                mix(call->x[0] + plane * in_plane, s->in[0].w, &rows[i], &cols[j], y);
}
