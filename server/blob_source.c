/* blob_source: reads ahead nothing; the readers above it buffer what they need. */
#include "server/blob_source.h"

#include "server/store_blob.h"

#include <stdlib.h>

struct blob_source {
    struct source source;
    struct db *db;
    int64_t blob;
};

static int read_at(struct source *s, uint64_t offset, void *out, size_t n, struct err *err)
{
    struct blob_source *b = (struct blob_source *)(void *)s;
    char *to = out;
    while (n) {
        int64_t got = store_blob_read(b->db, b->blob, (int64_t)offset, to, n, err);
        if (got < 0)
            return (int)got;
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "blob", "bytes are missing at %llu", (unsigned long long)offset);
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static void close_it(struct source *s)
{
    struct blob_source *b = (struct blob_source *)(void *)s;
    db_close(b->db);
    free(b);
}

int blob_source_open(const char *path, int64_t blob, int64_t size, struct source **out, struct err *err)
{
    struct blob_source *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for reading a blob");
    int rc = db_open_reader(path, &b->db, err);
    if (rc < 0) {
        free(b);
        return rc;
    }
    b->source = (struct source){.size = (uint64_t)size, .read_at = read_at, .close = close_it};
    b->blob = blob;
    *out = &b->source;
    return 0;
}
