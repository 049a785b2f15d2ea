/* dataset_inspect: what a data set holds, told once when it is uploaded: classes, counts and the shape of the input. */
#include "proto/dataset.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the classes of one split to the list: names for tar, numbers (the longer list wins) for the rest. */
static int merge_classes(struct dataset_doc *doc, const struct dataset *d, struct dataset_doc *all, struct err *err)
{
    size_t n = dataset_classes(d), kept = 0;
    if (doc->format != DATASET_TAR && n <= all->nclasses)
        return 0;
    const char **names = calloc(n + all->nclasses, sizeof *names);
    if (!names)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the class names");
    for (size_t i = 0; i < n; i++)
        names[i] = dataset_class(d, i);
    if (doc->format == DATASET_TAR) {
        for (size_t i = 0; i < all->nclasses; i++)
            names[n++] = all->classes[i];
        qsort(names, n, sizeof *names, by_text);
        for (size_t i = 0; i < n; i++)
            if (kept == 0 || strcmp(names[kept - 1], names[i]) != 0)
                names[kept++] = names[i];
        n = kept;
    }
    int rc = dataset_doc_set_classes(all, names, n, err);
    free(names);
    return rc;
}

static int find_classes(struct dataset_doc *doc, dataset_source_fn *open, void *ctx, struct err *err)
{
    struct dataset_doc all = {0};
    int rc = 0;
    arena_init(&all.arena, 0);
    for (size_t i = 0; rc == 0 && i < doc->nsplits; i++) {
        struct dataset *d;
        rc = dataset_open(doc, doc->splits[i].name, open, ctx, &d, err);
        if (rc == 0) {
            rc = merge_classes(doc, d, &all, err);
            dataset_close(d);
        }
    }
    if (rc == 0)
        rc = dataset_doc_set_classes(doc, all.classes, all.nclasses, err);
    arena_clear(&all.arena);
    return rc;
}

static json_t *count_classes(const struct dataset *d)
{
    int64_t *counts = calloc(dataset_classes(d), sizeof *counts);
    json_t *list = json_array();
    for (int64_t i = 0; counts && i < dataset_count(d); i++)
        counts[dataset_label(d, i)]++;
    for (size_t i = 0; counts && i < dataset_classes(d); i++)
        json_array_append_new(list, json_integer(counts[i]));
    free(counts);
    return list;
}

/* NaN and damaged pictures are found now, by whoever uploads, and not by a worker in the middle of a search. */
static int read_every_image(const struct dataset *d, struct err *err)
{
    int shape[3], rc = 0;
    dataset_shape(d, shape);
    float *out = malloc((size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * sizeof *out);
    if (!out)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for an image");
    for (int64_t i = 0; rc == 0 && i < dataset_count(d); i++)
        rc = dataset_load(d, &i, 1, out, NULL, err);
    free(out);
    return rc;
}

static int inspect_split(struct dataset_doc *doc, const char *name, dataset_source_fn *open, void *ctx, json_t *splits,
                         int shape[3], struct err *err)
{
    struct dataset *d;
    int rc = dataset_open(doc, name, open, ctx, &d, err), own[3];
    if (rc != 0)
        return rc;
    dataset_shape(d, own);
    if (shape[0] == 0)
        memcpy(shape, own, sizeof own);
    if (memcmp(shape, own, sizeof own) != 0)
        rc = err_set(err, ERR_INVALID, "/splits", "images of \"%s\" are %d x %d x %d, those of \"%s\" %d x %d x %d",
                     name, own[0], own[1], own[2], doc->splits[0].name, shape[0], shape[1], shape[2]);
    if (rc == 0)
        rc = read_every_image(d, err);
    if (rc == 0)
        json_object_set_new(
            splits, name,
            json_pack("{s:I, s:o}", "images", (json_int_t)dataset_count(d), "class_counts", count_classes(d)));
    dataset_close(d);
    return rc;
}

json_t *dataset_inspect(struct dataset_doc *doc, dataset_source_fn *open, void *ctx, struct err *err)
{
    int shape[3] = {0}, rc = doc->nclasses ? 0 : find_classes(doc, open, ctx, err);
    json_t *splits = json_object();
    for (size_t i = 0; rc == 0 && i < doc->nsplits; i++)
        rc = inspect_split(doc, doc->splits[i].name, open, ctx, splits, shape, err);
    if (rc != 0) {
        json_decref(splits);
        return NULL;
    }
    json_t *doc_json = dataset_doc_json(doc);
    return json_pack("{s:o, s:O*, s:o, s:[i, i, i]}", "document", doc_json, "classes",
                     json_object_get(doc_json, "classes"), "splits", splits, "image", shape[0], shape[1], shape[2]);
}
