/* store_blob: rows of bytes follow each other without gaps; reading seeks the row that holds an offset. */
#include "server/store_blob.h"

#include "proto/base/clock.h"

int store_blob_find(struct db *db, const char *hash, struct store_blob *out, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_BLOB_FIND, "t", hash);
    int rc = db_step(st, err);
    if (rc > 0)
        *out = (struct store_blob){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                                   sqlite3_column_int64(st, 2), sqlite3_column_int(st, 3)};
    db_done(st);
    return rc;
}

int store_blob_create(struct db *db, const char *hash, int64_t size, struct store_blob *out, struct err *err)
{
    int rc = db_exec(db, err, SQL_BLOB_INSERT, "tii", hash, size, clock_wall_ms());
    if (rc < 0)
        return rc;
    *out = (struct store_blob){.id = db_last_id(db), .size = size};
    return 0;
}

int store_blob_append(struct db *db, struct store_blob *b, const void *data, size_t n, struct err *err)
{
    int rc = db_savepoint(db, err);
    if (rc < 0)
        return rc;
    rc = db_exec(db, err, SQL_CHUNK_INSERT, "iib", b->id, b->stored, data, n);
    if (rc >= 0)
        rc = db_exec(db, err, SQL_BLOB_GROW, "iii", b->id, (int64_t)n, clock_wall_ms());
    db_savepoint_end(db, rc >= 0);
    if (rc >= 0)
        b->stored += (int64_t)n;
    return rc < 0 ? rc : 0;
}

int store_blob_complete(struct db *db, int64_t id, struct err *err)
{
    int rc = db_exec(db, err, SQL_BLOB_COMPLETE, "ii", id, clock_wall_ms());
    return rc == 0  ? err_set(err, ERR_CONFLICT, "blob", "the upload changed while it was verified; send it again")
           : rc < 0 ? rc
                    : 0;
}

int store_blob_delete(struct db *db, int64_t id, struct err *err)
{
    int rc = db_exec(db, err, SQL_BLOB_DOOM, "i", id);
    return rc < 0 ? rc : 0;
}

int store_blob_need(struct db *db, const char *hash, const char *where, struct store_blob *out, struct err *err)
{
    int rc = store_blob_find(db, hash, out, err);
    if (rc < 0)
        return rc;
    if (rc == 0 || !out->complete)
        return err_set(err, ERR_INVALID, where,
                       rc ? "the blob %s is not complete" : "there is no blob %s; upload it first", hash);
    return 0;
}

int64_t store_blob_read(struct db *db, int64_t blob, int64_t at, void *out, size_t n, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_CHUNK_AT, "ii", blob, at);
    int rc = db_step(st, err);
    int64_t row = 0, start = 0, len = 0;
    if (rc > 0) {
        row = sqlite3_column_int64(st, 0);
        start = sqlite3_column_int64(st, 1);
        len = sqlite3_column_int64(st, 2);
    }
    db_done(st);
    if (rc <= 0 || at >= start + len)
        return rc < 0 ? rc : 0;
    int64_t left = start + len - at;
    int take = (int)(left < (int64_t)n ? left : (int64_t)n);
    sqlite3_blob *h = NULL;
    if (sqlite3_blob_open(db_handle(db), "main", "chunk", "data", row, 0, &h) != SQLITE_OK ||
        sqlite3_blob_read(h, out, take, (int)(at - start)) != SQLITE_OK)
        take = db_fail(db_handle(db), err);
    sqlite3_blob_close(h);
    return take;
}
