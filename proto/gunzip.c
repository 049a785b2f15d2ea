/* gunzip: see gunzip.h. Several gzip members in a row count as one stream, as gzip has it. */
#include "proto/gunzip.h"

#include <string.h>

int gunzip_detect(struct source *s)
{
    unsigned char b[2];
    return s->size > 18 && source_read(s, 0, b, 2, NULL) == 0 && b[0] == 0x1f && b[1] == 0x8b;
}

int gunzip_init(struct gunzip *g, struct source *s, struct err *err)
{
    memset(&g->z, 0, sizeof g->z);
    g->ended = 0;
    cursor_init(&g->cursor, s, 0, s->size);
    if (inflateInit2(&g->z, 15 + 16) != Z_OK)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for zlib");
    return 0;
}

static int refill(struct gunzip *g, struct err *err)
{
    size_t n = cursor_left(&g->cursor) < sizeof g->in ? (size_t)cursor_left(&g->cursor) : sizeof g->in;
    if (n == 0)
        return err_set(err, ERR_CORRUPT, "", "truncated: the gzip data end too early");
    g->z.next_in = g->in;
    g->z.avail_in = (uInt)n;
    return cursor_read(&g->cursor, g->in, n, err);
}

/* One call of inflate; sets `ended` behind the last member. */
static int advance(struct gunzip *g, struct err *err)
{
    if (g->z.avail_in == 0) {
        int rc = refill(g, err);
        if (rc != 0)
            return rc;
    }
    int z = inflate(&g->z, Z_NO_FLUSH);
    char place[32];
    if (z == Z_STREAM_END) {
        g->ended = g->z.avail_in == 0 && cursor_left(&g->cursor) == 0;
        if (!g->ended)
            inflateReset(&g->z);
    } else if (z != Z_OK) {
        return err_set(err, ERR_CORRUPT, source_place(place, g->cursor.at - g->z.avail_in), "damaged gzip data%s%s",
                       g->z.msg ? ": " : "", g->z.msg ? g->z.msg : "");
    }
    return 0;
}

int gunzip_read(struct gunzip *g, void *out, size_t n, struct err *err)
{
    for (size_t got = 0; got < n;) {
        size_t want = n - got < 1u << 30 ? n - got : 1u << 30;
        if (g->ended)
            return err_set(err, ERR_CORRUPT, "", "truncated: %zu bytes are missing behind the gzip data", n - got);
        g->z.next_out = (unsigned char *)out + got;
        g->z.avail_out = (uInt)want;
        int rc = advance(g, err);
        if (rc != 0)
            return rc;
        got += want - g->z.avail_out;
    }
    return 0;
}

int gunzip_finish(struct gunzip *g, struct err *err)
{
    unsigned char extra;
    while (!g->ended) {
        g->z.next_out = &extra;
        g->z.avail_out = 1;
        int rc = advance(g, err);
        if (rc != 0)
            return rc;
        if (g->z.avail_out == 0)
            return err_set(err, ERR_CORRUPT, "", "the gzip data hold more bytes than their header says");
    }
    return 0;
}

void gunzip_clear(struct gunzip *g)
{
    inflateEnd(&g->z);
}
