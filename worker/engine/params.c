/* params: see params.h. Two tables: packed parameters by what they are made from, and by name the raw tensors that more
 * than one of them is cut from. */
#include "worker/engine/params.h"

#include "proto/param_values.h"
#include "worker/engine/blocked.h"

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
    float *passing; /* the whole tensor read last, when it is in no table */
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
    free(ps->passing);
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

static int read_whole(struct params *ps, const struct param *p, size_t n, float **out, struct err *err)
{
    *out = zeroed(n);
    int rc = *out ? ps->source.read(ps->source.ctx, p, *out, err)
                  : err_set(err, ERR_NO_MEMORY, p->name, "no memory for the tensor");
    if (rc) {
        free(*out);
        *out = NULL;
    }
    return rc;
}

static int takes_all(const struct param *p)
{
    for (int i = 0; i < p->ndim; i++)
        if (p->count[i] != p->dims[i])
            return 0;
    return 1;
}

/* The whole tensor. One that is cut into pieces is read once; one that is taken whole is packed once and not kept. */
static int whole(void *ctx, const struct param *p, const float **out, struct err *err)
{
    struct params *ps = ctx;
    struct hash128 key = hash128(p->name, strlen(p->name));
    int rc = reserve(&ps->raw, err);
    if (rc)
        return rc;
    size_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= (size_t)p->dims[i];
    const struct entry *e = slot_of(&ps->raw, key);
    if (e->data && e->count != n)
        return err_set(err, ERR_INVALID, p->name, "the tensor is asked for in two different shapes");
    if (!e->data) {
        free(ps->passing);
        rc = read_whole(ps, p, n, &ps->passing, err);
        if (rc || takes_all(p)) {
            *out = ps->passing;
            return rc;
        }
        keep(ps, &ps->raw, key, ps->passing, n);
        ps->passing = NULL;
        e = slot_of(&ps->raw, key);
    }
    *out = e->data;
    return 0;
}

int params_dense(struct params *ps, const struct param *p, float *out, struct err *err)
{
    return param_values(&(struct param_reader){whole, ps}, p, out, err);
}

static int make(struct params *ps, const struct op_row *row, const struct op_site *site, int index,
                const struct param *p, struct hash128 key, struct err *err)
{
    size_t n = param_count(p), rest = p->count[0] ? n / (size_t)p->count[0] : 0;
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
    free(ps->passing);
    ps->passing = NULL;
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
