/* plan_layer: primitive layers to operators: attributes are evaluated, parameters named and sliced. A layer that does
 * nothing (a pool of size one) makes no node. */
#include "proto/plan_builder.h"

#include <stdio.h>
#include <string.h>

/* One layer being made. */
struct site {
    struct plan_builder *b;
    const struct layer *l;
    struct expr_env env, full;
    struct plan_attr attr;
};

static int no_memory(struct site *s)
{
    return err_set(s->b->err, ERR_NO_MEMORY, s->l->where, "no memory for the plan");
}

static int get(struct site *s, enum attr_id id, int64_t lo, int64_t hi, int64_t otherwise, int32_t *out)
{
    int64_t v = otherwise;
    const struct expr *x = s->l->attr[id];
    int rc = x ? expr_int(x, &s->env, lo, hi, &v, s->b->err) : 0;
    *out = (int32_t)v;
    return rc;
}

/* The attribute in the largest network, unless `explicit` says what it is. */
static int get_full(struct site *s, enum attr_id id, enum attr_id explicit_id, int32_t actual, int32_t *out)
{
    const struct expr *x = s->l->attr[explicit_id];
    int64_t v = actual;
    int rc = 0;
    if (x)
        rc = expr_int(x, &s->env, 1, SPACE_MAX_DIM, &v, s->b->err);
    else if (id < A_COUNT_OF && s->l->attr[id] && !expr_is_const(s->l->attr[id]))
        rc = expr_int(s->l->attr[id], &s->full, 1, SPACE_MAX_DIM, &v, s->b->err);
    if (rc)
        return rc;
    if (v < actual)
        return err_set(s->b->err, ERR_INVALID, s->l->where, "%s is %d here, but only %lld in the largest network",
                       attr_text(id < A_COUNT_OF ? id : A_FULL_IN), actual, (long long)v);
    *out = (int32_t)v;
    return 0;
}

static int get_bool(struct site *s, enum attr_id id, int otherwise, int *out)
{
    *out = otherwise;
    return s->l->attr[id] ? expr_bool(s->l->attr[id], &s->env, out, s->b->err) : 0;
}

static int get_float(struct site *s, enum attr_id id, double otherwise, float *out)
{
    double v = otherwise;
    int rc = s->l->attr[id] ? expr_num(s->l->attr[id], &s->env, &v, s->b->err) : 0;
    *out = (float)v;
    return rc;
}

/* A name given as a text stands beside the layer: it belongs to the enclosing container. NULL with the error set. */
static const char *given_name(struct site *s, enum attr_id id, const char *suffix)
{
    char text[SPACE_MAX_PATH];
    struct plan_builder *b = s->b;
    int n = builder_text(b, s->l->text[id], text, sizeof text);
    size_t more = strlen(suffix);
    if (n < 0)
        return NULL;
    char *name = arena_alloc(b->arena, b->nparent + (size_t)n + more + 2);
    if (!name) {
        no_memory(s);
        return NULL;
    }
    memcpy(name, b->path, b->nparent);
    if (b->nparent)
        name[b->nparent] = '.';
    char *own = name + b->nparent + (b->nparent ? 1 : 0);
    memcpy(own, text, (size_t)n);
    memcpy(own + n, suffix, more + 1);
    return name;
}

static struct param *new_param(struct site *s, const char *name, int ndim, const int32_t *dims, const int32_t *count)
{
    struct param *p = name ? arena_alloc(s->b->arena, sizeof *p) : NULL;
    if (!p)
        return NULL;
    p->name = name;
    p->ndim = ndim;
    memcpy(p->dims, dims, (size_t)ndim * sizeof *dims);
    memcpy(p->count, count, (size_t)ndim * sizeof *count);
    return p;
}

static struct param *vector(struct site *s, const char *name, int32_t full, int32_t count)
{
    return new_param(s, name, 1, &full, &count);
}

