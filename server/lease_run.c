/* lease_run: grants, beats, returns, expiry. What a result does is result_run.c's. */
#include "server/lease_run.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/errands.h"
#include "server/fleet.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/result_run.h"
#include "server/routes.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"
#include "server/text.h"

#include <stdlib.h>
#include <string.h>

static const double QUARANTINE_S = 600; /* how often a quarantined worker may ask */

enum { MAX_JOBS = 64, MAX_HELD = 1000, MAX_BLOBS = 10000, EXPIRE = 64 };

int64_t lease_run_search_of(struct server *s, int64_t job)
{
    int64_t search = 0;
    return db_int(s->db, NULL, &search, SQL_JOB_GET, "i", job) > 0 ? search : 0;
}

static int check_caller(struct server *s, struct request *rq, struct worker **w, struct err *err)
{
    json_int_t v = json_integer_value(json_object_get(request_body(rq), "protocol"));
    if (v != API_PROTOCOL)
        return err_set(err, ERR_VERSION, "/protocol",
                       "this coordinator speaks worker protocol %d, not %lld: update the older side", API_PROTOCOL,
                       (long long)v);
    *w = fleet_find(s->fleet, request_who(rq)->worker);
    if (!*w || !(*w)->active)
        return err_set(err, ERR_FORBIDDEN, "header Authorization", "this worker left or was revoked");
    return fleet_seen(s, *w, err);
}

/* ---- what goes out */

static void lease_text(const struct lease_id *id, char out[33])
{
    hash_hex(id->bytes, sizeof id->bytes, out);
}

/* The rows may not be in memory: a search that ended can have errands. */
static int write_code(struct server *s, const struct search_run *r, uint32_t row, struct text *out, struct err *err)
{
    struct scores_row c = {0};
    struct arena a;
    arena_init(&a, 0);
    int rc = 0;
    if (r->scores)
        scores_get(r->scores, row, &c);
    else
        rc = store_search_code(s->db, r->id, row, &a, &c.code, err);
    if (rc >= 0)
        text_json(out, c.code);
    arena_clear(&a);
    return rc;
}

/* Written, not built: a lease is a kilobyte of documents that are alike for a whole search. */
static int write_lease(struct server *s, const struct sched_grant *g, struct text *out, struct err *err)
{
    const struct errand *e = errands_find(s->errands, -g->search);
    struct search_run *r = searches_find(s->searches, e ? e->search : g->search);
    if (!r)
        return err_set(err, ERR_INTERNAL, "", "a lease for search %lld that is not there", (long long)g->search);
    const char *kind = e ? errand_job_kind(e->kind) : "score";
    int rc = searches_input(s, r, err);
    if (rc < 0)
        return rc;
    char lease[33];
    lease_text(&g->lease, lease);
    text_put(out, "{\"job\":");
    text_int(out, g->job);
    text_put(out, ",\"lease\":\"");
    text_put(out, lease);
    text_put(out, "\",\"kind\":\"");
    text_put(out, kind);
    text_put(out, "\",\"expires_s\":");
    text_real(out, s->config->expiry_s);
    text_put(out, ",\"input\":{\"kind\":\"");
    text_put(out, kind);
    text_put(out, "\",");
    text_put(out, r->input);
    text_put(out, ",\"candidates\":");
    for (uint32_t i = 0; i < g->nrows && rc >= 0; i++) {
        text_put(out, i ? "," : "[");
        rc = write_code(s, r, g->rows[i], out, err);
    }
    text_put(out, "]}}");
    return rc;
}

