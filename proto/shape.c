/* shape: output shapes, by PyTorch's rules (floor division, ceil_mode drops a window that starts in the padding). */
#include "proto/shape.h"

typedef int shape_fn(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                     struct shape *out, struct err *err);

int shape_equal(struct shape a, struct shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
}

static int bad(struct err *err, const char *what, struct shape s)
{
    return err_set(err, ERR_INVALID, "", "%s (the tensor is %d x %d x %d)", what, s.c, s.h, s.w);
}

static int32_t window(int32_t size, int32_t kernel, int32_t stride, int32_t pad, int32_t dilation, int up)
{
    int64_t span = (int64_t)size + 2 * pad - (int64_t)dilation * (kernel - 1) - 1;
    if (span < 0)
        return 0;
    int64_t n = (up ? (span + stride - 1) / stride : span / stride) + 1;
    if (up && (n - 1) * stride >= (int64_t)size + pad)
        n--;
    return (int32_t)n;
}

static int same(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                struct shape *out, struct err *err)
{
    (void)attr, (void)params, (void)nin, (void)err;
    *out = in[0];
    return 0;
}

static int given(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                 struct shape *out, struct err *err)
{
    (void)attr, (void)params, (void)in, (void)nin;
    return out->c > 0 && out->h > 0 && out->w > 0 ? 0 : bad(err, "an empty tensor", *out);
}

static int conv(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                struct shape *out, struct err *err)
{
    (void)nin;
    const struct param *w = params[0];
    if (in->c % attr->groups || w->count[0] % attr->groups)
        return bad(err, "groups do not divide the channels", *in);
    if (w->count[1] != in->c / attr->groups)
        return bad(err, "the weight does not fit the channels", *in);
    out->c = w->count[0];
    out->h = window(in->h, attr->kernel_h, attr->stride, attr->pad_h, attr->dilation, 0);
    out->w = window(in->w, attr->kernel_w, attr->stride, attr->pad_w, attr->dilation, 0);
    return out->h > 0 && out->w > 0 ? 0 : bad(err, "the kernel is larger than the padded tensor", *in);
}

static int linear(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                  struct shape *out, struct err *err)
{
    (void)attr, (void)nin;
    if (in->h != 1 || in->w != 1)
        return bad(err, "linear needs one value per channel: put \"gap\" before it", *in);
    *out = (struct shape){params[0]->count[0], 1, 1};
    return 0;
}

static int sum(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
               struct shape *out, struct err *err)
{
    (void)attr, (void)params;
    for (int i = 1; i < nin; i++)
        if (!shape_equal(in[0], in[i]))
            return err_set(err, ERR_INVALID, "", "branches of unequal shapes: %d x %d x %d and %d x %d x %d", in[0].c,
                           in[0].h, in[0].w, in[i].c, in[i].h, in[i].w);
    *out = in[0];
    return 0;
}

static int mul(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
               struct shape *out, struct err *err)
{
    struct shape gate = {in[0].c, 1, 1};
    if (shape_equal(in[1], gate)) {
        *out = in[0];
        return 0;
    }
    return sum(attr, params, in, nin, out, err);
}

static int concat(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                  struct shape *out, struct err *err)
{
    (void)attr, (void)params;
    *out = in[0];
    for (int i = 1; i < nin; i++) {
        if (in[i].h != in[0].h || in[i].w != in[0].w)
            return bad(err, "concat of unequal heights or widths", in[i]);
        out->c += in[i].c;
    }
    return 0;
}

static int slice(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                 struct shape *out, struct err *err)
{
    (void)params, (void)nin;
    int64_t last = attr->start + (int64_t)(out->c - 1) * attr->step;
    if (out->c < 1 || attr->start < 0 || attr->step < 1 || last >= in->c)
        return bad(err, "slice takes channels that are not there", *in);
    *out = (struct shape){out->c, in->h, in->w};
    return 0;
}

static int shuffle(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                   struct shape *out, struct err *err)
{
    (void)params, (void)nin;
    *out = *in;
    return in->c % attr->groups ? bad(err, "groups do not divide the channels", *in) : 0;
}

static int padc(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                struct shape *out, struct err *err)
{
    (void)params, (void)nin, (void)err;
    *out = (struct shape){in->c + attr->before + attr->after, in->h, in->w};
    return 0;
}

static int subsample(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                     struct shape *out, struct err *err)
{
    (void)params, (void)nin, (void)err;
    *out = (struct shape){in->c, (in->h + attr->stride - 1) / attr->stride, (in->w + attr->stride - 1) / attr->stride};
    return 0;
}

