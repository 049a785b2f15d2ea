/* cache: nothing unverified is ever ready, downloads resume, eviction spares what is in use. */
#include "tests/unit/test.h"
#include "worker/cache.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

static void setup(struct cache *c, int64_t limit)
{
    struct err err;
    snprintf(dir, sizeof dir, "/tmp/subrank-cache-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    CHECK_INT(cache_open(c, dir, limit, &err), 0);
}

static char *blob(int seed, size_t n, char sha[HASH256_HEX])
{
    char *p = malloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)((int)i * 31 + seed);
    hash256_hex(p, n, sha);
    return p;
}

static int settle(struct cache *c, struct cache_item *it)
{
    struct err err;
    int rc;
    for (int i = 0; i < 50 && (rc = cache_step(c, it, &err)) == CACHE_HASHING; i++)
        ;
    return rc;
}

static int fetch(struct cache *c, struct cache_item *it, const char *data, size_t n, struct err *err)
{
    int rc = settle(c, it);
    if (rc != CACHE_MISSING)
        return rc;
    rc = cache_write(c, it, it->have, (int64_t)n, data + it->have, n - (size_t)it->have, err);
    rc = rc ? rc : cache_finish(c, it, err);
    return rc ? rc : settle(c, it);
}

TEST(cache_a_fetched_blob_is_ready_again_after_a_restart)
{
    struct cache c;
    struct cache_item it;
    struct err err;
    char sha[HASH256_HEX], path[256];
    char *p = blob(1, 3000000, sha);
    setup(&c, 1 << 30);
    cache_item_init(&it, sha);
    CHECK_INT(fetch(&c, &it, p, 3000000, &err), CACHE_READY);
    CHECK(access(cache_path(&c, &it, path, sizeof path), R_OK) == 0);
    cache_release(&it);
    cache_close(&c);
    CHECK_INT(cache_open(&c, dir, 1 << 30, &err), 0);
    CHECK_INT(settle(&c, &it), CACHE_READY);
    char names[4][HASH256_HEX];
    CHECK_INT(cache_list(&c, names, 4), 1);
    CHECK_STR(names[0], sha);
    cache_release(&it);
    cache_close(&c);
    free(p);
}

TEST(cache_a_damaged_blob_is_fetched_again)
{
    struct cache c;
    struct cache_item it;
    struct err err;
    char sha[HASH256_HEX], path[256];
    char *p = blob(2, 100000, sha);
    setup(&c, 1 << 30);
    cache_item_init(&it, sha);
    CHECK_INT(fetch(&c, &it, p, 100000, &err), CACHE_READY);
    cache_path(&c, &it, path, sizeof path);
    cache_release(&it);
    int fd = open(path, O_WRONLY);
    CHECK(pwrite(fd, "x", 1, 5000) == 1);
    close(fd);
    CHECK_INT(settle(&c, &it), CACHE_MISSING); /* in the same process too: size and time of the file changed */
    CHECK_INT(it.have, 0);
    CHECK_INT(fetch(&c, &it, p, 100000, &err), CACHE_READY);
    cache_release(&it);
    cache_close(&c);
    free(p);
}

TEST(cache_resumes_a_partial_download_and_drops_a_corrupt_one)
{
    struct cache c;
    struct cache_item it;
    struct err err;
    char sha[HASH256_HEX];
    char *p = blob(3, 200000, sha);
    setup(&c, 1 << 30);
    cache_item_init(&it, sha);
    CHECK_INT(settle(&c, &it), CACHE_MISSING);
    CHECK_INT(cache_write(&c, &it, 0, 200000, p, 70000, &err), 0);
    CHECK(cache_write(&c, &it, 80000, 200000, p, 10, &err) < 0); /* a hole */
    cache_release(&it);
    cache_item_init(&it, sha);
    CHECK_INT(settle(&c, &it), CACHE_MISSING);
    CHECK_INT(it.have, 70000);
    CHECK_INT(fetch(&c, &it, p, 200000, &err), CACHE_READY);
    cache_release(&it);

    char *q = blob(4, 5000, sha);
    cache_item_init(&it, sha);
    q[17]++;
    CHECK_INT(fetch(&c, &it, q, 5000, &err), -ERR_CORRUPT);
    q[17]--;
    CHECK_INT(settle(&c, &it), CACHE_MISSING);
    CHECK_INT(it.have, 0);
    CHECK(cache_write(&c, &it, 0, 10, q, 11, &err) < 0); /* more than announced */
    CHECK_INT(fetch(&c, &it, q, 5000, &err), CACHE_READY);
    cache_release(&it);
    cache_close(&c);
    free(p);
    free(q);
}

