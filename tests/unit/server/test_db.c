/* db: every statement is explained; transactions and savepoints keep or drop what they should; a damaged file is
 * refused. */
#include "server/db.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *temp_name(char *buf, size_t size)
{
    snprintf(buf, size, "/tmp/subrank-db-%d.db", (int)getpid());
    return buf;
}

static void drop(const char *path)
{
    char name[200];
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int scans(struct db *db, enum sql which)
{
    char sql[4096];
    sqlite3_stmt *st = NULL;
    int found = 0;
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", db_sql_text(which));
    CHECK_INT(sqlite3_prepare_v2(db_handle(db), sql, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(st, 3);
        found |= strncmp(detail, "SCAN ", 5) == 0 && !strstr(detail, "USING") &&
                 strcmp(detail, "SCAN CONSTANT ROW") != 0 && !strstr(detail, "VIRTUAL TABLE");
    }
    sqlite3_finalize(st);
    return found;
}

TEST(db_no_statement_scans_a_table_unless_marked)
{
    char path[100];
    struct db *db;
    struct err err = {0};
    CHECK_INT(db_open(temp_name(path, sizeof path), &db, &err), 0);
    CHECK(scans(db, SQL_TOKEN_ALL)); /* the check sees a scan where there is one */
    for (int i = 0; i < SQL_COUNT; i++)
        if (!db_sql_may_scan((enum sql)i) && scans(db, (enum sql)i))
            test_fail(__FILE__, __LINE__, "scans a table: %s", db_sql_text((enum sql)i));
    db_close(db);
    drop(path);
}

TEST(db_savepoints_drop_one_request_and_keep_the_turn)
{
    char path[100];
    struct db *db, *reader;
    struct err err = {0};
    int64_t count = 0, bytes;
    CHECK_INT(db_open(temp_name(path, sizeof path), &db, &err), 0);
    CHECK_INT(db_savepoint(db, &err), 0);
    CHECK_INT(db_exec(db, &err, SQL_BLOB_INSERT, "tii",
                      "0000000000000000000000000000000000000000000000000000000000000000", (int64_t)1, (int64_t)1),
              1);
    db_savepoint_end(db, 1);
    CHECK_INT(db_savepoint(db, &err), 0);
    CHECK_INT(db_exec(db, &err, SQL_BLOB_INSERT, "tii",
                      "1111111111111111111111111111111111111111111111111111111111111111", (int64_t)1, (int64_t)1),
              1);
    db_savepoint_end(db, 0);
    CHECK_INT(db_open_reader(path, &reader, &err), 0);
    CHECK_INT(db_int(reader, &err, &count, SQL_BLOB_TOTALS, ""), 1);
    CHECK_INT(count, 0); /* not before the commit */
    CHECK_INT(db_commit(db, &err), 0);
    CHECK_INT(db_int(reader, &err, &count, SQL_BLOB_TOTALS, ""), 1);
    CHECK_INT(count, 1);
    CHECK(db_exec(db, &err, SQL_BLOB_INSERT, "tii", "short", (int64_t)1, (int64_t)1) < 0);
    CHECK_INT(err.code, ERR_CONFLICT);
    bytes = db_wal_bytes(db);
    CHECK(bytes > 0);
    db_close(reader);
    db_close(db);
    drop(path);
}

TEST(db_refuses_a_damaged_file)
{
    char path[100];
    struct db *db;
    struct err err = {0};
    CHECK_INT(db_open(temp_name(path, sizeof path), &db, &err), 0);
    db_close(db);
    struct db_check *sound;
    CHECK_INT(db_check_begin(path, &sound, &err), 0);
    CHECK_INT(db_check_end(sound, &err), 0);
    FILE *f = fopen(path, "r+b");
    CHECK(f != NULL);
    fseek(f, 4096 * 3, SEEK_SET);
    for (int i = 0; i < 4096 * 4; i++)
        fputc(0xa5, f);
    fclose(f);
    struct db_check *check;
    CHECK_INT(db_check_begin(path, &check, &err), 0);
    CHECK_INT(db_check_end(check, &err), -ERR_CORRUPT);
    CHECK(strstr(err.text, "backup") != NULL);
    drop(path);
}
