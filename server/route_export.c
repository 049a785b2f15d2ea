/* route_export: all candidates of a search as one CSV or JSON file, in proposal order. Rows are read a page at a time
 * by key, on worker threads, so that an export of any size needs little memory and holds no old snapshot of the
 * database while a slow client reads. Candidates proposed after the request are not in it; one scored meanwhile may be.
 */
#include "proto/rankstat.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 200 };

struct export
{
    char *path; /* of the database */
    struct db *db;
    int64_t search, next, count; /* next row and how many there are */
    int json, ended;
    struct text text; /* made, not yet sent from `at` on */
    size_t at;
};

/* Where each column comes from: a column of CANDIDATE_EXPORT as it is, a JSON document in it, or an interval made of
 * counts. */
enum { COUNT_AT = 4, CORRECT_AT = 5 };
enum kind { VALUE, DOCUMENT, CI_LO, CI_HI };
static const struct {
    const char *name, *key; /* as a CSV heading and before a JSON value */
    int column;
    enum kind kind;
} columns[] = {
#define COLUMN(name, column, kind)                                                                                     \
    {                                                                                                                  \
        name, ",\"" name "\":", column, kind                                                                           \
    }
    COLUMN("index", 0, VALUE),          COLUMN("code", 1, VALUE),       COLUMN("class", 2, VALUE),
    COLUMN("status", 3, VALUE),         COLUMN("n_images", 4, VALUE),   COLUMN("n_correct", 5, VALUE),
    COLUMN("n_correct_top5", 6, VALUE), COLUMN("accuracy", 7, VALUE),   COLUMN("ci_lo", 0, CI_LO),
    COLUMN("ci_hi", 0, CI_HI),          COLUMN("loss", 8, VALUE),       COLUMN("loss_sum", 9, VALUE),
    COLUMN("macs", 10, VALUE),          COLUMN("params", 11, VALUE),    COLUMN("generation", 12, VALUE),
    COLUMN("worker", 13, VALUE),        COLUMN("backend", 14, VALUE),   COLUMN("build", 15, VALUE),
    COLUMN("stats_digest", 16, VALUE),  COLUMN("scored_at", 17, VALUE), COLUMN("truth", 18, VALUE),
    COLUMN("error", 19, DOCUMENT),      COLUMN("replicas", 20, VALUE),  COLUMN("agreed", 21, VALUE),
#undef COLUMN
};
enum { COLUMNS = (int)(sizeof columns / sizeof *columns) };

/* ---- rows */

/* RFC 4180: quoted where a comma, a quote or a line break is inside. */
static void add_csv(struct text *t, const char *s)
{
    if (!s[strcspn(s, ",\"\r\n")]) {
        text_put(t, s);
        return;
    }
    text_add(t, "\"", 1);
    for (size_t n; *s; s += n) {
        n = strcspn(s, "\"");
        text_add(t, s, n);
        if (s[n] == '"') {
            text_add(t, "\"\"", 2);
            n++;
        }
    }
    text_add(t, "\"", 1);
}

static void add_ci(struct text *t, sqlite3_stmt *st, int high, const char *none)
{
    uint32_t n = (uint32_t)sqlite3_column_int64(st, COUNT_AT), k = (uint32_t)sqlite3_column_int64(st, CORRECT_AT);
    if (!n) {
        text_put(t, none);
        return;
    }
    struct rankstat_interval ci = rankstat_wilson(k, n);
    char s[40];
    text_add(t, s, (size_t)snprintf(s, sizeof s, "%.6g", high ? ci.hi : ci.lo));
}

static void add_value(struct text *t, sqlite3_stmt *st, int column, int json)
{
    int type = sqlite3_column_type(st, column);
    const char *s = type == SQLITE_TEXT ? db_text(st, column) : "";
    if (type == SQLITE_INTEGER)
        text_int(t, sqlite3_column_int64(st, column));
    else if (type == SQLITE_FLOAT)
        text_real(t, sqlite3_column_double(st, column));
    else if (type == SQLITE_TEXT)
        json ? text_json(t, s) : add_csv(t, s);
    else if (json)
        text_put(t, "null");
}

