/* zipfile: see zipfile.h. Layout after PKWARE's APPNOTE 6.3: end record, zip64 locator and record, central headers. */
#include "proto/zipfile.h"

#include "proto/tensor.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, CENTRAL_SIZE = 46, LOCAL_SIZE = 30, MAX_COMMENT = 65535 };

static uint64_t le(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    while (bytes--)
        v = v << 8 | p[bytes];
    return v;
}

struct directory {
    uint64_t offset, size, count;
};

int zipfile_detect(struct source *s)
{
    unsigned char b[4];
    return s->size >= END_SIZE && source_read(s, 0, b, 4, NULL) == 0 && memcmp(b, "PK\3\4", 4) == 0;
}

static int find_end(struct source *s, uint64_t *at, unsigned char end[END_SIZE], struct err *err)
{
    size_t n = s->size < END_SIZE + MAX_COMMENT ? (size_t)s->size : END_SIZE + MAX_COMMENT;
    unsigned char *tail = malloc(n ? n : 1);
    if (!tail)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the end of the archive");
    int rc = source_read(s, s->size - n, tail, n, err), found = 0;
    for (size_t i = n < END_SIZE ? 0 : n - END_SIZE + 1; rc == 0 && i-- > 0 && !found;) {
        found = memcmp(tail + i, "PK\5\6", 4) == 0 && i + END_SIZE + le(tail + i + 20, 2) == n;
        if (found) {
            memcpy(end, tail + i, END_SIZE);
            *at = s->size - n + i;
        }
    }
    free(tail);
    if (rc == 0 && !found)
        return err_set(err, ERR_CORRUPT, "", "truncated: the zip archive has no end record");
    return rc;
}

static int read_end64(struct source *s, uint64_t end_at, struct directory *d, struct err *err)
{
    unsigned char b[END64_SIZE];
    if (end_at < LOCATOR_SIZE)
        return err_set(err, ERR_CORRUPT, "", "the zip64 locator is missing");
    int rc = source_read(s, end_at - LOCATOR_SIZE, b, LOCATOR_SIZE, err);
    if (rc != 0)
        return rc;
    if (memcmp(b, "PK\6\7", 4) != 0)
        return err_set(err, ERR_CORRUPT, "", "the zip64 locator is missing");
    uint64_t at = le(b + 8, 8);
    rc = source_read(s, at, b, END64_SIZE, err);
    if (rc != 0)
        return rc;
    char place[32];
    if (memcmp(b, "PK\6\6", 4) != 0)
        return err_set(err, ERR_CORRUPT, source_place(place, at), "the zip64 end record is missing");
    *d = (struct directory){.count = le(b + 32, 8), .size = le(b + 40, 8), .offset = le(b + 48, 8)};
    return 0;
}

static int find_directory(struct source *s, struct directory *d, struct err *err)
{
    unsigned char end[END_SIZE];
    uint64_t at = 0;
    int rc = find_end(s, &at, end, err);
    if (rc != 0)
        return rc;
    if (le(end + 4, 2) != le(end + 6, 2))
        return err_set(err, ERR_UNSUPPORTED, "", "the zip archive is split over several files");
    *d = (struct directory){.count = le(end + 10, 2), .size = le(end + 12, 4), .offset = le(end + 16, 4)};
    if (d->count == 0xffff || d->size == 0xffffffff || d->offset == 0xffffffff)
        rc = read_end64(s, at, d, err);
    if (rc == 0 && (d->offset > s->size || d->size > s->size - d->offset || d->count > d->size / CENTRAL_SIZE))
        return err_set(err, ERR_CORRUPT, "", "the zip directory lies outside the file");
    return rc;
}

/* The zip64 extra field (id 1) holds, in this order, those of the three that are all ones in the header. */
static int read_extra64(const unsigned char *x, size_t n, uint64_t *size, uint64_t *packed, uint64_t *local)
{
    for (size_t i = 0; i + 4 <= n;) {
        size_t id = (size_t)le(x + i, 2), len = (size_t)le(x + i + 2, 2), at = i + 4;
        i = at + len;
        if (id != 1 || i > n)
            continue;
        uint64_t *fields[3] = {size, packed, local};
        for (int k = 0; k < 3; k++) {
            if (*fields[k] != 0xffffffff)
                continue;
            if (at + 8 > i)
                return -1;
            *fields[k] = le(x + at, 8);
            at += 8;
        }
        return 0;
    }
    return *size == 0xffffffff || *packed == 0xffffffff || *local == 0xffffffff ? -1 : 0;
}