/* The layer's own parameter: its name is path "." suffix. One block for both: a plan has hundreds. */
static struct param *own_param(struct site *s, const char *suffix, int ndim, const int32_t *dims, const int32_t *count)
{
    struct plan_builder *b = s->b;
    size_t n = strlen(suffix), dot = b->npath ? 1 : 0;
    struct param *p = arena_alloc(b->arena, sizeof *p + b->npath + dot + n + 1);
    if (!p)
        return NULL;
    char *name = (char *)(p + 1);
    memcpy(name, b->path, b->npath);
    if (dot)
        name[b->npath] = '.';
    memcpy(name + b->npath + dot, suffix, n + 1);
    p->name = name;
    p->ndim = ndim;
    memcpy(p->dims, dims, (size_t)ndim * sizeof *dims);
    memcpy(p->count, count, (size_t)ndim * sizeof *count);
    return p;
}

static struct param *own_vector(struct site *s, const char *suffix, int32_t full, int32_t count)
{
    return own_param(s, suffix, 1, &full, &count);
}

/* Once-for-All: the kernel k of a K x K filter is made by cropping and multiplying, K -> K-2 -> ... -> k. */
static int transform(struct site *s, struct param **w)
{
    struct plan_builder *b = s->b;
    int32_t from = (*w)->dims[2], to = (*w)->count[2];
    struct param *base = *w;
    base->count[2] = base->count[3] = from;
    for (int32_t k = from; k > to; k -= 2) {
        b->frame->slots[0][s->l->slot] = (struct val){.type = VAL_NUM, .num = k};
        b->frame->slots[0][s->l->slot + 1] = (struct val){.type = VAL_NUM, .num = k - 2};
        const char *name = given_name(s, A_TRANSFORM, "");
        if (!name)
            return -(int)b->err->code;
        int32_t side = (k - 2) * (k - 2), dims[2] = {side, side};
        struct param *by = new_param(s, name, 2, dims, dims), *p = arena_alloc(b->arena, sizeof *p);
        if (!p || !by)
            return no_memory(s);
        *p = (struct param){.kind = PARAM_TRANSFORM, .ndim = 4, .base = base, .by = by};
        memcpy(p->dims, base->count, sizeof p->dims);
        memcpy(p->count, base->count, sizeof p->count);
        p->count[2] = p->count[3] = k - 2;
        base = p;
    }
    *w = base;
    return 0;
}

static int group_mask(struct site *s, struct param **w)
{
    const char *name = given_name(s, A_GATES, "");
    if (!name)
        return -(int)s->b->err->code;
    int32_t channels = (*w)->count[0], gates = 0;
    while (1 << gates < channels)
        gates++;
    if (1 << gates != channels || (*w)->count[1] != channels)
        return err_set(s->b->err, ERR_INVALID, s->l->where, "gates need equal powers of two of channels");
    struct param *p = arena_alloc(s->b->arena, sizeof *p);
    if (!p)
        return no_memory(s);
    *p = (struct param){.kind = PARAM_GROUPMASK, .ndim = 4, .base = *w, .by = vector(s, name, gates, gates)};
    memcpy(p->dims, (*w)->count, sizeof p->dims);
    memcpy(p->count, (*w)->count, sizeof p->count);
    *w = p;
    return p->by ? 0 : no_memory(s);
}

/* Weight (O, I / groups, kh, kw): a prefix of the channels, the centre of the kernel. */
static int conv_weight(struct site *s, const struct tensor *t, int32_t out, int32_t groups, struct param **w,
                       int32_t *full_out)
{
    const struct layer *l = s->l;
    int32_t full_in = 0, kh = 0, kw = 0;
    int depthwise = l->def->depthwise, rc = get_full(s, A_COUNT_OF, A_FULL_IN, t->shape.c, &full_in);
    if (!rc && !l->attr[A_FULL_IN])
        full_in = t->full;
    if (!rc)
        rc = get_full(s, A_KERNEL, A_FULL_KERNEL, s->attr.kernel_h, &kh);
    if (!rc)
        rc = get_full(s, l->attr[A_KERNEL_W] ? A_KERNEL_W : A_KERNEL, A_FULL_KERNEL, s->attr.kernel_w, &kw);
    if (!rc)
        rc = depthwise ? (*full_out = full_in, 0) : get_full(s, A_OUT, A_FULL_OUT, out, full_out);
    if (rc)
        return rc;
    if ((kh - s->attr.kernel_h) % 2 || (kw - s->attr.kernel_w) % 2)
        return err_set(s->b->err, ERR_INVALID, l->where, "kernel %d has no centre in kernel %d", s->attr.kernel_h, kh);
    if (t->shape.c % groups || (!depthwise && groups > 1 && full_in != t->shape.c))
        return err_set(s->b->err, ERR_INVALID, l->where, "%d groups do not fit %d channels", groups, t->shape.c);
    int32_t dims[4] = {*full_out, depthwise ? 1 : full_in / groups, kh, kw};
    int32_t count[4] = {out, t->shape.c / groups, s->attr.kernel_h, s->attr.kernel_w};
    *w = own_param(s, "weight", 4, dims, count);
    if (!*w)
        return no_memory(s);
    (*w)->start[2] = (kh - count[2]) / 2;
    (*w)->start[3] = (kw - count[3]) / 2;
    if (l->text[A_TRANSFORM] && kh == kw && count[2] == count[3] && kh > count[2]) {
        (*w)->start[2] = (*w)->start[3] = 0;
        return transform(s, w);
    }
    return l->text[A_GATES] ? group_mask(s, w) : 0;
}

