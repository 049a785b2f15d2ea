/* route_blob: uploads that survive cuts, downloads by range. An upload is one owner's at a time; what arrived is stored
 * in rows of 64 KiB, the rest of a row when the client goes away, and nothing refers to a blob before its hash was read
 * back. */
#include "proto/base/hash.h"
#include "proto/base/clock.h"
#include "server/db.h"
#include "server/reaper.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/store_blob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = 64 * 1024, READ = 256 * 1024 };
static const int64_t LARGEST = (int64_t)1 << 40;

struct upload {
    struct store_blob blob;
    char hash[HASH256_HEX];
    int64_t expect; /* bytes this request still brings; -1 unknown */
    size_t used;
    unsigned char row[ROW];
};

struct verify {
    char path[4096];
    int64_t id;
    char want[HASH256_HEX], got[HASH256_HEX];
    struct store_blob blob;
    struct err err;
};

/* Somebody who asks for a blob is about to refer to it: the time until it counts as unused begins again. */
static int touch(struct server *s, struct request *rq, const struct store_blob *b, struct err *err)
{
    int64_t now = clock_wall_ms(), half = (int64_t)(s->config->blob_grace_s * 500);
    if (request_who(rq)->role == API_ROLE_WORKER)
        return 0;
    int rc = db_exec(s->db, err, SQL_BLOB_TOUCH, "iii", b->id, now, now - half);
    return rc < 0 ? rc : 0;
}

static json_t *blob_json(const char *hash, const struct store_blob *b)
{
    return json_pack("{ss sI sI sb}", "sha256", hash, "size", (json_int_t)b->size, "stored", (json_int_t)b->stored,
                     "complete", b->complete);
}

static void say_length(struct request *rq, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)n);
    request_set_header(rq, "Upload-Length", text);
}

/* ---- upload */

static int flush(struct server *s, struct upload *u, struct err *err)
{
    if (!u->used)
        return 0;
    int rc = store_blob_append(s->db, &u->blob, u->row, u->used, err);
    if (rc < 0)
        return rc;
    if (!s->lazy_bytes)
        s->lazy_ms = clock_mono_ms();
    s->lazy_bytes += (int64_t)u->used;
    u->used = 0;
    return 0;
}

/* Another upload of the same blob may have stored more meanwhile. */
static int still_ours(struct server *s, struct upload *u, struct err *err)
{
    struct store_blob now;
    int rc = store_blob_find(s->db, u->hash, &now, err);
    if (rc < 0)
        return rc;
    if (s->full_ms > clock_mono_ms())
        return err_set(err, ERR_DISK_FULL, "database", "the disk is full: go on when there is room");
    if (rc == 0)
        return err_set(err, ERR_BUSY, "blob", "what came before could not be stored; ask HEAD and begin again");
    if (now.id != u->blob.id || now.stored != u->blob.stored || now.complete)
        return err_set(err, ERR_CONFLICT, "blob",
                       "another upload of this blob went on; ask HEAD and continue from there");
    return 0;
}

