/* transform: what happens to a picture before it is normalised.
 *   {"op": "resize", "size": n}       shorter side to n, longer side to floor(n * long / short); bilinear with the
 *                                     filter widened when shrinking (antialias), as Pillow's and torchvision's Resize;
 *                                     bytes are rounded after each of the two passes exactly as Pillow rounds them
 *   {"op": "center_crop", "size": n}  n x n from the middle, offset round-half-even((side - n) / 2) as torchvision
 *   {"op": "pad", "size": n}          n zeros (before normalisation) on all four sides */
#ifndef PROTO_TRANSFORM_H
#define PROTO_TRANSFORM_H

#include "proto/image.h"

#include <jansson.h>

enum transform_op { TRANSFORM_RESIZE, TRANSFORM_CENTER_CROP, TRANSFORM_PAD };
struct transform {
    int op; /* enum transform_op */
    int size;
};

int transform_parse(const json_t *doc, struct transform *out, struct err *err);
json_t *transform_json(const struct transform *t);

/* Replaces *im; on failure it is left to be cleared. */
int transform_apply(const struct transform *steps, size_t count, struct image *im, struct err *err);

#endif
