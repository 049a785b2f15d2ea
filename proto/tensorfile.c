/* tensorfile: see tensorfile.h. The header is checked as a whole before any tensor is believed. */
#include "proto/tensorfile.h"

#include "proto/base/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int header_length(struct source *s, uint64_t *n, struct err *err)
{
    unsigned char b[8];
    int rc = source_read(s, 0, b, sizeof b, err);
    if (rc != 0)
        return rc;
    *n = 0;
    for (int i = 7; i >= 0; i--)
        *n = *n << 8 | b[i];
    if (*n > s->size - 8)
        return err_set(err, ERR_CORRUPT, "byte 0", "truncated: the header should have %llu bytes, %llu are there",
                       (unsigned long long)*n, (unsigned long long)(s->size - 8));
    if (*n > TENSORFILE_MAX_HEADER)
        return err_set(err, ERR_UNSUPPORTED, "byte 0", "the header has %llu bytes, more than the %d allowed",
                       (unsigned long long)*n, TENSORFILE_MAX_HEADER);
    return 0;
}

int tensorfile_detect(struct source *s)
{
    uint64_t n;
    char first = 0;
    return s->size > 9 && header_length(s, &n, NULL) == 0 && source_read(s, 8, &first, 1, NULL) == 0 && first == '{';
}

static int member(const json_t *entry, const char *key, int array, const char *name, const json_t **out,
                  struct err *err)
{
    *out = json_object_get(entry, key);
    if (array ? !json_is_array(*out) : !json_is_string(*out))
        return err_set(err, ERR_CORRUPT, name, "\"%s\" must be %s, not %s", key, array ? "an array" : "a string",
                       json_kind(*out));
    return 0;
}

static int read_dims(const json_t *shape, struct tensor *t, struct err *err)
{
    size_t n = json_array_size(shape);
    if (n > TENSOR_MAX_DIMS)
        return err_set(err, ERR_UNSUPPORTED, t->name, "%zu dimensions; at most %d are read", n, TENSOR_MAX_DIMS);
    t->ndim = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(shape, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return err_set(err, ERR_CORRUPT, t->name, "\"shape\" must hold integers of 0 or more");
        t->dims[i] = json_integer_value(v);
    }
    return tensor_shape(t, 1, err);
}

static int read_offsets(const json_t *pair, struct tensor *t, uint64_t data, uint64_t end, struct err *err)
{
    const json_t *b = json_array_get(pair, 0), *e = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_integer(b) || !json_is_integer(e))
        return err_set(err, ERR_CORRUPT, t->name, "\"data_offsets\" must be two integers");
    json_int_t from = json_integer_value(b), to = json_integer_value(e);
    if (from < 0 || to < from || (uint64_t)to > end - data)
        return err_set(err, ERR_CORRUPT, t->name, "its data (%lld to %lld) lies outside the file's %llu bytes of data",
                       from, to, (unsigned long long)(end - data));
    int64_t bytes; /* tensor_shape keeps numel below 2^60 */
    if (__builtin_mul_overflow(t->numel, (int64_t)dtype_size(t->dtype), &bytes) || to - from != bytes)
        return err_set(err, ERR_CORRUPT, t->name, "its shape does not have the %lld bytes of its data", to - from);
    t->offset = data + (uint64_t)from;
    return tensor_bounds(t, t->offset, data + (uint64_t)to, err);
}

static int read_entry(const char *name, const json_t *entry, uint64_t data, uint64_t end, struct tensor *t,
                      struct err *err)
{
    const json_t *dtype, *shape, *offsets;
    t->name = name;
    int rc = tensor_name_check(name, strlen(name), err);
    if (rc == 0 && !json_is_object(entry))
        rc = err_set(err, ERR_CORRUPT, name, "must be an object, not %s", json_kind(entry));
    if (rc == 0 && json_object_size(entry) != 3)
        rc = err_set(err, ERR_CORRUPT, name, "must have \"dtype\", \"shape\", \"data_offsets\" and nothing else");
    if (rc == 0)
        rc = member(entry, "dtype", 0, name, &dtype, err);
    if (rc == 0)
        rc = member(entry, "shape", 1, name, &shape, err);
    if (rc == 0)
        rc = member(entry, "data_offsets", 1, name, &offsets, err);
    if (rc != 0)
        return rc;
    int d = dtype_from_name(json_string_value(dtype));
    if (d < 0)
        return err_set(err, ERR_UNSUPPORTED, name, "dtype \"%.32s\" is not read", json_string_value(dtype));
    t->dtype = (enum dtype)d;
    rc = read_dims(shape, t, err);
    return rc == 0 ? read_offsets(offsets, t, data, end, err) : rc;
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->span > y->span) - (x->span < y->span);
}

