/* plan_site: see plan_site.h. */
#include "proto/plan_site.h"

#include <string.h>

int site_no_memory(struct site *s)
{
    return err_set(s->b->err, ERR_NO_MEMORY, s->l->where, "no memory for the plan");
}

int site_int(struct site *s, enum attr_id id, int64_t lo, int64_t hi, int64_t otherwise, int32_t *out)
{
    int64_t v = otherwise;
    const struct expr *x = s->l->attr[id];
    int rc = x ? expr_int(x, &s->env, lo, hi, &v, s->b->err) : 0;
    *out = (int32_t)v;
    return rc;
}

/* The attribute in the largest network, unless `explicit` says what it is. */
int site_full(struct site *s, enum attr_id id, enum attr_id explicit_id, int32_t actual, int32_t *out)
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

int site_bool(struct site *s, enum attr_id id, int otherwise, int *out)
{
    *out = otherwise;
    return s->l->attr[id] ? expr_bool(s->l->attr[id], &s->env, out, s->b->err) : 0;
}

int site_float(struct site *s, enum attr_id id, double otherwise, float *out)
{
    double v = otherwise;
    int rc = s->l->attr[id] ? expr_num(s->l->attr[id], &s->env, &v, s->b->err) : 0;
    *out = (float)v;
    return rc;
}

/* A name given as a text stands beside the layer: it belongs to the enclosing container. NULL with the error set. */
const char *site_name(struct site *s, enum attr_id id, const char *suffix)
{
    char text[SPACE_MAX_PATH];
    struct plan_builder *b = s->b;
    int n = builder_text(b, s->l->text[id], text, sizeof text);
    size_t more = strlen(suffix);
    if (n < 0)
        return NULL;
    char *name = arena_raw(b->arena, b->nparent + (size_t)n + more + 2);
    if (!name) {
        site_no_memory(s);
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

static struct param *fill(struct param *p, const char *name, int ndim, const int32_t *dims, const int32_t *count)
{
    *p = (struct param){.name = name, .ndim = ndim, .dims = {dims[0]}, .count = {count[0]}};
    for (int i = 1; i < ndim; i++) {
        p->dims[i] = dims[i];
        p->count[i] = count[i];
    }
    return p;
}

struct param *site_param(struct site *s, const char *name, int ndim, const int32_t *dims, const int32_t *count)
{
    struct param *p = name ? arena_raw(s->b->arena, sizeof *p) : NULL;
    return p ? fill(p, name, ndim, dims, count) : NULL;
}

struct param *site_vector(struct site *s, const char *name, int32_t full, int32_t count)
{
    return site_param(s, name, 1, &full, &count);
}

struct param *site_own(struct site *s, const char *suffix, int ndim, const int32_t *dims, const int32_t *count)
{
    struct plan_builder *b = s->b;
    size_t n = strlen(suffix), dot = b->npath ? 1 : 0;
    struct param *p = arena_raw(b->arena, sizeof *p + b->npath + dot + n + 1); /* one block: a plan has hundreds */
    if (!p)
        return NULL;
    char *name = (char *)(p + 1);
    memcpy(name, b->path, b->npath);
    if (dot)
        name[b->npath] = '.';
    memcpy(name + b->npath + dot, suffix, n + 1);
    return fill(p, name, ndim, dims, count);
}

struct param *site_own_vector(struct site *s, const char *suffix, int32_t full, int32_t count)
{
    return site_own(s, suffix, 1, &full, &count);
}

int site_window(struct site *s, int64_t pad_of_kernel)
{
    struct plan_attr *a = &s->attr;
    int rc = site_int(s, A_KERNEL, 1, 1024, 1, &a->kernel_h);
    if (!rc)
        rc = site_int(s, A_KERNEL_W, 1, 1024, a->kernel_h, &a->kernel_w);
    if (!rc)
        rc = site_int(s, A_DILATION, 1, 1024, 1, &a->dilation);
    if (!rc)
        rc = site_int(s, A_PAD, 0, 1024, pad_of_kernel * a->dilation * (a->kernel_h - 1) / 2, &a->pad_h);
    if (!rc)
        rc = site_int(s, A_PAD_W, 0, 1024,
                      s->l->attr[A_PAD] ? a->pad_h : pad_of_kernel * a->dilation * (a->kernel_w - 1) / 2, &a->pad_w);
    return rc;
}

int site_act(struct site *s, int32_t *out)
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
