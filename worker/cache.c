/* cache: see cache.h for the files and locks. */
#include "worker/cache.h"
#include "proto/base/log.h"
#include "worker/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLICE = 32 << 20, PIECE = 1 << 20, NAME = HASH256_HEX + 8 };

int cache_open(struct cache *c, const char *dir, int64_t limit, struct err *err)
{
    memset(c, 0, sizeof *c);
    c->limit = limit;
    c->dir = strdup(dir);
    c->dirfd = disk_open_dir(dir, err);
    if (c->dirfd >= 0 && !c->dir)
        return err_set(err, ERR_NO_MEMORY, "cache", "no memory for a path");
    return c->dirfd < 0 ? c->dirfd : 0;
}

void cache_close(struct cache *c)
{
    if (c->dirfd >= 0)
        close(c->dirfd);
    free(c->dir);
    free(c->known);
    memset(c, 0, sizeof *c);
    c->dirfd = -1;
}

void cache_item_init(struct cache_item *it, const char *sha)
{
    memset(it, 0, sizeof *it);
    it->fd = -1;
    it->total = -2; /* nothing announced yet */
    snprintf(it->sha, sizeof it->sha, "%s", sha);
}

void cache_release(struct cache_item *it)
{
    if (it->fd >= 0)
        close(it->fd); /* closing drops the lock */
    it->fd = -1;
    it->state = CACHE_HASHING;
}

const char *cache_path(const struct cache *c, const struct cache_item *it, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", c->dir, it->sha);
    return out;
}

static void part_name(const struct cache_item *it, char out[NAME])
{
    snprintf(out, NAME, "%s.part", it->sha);
}

static int is_blob(const char *name)
{
    unsigned char raw[HASH256_SIZE];
    return hash_unhex(name, sizeof raw, raw) == 0;
}

static struct cache_known *find_known(struct cache *c, const char *sha)
{
    for (size_t i = 0; i < c->nknown; i++)
        if (strcmp(c->known[i].sha, sha) == 0)
            return &c->known[i];
    return NULL;
}

