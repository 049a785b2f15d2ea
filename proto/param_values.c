/* param_values: see param_values.h. */
#include "proto/param_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t param_count(const struct param *p)
{
    size_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= (size_t)p->count[i];
    return n;
}

static int check_finite(const struct param *p, const float *x, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return err_set(err, ERR_INVALID, p->name, "the tensor holds %s at element %zu",
                           isnan(x[i]) ? "NaN" : "an infinity", i);
    return 0;
}

/* Copies tensor[start : start + count]; both sides row-major. */
static void copy_slice(const struct param *p, const float *from, float *to)
{
    int32_t dims[PARAM_DIMS] = {1, 1, 1, 1}, start[PARAM_DIMS] = {0}, count[PARAM_DIMS] = {1, 1, 1, 1};
    for (int i = 0, d = PARAM_DIMS - p->ndim; i < p->ndim; i++) {
        dims[d + i] = p->dims[i];
        start[d + i] = p->start[i];
        count[d + i] = p->count[i];
    }
    for (int32_t a = 0; a < count[0]; a++)
        for (int32_t b = 0; b < count[1]; b++)
            for (int32_t c = 0; c < count[2]; c++) {
                size_t row = ((size_t)(a + start[0]) * (size_t)dims[1] + (size_t)(b + start[1])) * (size_t)dims[2] +
                             (size_t)(c + start[2]);
                memcpy(to, from + row * (size_t)dims[3] + start[3], (size_t)count[3] * sizeof *to);
                to += count[3];
            }
}

/* Once-for-All: the k x k filters of `base`, cropped to the c x c in the middle, flattened, times the matrix. */
static void transform(const struct param *p, const float *base, const float *matrix, float *out)
{
    int k = p->base->count[2], c = p->count[2], off = (k - c) / 2, cc = c * c;
    size_t filters = (size_t)p->count[0] * (size_t)p->count[1];
    for (size_t f = 0; f < filters; f++)
        for (int o = 0; o < cc; o++) {
            double s = 0;
            for (int i = 0; i < cc; i++)
                s += (double)matrix[o * cc + i] *
                     (double)base[f * (size_t)(k * k) + (size_t)((i / c + off) * k + i % c + off)];
            out[f * (size_t)cc + (size_t)o] = (float)s;
        }
}

static void mask_groups(const struct param *p, const float *gates, float *w)
{
    int bits = p->by->count[0];
    size_t rest = param_count(p) / ((size_t)p->count[0] * (size_t)p->count[1]);
    unsigned closed = 0;
    for (int b = 0; b < bits; b++)
        if (!(gates[b] > 0))
            closed |= 1u << (bits - 1 - b);
    for (int32_t o = 0; o < p->count[0]; o++)
        for (int32_t i = 0; i < p->count[1]; i++)
            if (((unsigned)o ^ (unsigned)i) & closed)
                memset(w + ((size_t)o * (size_t)p->count[1] + (size_t)i) * rest, 0, rest * sizeof *w);
}

static int derive(const struct param_reader *r, const struct param *p, float *out, struct err *err)
{
    size_t nbase = param_count(p->base), nby = param_count(p->by);
    float *base = malloc((nbase + nby) * sizeof *base);
    if (!base)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a derived parameter");
    int rc = param_values(r, p->base, base, err);
    if (!rc)
        rc = param_values(r, p->by, base + nbase, err);
    if (!rc && p->kind == PARAM_TRANSFORM)
        transform(p, base, base + nbase, out);
    if (!rc && p->kind == PARAM_GROUPMASK) {
        memcpy(out, base, nbase * sizeof *out);
        mask_groups(p, base + nbase, out);
    }
    free(base);
    return rc;
}

int param_values(const struct param_reader *r, const struct param *p, float *out, struct err *err)
{
    if (p->kind != PARAM_SLICE)
        return derive(r, p, out, err);
    const float *tensor = NULL;
    int rc = r->whole(r->ctx, p, &tensor, err);
    if (rc)
        return rc;
    copy_slice(p, tensor, out);
    return check_finite(p, out, param_count(p), err);
}
