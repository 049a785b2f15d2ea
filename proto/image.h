/* image: one picture in memory, planar [c][h][w], as bytes or floats; and the decoding of JPEG and PNG into it.
 * Decoders give RGB (grey is spread, alpha dropped, 16 bits reduced to 8, palettes looked up) as Pillow's
 * convert("RGB") does; EXIF orientation is not applied. CMYK is refused. */
#ifndef PROTO_IMAGE_H
#define PROTO_IMAGE_H

#include "proto/base/err.h"

#include <stddef.h>

enum { IMAGE_MAX_SIDE = 8192, IMAGE_MAX_PIXELS = 1 << 25 };

struct image {
    int c, h, w;
    unsigned char *u8; /* one of the two is set */
    float *f32;
};

int image_alloc(struct image *im, int c, int h, int w, int is_float,
                struct err *err); /* ERR_TOO_LARGE, ERR_NO_MEMORY */
void image_clear(struct image *im);

/* ERR_CORRUPT for damaged or truncated files, ERR_UNSUPPORTED for other formats. where is left empty. */
int image_decode(const void *data, size_t n, struct image *out, struct err *err);

#endif
