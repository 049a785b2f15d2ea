/* dataset: see dataset.h. Joins the parts of a split and turns pictures into input; the formats are in dataset_*.c. */
#include "proto/dataset.h"

#include "proto/base/json.h"
#include "proto/base/strmap.h"
#include "proto/base/suggest.h"
#include "proto/dataset_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dataset {
    const struct dataset_doc *doc;
    size_t nparts, nclasses;
    struct dataset_part *parts;
    char **classes; /* own copies; NULL: names from the document, or numbers */
    char (*numbers)[24];
    int64_t count;
    int shape[3];
    float scale, mean[DATASET_MAX_CHANNELS], std[DATASET_MAX_CHANNELS];
    char place[96]; /* "/splits/train" */
};

static int open_part(struct dataset *d, struct dataset_part *p, const struct dataset_file *f, dataset_source_fn *open,
                     void *ctx, struct err *err)
{
    int rc = open(ctx, f->blob, &p->source, err);
    if (rc == 0 && f->labels)
        rc = open(ctx, f->labels, &p->labels_source, err);
    if (rc != 0)
        return rc;
    switch (d->doc->format) {
    case DATASET_SAFETENSORS:
        return dataset_safetensors_open(p, err);
    case DATASET_CIFAR:
        return dataset_cifar_open(p, err);
    case DATASET_IDX:
        return dataset_idx_open(p, err);
    default:
        return dataset_tar_open(p, f->folder, err);
    }
}

static int open_parts(struct dataset *d, const struct dataset_split *s, dataset_source_fn *open, void *ctx,
                      struct err *err)
{
    d->parts = calloc(s->nfiles, sizeof *d->parts);
    if (!d->parts)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    for (size_t i = 0; i < s->nfiles; i++) {
        d->nparts = i + 1;
        int rc = open_part(d, &d->parts[i], &s->files[i], open, ctx, err);
        if (rc != 0) {
            char step[24];
            snprintf(step, sizeof step, "/%zu", i);
            dataset_part_place(err, step);
            return rc;
        }
        d->count += d->parts[i].count;
    }
    return d->count ? 0 : err_set(err, ERR_INVALID, "", "the split has no images");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted union of the parts' folders, when the document names no classes. */
static int collect_folders(struct dataset *d, struct err *err)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < d->nparts; i++)
        n += d->parts[i].nfolders;
    char **all = calloc(n + 1, sizeof *all);
    if (!all)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the class names");
    n = 0;
    for (size_t i = 0; i < d->nparts; i++)
        for (size_t k = 0; k < d->parts[i].nfolders; k++)
            all[n++] = d->parts[i].folders[k];
    qsort(all, n, sizeof *all, by_text);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(all[kept - 1], all[i]) != 0)
            all[kept++] = all[i];
    d->classes = all;
    d->nclasses = kept;
    return 0;
}

static int map_folders(struct dataset *d, struct err *err)
{
    struct strmap map = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->nclasses; i++)
        if (strmap_put(&map, dataset_class(d, i), i) < 0)
            rc = err_set(err, ERR_NO_MEMORY, "", "no memory for the class names");
    for (size_t i = 0; rc == 0 && i < d->nparts; i++) {
        struct dataset_part *p = &d->parts[i];
        for (int64_t k = 0; rc == 0 && k < p->count; k++) {
            size_t class = 0;
            const char *folder = p->folders[p->labels[k]];
            if (strmap_get(&map, folder, &class)) {
                p->labels[k] = (int32_t) class;
                continue;
            }
            struct suggest s;
            suggest_init(&s, folder);
            for (size_t c = 0; c < d->nclasses; c++)
                suggest_offer(&s, dataset_class(d, c));
            rc = err_set(err, ERR_INVALID, "", "folder \"%.64s\" is none of the %zu classes%s", folder, d->nclasses,
                         suggest_hint(&s));
            json_err_index(err, i);
        }
    }
    strmap_clear(&map);
    return rc;
}

static int check_labels(struct dataset *d, struct err *err)
{
    int32_t largest = 0;
    for (size_t i = 0; i < d->nparts; i++) {
        const struct dataset_part *p = &d->parts[i];
        for (int64_t k = 0; k < p->count; k++) {
            if (d->nclasses && (size_t)p->labels[k] >= d->nclasses) {
                int rc = err_set(err, ERR_INVALID, "", "image %lld has label %d, outside the %zu classes", (long long)k,
                                 p->labels[k], d->nclasses);
                json_err_index(err, i);
                return rc;
            }
            largest = p->labels[k] > largest ? p->labels[k] : largest;
        }
    }
    if (d->nclasses)
        return 0;
    d->nclasses = (size_t)largest + 1;
    d->numbers = calloc(d->nclasses, sizeof *d->numbers);
    if (!d->numbers)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the class names");
    for (size_t i = 0; i < d->nclasses; i++)
        snprintf(d->numbers[i], sizeof *d->numbers, "%zu", i);
    return 0;
}

static int settle_classes(struct dataset *d, struct err *err)
{
    d->nclasses = d->doc->nclasses;
    if (d->doc->format != DATASET_TAR)
        return check_labels(d, err);
    int rc = d->nclasses ? 0 : collect_folders(d, err);
    return rc == 0 ? map_folders(d, err) : rc;
}