static int window_attrs(struct site *s, int64_t pad_of_kernel)
{
    struct plan_attr *a = &s->attr;
    int rc = get(s, A_KERNEL, 1, 1024, 1, &a->kernel_h);
    if (!rc)
        rc = get(s, A_KERNEL_W, 1, 1024, a->kernel_h, &a->kernel_w);
    if (!rc)
        rc = get(s, A_DILATION, 1, 1024, 1, &a->dilation);
    if (!rc)
        rc = get(s, A_PAD, 0, 1024, pad_of_kernel * a->dilation * (a->kernel_h - 1) / 2, &a->pad_h);
    if (!rc)
        rc = get(s, A_PAD_W, 0, 1024,
                 s->l->attr[A_PAD] ? a->pad_h : pad_of_kernel * a->dilation * (a->kernel_w - 1) / 2, &a->pad_w);
    return rc;
}

static int conv(struct site *s, struct tensor *t)
{
    struct plan_attr *a = &s->attr;
    struct param *params[2] = {0};
    int32_t out = t->shape.c, full = 0;
    int bias = 0, rc = window_attrs(s, 1);
    if (!rc)
        rc = get(s, A_STRIDE, 1, 1024, 1, &a->stride);
    if (!rc)
        rc = get(s, A_GROUPS, 1, SPACE_MAX_DIM, s->l->def->depthwise ? t->shape.c : 1, &a->groups);
    if (!rc && !s->l->def->depthwise)
        rc = get(s, A_OUT, 1, SPACE_MAX_DIM, 0, &out);
    if (!rc)
        rc = get_bool(s, A_BIAS, 0, &bias);
    if (!rc)
        rc = conv_weight(s, t, out, a->groups, &params[0], &full);
    if (rc)
        return rc;
    if (bias && !(params[1] = own_vector(s, "bias", full, out)))
        return no_memory(s);
    rc = builder_emit(s->b, s->l, OP_CONV, a, (const struct param *const *)params, bias ? 2 : 1, t, 1, t);
    t->full = full;
    return rc;
}

static int linear(struct site *s, struct tensor *t)
{
    struct param *params[2] = {0};
    int32_t out = 0, full_in = 0, full = 0;
    int bias = 1, rc = get(s, A_OUT, 1, SPACE_MAX_DIM, 0, &out);
    if (!rc)
        rc = get_bool(s, A_BIAS, 1, &bias);
    if (!rc)
        rc = get_full(s, A_OUT, A_FULL_OUT, out, &full);
    if (!rc)
        rc = get_full(s, A_COUNT_OF, A_FULL_IN, t->shape.c, &full_in);
    if (rc)
        return rc;
    int32_t dims[2] = {full, s->l->attr[A_FULL_IN] ? full_in : t->full}, count[2] = {out, t->shape.c};
    params[0] = own_param(s, "weight", 2, dims, count);
    if (bias)
        params[1] = own_vector(s, "bias", full, out);
    if (!params[0] || (bias && !params[1]))
        return no_memory(s);
    rc = builder_emit(s->b, s->l, OP_LINEAR, &s->attr, (const struct param *const *)params, bias ? 2 : 1, t, 1, t);
    t->full = full;
    return rc;
}

