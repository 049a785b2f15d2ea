/* op_tokens: operators on token sequences, (c, t, 1): width, tokens. A sequence lies in blocks as an image does. */
#include "worker/engine/cpu/cpu.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* Normalises over c at every position with the biased variance, in two passes. */
void cpu_layernorm_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    int c = s->out.c;
    size_t pixels = (size_t)call->n * blocked_pixels(s->out), plane = pixels * LANES;
    for (size_t p = 0; p < pixels; p++) {
        const float *x = call->x[0] + p * LANES;
        float *y = call->y + p * LANES;
        double mean = 0, var = 0;
        for (int i = 0; i < c; i++)
            mean += (double)x[(size_t)(i / LANES) * plane + (size_t)(i % LANES)];
        mean /= c;
        for (int i = 0; i < c; i++) {
            double d = (double)x[(size_t)(i / LANES) * plane + (size_t)(i % LANES)] - mean;
            var += d * d;
        }
        double scale = 1 / sqrt(var / c + (double)s->attr.eps);
        for (int i = 0; i < blocked_blocks(c) * LANES; i++) {
            size_t at = (size_t)(i / LANES) * plane + (size_t)(i % LANES);
            float v = i < c ? (float)(((double)x[at] - mean) * scale) : 0;
            if (i < c && call->params[0])
                v *= call->params[0][i];
            y[at] = i < c && call->params[1] ? v + call->params[1][i] : v;
        }
    }
}

/* Row-major pixels are tokens already; a class token goes before each sample's. */
void cpu_tokens_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    size_t in = blocked_pixels(s->in[0]) * LANES, out = blocked_pixels(s->out) * LANES;
    for (int b = 0; b < blocked_blocks(s->out.c); b++)
        for (int i = 0; i < call->n; i++) {
            size_t plane = (size_t)b * (size_t)call->n + (size_t)i;
            float *y = call->y + plane * out;
            if (call->params[0])
                memcpy(y, call->params[0] + (size_t)b * LANES, LANES * sizeof *y);
            memcpy(y + (out - in), call->x[0] + plane * in, in * sizeof *y);
        }
}

void cpu_copy_forward(const struct op_call *call)
{
    memcpy(call->y, call->x[0], blocked_floats(call->site->out, call->n) * sizeof *call->y);
}

void cpu_select_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    size_t in = blocked_pixels(s->in[0]) * LANES, planes = (size_t)blocked_blocks(s->out.c) * (size_t)call->n;
    for (size_t plane = 0; plane < planes; plane++)
        memcpy(call->y + plane * LANES, call->x[0] + plane * in + (size_t)s->attr.start * LANES,
               LANES * sizeof *call->y);
}

/* The table keeps a row per word, padded to blocks. */
size_t cpu_embed_packed(const struct op_site *site, int index)
{
    (void)index;
    return (size_t)site->params[0]->count[0] * (size_t)blocked_blocks(site->out.c) * LANES;
}

void cpu_embed_pack(const struct op_site *site, int index, const float *dense, float *packed)
{
    (void)index;
    size_t c = (size_t)site->out.c, row = (size_t)blocked_blocks(site->out.c) * LANES;
    for (int32_t v = 0; v < site->params[0]->count[0]; v++)
        memcpy(packed + (size_t)v * row, dense + (size_t)v * c, c * sizeof *dense);
}

/* An id outside the vocabulary gives NaN, which the scorer reports. */
void cpu_embed_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    size_t tokens = (size_t)call->n * blocked_pixels(s->out), row = (size_t)blocked_blocks(s->out.c) * LANES;
    int32_t words = s->params[0]->count[0];
    for (size_t t = 0; t < tokens; t++) {
        float id = call->x[0][t * LANES];
        int known = id >= 0 && id < (float)words;
        for (size_t b = 0; b < row; b += LANES)
            for (size_t l = 0; l < LANES; l++)
                call->y[b * tokens + t * LANES + l] = b + l >= (size_t)s->out.c ? 0
                                                      : known ? call->params[0][(size_t)id * row + b + l]
                                                              : NAN;
    }
}

/* ---- attention ---- */

static size_t head_floats(const struct op_site *s) /* q, k, v and result of one head, and its scores */
{
    size_t t = (size_t)s->out.h, d = (size_t)(s->out.c / s->attr.groups);
    return 4 * t * d + t * t;
}

size_t cpu_attention_workspace(const struct op_site *site, int n)
{
    (void)n;
    return head_floats(site) * sizeof(float);
}

static void softmax_row(float *x, size_t n)
{
    float top = -INFINITY, total = 0;
    for (size_t i = 0; i < n; i++)
        top = fmaxf(top, x[i]);
    for (size_t i = 0; i < n; i++)
        total += x[i] = expf(x[i] - top);
    for (size_t i = 0; i < n; i++)
        x[i] /= total;
}

/* Channels c0 .. c0 + d of one sample between blocks and a row-major (t, d) matrix. */
static void load_rows(const float *x, size_t plane, size_t first, int c0, int t, int d, float *rows)
{
    for (int i = 0; i < t; i++)
        for (int k = 0; k < d; k++)
            rows[(size_t)i * (size_t)d + (size_t)k] =
                x[(size_t)((c0 + k) / LANES) * plane + (first + (size_t)i) * LANES + (size_t)((c0 + k) % LANES)];
}

static void store_rows(const float *rows, size_t plane, size_t first, int c0, int t, int d, float *x)
{
    for (int i = 0; i < t; i++)
        for (int k = 0; k < d; k++)
            x[(size_t)((c0 + k) / LANES) * plane + (first + (size_t)i) * LANES + (size_t)((c0 + k) % LANES)] =
                rows[(size_t)i * (size_t)d + (size_t)k];
}

/* softmax(scale q k') v for each sample and head (Vaswani et al. 2017); products of one head at a time, so that a
 * sample's result does not depend on its batch. */
void cpu_attention_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    int c = s->out.c, heads = s->attr.groups, d = c / heads, t = s->out.h;
    size_t tokens = (size_t)call->n * (size_t)t, plane = tokens * LANES, td = (size_t)t * (size_t)d;
    float *q = call->work, *k = q + td, *v = k + td, *o = v + td, *score = o + td;
    memset(call->y, 0, blocked_floats(s->out, call->n) * sizeof *call->y);
    for (int i = 0; i < call->n; i++)
        for (int h = 0; h < heads; h++) {
            size_t first = (size_t)i * (size_t)t;
            load_rows(call->x[0], plane, first, h * d, t, d, q);
            load_rows(call->x[0], plane, first, c + h * d, t, d, k);
            load_rows(call->x[0], plane, first, 2 * c + h * d, t, d, v);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, t, d, s->attr.scale, q, d, k, d, 0, score, t);
            for (int r = 0; r < t; r++)
                softmax_row(score + (size_t)r * (size_t)t, (size_t)t);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, t, d, t, 1, score, t, v, d, 0, o, d);
            store_rows(o, plane, first, h * d, t, d, call->y);
        }
}
