/* tensorfile: the safetensors format: 8 bytes little-endian length, a JSON header
 * {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {string: string}}, then the
 * data, which the offsets cover without gap or overlap. Reading and writing. */
#ifndef PROTO_TENSORFILE_H
#define PROTO_TENSORFILE_H

#include "proto/tensor.h"

#include <jansson.h>

enum { TENSORFILE_MAX_HEADER = 16 << 20 };

/* 1 when the source starts like one (a plausible length, then '{'). */
int tensorfile_detect(struct source *s);
/* The tensors in the order of their data; names and list live in the arena. */
int tensorfile_open(struct source *s, struct arena *a, struct tensor_list *out, struct err *err);

/* Writing: describe every tensor, then give their data in the same order through `sink`, which may be called with any
 * sizes. What is written is the header and the data, nothing is buffered. */
typedef int tensorfile_sink(void *ctx, const void *data, size_t n, struct err *err);
struct tensorfile_entry {
    const char *name;
    enum dtype dtype;
    int ndim;
    const int64_t *dims;
};
struct tensorfile_writer {
    tensorfile_sink *sink;
    void *ctx;
    const struct tensorfile_entry *entries;
    size_t count, next;
    uint64_t size; /* bytes of the whole file: known before any data */
};

/* metadata: a flat object of strings, or NULL. Entries stay the caller's until the end. */
int tensorfile_begin(struct tensorfile_writer *w, const struct tensorfile_entry *entries, size_t count,
                     const json_t *metadata, tensorfile_sink *sink, void *ctx, struct err *err);
int tensorfile_write(struct tensorfile_writer *w, const void *data, size_t bytes,
                     struct err *err);                            /* one whole tensor */
int tensorfile_end(struct tensorfile_writer *w, struct err *err); /* ERR_INTERNAL when tensors are missing */

#endif