static int check_cover(const struct tensor_list *l, uint64_t at, uint64_t end, struct err *err)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct tensor *t = &l->items[i];
        if (t->offset != at)
            return err_set(err, ERR_CORRUPT, t->name, "its data %s the tensor before it",
                           t->offset < at ? "overlaps" : "leaves a gap after");
        at += t->span;
    }
    return at == end ? 0
                     : err_set(err, ERR_CORRUPT, "", "%llu bytes at the end belong to no tensor",
                               (unsigned long long)(end - at));
}

static int read_header(const json_t *doc, uint64_t data, uint64_t end, struct arena *a, struct tensor_list *out,
                       struct err *err)
{
    const char *key;
    json_t *entry;
    json_object_foreach((json_t *)doc, key, entry)
    {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        struct tensor *t = tensor_list_add(out, a);
        const char *name = t ? arena_strdup(a, key) : NULL;
        if (!name)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for the list of tensors");
        int rc = read_entry(name, entry, data, end, t, err);
        if (rc != 0)
            return rc;
    }
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, by_offset);
    return check_cover(out, data, end, err);
}

int tensorfile_open(struct source *s, struct arena *a, struct tensor_list *out, struct err *err)
{
    uint64_t n;
    int rc = header_length(s, &n, err);
    if (rc != 0)
        return rc;
    char *text = malloc((size_t)n + 1);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a header of %llu bytes", (unsigned long long)n);
    rc = source_read(s, 8, text, (size_t)n, err);
    json_t *doc = rc == 0 ? json_parse_strict(text, (size_t)n, 8, err) : NULL;
    free(text);
    if (!doc) {
        if (rc == 0 && err)
            err->code = ERR_CORRUPT;
        return rc ? rc : -ERR_CORRUPT;
    }
    if (json_is_object(doc))
        rc = read_header(doc, 8 + n, s->size, a, out, err);
    else
        rc = err_set(err, ERR_CORRUPT, "byte 8", "the header must be an object, not %s", json_kind(doc));
    json_decref(doc);
    return rc;
}

static uint64_t entry_bytes(const struct tensorfile_entry *e)
{
    uint64_t n = dtype_size(e->dtype);
    for (int i = 0; i < e->ndim; i++)
        n *= (uint64_t)e->dims[i];
    return n;
}

static json_t *describe(const struct tensorfile_entry *e, uint64_t offset)
{
    json_t *shape = json_array();
    for (int i = 0; i < e->ndim; i++)
        json_array_append_new(shape, json_integer(e->dims[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(e->dtype), "shape", shape, "data_offsets",
                     (json_int_t)offset, (json_int_t)(offset + entry_bytes(e)));
}

static char *header_text(const struct tensorfile_entry *entries, size_t count, const json_t *metadata, uint64_t *data)
{
    json_t *doc = json_object();
    uint64_t offset = 0;
    int bad = metadata && json_object_set(doc, "__metadata__", (json_t *)metadata) != 0;
    for (size_t i = 0; i < count; i++) {
        bad |= json_object_set_new(doc, entries[i].name, describe(&entries[i], offset)) != 0;
        offset += entry_bytes(&entries[i]);
    }
    *data = offset;
    char *text = bad ? NULL : json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    return text;
}

int tensorfile_begin(struct tensorfile_writer *w, const struct tensorfile_entry *entries, size_t count,
                     const json_t *metadata, tensorfile_sink *sink, void *ctx, struct err *err)
{
    uint64_t data;
    char *text = header_text(entries, count, metadata, &data);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the header (or a name that is not UTF-8)");
    size_t n = strlen(text), padded = (n + 7) & ~(size_t)7; /* the data starts aligned: spaces may end the header */
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    *w = (struct tensorfile_writer){sink, ctx, entries, count, 0, 8 + padded + data};
    int rc = sink(ctx, length, sizeof length, err);
    if (rc == 0)
        rc = sink(ctx, text, n, err);
    if (rc == 0 && padded > n)
        rc = sink(ctx, "       ", padded - n, err);
    free(text);
    return rc;
}

int tensorfile_write(struct tensorfile_writer *w, const void *data, size_t bytes, struct err *err)
{
    assert(w->next < w->count && bytes == entry_bytes(&w->entries[w->next]));
    w->next++;
    return bytes ? w->sink(w->ctx, data, bytes, err) : 0;
}

int tensorfile_end(struct tensorfile_writer *w, struct err *err)
{
    if (w->next != w->count)
        return err_set(err, ERR_INTERNAL, "", "%zu of %zu tensors were written", w->next, w->count);
    return 0;
}