TEST(cache_evicts_the_least_used_but_nothing_in_use)
{
    struct cache c;
    struct cache_item it[4];
    struct err err;
    char sha[4][HASH256_HEX], *p[4], path[256];
    setup(&c, 25000);
    for (int i = 0; i < 4; i++) {
        p[i] = blob(10 + i, 10000, sha[i]);
        cache_item_init(&it[i], sha[i]);
    }
    CHECK_INT(fetch(&c, &it[0], p[0], 10000, &err), CACHE_READY);
    CHECK_INT(fetch(&c, &it[1], p[1], 10000, &err), CACHE_READY);
    cache_release(&it[1]);
    CHECK_INT(fetch(&c, &it[2], p[2], 10000, &err), CACHE_READY); /* 1 goes: 0 is older, but in use */
    CHECK(access(cache_path(&c, &it[1], path, sizeof path), F_OK) != 0);
    CHECK(access(cache_path(&c, &it[0], path, sizeof path), F_OK) == 0);
    CHECK_INT(settle(&c, &it[3]), CACHE_MISSING);
    CHECK_INT(cache_write(&c, &it[3], 0, 10000, p[3], 1, &err), -ERR_DISK_FULL); /* both others are in use */
    CHECK(cache_bytes(&c) <= 25000);
    for (int i = 0; i < 4; i++) {
        cache_release(&it[i]);
        free(p[i]);
    }
    cache_close(&c);
}

TEST(cache_two_processes_download_once)
{
    struct cache c, other;
    struct cache_item a, b;
    struct err err;
    char sha[HASH256_HEX];
    char *p = blob(20, 50000, sha);
    setup(&c, 1 << 30);
    CHECK_INT(cache_open(&other, dir, 1 << 30, &err), 0);
    cache_item_init(&a, sha);
    cache_item_init(&b, sha);
    CHECK_INT(settle(&c, &a), CACHE_MISSING);
    CHECK_INT(settle(&other, &b), CACHE_WAITING);
    CHECK_INT(fetch(&c, &a, p, 50000, &err), CACHE_READY);
    CHECK_INT(settle(&other, &b), CACHE_READY); /* verified by itself */
    cache_release(&a);
    cache_release(&b);
    cache_close(&c);
    cache_close(&other);
    free(p);
}

TEST(cache_a_full_disk_is_an_error_and_the_part_survives)
{
    struct cache c;
    struct cache_item it;
    struct err err;
    char sha[HASH256_HEX];
    char *p = blob(21, 50000, sha);
    setup(&c, 1 << 30);
    cache_item_init(&it, sha);
    CHECK_INT(settle(&c, &it), CACHE_MISSING);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit small = {8192, 8192};
        setrlimit(RLIMIT_FSIZE, &small);
        int rc = cache_write(&c, &it, 0, -1, p, 50000, &err);
        _exit(rc == -ERR_IO || rc == -ERR_DISK_FULL ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
    cache_release(&it);
    CHECK_INT(settle(&c, &it), CACHE_MISSING);
    CHECK_INT(it.have, 8192);
    CHECK_INT(fetch(&c, &it, p, 50000, &err), CACHE_READY);
    cache_release(&it);
    cache_close(&c);
    free(p);
}
