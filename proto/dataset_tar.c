/* dataset_tar: a tar, plain or packed by xz, gzip or bzip2, of class folders with JPEG and PNG files. The archive is
 * read once; the files' bytes stay in memory as they are and are decoded when asked for. What is kept is bounded by the
 * archive's size (64 times it when packed). Hidden files and files of other kinds are passed over. */
#include "proto/dataset_part.h"

#include "proto/tensor.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHUNK = 1 << 18, PACKED_RATIO = 64 };

struct picture {
    const char *folder, *name; /* class folder; file in it */
    unsigned char *data;
    size_t n;
};
struct tar {
    struct arena names;
    struct picture *pictures;
    size_t count, capacity;
    const char *outside; /* a picture that lies elsewhere, for the error message */
};
struct feed {
    struct source *source;
    uint64_t at;
    struct err *err;
    int failed;
    unsigned char chunk[CHUNK];
};

static la_ssize_t feed_read(struct archive *a, void *ctx, const void **out)
{
    struct feed *f = ctx;
    uint64_t left = f->source->size - f->at;
    size_t n = left < CHUNK ? (size_t)left : CHUNK;
    f->failed = source_read(f->source, f->at, f->chunk, n, f->err);
    if (f->failed) {
        archive_set_error(a, -1, "cannot read");
        return -1;
    }
    f->at += n;
    *out = f->chunk;
    return (la_ssize_t)n;
}

static int is_picture(const char *path)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    return dot && (slash ? slash[1] : path[0]) != '.' &&
           (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0);
}

/* What follows "folder/" in the path, or NULL when the path is elsewhere. A leading "./" counts for nothing. */
static const char *below(const char *path, const char *folder)
{
    if (!folder)
        return path;
    if (strncmp(folder, "./", 2) == 0)
        folder += 2;
    size_t n = strlen(folder);
    while (n && folder[n - 1] == '/')
        n--;
    return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static struct picture *add_picture(struct tar *t, const char *class_and_file, const char *slash)
{
    if (t->count == t->capacity) {
        size_t more = t->capacity ? t->capacity * 2 : 256;
        struct picture *all = realloc(t->pictures, more * sizeof *all);
        if (!all)
            return NULL;
        t->pictures = all;
        t->capacity = more;
    }
    struct picture p = {.folder = arena_strndup(&t->names, class_and_file, (size_t)(slash - class_and_file)),
                        .name = arena_strdup(&t->names, slash + 1)};
    if (!p.folder || !p.name)
        return NULL;
    t->pictures[t->count] = p;
    return &t->pictures[t->count++];
}

static int broken(struct archive *a, const struct feed *f, const char *path, struct err *err)
{
    if (f->failed)
        return f->failed;
    const char *text = archive_error_string(a);
    return err_set(err, ERR_CORRUPT, path, "damaged archive: %s", text ? text : "unknown error");
}

static int keep_data(struct archive *a, struct feed *f, struct picture *p, int64_t size, uint64_t *budget,
                     struct err *err)
{
    if (size < 0 || (uint64_t)size > *budget)
        return err_set(err, ERR_TOO_LARGE, p->name, "its %lld bytes are more than the archive can hold",
                       (long long)size);
    *budget -= (uint64_t)size;
    p->data = malloc((size_t)size + 1);
    if (!p->data)
        return err_set(err, ERR_NO_MEMORY, p->name, "no memory for %lld bytes", (long long)size);
    p->n = (size_t)size;
    for (size_t got = 0; got < p->n;) {
        la_ssize_t r = archive_read_data(a, p->data + got, p->n - got);
        if (r < 0)
            return broken(a, f, p->name, err);
        if (r == 0)
            return err_set(err, ERR_CORRUPT, p->name, "truncated: %zu of %zu bytes are there", got, p->n);
        got += (size_t)r;
    }
    return 0;
}

static int take_entry(struct tar *t, struct archive *a, struct feed *f, struct archive_entry *e, const char *folder,
                      uint64_t *budget, struct err *err)
{
    const char *path = archive_entry_pathname(e);
    if (!path) /* a pax header's UTF-8 does not fit the C locale */
        path = archive_entry_pathname_utf8(e);
    if (!path || archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) || !is_picture(path))
        return 0;
    int rc = tensor_name_check(path, strlen(path), NULL);
    if (rc != 0)
        return err_set(err, ERR_UNSUPPORTED, path, "a file name that is longer than %d bytes or no printable UTF-8",
                       TENSOR_MAX_NAME);
    while (strncmp(path, "./", 2) == 0)
        path += 2;
    const char *rest = below(path, folder), *slash = rest ? strchr(rest, '/') : NULL;
    if (!slash) {
        if (!t->outside)
            t->outside = arena_strdup(&t->names, path);
        return 0;
    }
    if (strchr(slash + 1, '/'))
        return err_set(err, ERR_INVALID, path,
                       "lies deeper than class/file; \"folder\" says which folder holds the classes");
    struct picture *p = add_picture(t, rest, slash);
    return p ? keep_data(a, f, p, archive_entry_size(e), budget, err) : err_set(err, ERR_NO_MEMORY, "", "no memory");
}

