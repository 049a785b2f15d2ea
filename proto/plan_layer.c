/* plan_layer: primitive layers to operators; those without weights are made here. A layer that does nothing (a pool of
 * size one) makes no node. */
#include "proto/plan_site.h"

#include <string.h>

static int act(struct site *s, struct tensor *t)
{
    s->attr.act = (int32_t)s->l->def->act;
    int rc = s->l->text[A_KIND] ? site_act(s, &s->attr.act) : 0;
    if (rc || s->attr.act == ACT_NONE)
        return rc;
    return builder_emit(s->b, s->l, OP_ACT, &s->attr, NULL, 0, t, 1, t);
}
static int scale(struct site *s, struct tensor *t)
{
    struct param *p = NULL;
    int rc = site_float(s, A_BY, 1, &s->attr.scale);
    if (!rc && s->l->text[A_KIND])
        rc = site_act(s, &s->attr.act);
    if (!rc && s->l->text[A_PARAM]) {
        const char *name = site_name(s, A_PARAM, "");
        rc = !name ? -(int)s->b->err->code : !(p = site_vector(s, name, 1, 1)) ? site_no_memory(s) : 0;
    }
    if (rc || (!p && s->attr.scale == 1.0F))
        return rc;
    const struct param *params[1] = {p};
    return builder_emit(s->b, s->l, OP_SCALE, &s->attr, params, p ? 1 : 0, t, 1, t);
}

static int pool(struct site *s, struct tensor *t)
{
    struct plan_attr *a = &s->attr;
    int ceil = 0, count_pad = 1, rc = site_window(s, 0);
    if (!rc)
        rc = site_int(s, A_STRIDE, 1, 1024, a->kernel_h, &a->stride);
    if (!rc)
        rc = site_bool(s, A_CEIL, 0, &ceil);
    if (!rc)
        rc = site_bool(s, A_COUNT_PAD, 1, &count_pad);
    a->ceil = ceil;
    a->count_pad = s->l->def->op == OP_AVGPOOL && count_pad;
    a->dilation = 0;
    if (rc || (a->kernel_h == 1 && a->kernel_w == 1 && a->stride == 1))
        return rc;
    return builder_emit(s->b, s->l, s->l->def->op, a, NULL, 0, t, 1, t);
}

