/* op_elementwise: operators whose output pixel needs the same pixel of their inputs only. */
#include "worker/engine/cpu/cpu.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { MAX_OPERANDS = 64 };

static int64_t pixels_of(const struct op_call *call)
{
    return (int64_t)call->n * (int64_t)blocked_pixels(call->site->out);
}

void cpu_input_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    cpu_of(s)->from_planar(call->n, s->out.c, (int32_t)blocked_pixels(s->out), call->x[0], call->y);
}

/* ADD, and BN as a sum of one: its affine arrives as what the step stores through. */
void cpu_sum_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    struct cpu_operand operands[MAX_OPERANDS];
    struct cpu_affine affines[MAX_OPERANDS];
    assert(s->ninputs <= MAX_OPERANDS && !call->residual);
    for (int i = 0; s->op == OP_ADD && i < s->ninputs; i++)
        operands[i] = cpu_operand_of(call, i, &affines[i]);
    if (s->op == OP_BN) {
        affines[0] = (struct cpu_affine){call->store.a, call->store.b, ACT_NONE};
        operands[0] = (struct cpu_operand){call->x[0], &affines[0]};
    }
    cpu_of(s)->sum(s->out.c, pixels_of(call), s->ninputs, operands, (int32_t)call->store.act, call->y);
}

/* Softmax over the channels of each pixel. */
static void softmax_channels(const struct op_call *call)
{
    int c = call->site->out.c;
    size_t pixels = (size_t)pixels_of(call), plane = pixels * LANES;
    for (size_t p = 0; p < pixels; p++) {
        const float *x = call->x[0] + p * LANES;
        float *y = call->y + p * LANES, top = -INFINITY, total = 0;
        for (int i = 0; i < c; i++)
            top = fmaxf(top, x[(size_t)(i / LANES) * plane + (size_t)(i % LANES)]);
        for (int i = 0; i < blocked_blocks(c) * LANES; i++) {
            size_t at = (size_t)(i / LANES) * plane + (size_t)(i % LANES);
            y[at] = i < c ? expf(x[at] - top) : 0;
            total += y[at];
        }
        for (int i = 0; i < c; i++)
            y[(size_t)(i / LANES) * plane + (size_t)(i % LANES)] /= total;
    }
}

void cpu_act_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    if (s->attr.act == ACT_SOFTMAX_C) {
        softmax_channels(call);
        return;
    }
    struct cpu_operand x = {call->x[0], NULL};
    cpu_of(s)->sum(s->out.c, pixels_of(call), 1, &x, s->attr.act, call->y);
}

void cpu_mul_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    struct cpu_affine affine;
    struct cpu_operand x = cpu_operand_of(call, 0, &affine);
    int whole =
        blocked_pixels(s->in[1]) == blocked_pixels(s->in[0]); /* a gate of the same shape: one value per pixel */
    int32_t n = whole ? (int32_t)pixels_of(call) : call->n, hw = whole ? 1 : (int32_t)blocked_pixels(s->out);
    cpu_of(s)->gate(s->out.c, n, hw, &x, call->x[1], call->y);
}

void cpu_max_forward(const struct op_call *call)
{
    size_t n = blocked_floats(call->site->out, call->n);
    memcpy(call->y, call->x[0], n * sizeof *call->y);
    for (int i = 1; i < call->site->ninputs; i++)
        for (size_t k = 0; k < n; k++)
            call->y[k] = call->x[i][k] > call->y[k] || isnan(call->x[i][k]) ? call->x[i][k] : call->y[k];
}

static size_t padded(const struct op_site *s)
{
    return (size_t)blocked_blocks(s->out.c) * LANES;
}

size_t cpu_scale_workspace(const struct op_site *site, int n)
{
    (void)n;
    return 3 * padded(site) * sizeof(float);
}

/* x * scale, or x * act(parameter): an affine without a shift. */
void cpu_scale_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    size_t lanes = padded(s);
    float *scale = call->work, *shift = scale + lanes, *raw = shift + lanes;
    memset(scale, 0, 3 * lanes * sizeof *scale);
    int wide = call->params[0] && s->params[0]->count[0] > 1;
    for (int c = 0; c < s->out.c; c++)
        raw[c] = call->params[0] ? call->params[0][wide ? c : 0] : s->attr.scale;
    struct cpu_operand values = {raw, NULL}, x = {call->x[0], &(struct cpu_affine){scale, shift, ACT_NONE}};
    cpu_of(s)->sum(s->out.c, 1, 1, &values, call->params[0] ? s->attr.act : ACT_NONE, scale);
    cpu_of(s)->sum(s->out.c, pixels_of(call), 1, &x, ACT_NONE, call->y);
}

/* One sample of the parameter in blocks; a vector has one pixel. */
size_t cpu_addparam_packed(const struct op_site *site, int index)
{
    size_t pixels = site->params[index]->ndim == 1 ? 1 : blocked_pixels(site->out);
    return padded(site) * pixels;
}

void cpu_addparam_pack(const struct op_site *site, int index, const float *dense, float *packed)
{
    int ndim = site->params[index]->ndim;
    size_t c = (size_t)site->out.c, pixels = ndim == 1 ? 1 : blocked_pixels(site->out);
    size_t of_c = ndim == 3 ? 1 : pixels, of_pixel = ndim == 3 ? c : 1; /* (1, tokens, c), or channels first */
    for (size_t i = 0; i < c; i++)
        for (size_t p = 0; p < pixels; p++)
            packed[(i / LANES * pixels + p) * LANES + i % LANES] = dense[i * of_c + p * of_pixel];
}

void cpu_addparam_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    size_t pixels = blocked_pixels(s->out), given = s->params[0]->ndim == 1 ? 1 : pixels;
    for (size_t b = 0; b < (size_t)blocked_blocks(s->out.c); b++)
        for (size_t i = 0; i < (size_t)call->n * pixels; i++) {
            size_t at = (b * (size_t)call->n * pixels + i) * LANES;
            const float *p = call->params[0] + (b * given + i % given) * LANES;
            for (size_t k = 0; k < LANES; k++)
                call->y[at + k] = call->x[0][at + k] + p[k];
        }
}

void cpu_zero_forward(const struct op_call *call)
{
    memset(call->y, 0, blocked_floats(call->site->out, call->n) * sizeof *call->y);
}
