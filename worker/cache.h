/* cache: blobs by SHA-256 in one directory, which workers of one machine may share.
 *
 * A blob is <sha> once its hash was verified, <sha>.part while it arrives. Locks (flock, so the kernel drops them when
 * a process dies): exclusive on the .part by the one who downloads, shared on the blob by everyone whose job needs it.
 * Eviction takes only what it can lock exclusively, oldest use first. Long hashing happens in slices (cache_step), so
 * that beats go on. This room does not download: it says from where on, and takes the bytes. */
#ifndef WORKER_CACHE_H
#define WORKER_CACHE_H

#include "proto/base/err.h"
#include "proto/base/hash.h"

#include <stdint.h>
#include <sys/types.h>

enum cache_state {
    CACHE_HASHING, /* call cache_step again */
    CACHE_WAITING, /* another process downloads it: call cache_step again in a second */
    CACHE_MISSING, /* download from item->have on, cache_write it, then cache_finish */
    CACHE_READY    /* verified and locked: use cache_path until cache_release */
};

struct cache_known { /* a file that this process verified, as it was then */
    char sha[HASH256_HEX];
    ino_t ino;
    int64_t size, mtime_ns;
};
struct cache {
    int dirfd;
    char *dir;
    int64_t limit;
    struct cache_known *known;
    size_t nknown;
};
struct cache_item {
    char sha[HASH256_HEX];
    int fd, part;
    int64_t have, hashed; /* bytes on disk, bytes that went into the hash */
    int64_t total;        /* as announced; -1 unknown */
    struct hash256 hash;
    enum cache_state state;
};

int cache_open(struct cache *c, const char *dir, int64_t limit, struct err *err);
void cache_close(struct cache *c);

void cache_item_init(struct cache_item *it, const char *sha);
/* Moves the item on; its state, or negative. A damaged file is removed and reported missing. */
int cache_step(struct cache *c, struct cache_item *it, struct err *err);
/* Bytes [from, from + n) of a blob of `total` bytes (-1: unknown). from 0 starts over; else it must be it->have. */
int cache_write(struct cache *c, struct cache_item *it, int64_t from, int64_t total, const void *data, size_t n,
                struct err *err);
/* All bytes are there: verifies, syncs, renames; cache_step says READY next. ERR_CORRUPT when the hash differs: the
 * bytes are dropped. */
int cache_finish(struct cache *c, struct cache_item *it, struct err *err);
void cache_release(struct cache_item *it); /* unlocks; what is partial stays for the next try */

const char *cache_path(const struct cache *c, const struct cache_item *it, char *out, size_t size);
/* Names of the blobs in the cache, at most `max`; the count. */
size_t cache_list(const struct cache *c, char (*out)[HASH256_HEX], size_t max);
int64_t cache_bytes(const struct cache *c); /* what all files take, partial ones included */

#endif
