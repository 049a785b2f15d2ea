/* db: the only door to SQLite. The loop thread owns the one connection that writes; every other connection is a reader.
 *
 * All SQL is in sql.def, prepared at start on the writer (a typo stops the program), on first use on a reader. Writes
 * of one turn of the loop are one transaction: db_write opens it, db_commit closes it. Inside it each request has its
 * own savepoint, so that a refused request leaves nothing behind. Only the writer moves the WAL into the file. */
#ifndef SERVER_DB_H
#define SERVER_DB_H

#include "proto/base/err.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

enum sql {
#define SQL(name, scan, text) SQL_##name,
#include "server/sql.def"
#undef SQL
    SQL_COUNT
};

struct db;

int db_open(const char *path, struct db **out, struct err *err); /* the writer; makes the file when absent */
/* Looks through the whole file on another thread while the start reads it. Nothing may be written until db_check_end
 * found it sound; it waits, and frees c. */
struct db_check;
int db_check_begin(const char *path, struct db_check **out, struct err *err);
int db_check_end(struct db_check *c, struct err *err);
int db_open_reader(const char *path, struct db **out, struct err *err); /* for one worker thread at a time */
int db_open_file(const char *path, struct db **out, struct err *err);   /* read only, a file that nobody writes */
void db_close(struct db *db);
void db_abandon(struct db *db); /* closes it, leaving the file as it is */
const char *db_path(const struct db *db);

int db_write(struct db *db, struct err *err); /* begins the turn's transaction unless it is open */
int db_in_write(const struct db *db);
int db_commit(struct db *db, struct err *err); /* on failure everything since db_write is undone */
int db_savepoint(struct db *db, struct err *err);
void db_savepoint_end(struct db *db, int keep);

/* fmt has a letter for each parameter: i int64_t, d double, t text or NULL, b pointer and size_t (NULL: NULL), n NULL.
 * db_query readies a statement; db_step answers 1 for a row, 0 at the end, <0 on error; db_done must follow. */
sqlite3_stmt *db_query(struct db *db, enum sql which, const char *fmt, ...);
int db_step(sqlite3_stmt *st, struct err *err);
/* The same for a million rows: a text may be NULL for want of memory, which sqlite3_column_text must be asked about. */
int db_row(sqlite3_stmt *st, struct err *err);
void db_done(sqlite3_stmt *st);
int db_exec(struct db *db, struct err *err, enum sql which, const char *fmt, ...); /* rows changed, or <0 */
int db_int(struct db *db, struct err *err, int64_t *out, enum sql which, const char *fmt, ...); /* 1, 0 no row, <0 */
int64_t db_last_id(const struct db *db);

const char *db_text(sqlite3_stmt *st, int column); /* "" for NULL */
json_t *db_json(sqlite3_stmt *st, int column);     /* the column parsed; JSON null for NULL; NULL without memory */
int db_is_null(sqlite3_stmt *st, int column);

int64_t db_wal_bytes(const struct db *db);
int db_fail(sqlite3 *handle, struct err *err); /* the connection's last error as ours */
sqlite3 *db_handle(struct db *db);             /* for sqlite3_blob and backup only */
const char *db_sql_text(enum sql which);
int db_sql_may_scan(enum sql which);

#endif