static int store_grant(struct server *s, const struct sched_grant *g, int64_t worker, struct err *err)
{
    char lease[33];
    int rc = 0;
    lease_text(&g->lease, lease);
    const struct errand *e = errands_find(s->errands, -g->search);
    int64_t search = e ? e->search : g->search;
    if (g->fresh_job) { /* never an errand's */
        rc = db_exec(s->db, err, SQL_JOB_INSERT, "iiti", g->job, g->search, "score", clock_wall_ms());
        for (uint32_t i = 0; i < g->nrows && rc >= 0; i++)
            rc = db_exec(s->db, err, SQL_CANDIDATE_JOB, "iii", g->search, (int64_t)g->rows[i], g->job);
    }
    if (rc >= 0 && g->fresh_lease) {
        rc = db_exec(s->db, err, SQL_LEASE_INSERT, "tiii", lease, g->job, worker, clock_wall_ms());
        metrics_add(s->metrics, METRICS_LEASES, 1);
        log_info("job_leased", "job=%lld search=%lld worker=%lld candidates=%u attempt=%u", (long long)g->job,
                 (long long)search, (long long)worker, g->nrows, g->attempt);
        struct search_run *r = searches_find(s->searches, search);
        if (rc >= 0 && r)
            rc = searches_tell_job(s, r, g->job, "leased", worker, err);
    }
    return rc;
}

static int add_grants(struct server *s, const struct sched_grant *grants, size_t n, int64_t worker, struct text *out,
                      struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = store_grant(s, &grants[i], worker, err);
        text_put(out, i ? "," : "");
        if (rc >= 0)
            rc = write_lease(s, &grants[i], out, err);
    }
    return rc;
}

/* The end of a lease answer and of a beat's. */
static int send_text(struct request *rq, struct text *t, double delay_s)
{
    text_put(t, "],\"delay_s\":");
    text_real(t, delay_s);
    text_put(t, "}");
    return request_written(rq, 200, t);
}

static void write_ids(struct text *t, const struct lease_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[33];
        lease_text(&ids[i], text);
        text_put(t, i ? ",\"" : "\"");
        text_put(t, text);
        text_put(t, "\"");
    }
}

/* ---- what comes in: checked by the contract to be hex of the right length */

static struct lease_id *read_held(struct arena *a, const json_t *held, size_t *n)
{
    *n = json_array_size(held);
    struct lease_id *ids = arena_array(a, *n + 1, sizeof *ids);
    for (size_t i = 0; ids && i < *n; i++) {
        const json_t *v = json_array_get(held, i);
        const char *text = json_string_value(json_is_object(v) ? json_object_get(v, "lease") : v);
        hash_unhex(text, sizeof ids[i].bytes, ids[i].bytes);
    }
    return ids;
}

static unsigned char (*read_blobs(struct arena *a, const json_t *blobs, size_t *n))[HASH256_SIZE]
{
    *n = json_array_size(blobs);
    unsigned char(*out)[HASH256_SIZE] = arena_array(a, *n + 1, HASH256_SIZE);
    for (size_t i = 0; out && i < *n; i++)
        hash_unhex(json_string_value(json_array_get(blobs, i)), HASH256_SIZE, out[i]);
    return out;
}

static int no_room(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the request");
}

int route_createLeases(struct server *s, struct request *rq, struct err *err)
{
    const json_t *body = request_body(rq);
    struct arena *a = request_arena(rq);
    struct worker *w;
    int rc = check_caller(s, rq, &w, err);
    if (rc < 0)
        return rc;
    const json_t *max = json_object_get(body, "max_jobs");
    struct sched_ask ask = {
        .worker = w->id, .now = clock_mono_ms(), .lag_ms = s->lag_ms, .max = max ? (size_t)json_integer_value(max) : 1};
    if (w->quarantined)
        return request_json(rq, 200, json_pack("{s[] sf}", "leases", "delay_s", QUARANTINE_S));
    ask.max = ask.max > MAX_JOBS ? MAX_JOBS : ask.max;
    ask.held = read_held(a, json_object_get(body, "held"), &ask.nheld);
    ask.blobs = (const unsigned char(*)[HASH256_SIZE])read_blobs(a, json_object_get(body, "blobs"), &ask.nblobs);
    ask.candidates_per_s = json_number_value(json_object_get(json_object_get(body, "speed"), "candidates_per_s"));
    struct lease_id fresh[MAX_JOBS];
    struct sched_grant *grants = arena_array(a, ask.max + 1, sizeof *grants);
    if (!ask.held || !ask.blobs || !grants || hash_random(fresh, sizeof fresh) < 0)
        return no_room(err);
    ask.fresh = fresh;
    size_t n = 0;
    int64_t delay_ms = 0;
    s->reload = 1; /* unless all of it works: the scheduler is ahead of the store until then */
    rc = sched_lease(s->sched, &ask, grants, &n, &delay_ms, err);
    struct text t = {0};
    text_put(&t, "{\"leases\":[");
    if (rc >= 0)
        rc = add_grants(s, grants, n, w->id, &t, err);
    if (rc < 0) {
        text_clear(&t);
        return rc;
    }
    s->reload = t.broken;
    searches_wake(s);
    return send_text(rq, &t, (double)delay_ms / 1000);
}

