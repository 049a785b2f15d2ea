/* dataset_safetensors: tensors "images" (N, C, H, W; U8 or F32) and "labels" (N; I64, I32 or U8) of one file. */
#include "proto/dataset_part.h"

#include "proto/tensorfile.h"

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

static int64_t label_at(const unsigned char *b, enum dtype dtype)
{
    int64_t wide;
    int32_t narrow;
    memcpy(&wide, b, sizeof wide);
    memcpy(&narrow, b, sizeof narrow);
    return dtype == DTYPE_U8 ? b[0] : dtype == DTYPE_I32 ? narrow : wide;
}

static int read_labels(struct dataset_part *p, const struct tensor *t, struct err *err)
{
    if (!t)
        return err_set(err, ERR_INVALID, "labels", "the file has no tensor of this name");
    if (t->ndim != 1 || (t->dtype != DTYPE_I64 && t->dtype != DTYPE_I32 && t->dtype != DTYPE_U8))
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
        int64_t v = label_at(b, t->dtype);
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
    if (rc == 0)
        rc = read_images(p, find(&list, "images"), err);
    if (rc == 0)
        rc = read_labels(p, find(&list, "labels"), err);
    arena_clear(&a);
    p->load = dataset_part_load_plain;
    return rc;
}
