/* db: opening, transactions, statements. It decides how durable a commit is (synchronous=FULL) and who checkpoints
 * (the writer alone: SQLite before 3.51.3 can corrupt a WAL that two connections reset at once). */
#include "server/db.h"

#include "proto/base/log.h"
#include "server/migrate.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

struct db {
    sqlite3 *handle;
    char *path;
    int writer, in_write;
    sqlite3_stmt *statements[SQL_COUNT];
};

static const struct {
    const char *text;
    int scan;
} rows[SQL_COUNT] = {
#define SQL(name, scan, text) [SQL_##name] = {text, scan},
#include "server/sql.def"
#undef SQL
};

const char *db_sql_text(enum sql which)
{
    return rows[which].text;
}

int db_sql_may_scan(enum sql which)
{
    return rows[which].scan;
}

sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

const char *db_path(const struct db *db)
{
    return db->path;
}

int db_fail(sqlite3 *handle, struct err *err)
{
    int code = sqlite3_errcode(handle) & 0xff;
    enum err_code ours = code == SQLITE_FULL                               ? ERR_DISK_FULL
                         : code == SQLITE_NOMEM                            ? ERR_NO_MEMORY
                         : code == SQLITE_BUSY || code == SQLITE_LOCKED    ? ERR_BUSY
                         : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_INTERNAL
                         : code == SQLITE_CONSTRAINT                       ? ERR_CONFLICT
                         : code == SQLITE_TOOBIG                           ? ERR_TOO_LARGE
                                                                           : ERR_IO;
    return err_set(err, ours, "database", "%s", sqlite3_errmsg(handle));
}

static int run(struct db *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db->handle, err);
}

static int prepare(struct db *db, enum sql which, struct err *err)
{
    if (sqlite3_prepare_v3(db->handle, rows[which].text, -1, SQLITE_PREPARE_PERSISTENT, &db->statements[which], NULL) ==
        SQLITE_OK)
        return 0;
    int rc = db_fail(db->handle, err);
    log_error("sql_bad", "statement=%d error=\"%s\"", (int)which, sqlite3_errmsg(db->handle));
    return rc;
}

static int harden(struct db *db, struct err *err)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return run(db,
               "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY",
               err);
}

static int is_damaged(const struct db *db)
{
    int code = db->handle ? sqlite3_errcode(db->handle) & 0xff : SQLITE_OK;
    return code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
}