static void note_held(struct worker *w, const json_t *body)
{
    const json_t *held = json_object_get(body, "held"),
                 *rate = json_object_get(json_object_get(body, "stats"), "images_per_s");
    const char *state = json_string_value(json_object_get(body, "state"));
    size_t n = json_array_size(held);
    w->nheld = n > FLEET_HELD ? FLEET_HELD : (int)n;
    for (int i = 0; i < w->nheld; i++) {
        const json_t *h = json_array_get(held, (size_t)i);
        w->held[i].job = json_integer_value(json_object_get(h, "job"));
        w->held[i].done = json_integer_value(json_object_get(h, "done"));
        w->held[i].of = json_integer_value(json_object_get(h, "of"));
    }
    w->images_per_s = json_number_value(rate);
    w->busy = state ? strcmp(state, "busy") == 0 : n > 0;
}

int route_beat(struct server *s, struct request *rq, struct err *err)
{
    const json_t *body = request_body(rq);
    struct worker *w;
    size_t nheld;
    int rc = check_caller(s, rq, &w, err);
    if (rc < 0)
        return rc;
    struct lease_id *held = read_held(request_arena(rq), json_object_get(body, "held"), &nheld);
    struct lease_id *gone = arena_array(request_arena(rq), nheld + 1, sizeof *gone);
    struct sched_grant *forgotten = arena_array(request_arena(rq), MAX_JOBS, sizeof *forgotten);
    struct sched_beat beat = {0};
    if (!held || !gone || !forgotten)
        return no_room(err);
    struct text t = {0};
    text_put(&t, "{\"gone\":[");
    if (w->quarantined) {
        write_ids(&t, held, nheld);
        text_put(&t, "],\"forgotten\":[");
        return send_text(rq, &t, s->config->beat_s);
    }
    rc = sched_beat(s->sched, w->id, clock_mono_ms(), held, nheld, gone, forgotten, MAX_JOBS, s->lag_ms, &beat, err);
    if (rc >= 0) {
        note_held(w, body);
        metrics_add(s->metrics, METRICS_BEATS, 1);
        write_ids(&t, gone, beat.ngone);
        text_put(&t, "],\"forgotten\":[");
        rc = add_grants(s, forgotten, beat.nforgotten, w->id, &t, err);
    }
    if (rc < 0) {
        text_clear(&t);
        return rc;
    }
    return send_text(rq, &t, (double)beat.delay_ms / 1000);
}

int route_returnLease(struct server *s, struct request *rq, struct err *err)
{
    struct lease_id lease;
    const char *text = request_text(rq, "lease");
    int64_t job;
    hash_unhex(text, sizeof lease.bytes, lease.bytes);
    if (sched_return(s->sched, request_who(rq)->worker, &lease, clock_mono_ms(), &job)) {
        s->reload = 1;
        int rc = db_exec(s->db, err, SQL_LEASE_STATE, "itt", job, text, "lapsed");
        if (rc < 0)
            return rc;
        s->reload = 0;
        log_info("job_returned", "job=%lld worker=%lld", (long long)job, (long long)request_who(rq)->worker);
    }
    return request_empty(rq, 204);
}

/* ---- expiry */

