/* op_channels: operators that only move channels, all made of one loop: output lane by lane from a source lane. */
#include "worker/engine/cpu/cpu.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK = 48 }; /* pixels */

typedef float four __attribute__((vector_size(16)));

static four load_four(const float *p)
{
    four v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Eight lanes of every pixel: the even or the odd ones of a block. */
static void move_half(float *y, const float *block, int odd, size_t pixels)
{
    for (size_t p = 0; p < pixels * LANES; p += LANES)
        for (size_t i = 0; i < LANES / 2; i += 4) {
            four a = load_four(block + p + 2 * i), b = load_four(block + p + 2 * i + 4);
            four half = odd ? __builtin_shufflevector(a, b, 1, 3, 5, 7) : __builtin_shufflevector(a, b, 0, 2, 4, 6);
            memcpy(y + p + i, &half, sizeof half);
        }
}

/* Which lanes of its block the eight at source are: 0 the even ones, 1 the odd ones, -1 others. */
static int half_of(const float *const source[LANES / 2])
{
    int half = (int)((uintptr_t)source[0] % (LANES * sizeof(float)) / sizeof(float));
    for (int l = 0; l < LANES / 2; l++)
        if (half > 1 || !source[l] || source[l] != source[0] + 2 * l)
            return -1;
    return half;
}

/* One output block: lane l of every pixel comes from source[l] (a pointer to that lane of pixel 0), or is zero. */
static void move_block(float *y, const float *const source[LANES], size_t pixels)
{
    int whole = 1, there = 1; /* sixteen lanes side by side are one copy, and none when they are there already */
    for (int l = 0; l < LANES; l++) {
        whole &= source[l] && source[l] == source[0] + l;
        there &= !source[l] || source[l] == y + l;
    }
    if (there && source[0])
        return;
    if (whole) {
        memcpy(y, source[0], pixels * LANES * sizeof *y);
        return;
    }
    int low = half_of(source), high = half_of(source + LANES / 2);
    if (low >= 0 && high >= 0) {
        move_half(y, source[0] - low, low, pixels);
        move_half(y + LANES / 2, source[LANES / 2] - high, high, pixels);
        return;
    }
    for (size_t from = 0; from < pixels; from += CHUNK) { /* lane by lane within what the first-level cache holds */
        size_t to = from + CHUNK < pixels ? from + CHUNK : pixels;
        for (int l = 0; l < LANES; l++)
            for (size_t p = from; p < to; p++)
                y[p * LANES + (size_t)l] = source[l] ? source[l][p * LANES] : 0;
    }
}

static size_t pixels_of(const struct op_call *call)
{
    return (size_t)call->n * blocked_pixels(call->site->out);
}

static const float *lane_of(const float *x, int c, size_t pixels)
{
    return x + (size_t)(c / LANES) * pixels * LANES + c % LANES;
}

/* Output channel c is input channel from(site, c), or zero when that is negative. */
static void gather(const struct op_call *call, int (*from)(const struct op_site *site, int c))
{
    const struct op_site *s = call->site;
    size_t pixels = pixels_of(call);
    for (int b = 0; b < blocked_blocks(s->out.c); b++) {
        const float *source[LANES] = {NULL};
        for (int l = 0; l < LANES && b * LANES + l < s->out.c; l++) {
            int c = from(s, b * LANES + l);
            source[l] = c >= 0 ? lane_of(call->x[0], c, pixels) : NULL;
        }
        move_block(call->y + (size_t)b * pixels * LANES, source, pixels);
    }
}

static int slice_from(const struct op_site *s, int c)
{
    return s->attr.start + c * (s->attr.step ? s->attr.step : 1);
}

static int shuffle_from(const struct op_site *s, int c)
{
    int groups = s->attr.groups, each = s->out.c / groups;
    return c % groups * each + c / groups;
}

static int padc_from(const struct op_site *s, int c)
{
    int i = c - s->attr.before;
    return i >= 0 && i < s->in[0].c ? i : -1;
}

void cpu_slice_forward(const struct op_call *call)
{
    gather(call, slice_from);
}

void cpu_shuffle_forward(const struct op_call *call)
{
    gather(call, shuffle_from);
}

void cpu_padc_forward(const struct op_call *call)
{
    gather(call, padc_from);
}

void cpu_concat_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    size_t pixels = pixels_of(call);
    int input = 0, before = 0; /* channels of the inputs before this one */
    for (int b = 0; b < blocked_blocks(s->out.c); b++) {
        const float *source[LANES] = {NULL};
        for (int l = 0; l < LANES && b * LANES + l < s->out.c; l++) {
            while (b * LANES + l >= before + s->in[input].c)
                before += s->in[input++].c;
            source[l] = lane_of(call->x[input], b * LANES + l - before, pixels);
        }
        move_block(call->y + (size_t)b * pixels * LANES, source, pixels);
    }
}

/* Input channel (g * radix + r) * each + i becomes (r * groups + g) * each + i after a softmax over r. */
void cpu_rsoftmax_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    int groups = s->attr.groups, radix = s->attr.step, each = s->out.c / (groups * radix);
    size_t pixels = pixels_of(call);
    memset(call->y, 0, blocked_floats(s->out, call->n) * sizeof *call->y);
    for (int g = 0; g < groups; g++)
        for (int i = 0; i < each; i++)
            for (size_t p = 0; p < pixels * LANES; p += LANES) {
                float top = -INFINITY, total = 0;
                for (int r = 0; r < radix; r++)
                    top = fmaxf(top, lane_of(call->x[0], (g * radix + r) * each + i, pixels)[p]);
                for (int r = 0; r < radix; r++)
                    total += expf(lane_of(call->x[0], (g * radix + r) * each + i, pixels)[p] - top);
                for (int r = 0; r < radix; r++) {
                    int c = (r * groups + g) * each + i;
                    float x = lane_of(call->x[0], (g * radix + r) * each + i, pixels)[p];
                    call->y[(size_t)(c / LANES) * pixels * LANES + (size_t)(c % LANES) + p] = expf(x - top) / total;
                }
            }
}
