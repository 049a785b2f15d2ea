/* dataset_part: see dataset_part.h; what the formats share. */
#include "proto/dataset_part.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void dataset_part_place(struct err *err, const char *place)
{
    if (err)
        err_prefix(err, "%s%s", place, err->where[0] && err->where[0] != '/' ? ": " : "");
}

int32_t *dataset_part_labels(int64_t count, struct err *err)
{
    int32_t *labels = calloc((size_t)count, sizeof *labels);
    if (!labels)
        err_set(err, ERR_NO_MEMORY, "", "no memory for %lld labels", (long long)count);
    return labels;
}

int dataset_part_load_plain(const struct dataset_part *p, int64_t i, struct image *out, struct err *err)
{
    char where[32];
    snprintf(where, sizeof where, "image %lld", (long long)i);
    int rc = image_alloc(out, p->c, p->h, p->w, p->is_float, err);
    size_t n = (size_t)p->c * (size_t)p->h * (size_t)p->w;
    void *to = p->is_float ? (void *)out->f32 : (void *)out->u8;
    if (rc == 0)
        rc = source_read(p->source, p->data + (uint64_t)i * p->stride, to, p->is_float ? 4 * n : n, err);
    for (size_t k = 0; rc == 0 && p->is_float && k < n; k++)
        if (!isfinite(out->f32[k]))
            rc = err_set(err, ERR_INVALID, where, "value %zu is %s", k,
                         isnan(out->f32[k]) ? "not a number" : "infinite");
    if (rc != 0)
        image_clear(out);
    return rc;
}