static int expire(struct server *s, const struct sched_expired *e, struct err *err)
{
    char lease[33];
    lease_text(&e->lease, lease);
    log_info("lease_expired", "job=%lld worker=%lld gave_up=%d", (long long)e->job, (long long)e->worker, e->gave_up);
    metrics_add(s->metrics, METRICS_EXPIRED, 1);
    int rc = db_exec(s->db, err, SQL_LEASE_STATE, "itt", e->job, lease, "lapsed");
    if (rc >= 0)
        rc = db_exec(s->db, err, SQL_JOB_COUNT_EXPIRED, "i", e->job);
    if (rc < 0 || !e->gave_up)
        return rc;
    struct err why;
    err_set(&why, ERR_NETWORK, "", "every worker that took this job fell silent");
    struct errand *errand = errands_find(s->errands, -e->search);
    if (errand)
        return errands_fail(s, errand, &why, err);
    return result_run_give_up(s, e->search, e->job, e->rows, e->nrows, e->worker, &why, err);
}

int lease_run_sweep(struct server *s, struct err *err)
{
    struct sched_expired list[EXPIRE];
    size_t n;
    int rc = 0;
    do {
        n = sched_expire(s->sched, clock_mono_ms(), list, EXPIRE);
        for (size_t i = 0; i < n && rc >= 0; i++)
            rc = expire(s, &list[i], err);
    } while (n == EXPIRE && rc >= 0);
    return rc < 0 ? rc : searches_sweep(s, err);
}

/* ---- start */

static int load_leases(struct server *s, struct sched_job_row *row, int load, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_LEASE_OF_JOB, "i", row->id);
    int rc;
    while ((rc = db_step(st, err)) > 0) {
        struct lease_id id;
        int64_t worker = sqlite3_column_int64(st, 1);
        const char *state = db_text(st, 2);
        if (!load && strcmp(state, "failed") == 0 && row->navoid < SCHED_AVOID)
            row->avoid[row->navoid++] = worker;
        if (load && hash_unhex(db_text(st, 0), sizeof id.bytes, id.bytes) == 0)
            rc = sched_load_lease(s->sched, &id, row->id, worker, strcmp(state, "live") == 0, clock_mono_ms(), err);
        if (rc < 0)
            break;
    }
    db_done(st);
    return rc;
}

static int load_job(struct server *s, const struct search_run *r, struct sched_job_row *row, struct err *err)
{
    uint32_t *rows = NULL;
    size_t n = 0;
    int rc = result_run_rows(s, r, row->id, &rows, &n, err);
    row->rows = rows;
    row->nrows = n;
    if (rc >= 0 && (rc = load_leases(s, row, 0, err)) >= 0 && (rc = sched_load_job(s->sched, row, err)) >= 0)
        rc = load_leases(s, row, 1, err);
    free(rows);
    return rc;
}

int lease_run_load(struct server *s, struct err *err)
{
    int64_t last = 0;
    int rc = db_int(s->db, err, &last, SQL_JOB_LAST, "");
    if (rc < 0)
        return rc;
    sched_load_next_job(s->sched, last + 1);
    sqlite3_stmt *st = db_query(s->db, SQL_JOB_OPEN, "");
    while ((rc = db_step(st, err)) > 0) {
        struct sched_job_row row = {.id = sqlite3_column_int64(st, 0),
                                    .search = sqlite3_column_int64(st, 1),
                                    .failed = (uint32_t)sqlite3_column_int64(st, 2),
                                    .expired = (uint32_t)sqlite3_column_int64(st, 3)};
        if (!db_is_null(st, 4)) {
            struct errand *e = errands_find(s->errands, sqlite3_column_int64(st, 4));
            if (e && searches_find(s->searches, e->search) &&
                ((rc = errands_schedule(s, e, &row, err)) < 0 || (rc = load_leases(s, &row, 1, err)) < 0))
                break;
            continue;
        }
        struct search_run *r = searches_find(s->searches, row.search);
        if (r && (r->state == SEARCH_RUNNING || r->state == SEARCH_PAUSED) && (rc = load_job(s, r, &row, err)) < 0)
            break;
    }
    db_done(st);
    return rc < 0 ? rc : searches_start(s, err);
}
