/* auth: the table of token hashes in memory, kept equal to the database's. */
#include "server/auth.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 1024, BAD_PER_MINUTE = 30, SECRET_BYTES = 32 };

struct entry {
    unsigned char hash[HASH256_SIZE];
    int used;
    struct auth_who who;
};

struct bucket { /* bad tokens of one address (or of addresses that share the bucket) */
    int64_t since_ms;
    int count;
};

struct auth {
    struct db *db;
    struct entry *entries; /* open addressing by the hash's first bytes; no removal, only reload */
    size_t cap, count;
    int have_admin, have_join;
    struct bucket buckets[BUCKETS];
};

static size_t slot_of(const struct auth *a, const unsigned char *hash)
{
    size_t h;
    memcpy(&h, hash, sizeof h);
    return h & (a->cap - 1);
}

static struct entry *find(struct auth *a, const unsigned char *hash)
{
    size_t i = slot_of(a, hash);
    while (a->entries[i].used && !hash_equal(a->entries[i].hash, hash, HASH256_SIZE))
        i = (i + 1) & (a->cap - 1);
    return &a->entries[i];
}

static int grow(struct auth *a, struct err *err)
{
    struct entry *old = a->entries;
    size_t n = a->cap;
    struct entry *fresh = calloc(n * 2, sizeof *fresh);
    if (!fresh)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for tokens");
    a->entries = fresh;
    a->cap = n * 2;
    for (size_t i = 0; i < n; i++)
        if (old[i].used)
            *find(a, old[i].hash) = old[i];
    free(old);
    return 0;
}

static int add(struct auth *a, const unsigned char *hash, const struct auth_who *who, struct err *err)
{
    if (a->count * 2 >= a->cap) {
        int rc = grow(a, err);
        if (rc < 0)
            return rc;
    }
    struct entry *e = find(a, hash);
    a->count += (size_t)!e->used;
    memcpy(e->hash, hash, HASH256_SIZE);
    e->used = 1;
    e->who = *who;
    a->have_admin |= who->role == API_ROLE_ADMIN;
    a->have_join |= who->role == API_ROLE_JOIN;
    return 0;
}

int auth_reload(struct auth *a, struct err *err)
{
    memset(a->entries, 0, a->cap * sizeof *a->entries);
    a->count = 0;
    a->have_admin = a->have_join = 0;
    sqlite3_stmt *st = db_query(a->db, SQL_TOKEN_ALL, "");
    int rc;
    while ((rc = db_step(st, err)) > 0) {
        struct auth_who who = {.token = sqlite3_column_int64(st, 0), .worker = sqlite3_column_int64(st, 4)};
        who.role = (enum api_role)api_role_parse(db_text(st, 1));
        snprintf(who.name, sizeof who.name, "%s", db_text(st, 2));
        if ((rc = add(a, sqlite3_column_blob(st, 3), &who, err)) < 0)
            break;
    }
    db_done(st);
    return rc;
}

int auth_new(struct db *db, struct auth **out, struct err *err)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a || !(a->entries = calloc(64, sizeof *a->entries))) {
        free(a);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for tokens");
    }
    a->cap = 64;
    a->db = db;
    int rc = auth_reload(a, err);
    if (rc < 0) {
        auth_free(a);
        return rc;
    }
    *out = a;
    return 0;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    free(a->entries);
    free(a);
}

static void digest(const char *secret, size_t n, unsigned char out[HASH256_SIZE])
{
    struct hash256 h;
    hash256_init(&h);
    hash256_update(&h, secret, n);
    hash256_final(&h, out);
}

int auth_create(struct auth *a, enum api_role role, const char *name, int64_t worker, char *secret, int64_t *id,
                struct err *err)
{
    unsigned char random[SECRET_BYTES], hash[HASH256_SIZE];
    if (hash_random(random, sizeof random) < 0)
        return err_set(err, ERR_INTERNAL, "", "the kernel gave no random bytes");
    memcpy(secret, "sr_", 3);
    hash_hex(random, sizeof random, secret + 3);
    digest(secret, strlen(secret), hash);
    struct auth_who who = {.role = role, .worker = worker};
    snprintf(who.name, sizeof who.name, "%s", name);
    int rc = worker ? db_exec(a->db, err, SQL_TOKEN_INSERT, "ttbii", api_role_name(role), name, hash, sizeof hash,
                              worker, clock_wall_ms())
                    : db_exec(a->db, err, SQL_TOKEN_INSERT, "ttbni", api_role_name(role), name, hash, sizeof hash,
                              clock_wall_ms());
    if (rc < 0)
        return rc;
    who.token = db_last_id(a->db);
    *id = who.token;
    return add(a, hash, &who, err);
}

