/* gunzip: gzip data read forwards from a source through a small buffer. */
#ifndef PROTO_GUNZIP_H
#define PROTO_GUNZIP_H

#include "proto/source.h"

#include <zlib.h>

enum { GUNZIP_MAX_RATIO = 1032 }; /* deflate cannot expand further */

struct gunzip {
    z_stream z;
    struct cursor cursor;
    unsigned char in[16384];
    int ended;
};

int gunzip_detect(struct source *s);
int gunzip_init(struct gunzip *g, struct source *s, struct err *err);
int gunzip_read(struct gunzip *g, void *out, size_t n, struct err *err); /* exactly n bytes, or ERR_CORRUPT */
int gunzip_finish(struct gunzip *g, struct err *err); /* ERR_CORRUPT when data are left or the checksum is wrong */
void gunzip_clear(struct gunzip *g);

#endif