static int norm(struct site *s, struct tensor *t)
{
    static const char *const names[4] = {"weight", "bias", "running_mean", "running_var"};
    struct param *params[4] = {0};
    int affine = 1, stats = 1, n = s->l->def->op == OP_BN ? 4 : 2, rc = get_float(s, A_EPS, 1e-5, &s->attr.eps);
    if (!rc)
        rc = get_bool(s, A_AFFINE, 1, &affine);
    if (!rc)
        rc = get_bool(s, A_STATS, 1, &stats);
    for (int i = 0; i < n && !rc; i++)
        if ((i < 2 ? affine : stats) && !(params[i] = own_vector(s, names[i], t->full, t->shape.c)))
            rc = no_memory(s);
    return rc ? rc : builder_emit(s->b, s->l, s->l->def->op, &s->attr, (const struct param *const *)params, n, t, 1, t);
}

static int act_by_name(struct site *s, int32_t *out)
{
    char text[64];
    struct suggest sug;
    if (builder_text(s->b, s->l->text[A_KIND], text, sizeof text) < 0)
        return -(int)s->b->err->code;
    for (int i = 0; i < ACT_COUNT; i++)
        if (strcmp(act_text((enum act_kind)i), text) == 0) {
            *out = i;
            return 0;
        }
    suggest_init(&sug, text);
    for (int i = 0; i < ACT_COUNT; i++)
        suggest_offer(&sug, act_text((enum act_kind)i));
    return err_set(s->b->err, ERR_INVALID, s->l->text[A_KIND]->where, "unknown activation \"%s\"%s", text,
                   suggest_hint(&sug));
}

static int act(struct site *s, struct tensor *t)
{
    s->attr.act = (int32_t)s->l->def->act;
    int rc = s->l->text[A_KIND] ? act_by_name(s, &s->attr.act) : 0;
    if (rc || s->attr.act == ACT_NONE)
        return rc;
    return builder_emit(s->b, s->l, OP_ACT, &s->attr, NULL, 0, t, 1, t);
}

static int scale(struct site *s, struct tensor *t)
{
    struct param *p = NULL;
    int rc = get_float(s, A_BY, 1, &s->attr.scale);
    if (!rc && s->l->text[A_KIND])
        rc = act_by_name(s, &s->attr.act);
    if (!rc && s->l->text[A_PARAM]) {
        const char *name = given_name(s, A_PARAM, "");
        rc = !name ? -(int)s->b->err->code : !(p = vector(s, name, 1, 1)) ? no_memory(s) : 0;
    }
    if (rc || (!p && s->attr.scale == 1.0F))
        return rc;
    const struct param *params[1] = {p};
    return builder_emit(s->b, s->l, OP_SCALE, &s->attr, params, p ? 1 : 0, t, 1, t);
}