static int place_data(struct zip_member *m, struct source *s, uint64_t local, struct err *err)
{
    unsigned char b[LOCAL_SIZE];
    int rc = source_read(s, local, b, sizeof b, err);
    if (rc != 0)
        return rc;
    if (memcmp(b, "PK\3\4", 4) != 0)
        return err_set(err, ERR_CORRUPT, m->name, "the member's local header is missing");
    m->offset = local + LOCAL_SIZE + le(b + 26, 2) + le(b + 28, 2);
    if (m->offset > s->size || m->size > s->size - m->offset)
        return err_set(err, ERR_CORRUPT, m->name, "truncated: the member should have %llu bytes",
                       (unsigned long long)m->size);
    return 0;
}

static int read_member(struct zip_member *m, struct source *s, struct cursor *c, struct arena *a, struct err *err)
{
    unsigned char b[CENTRAL_SIZE], extra[65536];
    char place[32];
    source_place(place, c->at);
    int rc = cursor_read(c, b, sizeof b, err);
    if (rc != 0)
        return rc;
    if (memcmp(b, "PK\1\2", 4) != 0)
        return err_set(err, ERR_CORRUPT, place, "the zip directory is damaged");
    size_t name = (size_t)le(b + 28, 2), extras = (size_t)le(b + 30, 2), comment = (size_t)le(b + 32, 2);
    char *text = arena_alloc(a, name + 1);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the zip directory");
    rc = cursor_read(c, text, name, err);
    if (rc == 0)
        rc = cursor_read(c, extra, extras, err);
    if (rc != 0)
        return rc;
    if (tensor_name_check(text, name, NULL) != 0 || comment > cursor_left(c))
        return err_set(err, ERR_CORRUPT, place, "the zip directory is damaged");
    c->at += comment;
    uint64_t packed = le(b + 20, 4), local = le(b + 42, 4);
    *m = (struct zip_member){.name = text, .size = le(b + 24, 4), .crc = (uint32_t)le(b + 16, 4)};
    if (le(b + 8, 2) & 1)
        return err_set(err, ERR_UNSUPPORTED, m->name, "the member is encrypted");
    if (read_extra64(extra, extras, &m->size, &packed, &local) != 0)
        return err_set(err, ERR_CORRUPT, m->name, "the member's zip64 field is missing");
    if (le(b + 10, 2) != 0 || packed != m->size)
        return err_set(err, ERR_UNSUPPORTED, m->name,
                       "the member is compressed (method %d); torch.save stores them plain", (int)le(b + 10, 2));
    return place_data(m, s, local, err);
}

int zipfile_open(struct zipfile *z, struct source *s, struct arena *a, struct err *err)
{
    *z = (struct zipfile){0};
    struct directory d = {0};
    int rc = find_directory(s, &d, err);
    if (rc != 0)
        return rc;
    z->members = arena_array(a, (size_t)d.count, sizeof *z->members);
    if (!z->members)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a zip directory of %llu members",
                       (unsigned long long)d.count);
    struct cursor c;
    cursor_init(&c, s, d.offset, d.offset + d.size);
    for (; rc == 0 && z->count < d.count; z->count++) {
        struct zip_member *m = &z->members[z->count];
        rc = read_member(m, s, &c, a, err);
        int put = rc == 0 ? strmap_put(&z->by_name, m->name, z->count) : 0;
        if (put != 0)
            rc = err_set(err, put > 0 ? ERR_CORRUPT : ERR_NO_MEMORY, m->name,
                         put > 0 ? "the member is in the zip archive twice" : "no memory for the zip directory");
    }
    return rc;
}

void zipfile_clear(struct zipfile *z)
{
    strmap_clear(&z->by_name);
    *z = (struct zipfile){0};
}

const struct zip_member *zipfile_find(const struct zipfile *z, const char *name)
{
    size_t i;
    return strmap_get(&z->by_name, name, &i) ? &z->members[i] : NULL;
}

int zipfile_check(const struct zipfile *z, struct source *s, struct err *err)
{
    for (size_t i = 0; i < z->count; i++) {
        const struct zip_member *m = &z->members[i];
        unsigned char chunk[1 << 16];
        uLong crc = crc32(0, NULL, 0);
        for (uint64_t done = 0; done < m->size;) {
            size_t n = m->size - done < sizeof chunk ? (size_t)(m->size - done) : sizeof chunk;
            int rc = source_read(s, m->offset + done, chunk, n, err);
            if (rc != 0)
                return rc;
            crc = crc32(crc, chunk, (uInt)n);
            done += n;
        }
        if (crc != m->crc)
            return err_set(err, ERR_CORRUPT, m->name, "damaged: the member's CRC-32 is %08lx, the directory says %08x",
                           (unsigned long)crc, (unsigned)m->crc);
    }
    return 0;
}
