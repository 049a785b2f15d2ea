/* backup: SQLite's backup API in small steps into FILE.part, then check, fsync, rename: a name never stands for half a
 * copy. Who drives the steps, and how fast, is the caller's business. */
#include "server/backup.h"

#include "proto/base/hash.h"
#include "server/db.h"
#include "server/migrate.h"
#include "server/store_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 4096, FLUSH_PAGES = 256, STEP_PAGES = 64, PAUSE_US = 1000, READ = 256 * 1024 };

struct backup {
    char file[PATH], part[PATH];
    sqlite3 *to;
    sqlite3_backup *copy;
    int fd, named;
    int64_t done, pages;
};

static int wrong(sqlite3 *handle, const char *where, struct err *err)
{
    int code = sqlite3_errcode(handle) & 0xff;
    return err_set(err,
                   code == SQLITE_FULL    ? ERR_DISK_FULL
                   : code == SQLITE_NOMEM ? ERR_NO_MEMORY
                                          : ERR_IO,
                   where, "%s", sqlite3_errmsg(handle));
}

/* ---- the copy */

static int open_part(struct backup *b, struct err *err)
{
    unlink(b->part); /* what a crash left */
    b->fd = open(b->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (b->fd < 0)
        return err_errno(err, errno, b->part, "cannot make the backup");
    if (sqlite3_open_v2(b->part, &b->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(b->to,
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
                     "PRAGMA cache_size = -4096",
                     NULL, NULL, NULL) != SQLITE_OK)
        return b->to ? wrong(b->to, b->part, err) : err_set(err, ERR_NO_MEMORY, "", "no memory for a backup");
    return 0;
}

int backup_begin(sqlite3 *from, const char *file, struct backup **out, struct err *err)
{
    struct backup *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a backup");
    b->fd = -1;
    int rc = snprintf(b->file, sizeof b->file, "%s", file) >= (int)sizeof b->file - 8
                 ? err_set(err, ERR_INVALID, file, "the name is too long")
                 : 0;
    snprintf(b->part, sizeof b->part, "%.4000s.part", file);
    if (rc == 0 && access(file, F_OK) == 0)
        rc = err_set(err, ERR_CONFLICT, file, "is there already; a backup never replaces a file");
    if (rc == 0 && (rc = open_part(b, err)) == 0 && !(b->copy = sqlite3_backup_init(b->to, "main", from, "main")))
        rc = wrong(b->to, b->part, err);
    if (rc < 0) {
        backup_free(b);
        return rc;
    }
    *out = b;
    return 0;
}

int backup_step(struct backup *b, int pages, struct err *err)
{
    int rc = sqlite3_backup_step(b->copy, pages);
    b->pages = sqlite3_backup_pagecount(b->copy);
    b->done = b->pages - sqlite3_backup_remaining(b->copy);
    if (rc == SQLITE_DONE)
        return 0;
    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return 1;
    return err_set(err,
                   rc == SQLITE_FULL    ? ERR_DISK_FULL
                   : rc == SQLITE_NOMEM ? ERR_NO_MEMORY
                                        : ERR_IO,
                   b->part, "the backup stopped: %s", sqlite3_errstr(rc));
}

int64_t backup_pages_done(const struct backup *b)
{
    return b->done;
}

int64_t backup_pages(const struct backup *b)
{
    return b->pages;
}

int backup_flush(struct backup *b, struct err *err)
{
    return fdatasync(b->fd) == 0 ? 0 : err_errno(err, errno, b->part, "cannot write the backup to the disk");
}

int backup_copied(struct backup *b, struct err *err)
{
    int rc = sqlite3_backup_finish(b->copy);
    b->copy = NULL;
    return rc == SQLITE_OK ? 0 : wrong(b->to, b->part, err);
}

static int sync_dir(const char *file, struct err *err)
{
    char copy[PATH];
    snprintf(copy, sizeof copy, "%s", file);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : err_errno(err, errno, file, "cannot make the name durable");
    if (fd >= 0)
        close(fd);
    return rc;
}

int64_t backup_seal(struct backup *b, struct err *err)
{
    /* The pages say "WAL" as the original does: a copy has none and is one file. */
    if (sqlite3_exec(b->to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        return wrong(b->to, b->part, err);
    int rc = migrate_check(b->to, b->part, "quick_check", err);
    sqlite3_close(b->to);
    b->to = NULL;
    if (rc < 0)
        return rc;
    struct stat st;
    if (fsync(b->fd) != 0 || fstat(b->fd, &st) != 0)
        return err_errno(err, errno, b->part, "cannot write the backup to the disk");
    if (link(b->part, b->file) != 0) /* unlike rename it never replaces */
        return err_errno(err, errno, b->file, "cannot name the backup");
    unlink(b->part);
    b->named = 1;
    return sync_dir(b->file, err) < 0 ? -(int)err->code : (int64_t)st.st_size;
}

void backup_free(struct backup *b)
{
    if (!b)
        return;
    sqlite3_backup_finish(b->copy);
    sqlite3_close(b->to);
    if (b->fd >= 0) {
        close(b->fd);
        if (!b->named)
            unlink(b->part);
    }
    free(b);
}

/* ---- from another process */

static int copy_all(struct backup *b, struct err *err)
{
    int rc;
    int64_t flushed = 0;
    while ((rc = backup_step(b, STEP_PAGES, err)) > 0) {
        if (b->done - flushed >= FLUSH_PAGES) {
            flushed = b->done;
            if ((rc = backup_flush(b, err)) < 0)
                return rc;
        }
        usleep(PAUSE_US); /* the coordinator's commits come first */
    }
    return rc;
}

int64_t backup_write(const char *database, const char *file, struct err *err)
{
    struct db *db = NULL;
    struct backup *b = NULL;
    if (access(database, R_OK) != 0)
        return err_errno(err, errno, database, "there is no database to back up");
    int64_t rc = db_open_reader(database, &db, err);
    /* One snapshot from begin to end: without it every commit of the coordinator would start the copy again. */
    if (rc >= 0 && sqlite3_exec(db_handle(db), "BEGIN; SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK)
        rc = wrong(db_handle(db), database, err);
    if (rc >= 0)
        rc = backup_begin(db_handle(db), file, &b, err);
    if (rc >= 0 && (rc = copy_all(b, err)) >= 0)
        rc = backup_copied(b, err);
    if (rc >= 0) {
        db_close(db); /* the snapshot ends: the coordinator's log can shrink again */
        db = NULL;
        rc = backup_seal(b, err);
    }
    backup_free(b);
    db_close(db);
    return rc;
}

/* ---- checking */

static int count(struct db *db, enum sql which, int64_t *out, struct err *err)
{
    int rc = db_int(db, err, out, which, "");
    return rc < 0 ? rc : 0;
}

static int check_blob(struct db *db, int64_t id, const char *hash, int64_t size, char *buf, struct err *err)
{
    struct hash256 h;
    unsigned char digest[HASH256_SIZE];
    char got[HASH256_HEX];
    int64_t at = 0, n = 0;
    hash256_init(&h);
    while (at < size && (n = store_blob_read(db, id, at, buf, READ, err)) > 0) {
        hash256_update(&h, buf, (size_t)n);
        at += n;
    }
    if (n < 0)
        return (int)n;
    hash256_final(&h, digest);
    hash_hex(digest, sizeof digest, got);
    return strcmp(got, hash) == 0 ? 0 : err_set(err, ERR_CORRUPT, "blob", "the bytes of blob %s are damaged", hash);
}

static int check_blobs(struct db *db, struct backup_report *out, struct err *err)
{
    char *buf = malloc(READ);
    if (!buf)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to check blobs");
    sqlite3_stmt *st = db_query(db, SQL_BLOB_COMPLETE_ALL, "");
    int rc;
    while ((rc = db_step(st, err)) > 0) {
        int64_t size = sqlite3_column_int64(st, 2);
        if ((rc = check_blob(db, sqlite3_column_int64(st, 0), db_text(st, 1), size, buf, err)) < 0)
            break;
        out->blobs++;
        out->blob_bytes += size;
    }
    db_done(st);
    free(buf);
    return rc;
}

static int check_references(struct db *db, const char *file, struct err *err)
{
    sqlite3_stmt *st = NULL;
    char table[100] = "";
    int rc = sqlite3_prepare_v2(db_handle(db), "PRAGMA foreign_key_check", -1, &st, NULL) == SQLITE_OK
                 ? sqlite3_step(st)
                 : SQLITE_ERROR;
    if (rc == SQLITE_ROW)
        snprintf(table, sizeof table, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    if (rc == SQLITE_DONE)
        return 0;
    return rc == SQLITE_ROW
               ? err_set(err, ERR_CORRUPT, file, "rows of table %s refer to rows that are not there", table)
               : wrong(db_handle(db), file, err);
}

int backup_verify(const char *file, struct backup_report *out, struct err *err)
{
    struct db *db = NULL;
    *out = (struct backup_report){0};
    int rc = db_open_file(file, &db, err);
    if (rc < 0)
        return rc;
    if ((rc = migrate_readable(db_handle(db), file, &out->version, err)) >= 0 && out->version == 0)
        rc = err_set(err, ERR_INVALID, file, "is empty");
    if (rc >= 0 && (rc = migrate_check(db_handle(db), file, "integrity_check", err)) >= 0 &&
        (rc = check_references(db, file, err)) >= 0 && (rc = count(db, SQL_SEARCH_COUNT, &out->searches, err)) >= 0 &&
        (rc = count(db, SQL_CANDIDATE_COUNT, &out->candidates, err)) >= 0 &&
        (rc = count(db, SQL_CANDIDATE_SCORED, &out->scored, err)) >= 0)
        rc = check_blobs(db, out, err);
    db_close(db);
    return rc;
}

/* ---- putting back */

static int hold_directory(const char *data, int *lock, struct err *err)
{
    char path[PATH];
    if (mkdir(data, 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, data, "cannot make the data directory");
    snprintf(path, sizeof path, "%s/lock", data);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock < 0)
        return err_errno(err, errno, path, "cannot open the lock");
    if (flock(*lock, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_CONFLICT, data, "a coordinator works in this directory: stop it first");
    static const char *const ends[] = {"", "-wal"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/subrank.db%s", data, ends[i]);
        if (access(path, F_OK) == 0)
            return err_set(err, ERR_CONFLICT, path, "is there already: move it away first, nothing is overwritten");
    }
    return 0;
}

int backup_restore(const char *file, const char *data, struct backup_report *out, struct err *err)
{
    int lock = -1;
    struct db *db = NULL;
    struct backup *b = NULL;
    char path[PATH];
    int64_t rc = hold_directory(data, &lock, err);
    if (rc >= 0 && (rc = backup_verify(file, out, err)) >= 0 && (rc = db_open_file(file, &db, err)) >= 0) {
        snprintf(path, sizeof path, "%s/subrank.db", data);
        rc = backup_begin(db_handle(db), path, &b, err);
    }
    if (rc >= 0) {
        while ((rc = backup_step(b, STEP_PAGES, err)) > 0)
            continue;
        if (rc >= 0 && (rc = backup_copied(b, err)) >= 0)
            rc = backup_seal(b, err);
    }
    backup_free(b);
    db_close(db);
    if (lock >= 0)
        close(lock);
    return rc < 0 ? (int)rc : 0;
}