static int pool(struct site *s, struct tensor *t)
{
    struct plan_attr *a = &s->attr;
    int ceil = 0, count_pad = 1, rc = window_attrs(s, 0);
    if (!rc)
        rc = get(s, A_STRIDE, 1, 1024, a->kernel_h, &a->stride);
    if (!rc)
        rc = get_bool(s, A_CEIL, 0, &ceil);
    if (!rc)
        rc = get_bool(s, A_COUNT_PAD, 1, &count_pad);
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
    int rc = get(s, A_COUNT, 1, SPACE_MAX_DIM, 0, &out.shape.c);
    if (!rc)
        rc = get(s, A_START, 0, SPACE_MAX_DIM, 0, &s->attr.start);
    if (!rc)
        rc = get(s, A_STEP, 1, SPACE_MAX_DIM, 1, &s->attr.step);
    if (!rc)
        rc = get_full(s, A_COUNT, A_FULL_OUT, out.shape.c, &out.full);
    if (rc || (s->attr.start == 0 && s->attr.step == 1 && out.shape.c == t->shape.c))
        return rc;
    rc = builder_emit(s->b, s->l, OP_SLICE, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

/* Operators that rearrange: attributes, then nothing to do when they say so. */
static int shuffle(struct site *s, struct tensor *t)
{
    int rc = get(s, A_GROUPS, 1, SPACE_MAX_DIM, 1, &s->attr.groups);
    return rc || s->attr.groups == 1 ? rc : builder_emit(s->b, s->l, OP_SHUFFLE, &s->attr, NULL, 0, t, 1, t);
}

static int padc(struct site *s, struct tensor *t)
{
    int32_t full = t->full;
    int rc = get(s, A_BEFORE, 0, SPACE_MAX_DIM, 0, &s->attr.before);
    if (!rc)
        rc = get(s, A_AFTER, 0, SPACE_MAX_DIM, 0, &s->attr.after);
    if (rc || s->attr.before + s->attr.after == 0)
        return rc;
    rc = builder_emit(s->b, s->l, OP_PADC, &s->attr, NULL, 0, t, 1, t);
    t->full = full + s->attr.before + s->attr.after;
    return rc;
}

static int subsample(struct site *s, struct tensor *t)
{
    int rc = get(s, A_STRIDE, 1, 1024, 1, &s->attr.stride);
    if (!rc)
        rc = get(s, A_OFFSET, 0, 1024, 0, &s->attr.start);
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
    int rc = get(s, A_HEIGHT, 1, 65536, 0, &out.shape.h);
    if (!rc)
        rc = get(s, A_WIDTH, 1, 65536, out.shape.h, &out.shape.w);
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
    int rc = get(s, A_RADIX, 1, 1024, 1, &s->attr.step);
    if (!rc)
        rc = get(s, A_GROUPS, 1, 1024, 1, &s->attr.groups);
    return rc ? rc : builder_emit(s->b, s->l, OP_RSOFTMAX, &s->attr, NULL, 0, t, 1, t);
}

static int tokens(struct site *s, struct tensor *t)
{
    const struct param *params[1] = {NULL};
    if (s->l->text[A_CLASS_TOKEN]) {
        const char *name = given_name(s, A_CLASS_TOKEN, "");
        if (!name)
            return -(int)s->b->err->code;
        int32_t dims[3] = {1, 1, t->full}, count[3] = {1, 1, t->shape.c};
        if (!(params[0] = new_param(s, name, 3, dims, count)))
            return no_memory(s);
    }
    return builder_emit(s->b, s->l, OP_TOKENS, &s->attr, params, 1, t, 1, t);
}

static int untokens(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int rc = get(s, A_HEIGHT, 1, 65536, 0, &out.shape.h);
    if (!rc)
        rc = get(s, A_WIDTH, 1, 65536, out.shape.h, &out.shape.w);
    if (!rc)
        rc = builder_emit(s->b, s->l, OP_UNTOKENS, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

static int select_token(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int rc = get(s, A_INDEX, -65536, 65536, 0, &s->attr.start);
    if (!rc)
        rc = get(s, A_COUNT, 1, 65536, 1, &out.shape.h);
    if (rc || (s->attr.start == 0 && t->shape.w == 1 && out.shape.h == t->shape.h))
        return rc;
    rc = builder_emit(s->b, s->l, OP_SELECT, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

/* Position encodings: (1, tokens, c) over tokens, as vision transformers store them, the first ones of `count`; (1, c,
 * h, w) over maps. A vector has one value a channel. */
static int addparam(struct site *s, struct tensor *t)
{
    int is_vector = 0, rc = get_bool(s, A_VECTOR, 0, &is_vector);
    const char *name = rc ? NULL : given_name(s, A_PARAM, "");
    if (!name)
        return -(int)s->b->err->code;
    int map = t->shape.w != 1;
    int32_t rows = t->shape.h;
    if (get(s, A_COUNT, t->shape.h, 1 << 20, t->shape.h, &rows))
        return -(int)s->b->err->code;
    int32_t dims[4] = {1, rows, t->full, 0}, count[4] = {1, t->shape.h, t->shape.c, 0};
    int32_t mdims[4] = {1, t->full, t->shape.h, t->shape.w}, mcount[4] = {1, t->shape.c, t->shape.h, t->shape.w};
    const struct param *p = is_vector ? vector(s, name, t->full, t->shape.c)
                                      : new_param(s, name, map ? 4 : 3, map ? mdims : dims, map ? mcount : count);
    return p ? builder_emit(s->b, s->l, OP_ADDPARAM, &s->attr, &p, 1, t, 1, t) : no_memory(s);
}

static int embed(struct site *s, struct tensor *t)
{
    int32_t out = 0, words = 0, full = 0;
    int rc = get(s, A_OUT, 1, SPACE_MAX_DIM, 0, &out);
    if (!rc)
        rc = get(s, A_VOCABULARY, 1, 1 << 24, 0, &words);
    if (!rc)
        rc = get_full(s, A_OUT, A_FULL_OUT, out, &full);
    if (rc)
        return rc;
    int32_t dims[2] = {words, full}, count[2] = {words, out};
    const struct param *params[1] = {own_param(s, "weight", 2, dims, count)};
    if (!params[0])
        return no_memory(s);
    rc = builder_emit(s->b, s->l, OP_EMBED, &s->attr, params, 1, t, 1, t);
    t->full = full;
    return rc;
}

/* Tables of relative positions: "<name>.embeddings_table_v" for rows, "_h" for columns (AutoFormer). */
static int relative_tables(struct site *s, const struct tensor *t, const struct param **params)
{
    static const enum attr_id ids[2] = {A_RELATIVE_K, A_RELATIVE_V};
    static const char *const suffixes[2] = {".embeddings_table_v", ".embeddings_table_h"};
    int rc = get(s, A_DISTANCE, 1, 4096, 1, &s->attr.step);
    if (!rc && (!s->l->text[A_RELATIVE_K] || !s->l->text[A_RELATIVE_V]))
        return err_set(s->b->err, ERR_INVALID, s->l->where, "distance needs relative_k and relative_v");
    int32_t dims[2] = {2 * s->attr.step + 2, t->shape.c / (3 * s->attr.groups)};
    for (int i = 0; i < 4 && !rc; i++) {
        const char *name = given_name(s, ids[i / 2], suffixes[i % 2]);
        if (!name)
            return -(int)s->b->err->code;
        if (!(params[i] = new_param(s, name, 2, dims, dims)))
            return no_memory(s);
    }
    return rc;
}

static int attention(struct site *s, struct tensor *t)
{
    int32_t full = t->full / 3; /* a mask is one channel more: it does not change the quotient */
    char mode[16] = "keys";
    const struct param *params[4] = {0};
    int rc = get(s, A_HEADS, 1, 1024, 1, &s->attr.groups);
    if (!rc)
        rc = get_float(s, A_SCALE, 1, &s->attr.scale);
    if (!rc && s->l->text[A_MODE] && builder_text(s->b, s->l->text[A_MODE], mode, sizeof mode) < 0)
        rc = -(int)s->b->err->code;
    if (!rc && strcmp(mode, "keys") != 0 && strcmp(mode, "queries") != 0)
        rc = err_set(s->b->err, ERR_INVALID, s->l->where, "mode is \"keys\" or \"queries\", not \"%s\"", mode);
    if (!rc)
        rc = get_bool(s, A_MASK, 0, &s->attr.after);
    s->attr.mode = mode[0] == 'q' ? ATTENTION_QUERIES : ATTENTION_KEYS;
    int relative = s->l->attr[A_DISTANCE] != NULL;
    if (!rc && relative)
        rc = relative_tables(s, t, params);
    if (!rc)
        rc = builder_emit(s->b, s->l, OP_ATTENTION, &s->attr, params, relative ? 4 : 0, t, 1, t);
    t->full = full;
    return rc;
}

static int zero(struct site *s, struct tensor *t)
{
    struct tensor out = *t;
    int32_t stride = 1;
    int rc = get(s, A_OUT, 1, SPACE_MAX_DIM, t->shape.c, &out.shape.c);
    if (!rc)
        rc = get(s, A_STRIDE, 1, 1024, 1, &stride);
    if (!rc)
        rc = get_full(s, A_OUT, A_FULL_OUT, out.shape.c, &out.full);
    if (rc)
        return rc;
    out.shape.h = (t->shape.h + stride - 1) / stride;
    out.shape.w = (t->shape.w + stride - 1) / stride;
    rc = builder_emit(s->b, s->l, OP_ZERO, &s->attr, NULL, 0, t, 1, &out);
    *t = out;
    return rc;
}

static int (*const makers[OP_COUNT])(struct site *, struct tensor *) = {
    [OP_CONV] = conv,
    [OP_LINEAR] = linear,
    [OP_BN] = norm,
    [OP_LAYERNORM] = norm,
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
    [OP_TOKENS] = tokens,
    [OP_UNTOKENS] = untokens,
    [OP_SELECT] = select_token,
    [OP_ADDPARAM] = addparam,
    [OP_EMBED] = embed,
    [OP_ATTENTION] = attention,
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