static void add_row(struct export *x, sqlite3_stmt *st)
{
    struct text *t = &x->text;
    if (x->json)
        text_put(t, x->next ? ",\n{" : "\n{");
    for (int i = 0; i < COLUMNS; i++) {
        if (i || x->json)
            text_put(t, x->json ? columns[i].key + !i : ",");
        if (columns[i].kind == CI_LO || columns[i].kind == CI_HI)
            add_ci(t, st, columns[i].kind == CI_HI, x->json ? "null" : "");
        else if (columns[i].kind == DOCUMENT && x->json)
            text_put(t, db_is_null(st, columns[i].column) ? "null" : db_text(st, columns[i].column));
        else
            add_value(t, st, columns[i].column, x->json);
    }
    text_put(t, x->json ? "}" : "\r\n");
}

static void add_end(struct export *x)
{
    if (x->json)
        text_put(&x->text, "\n]}\n");
    x->ended = 1;
}

/* The next page of rows into the text; -1 when they cannot be read, or are gone because the search was deleted. */
static int make_page(struct export *x)
{
    struct err err = {0};
    int64_t first = x->next;
    if (!x->db && db_open_reader(x->path, &x->db, &err) < 0)
        return -1;
    sqlite3_stmt *st = db_query(x->db, SQL_CANDIDATE_EXPORT, "iiii", x->search, first, x->count, (int64_t)PAGE);
    int rc;
    while ((rc = db_step(st, &err)) > 0) {
        add_row(x, st);
        x->next++;
    }
    db_done(st);
    if (x->next == x->count)
        add_end(x);
    return rc < 0 || x->text.broken || (x->next == first && !x->ended) ? -1 : 0;
}

static int64_t fill(void *arg, char *buf, size_t max)
{
    struct export *x = arg;
    size_t done = 0;
    while (done < max) {
        if (x->at == x->text.len) {
            x->at = x->text.len = 0;
            if (x->ended)
                break;
            if (make_page(x) < 0)
                return -1;
        }
        size_t n = x->text.len - x->at < max - done ? x->text.len - x->at : max - done;
        memcpy(buf + done, x->text.p + x->at, n);
        x->at += n;
        done += n;
    }
    return (int64_t)done;
}

static void release(void *arg)
{
    struct export *x = arg;
    db_close(x->db);
    text_clear(&x->text);
    free(x->path);
    free(x);
}

/* ---- routes */

static int add_head(struct server *s, struct search_run *r, struct export *x, struct err *err)
{
    if (!x->json) {
        for (int i = 0; i < COLUMNS; i++) {
            text_put(&x->text, i ? "," : "");
            text_put(&x->text, columns[i].name);
        }
        text_put(&x->text, "\r\n");
    } else {
        json_t *doc = searches_json(s, r, err);
        char *text = doc ? json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
        json_decref(doc);
        x->text.broken = !text;
        text_put(&x->text, "{\"search\":");
        text_put(&x->text, text ? text : "");
        text_put(&x->text, ",\n\"candidates\":[");
        free(text);
    }
    return x->text.broken ? err_set(err, ERR_NO_MEMORY, "", "no memory for an export") : 0;
}

static int export(struct server *s, struct request *rq, int json, struct err *err)
{
    struct search_run *r;
    int rc = searches_named(s, rq, &r, err);
    if (rc < 0)
        return rc;
    int64_t id = r->id, count = searches_summary(r).proposed;
    struct export *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for an export");
    *x = (struct export){.path = strdup(db_path(s->db)), .search = id, .count = count, .json = json};
    x->text.broken = !x->path;
    rc = add_head(s, r, x, err);
    if (rc < 0) {
        release(x);
        return rc;
    }
    if (!x->count)
        add_end(x);
    char name[80];
    snprintf(name, sizeof name, "attachment; filename=\"search-%lld.%s\"", (long long)id, json ? "json" : "csv");
    request_set_header(rq, "Content-Disposition", name);
    return request_stream(rq, 200, json ? "application/json" : "text/csv; charset=utf-8", -1,
                          &(struct request_source){fill, release, x, 0});
}

int route_exportCsv(struct server *s, struct request *rq, struct err *err)
{
    return export(s, rq, 0, err);
}

int route_exportJson(struct server *s, struct request *rq, struct err *err)
{
    return export(s, rq, 1, err);
}