static int slice(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int rc = site_int(s, A_COUNT, 1, SPACE_MAX_DIM, 0, &out.shape.c);
    if (!rc)
        rc = site_int(s, A_START, 0, SPACE_MAX_DIM, 0, &s->attr.start);
    if (!rc)
        rc = site_int(s, A_STEP, 1, SPACE_MAX_DIM, 1, &s->attr.step);
    if (!rc)
        rc = site_full(s, A_COUNT, A_FULL_OUT, out.shape.c, &out.full);
    if (rc || (s->attr.start == 0 && s->attr.step == 1 && out.shape.c == t->shape.c))
        return rc;
    rc = builder_emit(s->b, s->l, OP_SLICE, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

/* Operators that rearrange: attributes, then nothing to do when they say so. */
static int shuffle(struct site *s, struct tensor *t)
{
    int rc = site_int(s, A_GROUPS, 1, SPACE_MAX_DIM, 1, &s->attr.groups);
    return rc || s->attr.groups == 1 ? rc : builder_emit(s->b, s->l, OP_SHUFFLE, &s->attr, NULL, 0, t, 1, t);
}

static int padc(struct site *s, struct tensor *t)
{
    int32_t full = t->full;
    int rc = site_int(s, A_BEFORE, 0, SPACE_MAX_DIM, 0, &s->attr.before);
    if (!rc)
        rc = site_int(s, A_AFTER, 0, SPACE_MAX_DIM, 0, &s->attr.after);
    if (rc || s->attr.before + s->attr.after == 0)
        return rc;
    rc = builder_emit(s->b, s->l, OP_PADC, &s->attr, NULL, 0, t, 1, t);
    t->full = full + s->attr.before + s->attr.after;
    return rc;
}

static int subsample(struct site *s, struct tensor *t)
{
    int rc = site_int(s, A_STRIDE, 1, 1024, 1, &s->attr.stride);
    if (!rc)
        rc = site_int(s, A_OFFSET, 0, 1024, 0, &s->attr.start);
    if (rc || (s->attr.stride == 1 && s->attr.start == 0))
        return rc;
    return builder_emit(s->b, s->l, OP_SUBSAMPLE, &s->attr, NULL, 0, t, 1, t);
}

static int gap(struct site *s, struct tensor *t)
{
    return t->shape.h == 1 && t->shape.w == 1 ? 0 : builder_emit(s->b, s->l, OP_GAP, &s->attr, NULL, 0, t, 1, t);
}

static int resize(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    char mode[16] = "bilinear";
    int rc = site_int(s, A_HEIGHT, 1, 65536, 0, &out.shape.h);
    if (!rc)
        rc = site_int(s, A_WIDTH, 1, 65536, out.shape.h, &out.shape.w);
    if (!rc && s->l->text[A_MODE] && builder_text(s->b, s->l->text[A_MODE], mode, sizeof mode) < 0)
        rc = -(int)s->b->err->code;
    if (rc)
        return rc;
    if (strcmp(mode, "bilinear") != 0 && strcmp(mode, "bicubic") != 0)
        return err_set(s->b->err, ERR_INVALID, s->l->where, "mode is \"bilinear\" or \"bicubic\", not \"%s\"", mode);
    s->attr.mode = mode[2] == 'c' ? RESIZE_BICUBIC : RESIZE_BILINEAR;
    if (out.shape.h == t->shape.h && out.shape.w == t->shape.w)
        return 0;
    rc = builder_emit(s->b, s->l, OP_RESIZE, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

static int rsoftmax(struct site *s, struct tensor *t)
{
    int rc = site_int(s, A_RADIX, 1, 1024, 1, &s->attr.step);
    if (!rc)
        rc = site_int(s, A_GROUPS, 1, 1024, 1, &s->attr.groups);
    return rc ? rc : builder_emit(s->b, s->l, OP_RSOFTMAX, &s->attr, NULL, 0, t, 1, t);
}

static int untokens(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int rc = site_int(s, A_HEIGHT, 1, 65536, 0, &out.shape.h);
    if (!rc)
        rc = site_int(s, A_WIDTH, 1, 65536, out.shape.h, &out.shape.w);
    if (!rc)
        rc = builder_emit(s->b, s->l, OP_UNTOKENS, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

static int select_token(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int rc = site_int(s, A_INDEX, -65536, 65536, 0, &s->attr.start);
    if (!rc)
        rc = site_int(s, A_COUNT, 1, 65536, 1, &out.shape.h);
    if (rc || (s->attr.start == 0 && t->shape.w == 1 && out.shape.h == t->shape.h))
        return rc;
    rc = builder_emit(s->b, s->l, OP_SELECT, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

static int zero(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int32_t stride = 1;
    int rc = site_int(s, A_OUT, 1, SPACE_MAX_DIM, t->shape.c, &out.shape.c);
    if (!rc)
        rc = site_int(s, A_STRIDE, 1, 1024, 1, &stride);
    if (!rc)
        rc = site_full(s, A_OUT, A_FULL_OUT, out.shape.c, &out.full);
    if (rc)
        return rc;
    out.shape.h = (t->shape.h + stride - 1) / stride;
    out.shape.w = (t->shape.w + stride - 1) / stride;
    rc = builder_emit(s->b, s->l, OP_ZERO, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

static int (*const makers[OP_COUNT])(struct site *, struct tensor *) = {
    [OP_CONV] = plan_weights_conv,
    [OP_LINEAR] = plan_weights_linear,
    [OP_BN] = plan_weights_norm,
    [OP_LAYERNORM] = plan_weights_norm,
    [OP_ACT] = act,
    [OP_SCALE] = scale,
    [OP_SLICE] = slice,
    [OP_SHUFFLE] = shuffle,
    [OP_PADC] = padc,
    [OP_SUBSAMPLE] = subsample,
    [OP_AVGPOOL] = pool,
    [OP_MAXPOOL] = pool,
    [OP_GAP] = gap,
    [OP_RESIZE] = resize,
    [OP_RSOFTMAX] = rsoftmax,
    [OP_TOKENS] = plan_weights_tokens,
    [OP_UNTOKENS] = untokens,
    [OP_SELECT] = select_token,
    [OP_ADDPARAM] = plan_weights_addparam,
    [OP_EMBED] = plan_weights_embed,
    [OP_ATTENTION] = plan_weights_attention,
    [OP_ZERO] = zero,
};

int builder_layer(struct plan_builder *b, const struct layer *l, struct tensor *t)
{
    if (l->def->op == OP_COUNT) /* identity */
        return 0;
    struct site s;
    s.b = b;
    s.l = l;
    s.env = builder_env(b, 0);
    s.full = builder_env(b, 1);
    memset(&s.attr, 0, sizeof s.attr);
    return makers[l->def->op](&s, t);
}