static int on_piece(struct server *s, struct request *rq, const char *data, size_t n, struct err *err)
{
    struct upload *u = request_state(rq);
    if (u->expect >= 0 && (int64_t)n > u->expect)
        return err_set(err, ERR_INVALID, "body", "is longer than announced");
    if (u->expect >= 0)
        u->expect -= (int64_t)n;
    if (u->blob.stored + (int64_t)u->used + (int64_t)n > u->blob.size)
        return err_set(err, ERR_INVALID, "body", "is longer than the blob");
    while (n) {
        size_t take = ROW - u->used < n ? ROW - u->used : n;
        memcpy(u->row + u->used, data, take);
        u->used += take;
        data += take;
        n -= take;
        int rc = u->used == ROW ? still_ours(s, u, err) : 0;
        if (rc == 0 && u->used == ROW)
            rc = flush(s, u, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void on_gone(struct server *s, struct request *rq)
{
    struct upload *u = request_state(rq);
    if (u->used && still_ours(s, u, NULL) == 0)
        flush(s, u, NULL);
    free(u);
}

static void verify_work(void *arg)
{
    struct verify *v = arg;
    struct db *db = NULL;
    struct hash256 h;
    unsigned char digest[HASH256_SIZE];
    char *buf = malloc(READ);
    if (!buf) {
        err_set(&v->err, ERR_NO_MEMORY, "", "no memory to verify the blob");
        return;
    }
    hash256_init(&h);
    if (db_open_reader(v->path, &db, &v->err) >= 0) {
        int64_t at = 0, n = 0;
        while (at < v->blob.size && (n = store_blob_read(db, v->blob.id, at, buf, READ, &v->err)) > 0) {
            hash256_update(&h, buf, (size_t)n);
            at += n;
        }
        db_close(db);
    }
    free(buf);
    hash256_final(&h, digest);
    hash_hex(digest, sizeof digest, v->got);
}

static int verify_done(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct verify *v = arg;
    if (v->err.code) {
        *err = v->err;
        return -(int)err->code;
    }
    if (strcmp(v->want, v->got) != 0) {
        int rc = store_blob_delete(s->db, v->blob.id, err);
        if (rc < 0)
            return rc;
        reaper_wake(s);
        struct err wrong;
        err_set(&wrong, ERR_CORRUPT, "body", "the bytes have the hash %s; the upload was dropped", v->got);
        return request_refuse(rq, &wrong);
    }
    int rc = store_blob_complete(s->db, v->blob.id, err);
    if (rc < 0)
        return rc;
    v->blob.complete = 1;
    return request_json(rq, 201, blob_json(v->want, &v->blob));
}

static int on_end(struct server *s, struct request *rq, struct err *err)
{
    struct upload *u = request_state(rq);
    if (u->blob.complete)
        return request_json(rq, 200, blob_json(u->hash, &u->blob));
    int rc = u->used ? still_ours(s, u, err) : 0;
    if (rc < 0 || (rc = flush(s, u, err)) < 0)
        return rc;
    s->lazy_bytes = 0;
    if (u->blob.stored < u->blob.size) {
        say_length(rq, u->blob.stored);
        return request_json(rq, 202, blob_json(u->hash, &u->blob));
    }
    /* The verifying thread reads through its own connection, so what is here must be committed first. */
    struct verify *v = calloc(1, sizeof *v);
    if (!v)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to verify the blob");
    snprintf(v->path, sizeof v->path, "%s", db_path(s->db));
    memcpy(v->want, u->hash, sizeof v->want);
    v->blob = u->blob;
    return request_work_committed(rq, &(struct request_job){verify_work, verify_done, free, v});
}

/* "bytes A-B/TOTAL"; 0 when there is no such field. */
static int content_range(const struct request *rq, int64_t *from, int64_t *to, int64_t *total, struct err *err)
{
    const char *text = request_header(rq, "Content-Range");
    long long a, b, t;
    int used = 0;
    if (!text)
        return 0;
    if (sscanf(text, "bytes %lld-%lld/%lld%n", &a, &b, &t, &used) != 3 || text[used] || a < 0 || b < a || t <= b ||
        t > LARGEST)
        return err_set(err, ERR_INVALID, "header Content-Range", "must be bytes A-B/TOTAL");
    *from = a;
    *to = b;
    *total = t;
    return 1;
}

static int announced(struct request *rq, int64_t *from, int64_t *len, int64_t *total, struct err *err)
{
    int64_t to = 0;
    const char *text = request_header(rq, "Content-Length");
    int64_t body = text ? strtoll(text, NULL, 10) : -1;
    int rc = content_range(rq, from, &to, total, err);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        if (body < 0 || body > LARGEST)
            return err_set(err, ERR_INVALID, "header Content-Length", "is needed");
        *from = 0;
        *total = body;
        *len = body;
        return 0;
    }
    *len = to - *from + 1;
    if (body >= 0 && body != *len)
        return err_set(err, ERR_INVALID, "header Content-Range", "does not fit Content-Length");
    return 0;
}

int route_putBlob(struct server *s, struct request *rq, struct err *err)
{
    const char *hash = request_text(rq, "sha256");
    int64_t from = 0, len = 0, total = 0;
    struct store_blob b;
    int rc = announced(rq, &from, &len, &total, err);
    if (rc < 0)
        return rc;
    int found = store_blob_find(s->db, hash, &b, err);
    if (found < 0)
        return found;
    if (found && !b.complete && (b.size != total || from == 0)) {
        /* A new beginning: what was there cannot be continued, or was not asked for. */
        if ((rc = store_blob_delete(s->db, b.id, err)) < 0)
            return rc;
        reaper_wake(s);
        found = 0;
    }
    if (!found && from == 0 && (rc = store_blob_create(s->db, hash, total, &b, err)) < 0)
        return rc;
    int64_t stored = found || from == 0 ? b.stored : 0;
    if (!(found && b.complete) && from != stored) {
        say_length(rq, stored);
        return err_set(err, ERR_RANGE, "header Content-Range",
                       "%lld bytes are stored, so the next byte is %lld, not %lld", (long long)stored,
                       (long long)stored, (long long)from);
    }
    if (found && b.complete && (rc = touch(s, rq, &b, err)) < 0)
        return rc;
    if (found && b.complete)
        return request_json(rq, 200, blob_json(hash, &b));
    struct upload *u = calloc(1, sizeof *u);
    if (!u)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for an upload");
    u->blob = b;
    u->expect = len;
    memcpy(u->hash, hash, sizeof u->hash);
    request_set_state(rq, u, on_gone);
    request_set_body(rq, on_piece, on_end);
    return 0;
}

/* ---- download */

struct download {
    char path[4096];
    struct db *db;
    int64_t blob, at, end;
};

static int64_t fill(void *arg, char *buf, size_t max)
{
    struct download *d = arg;
    if (!d->db && db_open_reader(d->path, &d->db, NULL) < 0)
        return -1;
    int64_t total = 0;
    while (d->at < d->end && (size_t)total < max) {
        size_t want = max - (size_t)total;
        if ((int64_t)want > d->end - d->at)
            want = (size_t)(d->end - d->at);
        int64_t n = store_blob_read(d->db, d->blob, d->at, buf + total, want, NULL);
        if (n <= 0)
            return -1;
        total += n;
        d->at += n;
    }
    return total;
}

static void release(void *arg)
{
    struct download *d = arg;
    db_close(d->db);
    free(d);
}

/* 206 for one range "bytes=A-B", "bytes=A-" or "bytes=-N"; anything else is ignored as RFC 9110 allows. */
static int range_of(const char *text, int64_t size, int64_t *from, int64_t *end)
{
    long long a, b;
    int used = 0;
    if (sscanf(text, "bytes=-%lld%n", &b, &used) == 1 && !text[used] && b > 0) {
        *from = b > size ? 0 : size - b;
        *end = size;
        return size > 0;
    }
    used = 0;
    if (sscanf(text, "bytes=%lld-%lld%n", &a, &b, &used) == 2 && !text[used] && a >= 0 && b >= a) {
        *from = a;
        *end = b >= size ? size : b + 1;
        return a < size;
    }
    used = 0;
    if (sscanf(text, "bytes=%lld-%n", &a, &used) == 1 && used && !text[used] && a >= 0) {
        *from = a;
        *end = size;
        return a < size;
    }
    return -1;
}

static int complete_blob(struct server *s, struct request *rq, struct store_blob *b, struct err *err)
{
    const char *hash = request_text(rq, "sha256");
    int rc = store_blob_find(s->db, hash, b, err);
    if (rc < 0)
        return rc;
    if (rc == 0 || !b->complete) {
        say_length(rq, rc ? b->stored : 0);
        return err_set(err, ERR_NOT_FOUND, "path sha256", "no complete blob %s", hash);
    }
    char tag[HASH256_HEX + 2];
    snprintf(tag, sizeof tag, "\"%s\"", hash);
    request_set_header(rq, "ETag", tag);
    request_set_header(rq, "Accept-Ranges", "bytes");
    return 0;
}

int route_getBlob(struct server *s, struct request *rq, struct err *err)
{
    struct store_blob b;
    int rc = complete_blob(s, rq, &b, err);
    if (rc < 0)
        return rc;
    int64_t from = 0, end = b.size;
    const char *range = request_header(rq, "Range");
    int partial = range ? range_of(range, b.size, &from, &end) : -1;
    if (partial == 0)
        return err_set(err, ERR_RANGE, "header Range", "the blob has %lld bytes", (long long)b.size);
    struct download *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a download");
    *d = (struct download){.blob = b.id, .at = partial > 0 ? from : 0, .end = partial > 0 ? end : b.size};
    snprintf(d->path, sizeof d->path, "%s", db_path(s->db));
    if (partial > 0) {
        char text[80];
        snprintf(text, sizeof text, "bytes %lld-%lld/%lld", (long long)from, (long long)end - 1, (long long)b.size);
        request_set_header(rq, "Content-Range", text);
    }
    return request_stream(rq, partial > 0 ? 206 : 200, "application/octet-stream", d->end - d->at,
                          &(struct request_source){fill, release, d, 1});
}

int route_headBlob(struct server *s, struct request *rq, struct err *err)
{
    struct store_blob b;
    int rc = complete_blob(s, rq, &b, err);
    if (rc < 0 || (rc = touch(s, rq, &b, err)) < 0)
        return rc;
    /* MHD sends the length of the body that it would send; nothing is read for HEAD. */
    struct download *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    return request_stream(rq, 200, "application/octet-stream", b.size, &(struct request_source){fill, release, d, 0});
}
