/* migrate: from any version this program knows to the newest. The steps are the files of deploy/migrate in order, each
 * the way from the version before it; a new file gets schema.sql at once, and a test compares both ways. */
#include "server/migrate.h"

#include "proto/base/log.h"
#include "schema.sql.h"

#include <stdio.h>
#include <string.h>

static const struct step {
    int version;
    const char *name, *text;
} steps[] = {
#include "migrate.inc"
};
enum { STEPS = sizeof steps / sizeof *steps };

int migrate_version(void)
{
    return steps[STEPS - 1].version;
}

static int fail(sqlite3 *handle, const char *path, struct err *err)
{
    int code = sqlite3_errcode(handle) & 0xff;
    enum err_code ours = code == SQLITE_FULL                               ? ERR_DISK_FULL
                         : code == SQLITE_NOMEM                            ? ERR_NO_MEMORY
                         : code == SQLITE_BUSY || code == SQLITE_LOCKED    ? ERR_BUSY
                         : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_CORRUPT
                                                                           : ERR_IO;
    return err_set(err, ours, path, "%s", sqlite3_errmsg(handle));
}

static int run(sqlite3 *handle, const char *path, const char *sql, struct err *err)
{
    return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(handle, path, err);
}

static int first_text(sqlite3 *handle, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *st = NULL;
    int rc = -1;
    out[0] = 0;
    if (sqlite3_prepare_v2(handle, sql, -1, &st, NULL) == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
        snprintf(out, size, "%s", (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

int migrate_check(sqlite3 *handle, const char *path, const char *pragma, struct err *err)
{
    char sql[60], verdict[200];
    snprintf(sql, sizeof sql, "PRAGMA %s(1)", pragma);
    if (first_text(handle, sql, verdict, sizeof verdict) <= 0)
        snprintf(verdict, sizeof verdict, "%s", sqlite3_errmsg(handle));
    if (strcmp(verdict, "ok") == 0)
        return 0;
    return err_set(err, ERR_CORRUPT, path,
                   "the database is damaged (%s): move it away together with its -wal file, then put a backup in its "
                   "place with `subrankd restore FILE`",
                   verdict);
}

int migrate_readable(sqlite3 *handle, const char *path, int64_t *version, struct err *err)
{
    char text[40];
    *version = 0;
    if (first_text(handle, "PRAGMA user_version", text, sizeof text) < 0 ||
        sscanf(text, "%lld", (long long *)version) != 1) {
        if ((sqlite3_errcode(handle) & 0xff) != SQLITE_NOTADB && (sqlite3_errcode(handle) & 0xff) != SQLITE_CORRUPT)
            return fail(handle, path, err);
        return migrate_check(handle, path, "quick_check", err);
    }
    if (*version > migrate_version())
        return err_set(
            err, ERR_UNSUPPORTED, path,
            "the database has schema version %lld, this program knows %d: use the newer program, a downgrade "
            "is not possible",
            (long long)*version, migrate_version());
    if (*version == 0 && first_text(handle, "SELECT name FROM sqlite_schema", text, sizeof text) > 0)
        return err_set(err, ERR_UNSUPPORTED, path, "this is another program's database (it has a table %s)", text);
    return 0;
}

/* Steps may change the schema's text itself; nothing else may. */
static int run_step(sqlite3 *handle, const char *path, const char *sql, struct err *err)
{
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    int rc = run(handle, path, sql, err);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return rc;
}

static int upgrade(sqlite3 *handle, const char *path, int64_t version, struct err *err)
{
    for (int i = 0; i < STEPS; i++) {
        if (steps[i].version <= version)
            continue;
        int rc = run_step(handle, path, steps[i].text, err);
        if (rc < 0)
            return rc;
        log_info("migrated", "to=%d step=%s", steps[i].version, steps[i].name);
    }
    char sql[60], broken[100];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", migrate_version());
    int rc = run(handle, path, sql, err);
    if (rc >= 0 && first_text(handle, "PRAGMA foreign_key_check", broken, sizeof broken) != 0)
        rc = err_set(err, ERR_CORRUPT, path, "after the upgrade table %s refers to rows that are not there", broken);
    return rc;
}

int migrate_run(sqlite3 *handle, const char *path, struct err *err)
{
    int64_t version;
    int rc = migrate_readable(handle, path, &version, err);
    if (rc < 0 || version == migrate_version())
        return rc;
    if (version > 0 && (rc = migrate_check(handle, path, "quick_check", err)) < 0) /* before anything is changed */
        return rc;
    if ((rc = run(handle, path, "BEGIN IMMEDIATE", err)) < 0)
        return rc;
    rc = version == 0 ? run(handle, path, schema_sql, err) : upgrade(handle, path, version, err);
    if (rc < 0) {
        sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
        return rc;
    }
    return run(handle, path, "COMMIT", err);
}
