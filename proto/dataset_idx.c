/* dataset_idx: MNIST's IDX format: 0, 0, type (8: bytes), number of dimensions, the dimensions as big-endian 32-bit
 * integers, the data. Images have dimensions n, h, w or n, c, h, w; labels n. Either file may be gzip; then it is
 * unpacked to memory, to the size its header says, which deflate's largest ratio bounds. */
#include "proto/dataset_part.h"

#include "proto/gunzip.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DIMS = 4, MAX_HEADER = 4 + 4 * MAX_DIMS };

struct header {
    int ndim;
    uint64_t dims[MAX_DIMS], bytes, total; /* of the data; of the whole file */
    unsigned char raw[MAX_HEADER];
};
typedef int read_fn(void *from, uint64_t at, void *out, size_t n, struct err *err);

static int read_plain(void *from, uint64_t at, void *out, size_t n, struct err *err)
{
    return source_read(from, at, out, n, err);
}

static int read_packed(void *from, uint64_t at, void *out, size_t n, struct err *err)
{
    (void)at; /* forwards only */
    return gunzip_read(from, out, n, err);
}

static int read_header(struct header *h, read_fn *read, void *from, struct err *err)
{
    int rc = read(from, 0, h->raw, 4, err);
    if (rc != 0)
        return rc;
    if (h->raw[0] || h->raw[1])
        return err_set(err, ERR_CORRUPT, "byte 0", "no IDX file: it does not start with two zeros");
    if (h->raw[2] != 8)
        return err_set(err, ERR_UNSUPPORTED, "byte 2", "IDX type 0x%02x; only unsigned bytes (0x08) are read",
                       h->raw[2]);
    h->ndim = h->raw[3];
    if (h->ndim < 1 || h->ndim > MAX_DIMS)
        return err_set(err, ERR_UNSUPPORTED, "byte 3", "%d dimensions; 1 to %d are read", h->ndim, MAX_DIMS);
    rc = read(from, 4, h->raw + 4, 4 * (size_t)h->ndim, err);
    h->bytes = 1;
    for (int i = 0; rc == 0 && i < h->ndim; i++) {
        const unsigned char *b = h->raw + 4 + 4 * i;
        h->dims[i] = (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3];
        if (__builtin_mul_overflow(h->bytes, h->dims[i], &h->bytes) || h->bytes > (uint64_t)1 << 50)
            return err_set(err, ERR_CORRUPT, "byte 4", "the dimensions hold more bytes than any file");
    }
    h->total = h->bytes + 4 + 4 * (uint64_t)h->ndim;
    return rc;
}

static int unpack(struct source **s, struct header *h, struct gunzip *g, struct err *err)
{
    int rc = read_header(h, read_packed, g, err);
    if (rc != 0)
        return rc;
    if (h->bytes / GUNZIP_MAX_RATIO > (*s)->size)
        return err_set(err, ERR_CORRUPT, "byte 4", "truncated: %llu bytes cannot come out of a file of %llu",
                       (unsigned long long)h->bytes, (unsigned long long)(*s)->size);
    unsigned char *data = malloc((size_t)h->total);
    if (!data)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to unpack %llu bytes", (unsigned long long)h->total);
    size_t head = (size_t)(h->total - h->bytes);
    memcpy(data, h->raw, head);
    rc = gunzip_read(g, data + head, (size_t)h->bytes, err);
    if (rc == 0)
        rc = gunzip_finish(g, err);
    struct source *whole = NULL;
    if (rc == 0)
        rc = source_take_memory(data, (size_t)h->total, &whole, err);
    else
        free(data);
    if (rc == 0) {
        source_close(*s);
        *s = whole;
    }
    return rc;
}

/* Replaces *s by its unpacked self where it is gzip. */
static int open_idx(struct source **s, struct header *h, struct err *err)
{
    if (gunzip_detect(*s)) {
        struct gunzip *g = malloc(sizeof *g);
        int rc = g ? gunzip_init(g, *s, err) : err_set(err, ERR_NO_MEMORY, "", "no memory");
        if (rc == 0) {
            rc = unpack(s, h, g, err);
            gunzip_clear(g);
        }
        free(g);
        return rc;
    }
    int rc = read_header(h, read_plain, *s, err);
    if (rc == 0 && h->total != (*s)->size)
        return err_set(err, ERR_CORRUPT, "", "%s: the header promises %llu bytes, the file has %llu",
                       h->total > (*s)->size ? "truncated" : "too long", (unsigned long long)h->total,
                       (unsigned long long)(*s)->size);
    return rc;
}

static int read_labels(struct dataset_part *p, struct err *err)
{
    struct header h;
    int rc = open_idx(&p->labels_source, &h, err);
    if (rc == 0 && h.ndim != 1)
        rc = err_set(err, ERR_INVALID, "", "labels have one dimension, not %d", h.ndim);
    if (rc == 0 && h.bytes != (uint64_t)p->count)
        rc = err_set(err, ERR_INVALID, "", "%llu labels for %lld images", (unsigned long long)h.bytes,
                     (long long)p->count);
    if (rc == 0 && !(p->labels = dataset_part_labels(p->count, err)))
        rc = -ERR_NO_MEMORY;
    struct cursor c;
    if (rc == 0)
        cursor_init(&c, p->labels_source, 8, p->labels_source->size);
    for (int64_t i = 0; rc == 0 && i < p->count; i++) {
        unsigned char b;
        rc = cursor_read(&c, &b, 1, err);
        p->labels[i] = b;
    }
    if (rc != 0)
        dataset_part_place(err, "/labels");
    return rc;
}

int dataset_idx_open(struct dataset_part *p, struct err *err)
{
    struct header h;
    int rc = open_idx(&p->source, &h, err);
    if (rc != 0)
        return rc;
    if (h.ndim < 3)
        return err_set(err, ERR_INVALID, "byte 3", "images have three or four dimensions, not %d", h.ndim);
    uint64_t c = h.ndim == 4 ? h.dims[1] : 1, height = h.dims[h.ndim - 2], width = h.dims[h.ndim - 1];
    if (c < 1 || c > DATASET_MAX_CHANNELS || height < 1 || height > IMAGE_MAX_SIDE || width < 1 ||
        width > IMAGE_MAX_SIDE)
        return err_set(err, ERR_INVALID, "byte 8", "images of %llu x %llu x %llu are not read", (unsigned long long)c,
                       (unsigned long long)height, (unsigned long long)width);
    p->count = (int64_t)h.dims[0];
    p->c = (int)c;
    p->h = (int)height;
    p->w = (int)width;
    p->data = h.total - h.bytes;
    p->stride = c * height * width;
    p->load = dataset_part_load_plain;
    return p->count ? read_labels(p, err) : 0;
}