static int pool(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                struct shape *out, struct err *err)
{
    (void)params, (void)nin;
    if (attr->pad_h * 2 > attr->kernel_h)
        return bad(err, "a pool's padding is at most half its kernel", *in);
    out->c = in->c;
    out->h = window(in->h, attr->kernel_h, attr->stride, attr->pad_h, 1, attr->ceil);
    out->w = window(in->w, attr->kernel_w, attr->stride, attr->pad_w, 1, attr->ceil);
    return out->h > 0 && out->w > 0 ? 0 : bad(err, "the kernel is larger than the padded tensor", *in);
}

static int gap(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
               struct shape *out, struct err *err)
{
    (void)attr, (void)params, (void)nin, (void)err;
    *out = (struct shape){in->c, 1, 1};
    return 0;
}

static int resize(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                  struct shape *out, struct err *err)
{
    out->c = in->c;
    return given(attr, params, in, nin, out, err);
}

static int rsoftmax(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                    struct shape *out, struct err *err)
{
    (void)params, (void)nin;
    *out = *in;
    return in->c % (attr->groups * attr->step) ? bad(err, "radix * groups does not divide the channels", *in) : 0;
}

static int tokens(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                  struct shape *out, struct err *err)
{
    (void)attr, (void)nin, (void)err;
    *out = (struct shape){in->c, in->h * in->w + (params && params[0] ? 1 : 0), 1};
    return 0;
}

static int untokens(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                    struct shape *out, struct err *err)
{
    (void)attr, (void)params, (void)nin;
    out->c = in->c;
    if (in->w != 1 || (int64_t)out->h * out->w != in->h)
        return bad(err, "untokens: height * width is not the number of tokens", *in);
    return 0;
}

static int select(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                  struct shape *out, struct err *err)
{
    (void)params, (void)nin;
    *out = (struct shape){in->c, out->h, 1};
    int none = in->w != 1 || attr->start >= in->h || attr->start + out->h <= 0;
    return none ? bad(err, "there is no such token", *in) : 0;
}

static int embed(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                 struct shape *out, struct err *err)
{
    (void)attr, (void)nin;
    *out = (struct shape){params[0]->count[1], in->h, 1};
    return in->c != 1 || in->w != 1 ? bad(err, "embed takes token ids, 1 x tokens x 1", *in) : 0;
}

static int attention(const struct plan_attr *attr, const struct param *const *params, const struct shape *in, int nin,
                     struct shape *out, struct err *err)
{
    (void)nin;
    *out = (struct shape){in->c / 3, in->h, 1};
    if (in->w != 1 || (in->c - attr->after) % (3 * attr->groups))
        return bad(err, "attention takes 3 * heads * d channels of tokens, and one for a mask", *in);
    int32_t side = 1;
    while (side * side < in->h - 1)
        side++;
    if (params && params[0] && side * side != in->h - 1)
        return bad(err, "relative positions are those of a class token and a square of tokens", *in);
    return 0;
}

static shape_fn *const table[OP_COUNT] = {
    [OP_INPUT] = given,
    [OP_CONV] = conv,
    [OP_LINEAR] = linear,
    [OP_BN] = same,
    [OP_LAYERNORM] = same,
    [OP_ACT] = same,
    [OP_ADD] = sum,
    [OP_MUL] = mul,
    [OP_SCALE] = same,
    [OP_CONCAT] = concat,
    [OP_SLICE] = slice,
    [OP_SHUFFLE] = shuffle,
    [OP_PADC] = padc,
    [OP_SUBSAMPLE] = subsample,
    [OP_AVGPOOL] = pool,
    [OP_MAXPOOL] = pool,
    [OP_GAP] = gap,
    [OP_RESIZE] = resize,
    [OP_RSOFTMAX] = rsoftmax,
    [OP_TOKENS] = tokens,
    [OP_UNTOKENS] = untokens,
    [OP_SELECT] = select,
    [OP_ADDPARAM] = same,
    [OP_EMBED] = embed,
    [OP_ATTENTION] = attention,
    [OP_ZERO] = given,
    [OP_MAX] = sum,
};

int shape_infer(enum op_kind op, const struct plan_attr *attr, const struct param *const *params,
                const struct shape *in, int nin, struct shape *out, struct err *err)
{
    return table[op](attr, params, in, nin, out, err);
}
