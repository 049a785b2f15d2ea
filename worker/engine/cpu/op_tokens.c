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

size_t cpu_tokens_packed(const struct op_site *site, int index)
{
    (void)index;
    return (size_t)blocked_blocks(site->out.c) * LANES;
}

void cpu_tokens_pack(const struct op_site *site, int index, const float *dense, float *packed)
{
    (void)index;
    memcpy(packed, dense, (size_t)site->out.c * sizeof *dense);
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

/* Tokens start, start + 1, ...; those past the edges are zeros. */
void cpu_select_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    int start = s->attr.start, from = start < 0 ? 0 : start, to = start + s->out.h;
    if (to > s->in[0].h)
        to = s->in[0].h;
    size_t in = blocked_pixels(s->in[0]) * LANES, out = blocked_pixels(s->out) * LANES;
    size_t planes = (size_t)blocked_blocks(s->out.c) * (size_t)call->n;
    for (size_t plane = 0; plane < planes; plane++) {
        float *y = call->y + plane * out;
        memset(y, 0, out * sizeof *y);
        memcpy(y + (size_t)(from - start) * LANES, call->x[0] + plane * in + (size_t)from * LANES,
               (size_t)(to - from) * LANES * sizeof *y);
    }
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

struct head {                             /* one head of one sample; [t][d] row-major, scores and weights [t][t] */
    float *q, *k, *v, *o, *score, *place; /* place: [t][2 step + 2], room for relative positions */
    int t, d, side, tables, reach;        /* tables: rows of a table, 0 without relative positions */
};

static struct head head_of(const struct op_site *s, float *work)
{
    struct head h = {.t = s->out.h, .d = s->out.c / s->attr.groups, .reach = s->attr.step, .side = 1};
    size_t td = (size_t)h.t * (size_t)h.d;
    h.tables = s->params[0] ? 2 * h.reach + 2 : 0;
    while (h.side * h.side < h.t - 1)
        h.side++;
    if (work) {
        h.q = work;
        h.k = h.q + td;
        h.v = h.k + td;
        h.o = h.v + td;
        h.score = h.o + td;
        h.place = h.score + (size_t)h.t * (size_t)h.t;
    }
    return h;
}

size_t cpu_attention_workspace(const struct op_site *site, int n)
{
    (void)n;
    struct head h = head_of(site, NULL);
    return (size_t)h.t * (size_t)(4 * h.d + h.t + h.tables) * sizeof(float);
}

/* Tables of relative positions stay rows. */
size_t cpu_attention_packed(const struct op_site *site, int index)
{
    const struct param *p = site->params[index];
    return (size_t)p->count[0] * (size_t)p->count[1];
}

void cpu_attention_pack(const struct op_site *site, int index, const float *dense, float *packed)
{
    memcpy(packed, dense, cpu_attention_packed(site, index) * sizeof *dense);
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

/* The row of a table for token j as seen from token i: how many rows (columns) apart they are, at most `reach`. */
static size_t apart(const struct head *h, int i, int j, int columns)
{
    if (i == 0 || j == 0)
        return 0;
    int d = columns ? (j - 1) % h->side - (i - 1) % h->side : (j - 1) / h->side - (i - 1) / h->side;
    d = d < -h->reach ? -h->reach : d > h->reach ? h->reach : d;
    return (size_t)(d + h->reach + 1);
}

/* score[i][j] += scale q[i] . table[apart(i, j)] */
static void add_key_places(const struct head *h, float scale, const float *table, int columns)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, h->t, h->tables, h->d, scale, h->q, h->d, table, h->d, 0,
                h->place, h->tables);
    for (int i = 0; i < h->t; i++)
        for (int j = 0; j < h->t; j++)
            h->score[(size_t)i * (size_t)h->t + (size_t)j] +=
                h->place[(size_t)i * (size_t)h->tables + apart(h, i, j, columns)];
}

/* o[i] += sum over j of weight[i][j] table[apart(i, j)]: the weights of one place are added up first. */
static void add_value_places(const struct head *h, const float *table, int columns)
{
    memset(h->place, 0, (size_t)h->t * (size_t)h->tables * sizeof *h->place);
    for (int i = 0; i < h->t; i++)
        for (int j = 0; j < h->t; j++)
            h->place[(size_t)i * (size_t)h->tables + apart(h, i, j, columns)] +=
                h->score[(size_t)i * (size_t)h->t + (size_t)j];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, h->t, h->d, h->tables, 1, h->place, h->tables, table, h->d,
                1, h->o, h->d);
}

/* Adds the mask's -10,000 to the scores of the tokens to look away from, as BERT does. */
static void add_mask(const struct op_call *call, const struct head *h, size_t plane, size_t first)
{
    int c = 3 * call->site->out.c;
    const float *mask = call->x[0] + (size_t)(c / LANES) * plane + first * LANES + (size_t)(c % LANES);
    for (int i = 0; i < h->t; i++)
        for (int j = 0; j < h->t; j++)
            h->score[(size_t)i * (size_t)h->t + (size_t)j] -= 10000.0F * mask[(size_t)j * LANES];
}

static void attend(const struct op_call *call, const struct head *h, size_t plane, size_t first)
{
    const struct op_site *s = call->site;
    int t = h->t, d = h->d;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, t, t, d, s->attr.scale, h->q, d, h->k, d, 0, h->score, t);
    for (int i = 0; i < 2 && h->tables; i++)
        add_key_places(h, s->attr.scale, call->params[i], i);
    if (s->attr.after)
        add_mask(call, h, plane, first);
    for (int r = 0; r < t; r++)
        softmax_row(h->score + (size_t)r * (size_t)t, (size_t)t);
    cblas_sgemm(CblasRowMajor, s->attr.mode == ATTENTION_QUERIES ? CblasTrans : CblasNoTrans, CblasNoTrans, t, d, t, 1,
                h->score, t, h->v, d, 0, h->o, d);
    for (int i = 0; i < 2 && h->tables; i++)
        add_value_places(h, call->params[2 + i], i);
}

/* softmax(scale q k') v for each sample and head (Vaswani et al. 2017), with the relative positions of AutoFormer
 * (Chen et al. 2021) if there are tables; products of one head at a time, so that a sample's result does not depend on
 * its batch. */
void cpu_attention_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    struct head h = head_of(s, call->work);
    int c = s->out.c;
    size_t tokens = (size_t)call->n * (size_t)h.t, plane = tokens * LANES;
    memset(call->y, 0, blocked_floats(s->out, call->n) * sizeof *call->y);
    for (int i = 0; i < call->n; i++)
        for (int k = 0; k < s->attr.groups; k++) {
            size_t first = (size_t)i * (size_t)h.t;
            load_rows(call->x[0], plane, first, k * h.d, h.t, h.d, h.q);
            load_rows(call->x[0], plane, first, c + k * h.d, h.t, h.d, h.k);
            load_rows(call->x[0], plane, first, 2 * c + k * h.d, h.t, h.d, h.v);
            attend(call, &h, plane, first);
            store_rows(h.o, plane, first, k * h.d, h.t, h.d, call->y);
        }
}
