/* errands: see errands.h. */
#include "server/errands.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"

#include <stdlib.h>
#include <string.h>

enum { WEIGHT = 100 }; /* somebody waits: before the searches */

struct errands {
    struct errand *first;
};

static const char *const names[] = {"weights", "check"};

const char *errand_kind_name(enum errand_kind kind)
{
    return names[kind];
}

const char *errand_job_kind(enum errand_kind kind)
{
    return kind == ERRAND_WEIGHTS ? "weights" : "score";
}

static void errand_free(struct errand *e)
{
    if (e) {
        json_decref(e->second);
        free(e->rows);
    }
    free(e);
}

void errands_free(struct errands *x)
{
    while (x && x->first) {
        struct errand *next = x->first->next;
        errand_free(x->first);
        x->first = next;
    }
    free(x);
}

struct errand *errands_find(const struct errands *x, int64_t id)
{
    struct errand *e = x->first;
    while (e && e->id != id)
        e = e->next;
    return e;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for an errand");
}

static int read_rows(struct errand *e, json_t *list, struct err *err)
{
    e->nrows = json_array_size(list);
    e->rows = calloc(e->nrows + 1, sizeof *e->rows);
    for (size_t i = 0; e->rows && i < e->nrows; i++)
        e->rows[i] = (uint32_t)json_integer_value(json_array_get(list, i));
    json_decref(list);
    return e->rows ? 0 : no_memory(err);
}

static int load_one(struct errands *x, sqlite3_stmt *st, struct err *err)
{
    struct errand *e = calloc(1, sizeof *e);
    if (!e)
        return no_memory(err);
    e->id = sqlite3_column_int64(st, 0);
    e->search = sqlite3_column_int64(st, 1);
    e->kind = strcmp(db_text(st, 2), "check") == 0 ? ERRAND_CHECK : ERRAND_WEIGHTS;
    e->worker = sqlite3_column_int64(st, 4);
    e->job = sqlite3_column_int64(st, 5);
    if (!db_is_null(st, 8))
        e->second = db_json(st, 8);
    e->next = x->first;
    x->first = e;
    return read_rows(e, db_json(st, 3), err);
}

int errands_load(struct server *s, struct errands **out, struct err *err)
{
    struct errands *x = *out = calloc(1, sizeof *x);
    if (!x)
        return no_memory(err);
    sqlite3_stmt *st = db_query(s->db, SQL_ERRAND_OPEN, "");
    int rc;
    while ((rc = db_step(st, err)) > 0)
        if ((rc = load_one(x, st, err)) < 0)
            break;
    db_done(st);
    return rc;
}

/* ---- scheduling */

int errands_schedule(struct server *s, const struct errand *e, struct sched_job_row *row, struct err *err)
{
    const struct search_run *r = searches_find(s->searches, e->search);
    struct sched_search_spec spec = {.id = -e->id, .weight = e->kind == ERRAND_WEIGHTS ? WEIGHT : 1};
    if (!r)
        return err_set(err, ERR_INTERNAL, "", "an errand of search %lld that is not there", (long long)e->search);
    int rc = store_search_blobs(s->db, r->checkpoint_id, r->dataset_id, spec.blobs, SCHED_BLOBS, &spec.nblobs, err);
    if (rc < 0 || (rc = sched_search_add(s->sched, &spec, err)) < 0)
        return rc;
    row->search = -e->id;
    row->rows = e->rows;
    row->nrows = e->nrows;
    if (e->worker)
        row->avoid[row->navoid++] = e->worker;
    if (e->second)
        row->avoid[row->navoid++] = json_integer_value(json_object_get(e->second, "worker"));
    return sched_load_job(s->sched, row, err);
}

static int insert(struct server *s, struct errand *e, const char *rows, struct err *err)
{
    int64_t now = clock_wall_ms();
    int rc = e->worker
                 ? db_exec(s->db, err, SQL_ERRAND_INSERT, "ittii", e->search, names[e->kind], rows, e->worker, now)
                 : db_exec(s->db, err, SQL_ERRAND_INSERT, "ittni", e->search, names[e->kind], rows, now);
    if (rc < 0)
        return rc;
    e->id = db_last_id(s->db);
    char *text = e->second ? json_dumps(e->second, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (text)
        rc = db_exec(s->db, err, SQL_ERRAND_END, "itt", e->id, "open", text);
    free(text);
    if (rc < 0)
        return rc;
    return db_exec(s->db, err, SQL_ERRAND_JOB_INSERT, "iitii", e->job, e->search, errand_job_kind(e->kind), e->id, now);
}

static char *rows_text(const uint32_t *rows, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(rows[i]));
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

int errands_start(struct server *s, enum errand_kind kind, const struct search_run *r, const uint32_t *rows, size_t n,
                  int64_t worker, const json_t *second, struct err *err)
{
    struct errand *e = calloc(1, sizeof *e);
    char *text = rows_text(rows, n);
    if (!e || !text || !(e->rows = calloc(n + 1, sizeof *e->rows))) {
        free(text);
        errand_free(e);
        return no_memory(err);
    }
    memcpy(e->rows, rows, n * sizeof *rows);
    e->nrows = n;
    e->kind = kind;
    e->search = r->id;
    e->worker = worker;
    e->second = second ? json_deep_copy(second) : NULL;
    e->job = sched_new_job(s->sched);
    int rc = insert(s, e, text, err);
    free(text);
    struct sched_job_row row = {.id = e->job};
    if (rc >= 0)
        rc = errands_schedule(s, e, &row, err);
    if (rc < 0) {
        s->reload = 1;
        errand_free(e);
        return rc;
    }
    e->next = s->errands->first;
    s->errands->first = e;
    log_info("errand_queued", "errand=%lld kind=%s search=%lld job=%lld candidates=%zu", (long long)e->id, names[kind],
             (long long)r->id, (long long)e->job, n);
    return 0;
}

/* ---- endings */

static void forget(struct server *s, struct errand *e)
{
    struct errand **at = &s->errands->first;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    sched_search_drop(s->sched, -e->id);
    errand_free(e);
}

static int end(struct server *s, struct errand *e, const char *state, const json_t *result, struct err *err)
{
    char *text = result ? json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    if (result && !text)
        return no_memory(err);
    int reload = s->reload;
    s->reload = 1; /* until both agree */
    int rc = db_exec(s->db, err, SQL_ERRAND_END, "itt", e->id, state, text);
    free(text);
    if (rc >= 0 && (rc = db_exec(s->db, err, SQL_LEASE_DROP_JOB, "i", e->job)) >= 0)
        s->reload = reload;
    log_info("errand_ended", "errand=%lld kind=%s state=%s", (long long)e->id, names[e->kind], state);
    forget(s, e);
    return rc;
}

int errands_done(struct server *s, struct errand *e, const json_t *result, struct err *err)
{
    return end(s, e, "done", result, err);
}

int errands_fail(struct server *s, struct errand *e, const struct err *why, struct err *err)
{
    json_t *result = json_pack("{ss ss ss}", "type", err_type(why->code), "where", why->where, "detail", why->text);
    int rc = db_exec(s->db, err, SQL_JOB_FAILED, "iin", e->job, clock_wall_ms());
    if (rc >= 0)
        rc = end(s, e, "failed", result, err);
    json_decref(result);
    return rc;
}

void errands_drop_search(struct server *s, int64_t search)
{
    for (struct errand *e = s->errands->first, *next; e; e = next) {
        next = e->next;
        if (e->search == search)
            forget(s, e);
    }
}
