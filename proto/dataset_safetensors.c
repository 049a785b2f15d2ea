/* dataset_safetensors: tensors "images" (N, C, H, W; U8 or F32) and "labels" (N; I64, I32 or U8) of one file. Texts
 * have "tokens" (N, T) or (N, C, T) of I64, I32 or U8 instead: token ids, and what else there is to each token, which
 * the network sees as a C x T x 1 image of these numbers. */
#include "proto/dataset_part.h"

#include "proto/tensorfile.h"

#include <stdlib.h>
#include <string.h>

static const struct tensor *find(const struct tensor_list *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->items[i].name, name) == 0)
            return &l->items[i];
    return NULL;
}

static int read_images(struct dataset_part *p, const struct tensor *t, struct err *err)
{
    if (!t)
        return err_set(err, ERR_INVALID, "images", "the file has no tensor of this name");
    if (t->ndim != 4 || (t->dtype != DTYPE_U8 && t->dtype != DTYPE_F32))
        return err_set(err, ERR_INVALID, t->name,
                       "must be U8 or F32 with four dimensions (images, channels, height, "
                       "width), not %s with %d",
                       dtype_name(t->dtype), t->ndim);
    const int64_t *d = t->dims;
    if (d[1] < 1 || d[1] > DATASET_MAX_CHANNELS || d[2] < 1 || d[2] > IMAGE_MAX_SIDE || d[3] < 1 ||
        d[3] > IMAGE_MAX_SIDE)
        return err_set(err, ERR_INVALID, t->name, "images of %lld x %lld x %lld are not read", (long long)d[1],
                       (long long)d[2], (long long)d[3]);
    p->count = d[0];
    p->c = (int)d[1];
    p->h = (int)d[2];
    p->w = (int)d[3];
    p->is_float = t->dtype == DTYPE_F32;
    p->data = t->offset;
    p->stride = (uint64_t)(d[1] * d[2] * d[3]) * dtype_size(t->dtype);
    return 0;
}

static int is_integer(enum dtype d)
{
    return d == DTYPE_I64 || d == DTYPE_I32 || d == DTYPE_U8;
}

static int64_t integer_at(const unsigned char *b, enum dtype dtype)
{
    int64_t wide;
    int32_t narrow;
    memcpy(&wide, b, sizeof wide);
    memcpy(&narrow, b, sizeof narrow);
    return dtype == DTYPE_U8 ? b[0] : dtype == DTYPE_I32 ? narrow : wide;
}

/* A text's numbers as a float image; float32 holds integers up to 2^24. */
static int load_tokens(const struct dataset_part *p, int64_t i, struct image *out, struct err *err)
{
    enum { MOST = 1 << 24 };
    size_t n = (size_t)p->c * (size_t)p->h, size = p->stride / n;
    enum dtype dtype = size == 8 ? DTYPE_I64 : size == 4 ? DTYPE_I32 : DTYPE_U8;
    unsigned char *raw = malloc(p->stride + 8);
    int rc = raw ? image_alloc(out, p->c, p->h, 1, 1, err) : err_set(err, ERR_NO_MEMORY, "", "no memory for a text");
    if (rc == 0)
        rc = source_read(p->source, p->data + (uint64_t)i * p->stride, raw, p->stride, err);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        int64_t v = integer_at(raw + k * size, dtype);
        out->f32[k] = (float)v;
        if (v < -MOST || v > MOST)
            rc = err_set(err, ERR_INVALID, "", "text %lld has %lld at %zu: no token id", (long long)i, (long long)v, k);
    }
    free(raw);
    if (rc != 0)
        image_clear(out);
    return rc;
}

static int read_tokens(struct dataset_part *p, const struct tensor *t, struct err *err)
{
    if ((t->ndim != 2 && t->ndim != 3) || !is_integer(t->dtype))
        return err_set(err, ERR_INVALID, t->name,
                       "must be I64, I32 or U8 with two or three dimensions (texts, "
                       "[channels,] tokens), not %s with %d",
                       dtype_name(t->dtype), t->ndim);
    int64_t c = t->ndim == 3 ? t->dims[1] : 1, h = t->dims[t->ndim - 1];
    if (c < 1 || c > DATASET_MAX_CHANNELS || h < 1 || h > IMAGE_MAX_SIDE)
        return err_set(err, ERR_INVALID, t->name, "texts of %lld x %lld are not read", (long long)c, (long long)h);
    p->count = t->dims[0];
    p->c = (int)c;
    p->h = (int)h;
    p->w = 1;
    p->is_float = 1;
    p->data = t->offset;
    p->stride = (uint64_t)(c * h) * dtype_size(t->dtype);
    p->load = load_tokens;
    return 0;
}

static int read_labels(struct dataset_part *p, const struct tensor *t, struct err *err)
{
    if (!t)
        return err_set(err, ERR_INVALID, "labels", "the file has no tensor of this name");
    if (t->ndim != 1 || !is_integer(t->dtype))
        return err_set(err, ERR_INVALID, t->name, "must be I64, I32 or U8 with one dimension, not %s with %d",
                       dtype_name(t->dtype), t->ndim);
    if (t->numel != p->count)
        return err_set(err, ERR_INVALID, t->name, "%lld labels for %lld images", (long long)t->numel,
                       (long long)p->count);
    if (p->count == 0)
        return 0;
    p->labels = dataset_part_labels(p->count, err);
    if (!p->labels)
        return -ERR_NO_MEMORY;
    struct cursor c;
    cursor_init(&c, p->source, t->offset, t->offset + t->span);
    for (int64_t i = 0; i < p->count; i++) {
        unsigned char b[8] = {0};
        int rc = cursor_read(&c, b, dtype_size(t->dtype), err);
        if (rc != 0)
            return rc;
        int64_t v = integer_at(b, t->dtype);
        if (v < 0 || v >= DATASET_MAX_CLASSES)
            return err_set(err, ERR_INVALID, t->name, "image %lld has label %lld", (long long)i, (long long)v);
        p->labels[i] = (int32_t)v;
    }
    return 0;
}

int dataset_safetensors_open(struct dataset_part *p, struct err *err)
{
    struct arena a;
    struct tensor_list list = {0};
    arena_init(&a, 0);
    int rc = tensorfile_open(p->source, &a, &list, err);
    const struct tensor *tokens = rc == 0 ? find(&list, "tokens") : NULL;
    p->load = dataset_part_load_plain;
    if (rc == 0)
        rc = tokens ? read_tokens(p, tokens, err) : read_images(p, find(&list, "images"), err);
    if (rc == 0)
        rc = read_labels(p, find(&list, "labels"), err);
    arena_clear(&a);
    return rc;
}
