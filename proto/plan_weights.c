/* plan_weights: layers with weights to operators: parameters are named and sliced, kernels cropped, multiplied or
 * masked, tables of positions looked up. */
#include "proto/plan_site.h"

#include <string.h>

/* ---- convolutions ---- */

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
        const char *name = site_name(s, A_TRANSFORM, "");
        if (!name)
            return -(int)b->err->code;
        int32_t side = (k - 2) * (k - 2), dims[2] = {side, side};
        struct param *by = site_param(s, name, 2, dims, dims), *p = arena_alloc(b->arena, sizeof *p);
        if (!p || !by)
            return site_no_memory(s);
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
    const char *name = site_name(s, A_GATES, "");
    if (!name)
        return -(int)s->b->err->code;
    int32_t channels = (*w)->count[0], gates = 0;
    while (1 << gates < channels)
        gates++;
    if (1 << gates != channels || (*w)->count[1] != channels)
        return err_set(s->b->err, ERR_INVALID, s->l->where, "gates need equal powers of two of channels");
    struct param *p = arena_alloc(s->b->arena, sizeof *p);
    if (!p)
        return site_no_memory(s);
    *p = (struct param){.kind = PARAM_GROUPMASK, .ndim = 4, .base = *w, .by = site_vector(s, name, gates, gates)};
    memcpy(p->dims, (*w)->count, sizeof p->dims);
    memcpy(p->count, (*w)->count, sizeof p->count);
    *w = p;
    return p->by ? 0 : site_no_memory(s);
}

/* Weight (O, I / groups, kh, kw): a prefix of the channels, the centre of the kernel. */
static int conv_weight(struct site *s, const struct tensor *t, int32_t out, int32_t groups, struct param **w,
                       int32_t *full_out)
{
    const struct layer *l = s->l;
    int32_t full_in = 0, kh = 0, kw = 0;
    int depthwise = l->def->depthwise, rc = site_full(s, A_COUNT_OF, A_FULL_IN, t->shape.c, &full_in);
    if (!rc && !l->attr[A_FULL_IN])
        full_in = t->full;
    if (!rc)
        rc = site_full(s, A_KERNEL, A_FULL_KERNEL, s->attr.kernel_h, &kh);
    if (!rc)
        rc = site_full(s, l->attr[A_KERNEL_W] ? A_KERNEL_W : A_KERNEL, A_FULL_KERNEL, s->attr.kernel_w, &kw);
    if (!rc)
        rc = depthwise ? (*full_out = full_in, 0) : site_full(s, A_OUT, A_FULL_OUT, out, full_out);
    if (rc)
        return rc;
    if ((kh - s->attr.kernel_h) % 2 || (kw - s->attr.kernel_w) % 2)
        return err_set(s->b->err, ERR_INVALID, l->where, "kernel %d has no centre in kernel %d", s->attr.kernel_h, kh);
    if (t->shape.c % groups || (!depthwise && groups > 1 && full_in != t->shape.c))
        return err_set(s->b->err, ERR_INVALID, l->where, "%d groups do not fit %d channels", groups, t->shape.c);
    int32_t dims[4] = {*full_out, depthwise ? 1 : full_in / groups, kh, kw};
    int32_t count[4] = {out, t->shape.c / groups, s->attr.kernel_h, s->attr.kernel_w};
    *w = site_own(s, "weight", 4, dims, count);
    if (!*w)
        return site_no_memory(s);
    (*w)->start[2] = (kh - count[2]) / 2;
    (*w)->start[3] = (kw - count[3]) / 2;
    if (l->text[A_TRANSFORM] && kh == kw && count[2] == count[3] && kh > count[2]) {
        (*w)->start[2] = (*w)->start[3] = 0;
        return transform(s, w);
    }
    return l->text[A_GATES] ? group_mask(s, w) : 0;
}