static int read_entries(struct tar *t, struct archive *a, struct feed *f, const char *folder, struct err *err)
{
    uint64_t size = f->source->size, ratio = archive_filter_count(a) > 1 ? PACKED_RATIO : 1, budget = size * ratio;
    int64_t limit = (int64_t)(size * ratio) + CHUNK, before = 0;
    for (;;) {
        struct archive_entry *e;
        int r = archive_read_next_header(a, &e);
        int64_t at = archive_filter_bytes(a, 0);
        if (r == ARCHIVE_EOF) /* a tar ends with blocks of zeros: without any it was cut between two files */
            return at - before >= 512 ? 0 : err_set(err, ERR_CORRUPT, "", "truncated: the archive has no end mark");
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return broken(a, f, "", err);
        if (at > limit)
            return err_set(err, ERR_TOO_LARGE, "", "the archive unpacks to more than %d times its size", PACKED_RATIO);
        int rc = take_entry(t, a, f, e, folder, &budget, err);
        if (rc == 0 && archive_read_data_skip(a) < ARCHIVE_WARN)
            rc = broken(a, f, "", err);
        if (rc != 0)
            return rc;
        before = archive_filter_bytes(a, 0);
    }
}

static int by_name(const void *x, const void *y)
{
    const struct picture *a = x, *b = y;
    int c = strcmp(a->folder, b->folder);
    return c ? c : strcmp(a->name, b->name);
}

static int number_classes(struct dataset_part *p, struct tar *t, const char *folder, struct err *err)
{
    if (!t->count)
        return err_set(err, ERR_INVALID, "", "no .jpg, .jpeg or .png in class folders below \"%s\"%s%s",
                       folder ? folder : "", t->outside ? "; there is " : "", t->outside ? t->outside : "");
    qsort(t->pictures, t->count, sizeof *t->pictures, by_name);
    p->count = (int64_t)t->count;
    p->labels = dataset_part_labels(p->count, err);
    p->folders = calloc(t->count, sizeof *p->folders);
    if (!p->labels || !p->folders)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for %zu labels", t->count);
    for (size_t i = 0; i < t->count; i++) {
        const struct picture *x = &t->pictures[i];
        if (i && by_name(x - 1, x) == 0)
            return err_set(err, ERR_INVALID, x->name, "is in folder \"%.64s\" twice", x->folder);
        if (i == 0 || strcmp(x[-1].folder, x->folder) != 0)
            p->folders[p->nfolders++] = (char *)x->folder;
        p->labels[i] = (int32_t)p->nfolders - 1;
    }
    return 0;
}

static int load(const struct dataset_part *p, int64_t i, struct image *out, struct err *err)
{
    const struct tar *t = p->state;
    const struct picture *x = &t->pictures[i];
    int rc = image_decode(x->data, x->n, out, err);
    if (rc != 0)
        err_prefix(err, "%s/%s", x->folder, x->name);
    return rc;
}

static void close_tar(struct dataset_part *p)
{
    struct tar *t = p->state;
    for (size_t i = 0; i < t->count; i++)
        free(t->pictures[i].data);
    free(t->pictures);
    arena_clear(&t->names);
    free(t);
}

/* Only what the library unpacks by itself: for other packings it would start programs. */
static int choose_formats(struct archive *a)
{
    return archive_read_support_filter_xz(a) == ARCHIVE_OK && archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
                   archive_read_support_filter_bzip2(a) == ARCHIVE_OK &&
                   archive_read_support_format_tar(a) == ARCHIVE_OK
               ? 0
               : -1;
}

int dataset_tar_open(struct dataset_part *p, const char *folder, struct err *err)
{
    struct tar *t = calloc(1, sizeof *t);
    struct feed *f = calloc(1, sizeof *f);
    struct archive *a = archive_read_new();
    int rc = 0;
    if (t) {
        arena_init(&t->names, 0);
        p->state = t;
        p->close = close_tar;
        p->load = load;
    }
    if (!t || !f || !a || choose_formats(a) != 0) {
        rc = err_set(err, ERR_NO_MEMORY, "", "no memory to read an archive");
    } else {
        f->source = p->source;
        f->err = err;
        if (archive_read_open(a, f, NULL, feed_read, NULL) != ARCHIVE_OK)
            rc = broken(a, f, "", err);
        if (rc == 0)
            rc = read_entries(t, a, f, folder, err);
        if (rc == 0)
            rc = number_classes(p, t, folder, err);
    }
    archive_read_free(a);
    free(f);
    return rc;
}