static void forget(struct auth *a, int64_t token, int64_t worker)
{
    for (size_t i = 0; i < a->cap; i++) {
        struct entry *e = &a->entries[i];
        if (e->used && ((token && e->who.token == token) || (worker && e->who.worker == worker)))
            e->who.role = API_ROLE_OPEN; /* the slot stays: probing needs it */
    }
}

int auth_revoke(struct auth *a, int64_t id, struct err *err)
{
    int rc = db_exec(a->db, err, SQL_TOKEN_REVOKE, "ii", id, clock_wall_ms());
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "path id", "no token %lld", (long long)id);
    if (rc > 0)
        forget(a, id, 0);
    return rc < 0 ? rc : 0;
}

int auth_revoke_worker(struct auth *a, int64_t worker, struct err *err)
{
    int rc = db_exec(a->db, err, SQL_TOKEN_REVOKE_WORKER, "ii", worker, clock_wall_ms());
    if (rc >= 0)
        forget(a, 0, worker);
    return rc < 0 ? rc : 0;
}

static struct bucket *bucket_of(struct auth *a, const struct sockaddr *from)
{
    const void *p = "";
    size_t n = 0;
    if (from && from->sa_family == AF_INET) {
        p = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
        n = sizeof(struct in_addr);
    } else if (from && from->sa_family == AF_INET6) {
        p = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
        n = 8; /* one customer usually has a whole /64 */
    }
    return &a->buckets[hash128(p, n).lo % BUCKETS];
}

static int bad(struct bucket *b, int64_t now, struct err *err)
{
    if (now - b->since_ms > 60000)
        *b = (struct bucket){now, 0};
    b->count++;
    return err_set(err, ERR_UNAUTHORIZED, "header Authorization", "the token is unknown or was revoked");
}

int auth_check(struct auth *a, const char *header, const struct sockaddr *from, int64_t now_ms, struct auth_who *who,
               struct err *err)
{
    memset(who, 0, sizeof *who);
    who->role = API_ROLE_OPEN;
    if (!header)
        return 0;
    struct bucket *b = bucket_of(a, from);
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return err_set(err, ERR_UNAUTHORIZED, "header Authorization", "must be Bearer and a token");
    unsigned char hash[HASH256_SIZE];
    digest(header + 7, strlen(header + 7), hash);
    struct entry *e = find(a, hash);
    if (e->used && e->who.role != API_ROLE_OPEN) {
        *who = e->who; /* a good token passes even while its address is limited */
        return 0;
    }
    if (b->count >= BAD_PER_MINUTE && now_ms - b->since_ms <= 60000)
        return err_set(err, ERR_RATE, "header Authorization", "too many bad tokens from this address; wait a minute");
    return bad(b, now_ms, err);
}

/* A new file's name is safe only once its directory is. */
static int sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int ok = fd >= 0 && fsync(fd) == 0, saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return ok;
}

static int write_secret(const char *dir, const char *file, const char *secret, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(err, errno, path, "cannot write the token");
    int ok = fchmod(fd, 0600) == 0 && dprintf(fd, "%s\n", secret) > 0 && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    if (ok && !(ok = sync_dir(dir)))
        saved = errno;
    if (!ok)
        return err_errno(err, saved, path, "cannot write the token");
    log_info("token_written", "file=\"%s\"", path);
    return 0;
}

static int bootstrap_one(struct auth *a, const char *dir, enum api_role role, const char *file, struct err *err)
{
    char secret[AUTH_SECRET_TEXT];
    int64_t id;
    int rc = auth_create(a, role, "first start", 0, secret, &id, err);
    return rc < 0 ? rc : write_secret(dir, file, secret, err);
}

int auth_bootstrap(struct auth *a, const char *dir, struct err *err)
{
    int rc = 0;
    if (!a->have_admin)
        rc = bootstrap_one(a, dir, API_ROLE_ADMIN, "admin.token", err);
    if (rc == 0 && !a->have_join)
        rc = bootstrap_one(a, dir, API_ROLE_JOIN, "join.token", err);
    if (rc == 0)
        rc = db_commit(a->db, err);
    return rc;
}
