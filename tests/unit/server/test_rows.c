/* search_rows: what is read back is what was stored, over several batches; what is damaged is refused. */
#include "server/search_rows.h"

#include "server/db.h"
#include "server/scores.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 2500, SEARCH = 3 };

static void run(struct db *db, const char *sql)
{
    if (sqlite3_exec(db_handle(db), sql, NULL, NULL, NULL) != SQLITE_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, sqlite3_errmsg(db_handle(db)));
}

/* Every third one scored, every tenth failed, the others queued; codes of every length. */
static struct db *filled(char path[100])
{
    struct db *db;
    snprintf(path, 100, "/tmp/subrank-rows-%d.db", (int)getpid());
    CHECK_INT(db_open(path, &db, NULL), 0);
    run(db, "PRAGMA foreign_keys = OFF");
    run(db,
        "WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < 2499) "
        "INSERT INTO candidate (search, idx, code, key, class, macs, params, generation, state, n_images, n_correct, "
        "n_correct_top5, loss_sum, worker, scored_at, repeats, agreed) "
        "SELECT 3, n, printf('%0*d', 4 + n % 90, n), printf('%032x', n + 1), printf('%032x', n / 2 + 1), 1000 + n, n, "
        "n / 50, CASE WHEN n % 3 = 0 THEN 'scored' WHEN n % 10 = 0 THEN 'failed' ELSE 'queued' END, "
        "iif(n % 3 = 0, 5000, NULL), iif(n % 3 = 0, n, NULL), iif(n % 3 = 0, n + 1, NULL), "
        "iif(n % 3 = 0 AND n % 2 = 0, 2500.0, NULL), 7, 100 + n, n % 4, iif(n % 4, n % 2, 0) FROM i");
    run(db, "INSERT INTO truth VALUES (3, '0000000006', 0.25)");
    return db;
}

static void drop(struct db *db, const char *path)
{
    char name[200];
    static const char *const ends[] = {"", "-wal", "-shm"};
    db_close(db);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static int read_back(struct db *db, struct scores **out, struct err *err)
{
    struct search_rows r = {.search = SEARCH, .scores = *out = scores_new(1, NULL, NULL)};
    int rc = search_rows_read(db, &r, err);
    CHECK_INT(r.nloose, 0); /* nobody asks for more */
    free(r.loose);
    return rc;
}

TEST(rows_are_read_back_as_they_were_stored)
{
    char path[100], code[120];
    struct db *db = filled(path);
    struct scores *s;
    CHECK_INT(read_back(db, &s, NULL), 0);
    CHECK_INT(scores_count(s), ROWS);
    for (uint32_t n = 0; n < scores_count(s); n++) {
        struct scores_row row;
        scores_get(s, n, &row);
        snprintf(code, sizeof code, "%0*u", 4 + (int)(n % 90), n);
        CHECK_STR(row.code, code);
        CHECK_INT(scores_find(s, code), n);
        CHECK(row.macs == 1000 + n && row.params == n && row.generation == n / 50 && row.class_id == n / 2);
        CHECK_INT(row.status, n % 3 == 0 ? SCORES_SCORED : n % 10 == 0 ? SCORES_FAILED : SCORES_PROPOSED);
        if (n % 3 == 0) {
            CHECK(row.n_images == 5000 && row.n_correct == n && row.n_correct_top5 == n + 1 && row.worker == 7);
            CHECK(row.scored_at_ms == 100 + n && row.repeats == n % 4 && row.agreed == n % 2);
            CHECK(n % 2 ? isinf(row.loss) : row.loss == .5);
        }
        CHECK(n == 6 ? row.truth == .25 : isnan(row.truth));
    }
    scores_free(s);
    drop(db, path);
}

TEST(rows_that_are_damaged_are_refused)
{
    static const char *const damage[] = {
        "DELETE FROM candidate WHERE idx = 1700",
        "UPDATE candidate SET key = 'x' || substr(key, 2) WHERE idx = 1024",
        "UPDATE candidate SET class = 'ab' WHERE idx = 2499",
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        char path[100];
        struct db *db = filled(path);
        struct scores *s;
        struct err err = {0};
        run(db, damage[i]);
        CHECK_INT(read_back(db, &s, &err), -ERR_CORRUPT);
        CHECK(strstr(err.text, "search 3") != NULL);
        scores_free(s);
        drop(db, path);
    }
}
