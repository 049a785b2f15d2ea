/* params: see params.h. Two tables: raw tensors by name, packed parameters by what they are made from. */
#include "worker/engine/params.h"

#include "worker/engine/blocked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct hash128 key;
    float *data;
    size_t count;
};

struct table { /* open addressing, doubled when half full */
    struct entry *slots;
    size_t size, used;
};

struct params {
    struct params_source source;
    struct table raw, packed;
    size_t bytes;
};

struct params *params_new(struct params_source source)
{
    struct params *ps = calloc(1, sizeof *ps);
    if (ps)
        ps->source = source;
    return ps;
}

static void table_clear(struct table *t)
{
    for (size_t i = 0; i < t->size; i++)
        free(t->slots[i].data);
    free(t->slots);
}

void params_free(struct params *ps)
{
    if (!ps)
        return;
    table_clear(&ps->raw);
    table_clear(&ps->packed);
    free(ps);
}

size_t params_bytes(const struct params *ps)
{
    return ps->bytes;
}

static struct entry *slot_of(struct table *t, struct hash128 key)
{
    size_t i = (size_t)key.lo & (t->size - 1);
    while (t->slots[i].data && (t->slots[i].key.lo != key.lo || t->slots[i].key.hi != key.hi))
        i = (i + 1) & (t->size - 1);
    return &t->slots[i];
}

static int reserve(struct table *t, struct err *err)
{
    if (t->used * 2 < t->size)
        return 0;
    struct table bigger = {.size = t->size ? t->size * 2 : 64, .used = t->used};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the table of parameters");
    for (size_t i = 0; i < t->size; i++)
        if (t->slots[i].data)
            *slot_of(&bigger, t->slots[i].key) = t->slots[i];
    free(t->slots);
    *t = bigger;
    return 0;
}

static float *zeroed(size_t count)
{
    size_t bytes = (count * sizeof(float) + BLOCKED_ALIGN - 1) / BLOCKED_ALIGN * BLOCKED_ALIGN;
    float *p = aligned_alloc(BLOCKED_ALIGN, bytes ? bytes : BLOCKED_ALIGN);
    if (p)
        memset(p, 0, bytes);
    return p;
}

static void keep(struct params *ps, struct table *t, struct hash128 key, float *data, size_t count)
{
    *slot_of(t, key) = (struct entry){key, data, count};
    t->used++;
    ps->bytes += count * sizeof(float);
}

static size_t product(const int32_t *dims, int ndim)
{
    size_t n = 1;
    for (int i = 0; i < ndim; i++)
        n *= (size_t)dims[i];
    return n;
}

size_t params_count(const struct param *p)
{
    return product(p->count, p->ndim);
}

/* Identity of a parameter's values: everything param_cmp looks at, mixed from the leaves up. */
static struct hash128 identity(const struct param *p)
{
    struct {
        int32_t kind, ndim, start[PARAM_DIMS], count[PARAM_DIMS], dims[PARAM_DIMS];
        struct hash128 name, base, by;
    } k;
    memset(&k, 0, sizeof k);
    k.kind = (int32_t)p->kind;
    k.ndim = p->ndim;
    for (int i = 0; i < p->ndim; i++) {
        k.start[i] = p->kind == PARAM_SLICE ? p->start[i] : 0;
        k.count[i] = p->count[i];
        k.dims[i] = p->kind == PARAM_SLICE ? p->dims[i] : 0;
    }
    if (p->name)
        k.name = hash128(p->name, strlen(p->name));
    if (p->base)
        k.base = identity(p->base);
    if (p->by)
        k.by = identity(p->by);
    return hash128(&k, sizeof k);
}

static int check_finite(const struct param *p, const float *x, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return err_set(err, ERR_INVALID, p->name, "the tensor holds %s at element %zu",
                           isnan(x[i]) ? "NaN" : "an infinity", i);
    return 0;
}