int plan_weights_conv(struct site *s, struct tensor *t)
{
    struct plan_attr *a = &s->attr;
    struct param *params[2] = {0};
    int32_t out = t->shape.c, full = 0;
    int bias = 0, rc = site_window(s, 1);
    if (!rc)
        rc = site_int(s, A_STRIDE, 1, 1024, 1, &a->stride);
    if (!rc)
        rc = site_int(s, A_GROUPS, 1, SPACE_MAX_DIM, s->l->def->depthwise ? t->shape.c : 1, &a->groups);
    if (!rc && !s->l->def->depthwise)
        rc = site_int(s, A_OUT, 1, SPACE_MAX_DIM, 0, &out);
    if (!rc)
        rc = site_bool(s, A_BIAS, 0, &bias);
    if (!rc)
        rc = conv_weight(s, t, out, a->groups, &params[0], &full);
    if (rc)
        return rc;
    if (bias && !(params[1] = site_own_vector(s, "bias", full, out)))
        return site_no_memory(s);
    rc = builder_emit(s->b, s->l, OP_CONV, a, (const struct param *const *)params, bias ? 2 : 1, t, 1, t);
    t->full = full;
    return rc;
}

int plan_weights_linear(struct site *s, struct tensor *t)
{
    struct param *params[2] = {0};
    int32_t out = 0, full_in = 0, full = 0;
    int bias = 1, rc = site_int(s, A_OUT, 1, SPACE_MAX_DIM, 0, &out);
    if (!rc)
        rc = site_bool(s, A_BIAS, 1, &bias);
    if (!rc)
        rc = site_full(s, A_OUT, A_FULL_OUT, out, &full);
    if (!rc)
        rc = site_full(s, A_COUNT_OF, A_FULL_IN, t->shape.c, &full_in);
    if (rc)
        return rc;
    int32_t dims[2] = {full, s->l->attr[A_FULL_IN] ? full_in : t->full}, count[2] = {out, t->shape.c};
    params[0] = site_own(s, "weight", 2, dims, count);
    if (bias)
        params[1] = site_own_vector(s, "bias", full, out);
    if (!params[0] || (bias && !params[1]))
        return site_no_memory(s);
    rc = builder_emit(s->b, s->l, OP_LINEAR, &s->attr, (const struct param *const *)params, bias ? 2 : 1, t, 1, t);
    t->full = full;
    return rc;
}

int plan_weights_norm(struct site *s, struct tensor *t)
{
    static const char *const names[4] = {"weight", "bias", "running_mean", "running_var"};
    struct param *params[4] = {0};
    int affine = 1, stats = 1, n = s->l->def->op == OP_BN ? 4 : 2, rc = site_float(s, A_EPS, 1e-5, &s->attr.eps);
    if (!rc)
        rc = site_bool(s, A_AFFINE, 1, &affine);
    if (!rc)
        rc = site_bool(s, A_STATS, 1, &stats);
    for (int i = 0; i < n && !rc; i++)
        if ((i < 2 ? affine : stats) && !(params[i] = site_own_vector(s, names[i], t->full, t->shape.c)))
            rc = site_no_memory(s);
    return rc ? rc : builder_emit(s->b, s->l, s->l->def->op, &s->attr, (const struct param *const *)params, n, t, 1, t);
}

/* ---- transformers ---- */

int plan_weights_tokens(struct site *s, struct tensor *t)
{
    const struct param *params[1] = {NULL};
    if (s->l->text[A_CLASS_TOKEN]) {
        const char *name = site_name(s, A_CLASS_TOKEN, "");
        if (!name)
            return -(int)s->b->err->code;
        int32_t dims[3] = {1, 1, t->full}, count[3] = {1, 1, t->shape.c};
        if (!(params[0] = site_param(s, name, 3, dims, count)))
            return site_no_memory(s);
    }
    return builder_emit(s->b, s->l, OP_TOKENS, &s->attr, params, 1, t, 1, t);
}

/* Position encodings: (1, tokens, c) over tokens, as vision transformers store them, the first ones of `count`; (1, c,
 * h, w) over maps. A vector has one value a channel. */