static int load_picture(const struct dataset *d, int64_t i, struct image *im, struct err *err)
{
    size_t part = 0;
    int64_t at = i;
    while (at >= d->parts[part].count)
        at -= d->parts[part++].count;
    int rc = d->parts[part].load(&d->parts[part], at, im, err);
    char step[128];
    snprintf(step, sizeof step, "%s/%zu", d->place, part);
    if (rc == 0)
        rc = transform_apply(d->doc->steps, d->doc->nsteps, im, err);
    if (rc == 0 && d->shape[0] && (im->c != d->shape[0] || im->h != d->shape[1] || im->w != d->shape[2]))
        rc = err_set(err, ERR_INVALID, "", "image %lld is %d x %d x %d after the transform, the first one %d x %d x %d",
                     (long long)at, im->c, im->h, im->w, d->shape[0], d->shape[1], d->shape[2]);
    if (rc != 0)
        dataset_part_place(err, step);
    return rc;
}

static int settle_numbers(struct dataset *d, int is_float, struct err *err)
{
    const struct dataset_doc *doc = d->doc;
    size_t c = (size_t)d->shape[0];
    d->scale = doc->scale > 0 ? (float)doc->scale : is_float ? 1 : 255;
    for (int k = 0; k < 2; k++) {
        size_t n = k ? doc->nstd : doc->nmean;
        if (n > 1 && n != c)
            return err_set(err, ERR_INVALID, k ? "/std" : "/mean", "%zu numbers for images of %zu channels", n, c);
        for (size_t i = 0; i < c; i++) {
            double v = k ? 1 : 0;
            if (n)
                v = (k ? doc->std : doc->mean)[n > 1 ? i : 0];
            (k ? d->std : d->mean)[i] = (float)v;
        }
    }
    if (doc->bgr && c != 3)
        return err_set(err, ERR_INVALID, "/channel_order", "\"bgr\" needs 3 channels, the images have %zu", c);
    return 0;
}

/* The first picture settles the shape of all. */
static int settle_shape(struct dataset *d, struct err *err)
{
    struct image im = {0};
    int rc = load_picture(d, 0, &im, err);
    if (rc == 0) {
        memcpy(d->shape, (int[]){im.c, im.h, im.w}, sizeof d->shape);
        rc = settle_numbers(d, im.f32 != NULL, err);
    }
    image_clear(&im);
    return rc;
}

int dataset_open(const struct dataset_doc *doc, const char *split, dataset_source_fn *open, void *ctx,
                 struct dataset **out, struct err *err)
{
    const struct dataset_split *s = dataset_doc_split(doc, split);
    if (!s)
        return err_set(err, ERR_NOT_FOUND, "/splits", "the data set \"%.64s\" has no split \"%.63s\"", doc->name,
                       split);
    struct dataset *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    d->doc = doc;
    json_pointer(d->place, sizeof d->place, "/splits", split);
    int rc = open_parts(d, s, open, ctx, err);
    if (rc == 0)
        rc = settle_classes(d, err);
    if (rc != 0)
        dataset_part_place(err, d->place);
    else
        rc = settle_shape(d, err);
    if (rc != 0)
        dataset_close(d);
    else
        *out = d;
    return rc;
}

void dataset_close(struct dataset *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->nparts; i++) {
        struct dataset_part *p = &d->parts[i];
        if (p->close)
            p->close(p);
        free(p->labels);
        free(p->folders);
        source_close(p->source);
        source_close(p->labels_source);
    }
    free(d->parts);
    free(d->classes);
    free(d->numbers);
    free(d);
}

int64_t dataset_count(const struct dataset *d)
{
    return d->count;
}

size_t dataset_classes(const struct dataset *d)
{
    return d->nclasses;
}

const char *dataset_class(const struct dataset *d, size_t i)
{
    return d->doc->nclasses ? d->doc->classes[i] : d->classes ? d->classes[i] : d->numbers[i];
}

int32_t dataset_label(const struct dataset *d, int64_t i)
{
    size_t part = 0;
    while (i >= d->parts[part].count)
        i -= d->parts[part++].count;
    return d->parts[part].labels[i];
}

void dataset_shape(const struct dataset *d, int chw[3])
{
    memcpy(chw, d->shape, sizeof d->shape);
}

/* In float32, in this order, as torchvision's ToTensor and Normalize do. */
static void normalise(const struct dataset *d, const struct image *im, float *out)
{
    size_t plane = (size_t)im->h * (size_t)im->w;
    for (int c = 0; c < im->c; c++) {
        size_t from = (size_t)(d->doc->bgr ? im->c - 1 - c : c) * plane;
        float *to = out + (size_t)c * plane;
        for (size_t i = 0; i < plane; i++) {
            float x = im->u8 ? (float)im->u8[from + i] : im->f32[from + i];
            to[i] = (x / d->scale - d->mean[c]) / d->std[c];
        }
    }
}

int dataset_load(const struct dataset *d, const int64_t *indices, size_t n, float *out, int32_t *labels,
                 struct err *err)
{
    size_t size = (size_t)d->shape[0] * (size_t)d->shape[1] * (size_t)d->shape[2];
    for (size_t i = 0; i < n; i++) {
        if (indices[i] < 0 || indices[i] >= d->count)
            return err_set(err, ERR_INVALID, d->place, "image %lld is wanted, the split has %lld",
                           (long long)indices[i], (long long)d->count);
        struct image im = {0};
        int rc = load_picture(d, indices[i], &im, err);
        if (rc == 0)
            normalise(d, &im, out + i * size);
        image_clear(&im);
        if (rc != 0)
            return rc;
        if (labels)
            labels[i] = dataset_label(d, indices[i]);
    }
    return 0;
}