static int64_t mtime_ns(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static int is_known(struct cache *c, const struct cache_item *it, const struct stat *st)
{
    const struct cache_known *k = find_known(c, it->sha);
    return k && k->ino == st->st_ino && k->size == st->st_size && k->mtime_ns == mtime_ns(st);
}

static void remember(struct cache *c, const struct cache_item *it)
{
    struct stat st;
    struct cache_known *k = find_known(c, it->sha);
    if (fstat(it->fd, &st))
        return;
    if (!k) {
        k = realloc(c->known, (c->nknown + 1) * sizeof *k);
        if (!k)
            return; /* it will be hashed again, that is all */
        c->known = k;
        k += c->nknown++;
        memcpy(k->sha, it->sha, sizeof k->sha);
    }
    k->ino = st.st_ino;
    k->size = st.st_size;
    k->mtime_ns = mtime_ns(&st);
}

/* Opens and locks name; 1 when done, 0 when absent, 2 when another holds the lock. The file must still be the one that
 * the name points to once the lock is ours: it may have been renamed or evicted in between. */
static int open_locked(struct cache *c, struct cache_item *it, const char *name, int create, struct err *err)
{
    for (int tries = 0; tries < 100; tries++) {
        struct stat a, b;
        int fd = openat(c->dirfd, name, (create ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0)
            return errno == ENOENT ? 0 : err_errno(err, errno, name, "cannot open in the cache");
        if (flock(fd, (create ? LOCK_EX : LOCK_SH) | LOCK_NB)) {
            close(fd);
            return 2;
        }
        if (fstat(fd, &a) == 0 && fstatat(c->dirfd, name, &b, 0) == 0 && a.st_ino == b.st_ino) {
            it->fd = fd;
            it->have = a.st_size;
            it->hashed = 0;
            it->part = create;
            hash256_init(&it->hash);
            return 1;
        }
        close(fd);
    }
    return err_set(err, ERR_IO, name, "the file keeps changing");
}

static int hash_slice(struct cache_item *it, struct err *err)
{
    char *buf = malloc(PIECE);
    if (!buf)
        return err_set(err, ERR_NO_MEMORY, it->sha, "no memory to hash a blob");
    int64_t stop = it->have - it->hashed > SLICE ? it->hashed + SLICE : it->have;
    int rc = 0;
    while (!rc && it->hashed < stop) {
        int64_t left = stop - it->hashed;
        ssize_t r = pread(it->fd, buf, (size_t)(left < PIECE ? left : PIECE), it->hashed);
        if (r <= 0)
            rc = err_errno(err, r < 0 ? errno : EIO, it->sha, "cannot read the cache");
        else {
            hash256_update(&it->hash, buf, (size_t)r);
            it->hashed += r;
        }
    }
    free(buf);
    return rc;
}

static int hash_matches(const struct cache_item *it)
{
    struct hash256 copy = it->hash;
    unsigned char d[HASH256_SIZE];
    char hex[HASH256_HEX];
    hash256_final(&copy, d);
    hash_hex(d, sizeof d, hex);
    return strcmp(hex, it->sha) == 0;
}

static int use(struct cache *c, struct cache_item *it)
{
    struct timespec t[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    futimens(it->fd, t); /* the access time is the order of eviction */
    remember(c, it);
    return it->state = CACHE_READY;
}

static int open_item(struct cache *c, struct cache_item *it, struct err *err)
{
    char part[NAME];
    part_name(it, part);
    int rc = open_locked(c, it, it->sha, 0, err);
    if (rc == 0)
        rc = open_locked(c, it, part, 1, err);
    if (rc == 1 && it->part && faccessat(c->dirfd, it->sha, F_OK, 0) == 0) { /* it arrived just now */
        cache_release(it);
        unlinkat(c->dirfd, part, 0);
        return it->state = CACHE_HASHING;
    }
    if (rc == 2)
        return it->state = CACHE_WAITING;
    return rc < 0 ? rc : (int)(it->state = CACHE_HASHING);
}

int cache_step(struct cache *c, struct cache_item *it, struct err *err)
{
    struct stat st;
    if (it->state == CACHE_READY || it->state == CACHE_MISSING)
        return it->state;
    if (it->fd < 0)
        return open_item(c, it, err);
    if (!it->part && it->hashed == 0 && fstat(it->fd, &st) == 0 && is_known(c, it, &st))
        return use(c, it);
    int rc = hash_slice(it, err);
    if (rc || it->hashed < it->have)
        return rc ? rc : CACHE_HASHING;
    if (it->part)
        return it->state = CACHE_MISSING;
    if (hash_matches(it))
        return use(c, it);
    log_warn("cache_damaged", "blob=%s", it->sha);
    unlinkat(c->dirfd, it->sha, 0);
    cache_release(it);
    return it->state = CACHE_HASHING;
}

struct entry {
    char name[NAME];
    int64_t bytes;
    struct timespec used;
};

static int by_use(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

static struct entry *scan(const struct cache *c, size_t *count)
{
    int copy = openat(c->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    struct entry *list = NULL, *p;
    size_t n = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char stem[HASH256_HEX];
        struct stat st;
        snprintf(stem, sizeof stem, "%.64s", e->d_name);
        size_t len = strlen(e->d_name);
        if (!is_blob(stem) || (len != 64 && strcmp(e->d_name + 64, ".part") != 0) ||
            fstatat(c->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !(p = realloc(list, (n + 1) * sizeof *p)))
            continue;
        list = p;
        snprintf(list[n].name, NAME, "%s", e->d_name);
        list[n].bytes = (int64_t)st.st_size;
        list[n++].used = st.st_atim;
    }
    if (d)
        closedir(d);
    *count = n;
    return list;
}

int64_t cache_bytes(const struct cache *c)
{
    size_t n;
    int64_t sum = 0;
    struct entry *list = scan(c, &n);
    for (size_t i = 0; i < n; i++)
        sum += list[i].bytes;
    free(list);
    return sum;
}

/* Removes one file if nobody holds it; the bytes gained. */
static int64_t evict(struct cache *c, const struct entry *e)
{
    int fd = openat(c->dirfd, e->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int64_t gained = 0;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(c->dirfd, e->name, 0) == 0) {
        gained = e->bytes;
        log_info("cache_evicted", "blob=%.64s bytes=%lld", e->name, (long long)gained);
    }
    if (fd >= 0)
        close(fd);
    return gained;
}

static int make_room(struct cache *c, const struct cache_item *it, int64_t more, struct err *err)
{
    size_t n;
    struct entry *list = scan(c, &n);
    int64_t sum = more;
    for (size_t i = 0; i < n; i++)
        sum += list[i].bytes;
    if (n)
        qsort(list, n, sizeof *list, by_use);
    for (size_t i = 0; i < n && sum > c->limit; i++)
        sum -= evict(c, &list[i]);
    free(list);
    if (sum > c->limit)
        return err_set(err, ERR_DISK_FULL, it->sha, "the cache may hold %lld bytes, but what is needed now takes %lld",
                       (long long)c->limit, (long long)sum);
    return 0;
}

static int start_over(struct cache_item *it, struct err *err)
{
    if (ftruncate(it->fd, 0))
        return err_errno(err, errno, it->sha, "cannot empty a partial blob");
    it->have = it->hashed = 0;
    hash256_init(&it->hash);
    return 0;
}

static int begin(struct cache *c, struct cache_item *it, int64_t total, struct err *err)
{
    int rc = total > it->have ? make_room(c, it, total - it->have, err) : 0;
    /* ask the disk for the room now rather than fail at the end; where it cannot say, the writes will */
    if (!rc && total > it->have && fallocate(it->fd, FALLOC_FL_KEEP_SIZE, 0, total) && errno == ENOSPC)
        rc = err_errno(err, ENOSPC, it->sha, "no room for a blob of %lld bytes", (long long)total);
    return rc;
}

int cache_write(struct cache *c, struct cache_item *it, int64_t from, int64_t total, const void *data, size_t n,
                struct err *err)
{
    const char *p = data;
    int rc = from == 0 && it->have > 0 ? start_over(it, err) : 0;
    if (!rc && from != it->have)
        rc = err_set(err, ERR_INTERNAL, it->sha, "bytes at %lld while %lld are here", (long long)from,
                     (long long)it->have);
    if (!rc && it->state == CACHE_MISSING && !it->part)
        rc = err_set(err, ERR_INTERNAL, it->sha, "not a partial blob");
    if (!rc && total >= 0 && from + (int64_t)n > total)
        rc = err_set(err, ERR_CORRUPT, it->sha, "more than the %lld bytes announced", (long long)total);
    if (!rc && (from == 0 || it->total != total)) {
        it->total = total;
        rc = begin(c, it, total, err);
    }
    while (!rc && n) {
        ssize_t w = pwrite(it->fd, p, n, it->have);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            rc = err_errno(err, w < 0 ? errno : ENOSPC, it->sha, "cannot write the cache");
            break;
        }
        hash256_update(&it->hash, p, (size_t)w);
        p += w;
        n -= (size_t)w;
        it->have += w;
        it->hashed += w;
    }
    return rc;
}

int cache_finish(struct cache *c, struct cache_item *it, struct err *err)
{
    char part[NAME];
    part_name(it, part);
    if (!hash_matches(it)) {
        unlinkat(c->dirfd, part, 0);
        cache_release(it);
        return err_set(err, ERR_CORRUPT, it->sha, "the bytes received do not have this hash");
    }
    if (fsync(it->fd) || renameat(c->dirfd, part, c->dirfd, it->sha) || fsync(c->dirfd)) {
        int e = errno;
        cache_release(it);
        return err_errno(err, e, it->sha, "cannot keep a blob");
    }
    /* The kernel may drop the lock between exclusive and shared, and an evictor may come in between: look again. */
    struct stat a, b;
    it->part = 0;
    remember(c, it);
    if (flock(it->fd, LOCK_SH | LOCK_NB) || fstat(it->fd, &a) || fstatat(c->dirfd, it->sha, &b, 0) ||
        a.st_ino != b.st_ino)
        cache_release(it);
    else
        use(c, it);
    return 0;
}

size_t cache_list(const struct cache *c, char (*out)[HASH256_HEX], size_t max)
{
    size_t n, kept = 0;
    struct entry *list = scan(c, &n);
    for (size_t i = 0; i < n && kept < max; i++)
        if (is_blob(list[i].name))
            memcpy(out[kept++], list[i].name, HASH256_HEX);
    free(list);
    return kept;
}
