/* source: see source.h. Knows nothing of any format. */
#include "proto/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_source {
    struct source base;
    int fd;
};
struct memory_source {
    struct source base;
    const unsigned char *data;
    void *owned; /* NULL when borrowed */
};

static int file_read(struct source *s, uint64_t offset, void *out, size_t n, struct err *err)
{
    int fd = ((struct file_source *)s)->fd;
    for (size_t got = 0; got < n;) {
        ssize_t r = pread(fd, (char *)out + got, n - got, (off_t)(offset + got));
        if (r < 0 && errno == EINTR)
            continue;
        char place[32];
        if (r < 0)
            return err_errno(err, errno, source_place(place, offset + got), "cannot read");
        if (r == 0)
            return err_set(err, ERR_IO, source_place(place, offset + got), "the file shrank while it was read");
        got += (size_t)r;
    }
    return 0;
}

static void file_close(struct source *s)
{
    close(((struct file_source *)s)->fd);
    free(s);
}

int source_open_file(const char *path, struct source **out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, path, "cannot open");
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_IO, path, "is no regular file");
    }
    struct file_source *f = malloc(sizeof *f);
    if (!f) {
        close(fd);
        return err_set(err, ERR_NO_MEMORY, path, "no memory");
    }
    *f = (struct file_source){{(uint64_t)st.st_size, file_read, file_close}, fd};
    *out = &f->base;
    return 0;
}

static int memory_read(struct source *s, uint64_t offset, void *out, size_t n, struct err *err)
{
    (void)err;
    memcpy(out, ((struct memory_source *)s)->data + offset, n);
    return 0;
}

static void memory_close(struct source *s)
{
    free(((struct memory_source *)s)->owned);
    free(s);
}

int source_open_memory(const void *data, size_t n, struct source **out, struct err *err)
{
    struct memory_source *m = malloc(sizeof *m);
    if (!m)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    *m = (struct memory_source){{n, memory_read, memory_close}, data, NULL};
    *out = &m->base;
    return 0;
}

int source_take_memory(void *data, size_t n, struct source **out, struct err *err)
{
    int rc = source_open_memory(data, n, out, err);
    if (rc == 0)
        ((struct memory_source *)*out)->owned = data;
    else
        free(data);
    return rc;
}

void source_close(struct source *s)
{
    if (s)
        s->close(s);
}

const char *source_place(char out[32], uint64_t offset)
{
    snprintf(out, 32, "byte %llu", (unsigned long long)offset);
    return out;
}

static int truncated(uint64_t offset, uint64_t n, uint64_t size, struct err *err)
{
    char place[32];
    return err_set(err, ERR_CORRUPT, source_place(place, offset),
                   "truncated: %llu bytes are expected here, %llu are there", (unsigned long long)n,
                   (unsigned long long)(offset < size ? size - offset : 0));
}

int source_read(struct source *s, uint64_t offset, void *out, size_t n, struct err *err)
{
    if (offset > s->size || n > s->size - offset)
        return truncated(offset, n, s->size, err);
    return n ? s->read_at(s, offset, out, n, err) : 0;
}

void cursor_init(struct cursor *c, struct source *s, uint64_t at, uint64_t end)
{
    c->source = s;
    c->at = at;
    c->end = end < s->size ? end : s->size;
    c->buffered = c->filled = 0;
}

uint64_t cursor_left(const struct cursor *c)
{
    return c->at < c->end ? c->end - c->at : 0;
}

static int refill(struct cursor *c, struct err *err)
{
    uint64_t n = cursor_left(c) < sizeof c->buffer ? cursor_left(c) : sizeof c->buffer;
    c->filled = 0;
    int rc = source_read(c->source, c->at, c->buffer, (size_t)n, err);
    if (rc == 0) {
        c->buffered = c->at;
        c->filled = n;
    }
    return rc;
}

int cursor_read(struct cursor *c, void *out, size_t n, struct err *err)
{
    if (n > cursor_left(c))
        return truncated(c->at, n, c->end, err);
    for (size_t got = 0; got < n;) {
        uint64_t skip = c->at - c->buffered;
        if (c->at < c->buffered || skip >= c->filled) {
            int rc = refill(c, err);
            if (rc != 0)
                return rc;
            skip = 0;
        }
        size_t take = (size_t)(c->filled - skip) < n - got ? (size_t)(c->filled - skip) : n - got;
        memcpy((char *)out + got, c->buffer + skip, take);
        got += take;
        c->at += take;
    }
    return 0;
}
