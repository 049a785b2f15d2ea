/* images: the pictures of one data set as network input, decoded and preprocessed once and kept for later jobs.
 * Decides what is loaded and kept; formats and transforms are proto/dataset.h's. Used by one thread. */
#ifndef ENGINE_IMAGES_H
#define ENGINE_IMAGES_H

#include "proto/dataset.h"
#include "proto/plan.h"

#include <stdint.h>

struct images; /* of one data set document */

/* Keeps a copy of the document. `open` is used while images_split runs. */
int images_open(const json_t *document, dataset_source_fn *open, void *ctx, struct images **out, struct err *err);
void images_close(struct images *im);

/* How many images the split has, and their shape. Opens the split when it is not yet open. */
int images_split(struct images *im, const char *split, int64_t *count, struct shape *shape, struct err *err);

/* Bytes that loading these images would add. The split is open. */
size_t images_missing_bytes(const struct images *im, const char *split, const int64_t *indices, int64_t n);
size_t images_bytes(const struct images *im); /* held now */

/* Pointers to n images and their labels, owned by `im`; what is missing is loaded, in `threads` threads. */
int images_get(struct images *im, const char *split, const int64_t *indices, int64_t n, int threads, const float **out,
               int32_t *labels, struct err *err);

#endif
