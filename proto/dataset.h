/* dataset: a split of a data set, opened: labels in memory, pictures decoded and transformed when asked for.
 *
 * A file's place in the document ("/splits/train/0") stands first in every error about it. Labels outside the classes,
 * splits without images, truncated files and values that are not finite are refused. */
#ifndef PROTO_DATASET_H
#define PROTO_DATASET_H

#include "proto/dataset_doc.h"
#include "proto/source.h"

#include <stdint.h>

/* Opens the blob of this hash; the data set closes the source. */
typedef int dataset_source_fn(void *ctx, const char *sha256, struct source **out, struct err *err);

struct dataset;

/* Borrows doc until the close. ERR_NOT_FOUND where = "/splits" for an unknown split. */
int dataset_open(const struct dataset_doc *doc, const char *split, dataset_source_fn *open, void *ctx,
                 struct dataset **out, struct err *err);
void dataset_close(struct dataset *d); /* NULL is fine */

int64_t dataset_count(const struct dataset *d);
size_t dataset_classes(const struct dataset *d);
const char *dataset_class(const struct dataset *d, size_t i); /* without names in the document: "0", "1" ... */
int32_t dataset_label(const struct dataset *d, int64_t i);
void dataset_shape(const struct dataset *d, int chw[3]); /* after the transform */

/* Network input of n images, float32 [n][c][h][w], and their labels (labels may be NULL). The indices are below
 * dataset_count (ERR_INVALID). Runs in several threads when the sources' read_at does. Errors name the image's place.
 */
int dataset_load(const struct dataset *d, const int64_t *indices, size_t n, float *out, int32_t *labels,
                 struct err *err);

/* Opens every split, settles the classes (the union of a tar's folders, or 0 to the largest label) and tells what is
 * there: {"document": doc with its classes, "splits": {"train": {"images": n, "class_counts": [...]}}, "classes":
 * [...], "image": [c, h, w]}. Every split must have the same shape. A new reference; NULL on error. doc gets its
 * classes. */
json_t *dataset_inspect(struct dataset_doc *doc, dataset_source_fn *open, void *ctx, struct err *err);

#endif