int plan_weights_addparam(struct site *s, struct tensor *t)
{
    int is_vector = 0, rc = site_bool(s, A_VECTOR, 0, &is_vector);
    const char *name = rc ? NULL : site_name(s, A_PARAM, "");
    if (!name)
        return -(int)s->b->err->code;
    int map = t->shape.w != 1;
    int32_t rows = t->shape.h;
    if (site_int(s, A_COUNT, t->shape.h, 1 << 20, t->shape.h, &rows))
        return -(int)s->b->err->code;
    int32_t dims[4] = {1, rows, t->full, 0}, count[4] = {1, t->shape.h, t->shape.c, 0};
    int32_t mdims[4] = {1, t->full, t->shape.h, t->shape.w}, mcount[4] = {1, t->shape.c, t->shape.h, t->shape.w};
    const struct param *p = is_vector ? site_vector(s, name, t->full, t->shape.c)
                                      : site_param(s, name, map ? 4 : 3, map ? mdims : dims, map ? mcount : count);
    return p ? builder_emit(s->b, s->l, OP_ADDPARAM, &s->attr, &p, 1, t, 1, t) : site_no_memory(s);
}

int plan_weights_embed(struct site *s, struct tensor *t)
{
    int32_t out = 0, words = 0, full = 0;
    int rc = site_int(s, A_OUT, 1, SPACE_MAX_DIM, 0, &out);
    if (!rc)
        rc = site_int(s, A_VOCABULARY, 1, 1 << 24, 0, &words);
    if (!rc)
        rc = site_full(s, A_OUT, A_FULL_OUT, out, &full);
    if (rc)
        return rc;
    int32_t dims[2] = {words, full}, count[2] = {words, out};
    const struct param *params[1] = {site_own(s, "weight", 2, dims, count)};
    if (!params[0])
        return site_no_memory(s);
    rc = builder_emit(s->b, s->l, OP_EMBED, &s->attr, params, 1, t, 1, t);
    t->full = full;
    return rc;
}

/* Tables of relative positions: "<name>.embeddings_table_v" for rows, "_h" for columns (AutoFormer). */
static int relative_tables(struct site *s, const struct tensor *t, const struct param **params)
{
    static const enum attr_id ids[2] = {A_RELATIVE_K, A_RELATIVE_V};
    static const char *const suffixes[2] = {".embeddings_table_v", ".embeddings_table_h"};
    int rc = site_int(s, A_DISTANCE, 1, 4096, 1, &s->attr.step);
    if (!rc && (!s->l->text[A_RELATIVE_K] || !s->l->text[A_RELATIVE_V]))
        return err_set(s->b->err, ERR_INVALID, s->l->where, "distance needs relative_k and relative_v");
    int32_t dims[2] = {2 * s->attr.step + 2, t->shape.c / (3 * s->attr.groups)};
    for (int i = 0; i < 4 && !rc; i++) {
        const char *name = site_name(s, ids[i / 2], suffixes[i % 2]);
        if (!name)
            return -(int)s->b->err->code;
        if (!(params[i] = site_param(s, name, 2, dims, dims)))
            return site_no_memory(s);
    }
    return rc;
}

int plan_weights_attention(struct site *s, struct tensor *t)
{
    int32_t full = t->full / 3; /* a mask is one channel more: it does not change the quotient */
    char mode[16] = "keys";
    const struct param *params[4] = {0};
    int rc = site_int(s, A_HEADS, 1, 1024, 1, &s->attr.groups);
    if (!rc)
        rc = site_float(s, A_SCALE, 1, &s->attr.scale);
    if (!rc && s->l->text[A_MODE] && builder_text(s->b, s->l->text[A_MODE], mode, sizeof mode) < 0)
        rc = -(int)s->b->err->code;
    if (!rc && strcmp(mode, "keys") != 0 && strcmp(mode, "queries") != 0)
        rc = err_set(s->b->err, ERR_INVALID, s->l->where, "mode is \"keys\" or \"queries\", not \"%s\"", mode);
    if (!rc)
        rc = site_bool(s, A_MASK, 0, &s->attr.after);
    s->attr.mode = mode[0] == 'q' ? ATTENTION_QUERIES : ATTENTION_KEYS;
    int relative = s->l->attr[A_DISTANCE] != NULL;
    if (!rc && relative)
        rc = relative_tables(s, t, params);
    if (!rc)
        rc = builder_emit(s->b, s->l, OP_ATTENTION, &s->attr, params, relative ? 4 : 0, t, 1, t);
    t->full = full;
    return rc;
}
