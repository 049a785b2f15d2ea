/* op_conv: CONV and LINEAR as calls of the convolution kernels. A bias is the affine 1 x + bias; lower.c does not fuse
 * a BatchNorm into a convolution that has one. */
#include "worker/engine/cpu/cpu.h"

#include <assert.h>

static struct cpu_conv geometry(const struct op_site *s, int n)
{
    struct cpu_conv g = {.n = n,
                         .c = s->in[0].c,
                         .h = s->in[0].h,
                         .w = s->in[0].w,
                         .o = s->out.c,
                         .oh = s->out.h,
                         .ow = s->out.w,
                         .kh = 1,
                         .kw = 1,
                         .stride = 1,
                         .dilation = 1,
                         .groups = 1,
                         .planar = s->image};
    if (s->op == OP_CONV) {
        const struct plan_attr *a = &s->attr;
        g.kh = a->kernel_h;
        g.kw = a->kernel_w;
        g.stride = a->stride;
        g.pad_h = a->pad_h;
        g.pad_w = a->pad_w;
        g.dilation = a->dilation;
        g.groups = a->groups;
    }
    return g;
}

size_t cpu_conv_workspace(const struct op_site *site, int n)
{
    struct cpu_conv g = geometry(site, n);
    return cpu_of(site)->conv_work(&g);
}

/* Parameter 0 is the kernels' own blob; parameter 1, the bias, is a row of ones and the bias, both padded. */
size_t cpu_conv_packed(const struct op_site *site, int index)
{
    struct cpu_conv g = geometry(site, 1);
    if (index == 1)
        return (size_t)blocked_blocks(site->out.c) * LANES * 2;
    return (cpu_of(site)->pack_bytes(&g) + sizeof(float) - 1) / sizeof(float);
}

void cpu_conv_pack(const struct op_site *site, int index, const float *dense, float *packed)
{
    struct cpu_conv g = geometry(site, 1);
    size_t padded = (size_t)blocked_blocks(site->out.c) * LANES;
    if (index == 0)
        cpu_of(site)->pack(&g, dense, packed);
    for (int c = 0; index == 1 && c < site->out.c; c++) {
        packed[c] = 1;
        packed[padded + (size_t)c] = dense[c];
    }
}

void cpu_conv_forward(const struct op_call *call)
{
    const struct op_site *s = call->site;
    struct cpu_affine in;
    struct cpu_operand x = cpu_operand_of(call, 0, &in);
    struct cpu_conv_args args = {.shape = geometry(s, call->n),
                                 .packed = call->params[0],
                                 .x = x.x,
                                 .in = x.in,
                                 .out = {call->store.a, call->store.b, (int32_t)call->store.act},
                                 .residual = call->residual,
                                 .y = call->y,
                                 .stats = {call->mean, call->var},
                                 .work = call->work};
    if (call->params[1]) {
        assert(!call->store.a);
        args.out.scale = call->params[1];
        args.out.shift = call->params[1] + (size_t)blocked_blocks(s->out.c) * LANES;
    }
    cpu_of(s)->conv(&args);
}

/* ---- a 1x1 and the depthwise behind it ---- */

/* Pixels of a map from which it pays to keep the expanded tensor out of memory (measured: a third of the time saved at
 * 112 x 112, 15 % at 28 x 28, nothing at 16 x 16, where the batch's tensor stays in the cache); below, each image's few
 * pixels would read all weights anew (5 % lost at 8 x 8, 28 % at 4 x 4). */
enum { PAIR_PIXELS = 256 };

int cpu_conv_pairs(const struct op_site *first, const struct op_site *second)
{
    const struct plan_attr *a = &first->attr, *b = &second->attr;
    return first->op == OP_CONV && second->op == OP_CONV && a->kernel_h == 1 && a->kernel_w == 1 && a->pad_h == 0 &&
           a->pad_w == 0 && a->stride == 1 && a->groups == 1 && !first->image && !first->params[1] && b->groups > 1 &&
           b->groups == second->in[0].c && second->out.c == second->in[0].c && !second->params[1] &&
           blocked_pixels(first->in[0]) >= PAIR_PIXELS;
}

size_t cpu_conv_pair_workspace(const struct op_site *first, const struct op_site *second, int n)
{
    struct cpu_conv e = geometry(first, n), d = geometry(second, n);
    return cpu_of(first)->expand_work(&e, &d);
}

void cpu_conv_pair(const struct op_call *first, const struct op_call *second)
{
    struct cpu_affine in;
    struct cpu_operand x = cpu_operand_of(first, 0, &in);
    struct cpu_expand_args args = {.expand = geometry(first->site, first->n),
                                   .dw = geometry(second->site, second->n),
                                   .expand_packed = first->params[0],
                                   .dw_packed = second->params[0],
                                   .x = x.x,
                                   .in = x.in,
                                   .mid = {first->store.a, first->store.b, (int32_t)first->store.act},
                                   .out = {second->store.a, second->store.b, (int32_t)second->store.act},
                                   .y = second->y,
                                   .stats = {second->mean, second->var},
                                   .work = second->work};
    assert(!second->residual);
    cpu_of(first->site)->expand(&args);
}

/* ---- statistics of a 1x1 that widens, from its input ---- */

/* Products over the pixels P of c inputs and o outputs: P c o for the convolution, P c c / 2 and c c o for this. */
int cpu_conv_foresees(const struct op_site *site, int n)
{
    const struct plan_attr *a = &site->attr;
    double pixels = (double)n * (double)blocked_pixels(site->out), c = site->in[0].c, o = site->out.c;
    return site->op == OP_CONV && a->kernel_h == 1 && a->kernel_w == 1 && a->pad_h == 0 && a->pad_w == 0 &&
           a->stride == 1 && a->groups == 1 && !site->image && !site->params[1] &&
           pixels * c * c / 2 + c * c * o < 0.375 * pixels * c * o;
}

static size_t gram_bytes(const struct op_site *site)
{
    size_t c = (size_t)site->in[0].c;
    return (c + c * c) * sizeof(double) / BLOCKED_ALIGN * BLOCKED_ALIGN + BLOCKED_ALIGN;
}

size_t cpu_conv_foresee_workspace(const struct op_site *site, int n)
{
    const struct cpu_kernels *k = cpu_of(site);
    struct cpu_conv g = geometry(site, n);
    size_t gram = k->gram_work(g.c), conv = k->gram_conv_work(&g);
    return gram_bytes(site) + (gram > conv ? gram : conv);
}

void cpu_conv_foresee(const struct op_call *call)
{
    const struct cpu_kernels *k = cpu_of(call->site);
    struct cpu_conv g = geometry(call->site, call->n);
    struct cpu_affine in;
    struct cpu_operand x = cpu_operand_of(call, 0, &in);
    double *mean = call->work, *cov = mean + g.c;
    void *work = (unsigned char *)call->work + gram_bytes(call->site);
    k->gram(g.c, (int64_t)g.n * g.h * g.w, &x, mean, cov, work);
    k->gram_conv(&g, call->params[0], mean, cov, &(struct cpu_stats){call->mean, call->var}, work);
}
