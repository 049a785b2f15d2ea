/* source: random-access bytes of a known size. A file here; blob rows in the coordinator's database elsewhere.
 * The readers of checkpoints and data sets see their input through it alone, and mostly forwards. */
#ifndef PROTO_SOURCE_H
#define PROTO_SOURCE_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct source {
    uint64_t size;
    /* Fills out[n]; the caller has checked that offset + n <= size. 0 or an error. */
    int (*read_at)(struct source *s, uint64_t offset, void *out, size_t n, struct err *err);
    void (*close)(struct source *s); /* frees s */
};

int source_open_file(const char *path, struct source **out, struct err *err);
int source_open_memory(const void *data, size_t n, struct source **out, struct err *err); /* borrows data */
int source_take_memory(void *data, size_t n, struct source **out, struct err *err); /* frees data, even on failure */
void source_close(struct source *s);                                                /* NULL is fine */

/* read_at with the check: ERR_CORRUPT "truncated" when the bytes are not all there. where = "byte N". */
int source_read(struct source *s, uint64_t offset, void *out, size_t n, struct err *err);

/* Small reads forwards through a buffer. */
struct cursor {
    struct source *source;
    uint64_t at, end;          /* next byte; one past the last that may be read */
    uint64_t buffered, filled; /* offset of buffer[0]; bytes in it */
    unsigned char buffer[16384];
};

void cursor_init(struct cursor *c, struct source *s, uint64_t at, uint64_t end); /* end is cut to the source's size */
int cursor_read(struct cursor *c, void *out, size_t n, struct err *err);
uint64_t cursor_left(const struct cursor *c);

/* "byte 1234" for err->where. */
const char *source_place(char out[32], uint64_t offset);

#endif
