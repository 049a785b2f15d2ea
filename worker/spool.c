/* spool: one file per result, named <seq>-<job>-<lease>.json; the name carries all that is needed to deliver it. */
#include "worker/spool.h"
#include "proto/base/hash.h"
#include "worker/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME = 96 };
static const size_t RESULT_MAX = (size_t)256 << 20;

static void item_name(const struct spool_item *it, char out[NAME])
{
    snprintf(out, NAME, "%016" PRId64 "-%" PRId64 "-%s.json", it->seq, it->job, it->lease);
}

static int parse_name(const char *name, struct spool_item *it)
{
    int end = 0;
    unsigned char id[16];
    memset(it, 0, sizeof *it);
    const char *fmt = "%16" SCNd64 "-%19" SCNd64 "-%32[0-9a-f].json%n";
    if (sscanf(name, fmt, &it->seq, &it->job, it->lease, &end) != 3 || !end)
        return -1;
    return name[end] || it->seq < 0 || it->job <= 0 || hash_unhex(it->lease, sizeof id, id) ? -1 : 0;
}

static int append(struct spool *s, const struct spool_item *it, struct err *err)
{
    struct spool_item *p = realloc(s->items, (s->n + 1) * sizeof *p);
    if (!p)
        return err_set(err, ERR_NO_MEMORY, "spool", "no memory for the list of results");
    s->items = p;
    s->items[s->n++] = *it;
    s->bytes += (int64_t)it->bytes;
    if (it->seq >= s->next_seq)
        s->next_seq = it->seq + 1;
    return 0;
}

static int by_seq(const void *a, const void *b)
{
    const struct spool_item *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static int take_entry(struct spool *s, const char *name, struct err *err)
{
    struct spool_item it;
    struct stat st;
    if (strncmp(name, ".tmp-", 5) == 0) { /* a write that never ended: it was never a result */
        unlinkat(s->dirfd, name, 0);
        return 0;
    }
    if (name[0] == '.' || parse_name(name, &it) || fstatat(s->dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
        return 0;
    it.bytes = (size_t)st.st_size;
    return append(s, &it, err);
}

int spool_open(struct spool *s, const char *dir, int64_t limit, struct err *err)
{
    memset(s, 0, sizeof *s);
    s->limit = limit;
    s->dirfd = disk_open_dir(dir, err);
    if (s->dirfd < 0)
        return s->dirfd;
    int copy = fcntl(s->dirfd, F_DUPFD_CLOEXEC, 0);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d)
        return err_errno(err, errno, dir, "cannot list the spool");
    int rc = 0;
    for (struct dirent *e; !rc && (e = readdir(d)) != NULL;)
        rc = take_entry(s, e->d_name, err);
    closedir(d);
    if (s->n)
        qsort(s->items, s->n, sizeof *s->items, by_seq);
    return rc ? rc : spool_probe(s, err);
}

void spool_close(struct spool *s)
{
    if (s->dirfd >= 0)
        close(s->dirfd);
    free(s->items);
    memset(s, 0, sizeof *s);
    s->dirfd = -1;
}

int spool_put(struct spool *s, int64_t job, const char *lease, const void *data, size_t n, struct err *err)
{
    struct spool_item it = {.seq = s->next_seq, .job = job, .bytes = n};
    char name[NAME];
    snprintf(it.lease, sizeof it.lease, "%s", lease);
    item_name(&it, name);
    int rc = disk_write(s->dirfd, name, data, n, 0600, err);
    return rc ? rc : append(s, &it, err);
}

char *spool_read(struct spool *s, size_t i, size_t *n, struct err *err)
{
    char name[NAME];
    item_name(&s->items[i], name);
    return disk_read(s->dirfd, name, RESULT_MAX, n, err);
}

static void forget(struct spool *s, size_t i)
{
    s->bytes -= (int64_t)s->items[i].bytes;
    memmove(s->items + i, s->items + i + 1, (s->n - i - 1) * sizeof *s->items);
    s->n--;
}

int spool_drop(struct spool *s, size_t i, struct err *err)
{
    char name[NAME];
    item_name(&s->items[i], name);
    int failed = unlinkat(s->dirfd, name, 0) && errno != ENOENT;
    int e = errno;
    forget(s, i); /* even so, and without fsync: should the file be there at the next start, its upload is idempotent */
    return failed ? err_errno(err, e, name, "cannot remove a delivered result") : 0;
}

int spool_set_aside(struct spool *s, size_t i, struct err *err)
{
    char name[NAME], bad[NAME + 8];
    item_name(&s->items[i], name);
    snprintf(bad, sizeof bad, "%s.bad", name);
    int failed = renameat(s->dirfd, name, s->dirfd, bad) && errno != ENOENT;
    int e = errno;
    forget(s, i);
    return failed ? err_errno(err, e, name, "cannot set an unreadable result aside") : 0;
}

int spool_find(const struct spool *s, const char *lease)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].lease, lease) == 0)
            return (int)i;
    return -1;
}

int spool_full(const struct spool *s)
{
    return s->bytes >= s->limit;
}

int spool_probe(struct spool *s, struct err *err)
{
    char page[4096] = {0};
    int rc = disk_write(s->dirfd, ".probe", page, sizeof page, 0600, err);
    unlinkat(s->dirfd, ".probe", 0);
    return rc;
}