static int open_handle(const char *path, int flags, struct db **out, struct err *err)
{
    struct db *db = calloc(1, sizeof *db);
    if (!db || !(db->path = strdup(path))) {
        free(db);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a database connection");
    }
    int rc = 0;
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        rc = db->handle ? db_fail(db->handle, err)
                        : err_set(err, ERR_NO_MEMORY, "", "no memory for a database connection");
    if (rc >= 0) {
        sqlite3_busy_timeout(db->handle, 5000);
        rc = harden(db, err);
    }
    if (rc < 0 && is_damaged(db))
        rc = migrate_check(db->handle, path, "quick_check", err);
    if (rc < 0) {
        db_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

static int open_writer(struct db *db, struct err *err)
{
    int64_t version;
    db->writer = 1;
    int rc = migrate_readable(db->handle, db->path, &version, err); /* before anything is changed */
    if (rc >= 0 && version == 0) /* so that deleting can give the end of the file back */
        rc = run(db, "PRAGMA auto_vacuum = INCREMENTAL", err);
    if (rc >= 0)
        rc = run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -65536", err);
    if (rc < 0 || (rc = migrate_run(db->handle, db->path, err)) < 0)
        return rc;
    for (int i = 0; i < SQL_COUNT; i++)
        if ((rc = prepare(db, (enum sql)i, err)) < 0)
            return rc;
    return 0;
}

int db_open(const char *path, struct db **out, struct err *err)
{
    struct db *db;
    int rc = open_handle(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, err);
    if (rc < 0)
        return rc;
    rc = open_writer(db, err);
    if (rc < 0 && is_damaged(db))
        rc = migrate_check(db->handle, path, "quick_check", err);
    if (rc < 0) {
        db_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

int db_open_reader(const char *path, struct db **out, struct err *err)
{
    struct db *db;
    int rc = open_handle(path, SQLITE_OPEN_READWRITE, &db,
                         err); /* WAL needs the -shm writable; query_only keeps us readers */
    if (rc < 0)
        return rc;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = run(db, "PRAGMA wal_autocheckpoint = 0; PRAGMA query_only = ON", err);
    if (rc < 0) {
        db_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

struct db_check {
    uv_thread_t thread;
    char *path;
    struct err err;
};

static void check_file(void *arg)
{
    struct db_check *c = arg;
    struct db *db;
    if (db_open_reader(c->path, &db, &c->err) < 0)
        return;
    migrate_check(db->handle, c->path, "quick_check", &c->err);
    db_close(db);
}

int db_check_begin(const char *path, struct db_check **out, struct err *err)
{
    struct db_check *c = calloc(1, sizeof *c);
    if (!c || !(c->path = strdup(path)) || uv_thread_create(&c->thread, check_file, c) != 0) {
        if (c)
            free(c->path);
        free(c);
        return err_set(err, ERR_NO_MEMORY, "", "no memory to check the database");
    }
    *out = c;
    return 0;
}

int db_check_end(struct db_check *c, struct err *err)
{
    uv_thread_join(&c->thread);
    int rc = -(int)c->err.code;
    if (rc < 0)
        *err = c->err;
    free(c->path);
    free(c);
    return rc;
}

int db_open_file(const char *path, struct db **out, struct err *err)
{
    return open_handle(path, SQLITE_OPEN_READONLY, out, err);
}

void db_abandon(struct db *db)
{
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    db_close(db);
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    if (db->in_write)
        run(db, "ROLLBACK", NULL); /* the statements are gone */
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

int db_in_write(const struct db *db)
{
    return db->in_write;
}

/* A statement that answers nothing. */
static int say(struct db *db, enum sql which, struct err *err)
{
    sqlite3_stmt *st = db_query(db, which, "");
    int rc = db_step(st, err);
    db_done(st);
    return rc;
}

int db_write(struct db *db, struct err *err)
{
    assert(db->writer);
    int open = !sqlite3_get_autocommit(db->handle);
    if (db->in_write) /* a full disk or failed read lets SQLite undo the whole transaction by itself */
        return open ? 0 : err_set(err, ERR_IO, "database", "an earlier change of this turn was undone");
    int rc = open ? say(db, SQL_ROLLBACK, err) : 0; /* one that found no memory when it was due */
    if (rc >= 0)
        rc = say(db, SQL_BEGIN, err);
    if (rc >= 0)
        db->in_write = 1;
    return rc;
}

int db_commit(struct db *db, struct err *err)
{
    if (!db->in_write)
        return 0;
    db->in_write = 0;
    int rc = say(db, SQL_COMMIT, err);
    if (rc < 0 && !sqlite3_get_autocommit(db->handle))
        say(db, SQL_ROLLBACK, NULL);
    return rc;
}

int db_savepoint(struct db *db, struct err *err)
{
    int rc = db_write(db, err);
    return rc < 0 ? rc : say(db, SQL_SAVEPOINT, err);
}

void db_savepoint_end(struct db *db, int keep)
{
    if (!keep)
        say(db, SQL_SAVEPOINT_DROP, NULL);
    say(db, SQL_SAVEPOINT_KEEP, NULL);
}

/* 0, or what SQLite says: a text that found no memory must not become NULL. */
static int bind_one(sqlite3_stmt *st, int i, char type, va_list *ap)
{
    if (type == 'i')
        return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
    if (type == 'd')
        return sqlite3_bind_double(st, i, va_arg(*ap, double));
    if (type == 't')
        return sqlite3_bind_text(st, i, va_arg(*ap, const char *), -1, SQLITE_TRANSIENT);
    if (type == 'b') {
        const void *p = va_arg(*ap, const void *);
        return sqlite3_bind_blob64(st, i, p, va_arg(*ap, size_t), SQLITE_TRANSIENT);
    }
    assert(type == 'n');
    return sqlite3_bind_null(st, i);
}

static int bind_all(sqlite3_stmt *st, const char *fmt, va_list ap)
{
    va_list own;
    int rc = SQLITE_OK;
    va_copy(own, ap);
    for (int i = 1; *fmt && rc == SQLITE_OK; fmt++, i++)
        rc = bind_one(st, i, *fmt, &own);
    va_end(own);
    return rc;
}

static sqlite3_stmt *ready(struct db *db, enum sql which, const char *fmt, va_list ap)
{
    if (!db->statements[which] && prepare(db, which, NULL) < 0)
        return NULL;
    sqlite3_stmt *st = db->statements[which];
    assert(!sqlite3_stmt_busy(st)); /* a statement is never used inside its own loop */
    if (bind_all(st, fmt, ap) == SQLITE_OK)
        return st;
    db_done(st);
    return NULL;
}

sqlite3_stmt *db_query(struct db *db, enum sql which, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sqlite3_stmt *st = ready(db, which, fmt, ap);
    va_end(ap);
    return st;
}

/* SQLite may need memory to show a text; here it can fail, so that db_text later cannot. */
static int has_texts(sqlite3_stmt *st)
{
    for (int i = 0, n = sqlite3_data_count(st); i < n; i++)
        if (sqlite3_column_type(st, i) == SQLITE_TEXT && !sqlite3_column_text(st, i))
            return 0;
    return 1;
}

int db_row(sqlite3_stmt *st, struct err *err)
{
    if (!st)
        return err_set(err, ERR_INTERNAL, "database", "a statement could not be readied");
    int rc = sqlite3_step(st);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_fail(sqlite3_db_handle(st), err);
}

int db_step(sqlite3_stmt *st, struct err *err)
{
    int rc = db_row(st, err);
    return rc > 0 && !has_texts(st) ? db_fail(sqlite3_db_handle(st), err) : rc;
}

void db_done(sqlite3_stmt *st)
{
    if (!st)
        return;
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

int db_exec(struct db *db, struct err *err, enum sql which, const char *fmt, ...)
{
    int rc = db_write(db, err);
    if (rc < 0)
        return rc;
    va_list ap;
    va_start(ap, fmt);
    sqlite3_stmt *st = ready(db, which, fmt, ap);
    va_end(ap);
    while ((rc = db_step(st, err)) > 0)
        continue;
    db_done(st);
    return rc < 0 ? rc : sqlite3_changes(db->handle);
}

int db_int(struct db *db, struct err *err, int64_t *out, enum sql which, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    sqlite3_stmt *st = ready(db, which, fmt, ap);
    va_end(ap);
    int rc = db_step(st, err);
    if (rc > 0)
        *out = sqlite3_column_int64(st, 0);
    db_done(st);
    return rc;
}

int64_t db_last_id(const struct db *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

const char *db_text(sqlite3_stmt *st, int column)
{
    const char *s = (const char *)sqlite3_column_text(st, column);
    return s ? s : "";
}

json_t *db_json(sqlite3_stmt *st, int column)
{
    const char *s = (const char *)sqlite3_column_text(st, column);
    return s ? json_loadb(s, (size_t)sqlite3_column_bytes(st, column), JSON_DECODE_ANY, NULL) : json_null();
}

int db_is_null(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL;
}

int64_t db_wal_bytes(const struct db *db)
{
    char name[4096];
    struct stat st;
    snprintf(name, sizeof name, "%s-wal", db->path);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}