/* The whole tensor, read once. */
static int whole(struct params *ps, const struct param *p, const float **out, struct err *err)
{
    struct hash128 key = hash128(p->name, strlen(p->name));
    int rc = reserve(&ps->raw, err);
    if (rc)
        return rc;
    size_t n = product(p->dims, p->ndim);
    const struct entry *e = slot_of(&ps->raw, key);
    if (e->data && e->count != n)
        return err_set(err, ERR_INVALID, p->name, "the tensor is asked for in two different shapes");
    if (!e->data) {
        float *data = zeroed(n);
        if (!data)
            return err_set(err, ERR_NO_MEMORY, p->name, "no memory for the tensor");
        rc = ps->source.read(ps->source.ctx, p, data, err);
        if (rc) {
            free(data);
            return rc;
        }
        keep(ps, &ps->raw, key, data, n);
        e = slot_of(&ps->raw, key);
    }
    *out = e->data;
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
    size_t rest = params_count(p) / ((size_t)p->count[0] * (size_t)p->count[1]);
    unsigned closed = 0;
    for (int b = 0; b < bits; b++)
        if (!(gates[b] > 0))
            closed |= 1u << (bits - 1 - b);
    for (int32_t o = 0; o < p->count[0]; o++)
        for (int32_t i = 0; i < p->count[1]; i++)
            if (((unsigned)o ^ (unsigned)i) & closed)
                memset(w + ((size_t)o * (size_t)p->count[1] + (size_t)i) * rest, 0, rest * sizeof *w);
}

static int derive(struct params *ps, const struct param *p, float *out, struct err *err)
{
    size_t nbase = params_count(p->base), nby = params_count(p->by);
    float *base = malloc((nbase + nby) * sizeof *base);
    if (!base)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a derived parameter");
    int rc = params_dense(ps, p->base, base, err);
    if (!rc)
        rc = params_dense(ps, p->by, base + nbase, err);
    if (!rc && p->kind == PARAM_TRANSFORM)
        transform(p, base, base + nbase, out);
    if (!rc && p->kind == PARAM_GROUPMASK) {
        memcpy(out, base, nbase * sizeof *out);
        mask_groups(p, base + nbase, out);
    }
    free(base);
    return rc;
}

int params_dense(struct params *ps, const struct param *p, float *out, struct err *err)
{
    if (p->kind != PARAM_SLICE)
        return derive(ps, p, out, err);
    const float *tensor = NULL;
    int rc = whole(ps, p, &tensor, err);
    if (rc)
        return rc;
    copy_slice(p, tensor, out);
    return check_finite(p, out, params_count(p), err);
}

static int make(struct params *ps, const struct op_row *row, const struct op_site *site, int index,
                const struct param *p, struct hash128 key, struct err *err)
{
    size_t n = params_count(p), rest = p->count[0] ? n / (size_t)p->count[0] : 0;
    int own = row && row->packed;
    size_t count = own ? row->packed(site, index) : (size_t)blocked_blocks(p->count[0]) * LANES * rest;
    float *dense = malloc((n ? n : 1) * sizeof *dense), *packed = zeroed(count);
    int rc =
        dense && packed ? params_dense(ps, p, dense, err) : err_set(err, ERR_NO_MEMORY, "", "no memory for weights");
    if (rc) {
        free(packed);
    } else {
        if (own)
            row->pack(site, index, dense, packed);
        else
            blocked_pack_rows(dense, p->count[0], rest, packed);
        keep(ps, &ps->packed, key, packed, count);
    }
    free(dense);
    return rc;
}

static int get(struct params *ps, const struct op_row *row, const struct op_site *site, int index,
               const struct param *p, const float **out, struct err *err)
{
    struct {
        struct hash128 values;
        struct plan_attr attr;
        int32_t op, index, image, channels;
    } k;
    memset(&k, 0, sizeof k);
    k.values = identity(p);
    k.op = -1;
    if (row && row->packed) {
        k.attr = site->attr;
        k.op = (int32_t)site->op;
        k.index = index;
        k.image = site->image;
        k.channels = site->in[0].c;
    }
    struct hash128 key = hash128(&k, sizeof k);
    int rc = reserve(&ps->packed, err);
    if (!rc && !slot_of(&ps->packed, key)->data)
        rc = make(ps, row, site, index, p, key, err);
    if (!rc)
        *out = slot_of(&ps->packed, key)->data;
    return rc;
}

int params_get(struct params *ps, const struct op_row *row, const struct op_site *site, int index, const float **out,
               struct err *err)
{
    *out = NULL;
    return site->params[index] ? get(ps, row, site, index, site->params[index], out, err) : 0;
}

int params_vector(struct params *ps, const struct param *p, const float **out, struct err *err)
{
    *out = NULL;
    return p ? get(ps, NULL, NULL, 0, p, out, err) : 0;
}
