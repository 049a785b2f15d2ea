/* fleet: joining, leaving, revoking, and the lists the dashboard shows. Jobs and leases are lease_run.c's. */
#include "server/fleet.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/auth.h"
#include "server/db.h"
#include "server/events.h"
#include "server/lease_run.h"
#include "server/map.h"
#include "server/page.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/sched.h"
#include "server/server.h"
#include "server/trust_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fleet {
    struct map by_id;
    struct worker **list; /* by rising id */
    size_t count, cap;
};

static void worker_free(struct worker *w)
{
    if (!w)
        return;
    free(w->name);
    free(w->host);
    free(w->backend);
    free(w->build);
    free(w);
}

static int put(struct fleet *f, struct worker *w, struct err *err)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        struct worker **p = realloc(f->list, cap * sizeof *p);
        if (!p)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for another worker");
        f->list = p;
        f->cap = cap;
    }
    if (map_put(&f->by_id, (uint64_t)w->id, w) < 0)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for another worker");
    f->list[f->count++] = w;
    return 0;
}

static struct worker *from_row(sqlite3_stmt *st)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->id = sqlite3_column_int64(st, 0);
    w->name = strdup(db_text(st, 1));
    w->host = strdup(db_text(st, 2));
    w->backend = strdup(db_text(st, 3));
    w->build = strdup(db_text(st, 4));
    w->threads = sqlite3_column_int64(st, 5);
    w->memory_bytes = sqlite3_column_int64(st, 6);
    w->active = strcmp(db_text(st, 7), "active") == 0;
    w->revoked = strcmp(db_text(st, 7), "revoked") == 0;
    w->scored = sqlite3_column_int64(st, 8);
    w->failed = sqlite3_column_int64(st, 9);
    w->rate = sqlite3_column_double(st, 10);
    w->joined = sqlite3_column_int64(st, 11);
    w->seen = sqlite3_column_int64(st, 12);
    w->trust = (struct trust){(uint32_t)sqlite3_column_int64(st, 13), (uint32_t)sqlite3_column_int64(st, 14)};
    w->quarantined = sqlite3_column_int64(st, 15);
    if (!w->name || !w->host || !w->backend || !w->build) {
        worker_free(w);
        return NULL;
    }
    return w;
}

static int adopt(struct server *s, struct fleet *f, struct worker *w, struct err *err)
{
    if (!w)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for another worker");
    int rc = put(f, w, err);
    if (rc < 0) {
        worker_free(w);
        return rc;
    }
    return w->active && !w->quarantined ? sched_worker_add(s->sched, w->id, (uint32_t)w->threads, w->rate, err) : 0;
}

int fleet_load(struct server *s, struct fleet **out, struct err *err)
{
    struct fleet *f = *out = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the fleet");
    sqlite3_stmt *st = db_query(s->db, SQL_WORKER_ALL, "");
    int rc;
    while ((rc = db_step(st, err)) > 0)
        if ((rc = adopt(s, f, from_row(st), err)) < 0)
            break;
    db_done(st);
    for (size_t i = 0; i < f->count; i++)
        f->list[i]->seen_ms = clock_mono_ms(); /* a restart is not the workers' silence */
    return rc;
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++)
        worker_free(f->list[i]);
    free(f->list);
    map_clear(&f->by_id);
    free(f);
}

struct worker *fleet_find(struct fleet *f, int64_t id)
{
    return map_get(&f->by_id, (uint64_t)id);
}

static const char *state_of(const struct worker *w)
{
    if (w->revoked)
        return "revoked";
    if (!w->active)
        return "left";
    if (w->quarantined)
        return "quarantined";
    return w->lost ? "lost" : w->busy ? "busy" : "idle";
}

size_t fleet_others(const struct fleet *f, int64_t but, int64_t and_but)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++) {
        const struct worker *w = f->list[i];
        n += w->active && !w->lost && !w->quarantined && w->id != but && w->id != and_but;
    }
    return n;
}

static int tell(struct server *s, const struct worker *w, struct err *err)
{
    log_info("worker_state", "worker=%lld state=%s", (long long)w->id, state_of(w));
    return events_emit(s->events, "worker", 0,
                       json_pack("{sI ss ss}", "worker", (json_int_t)w->id, "name", w->name, "state", state_of(w)),
                       err);
}

int fleet_seen(struct server *s, struct worker *w, struct err *err)
{
    w->seen_ms = clock_mono_ms();
    w->seen = clock_wall_ms();
    if (!w->lost)
        return 0;
    w->lost = 0;
    return tell(s, w, err);
}

int fleet_sweep(struct server *s, struct err *err)
{
    int64_t now = clock_mono_ms(), silence = (int64_t)(s->config->expiry_s * 1000);
    for (size_t i = 0; i < s->fleet->count; i++) {
        struct worker *w = s->fleet->list[i];
        if (!w->active || w->lost || now - w->seen_ms <= silence)
            continue;
        w->lost = 1;
        w->nheld = 0;
        int rc = tell(s, w, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int fleet_scored(struct server *s, struct worker *w, int64_t scored, int64_t failed, struct err *err)
{
    w->scored += scored;
    w->failed += failed;
    w->rate = sched_worker_rate(s->sched, w->id);
    int rc = db_exec(s->db, err, SQL_WORKER_RESULT, "iiidi", w->id, scored, failed, w->rate, w->seen);
    return rc < 0 ? rc : 0;
}

/* ---- routes */

static int check_protocol(const json_t *body, struct err *err)
{
    json_int_t v = json_integer_value(json_object_get(body, "protocol"));
    return v == API_PROTOCOL ? 0
                             : err_set(err, ERR_VERSION, "/protocol",
                                       "this coordinator speaks worker protocol %d, not %lld: update the older side",
                                       API_PROTOCOL, (long long)v);
}

static const char *text_or(const json_t *body, const char *name, const char *otherwise)
{
    const char *v = json_string_value(json_object_get(body, name));
    return v ? v : otherwise;
}

int route_joinWorker(struct server *s, struct request *rq, struct err *err)
{
    const json_t *body = request_body(rq);
    int rc = check_protocol(body, err);
    if (rc < 0)
        return rc;
    int64_t now = clock_wall_ms(), token;
    const char *name = text_or(body, "name", "");
    char secret[AUTH_SECRET_TEXT];
    rc =
        db_exec(s->db, err, SQL_WORKER_INSERT, "ttttiii", name, text_or(body, "host", ""), text_or(body, "backend", ""),
                text_or(body, "build", ""), (int64_t)json_integer_value(json_object_get(body, "threads")),
                (int64_t)json_integer_value(json_object_get(body, "memory_bytes")), now);
    if (rc < 0)
        return rc;
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for another worker");
    w->id = db_last_id(s->db);
    w->name = strdup(name);
    w->host = strdup(text_or(body, "host", ""));
    w->backend = strdup(text_or(body, "backend", ""));
    w->build = strdup(text_or(body, "build", ""));
    w->threads = json_integer_value(json_object_get(body, "threads"));
    w->memory_bytes = json_integer_value(json_object_get(body, "memory_bytes"));
    w->active = 1;
    w->joined = now;
    s->reload = 1; /* until all of it worked: memory may be ahead of a database that goes back */
    if ((rc = adopt(s, s->fleet, w, err)) < 0 ||
        (rc = auth_create(s->auth, API_ROLE_WORKER, name, w->id, secret, &token, err)) < 0 ||
        (rc = fleet_seen(s, w, err)) < 0 || (rc = tell(s, w, err)) < 0)
        return rc;
    s->reload = 0;
    return request_json(rq, 201,
                        json_pack("{sI ss sf sf}", "id", (json_int_t)w->id, "key", secret, "beat_s", s->config->beat_s,
                                  "expiry_s", s->config->expiry_s));
}

static json_t *real_or_null(double v)
{
    return v > 0 && isfinite(v) ? json_real(v) : json_null();
}

static json_t *worker_json(struct server *s, const struct worker *w)
{
    double rate = w->active ? sched_worker_rate(s->sched, w->id) : w->rate;
    json_t *jobs = json_array();
    for (int i = 0; i < w->nheld && w->active; i++)
        json_array_append_new(jobs, json_pack("{sI sI sI sI}", "job", (json_int_t)w->held[i].job, "search",
                                              (json_int_t)lease_run_search_of(s, w->held[i].job), "done",
                                              (json_int_t)w->held[i].done, "of", (json_int_t)w->held[i].of));
    json_t *trust = json_pack("{sI sI sf so sb}", "good", (json_int_t)w->trust.good, "bad", (json_int_t)w->trust.bad,
                              "check_probability", trust_check_probability(&w->trust), "quarantined",
                              w->quarantined ? json_integer(w->quarantined) : json_null(), "by_hand",
                              w->quarantined && w->trust.bad < TRUST_BAD);
    return json_pack("{sI ss ss ss ss sI sI ss sI sI sI so so sI so so so}", "id", (json_int_t)w->id, "name", w->name,
                     "host", w->host, "backend", w->backend, "build", w->build, "threads", (json_int_t)w->threads,
                     "memory_bytes", (json_int_t)w->memory_bytes, "state", state_of(w), "leases",
                     (json_int_t)(w->active ? w->nheld : 0), "scored", (json_int_t)w->scored, "failed",
                     (json_int_t)w->failed, "candidates_per_s", real_or_null(rate), "images_per_s",
                     real_or_null(w->images_per_s), "joined", (json_int_t)w->joined, "seen",
                     w->seen ? json_integer(w->seen) : json_null(), "jobs", jobs, "trust", trust);
}

int route_listWorkers(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    int rc = page_open(rq, &page, 0, err);
    if (rc < 0)
        return rc;
    json_t *items = json_array();
    int64_t last = 0, next = 0;
    for (size_t i = 0; i < s->fleet->count && !next; i++) {
        const struct worker *w = s->fleet->list[i];
        if (w->id <= page.after)
            continue;
        if ((int64_t)json_array_size(items) == page.limit)
            next = last;
        else
            json_array_append_new(items, worker_json(s, w));
        last = w->id;
    }
    return page_send(rq, items, next);
}

static int need(struct server *s, int64_t id, struct worker **out, struct err *err)
{
    *out = fleet_find(s->fleet, id);
    return *out ? 0 : err_set(err, ERR_NOT_FOUND, "path id", "no worker %lld", (long long)id);
}

int route_getWorker(struct server *s, struct request *rq, struct err *err)
{
    struct worker *w;
    int rc = need(s, request_int(rq, "id", 0), &w, err);
    return rc < 0 ? rc : request_json(rq, 200, worker_json(s, w));
}

/* Its leases lapse, its jobs are queued again, its key ends. */
static int part(struct server *s, struct worker *w, int revoked, struct err *err)
{
    s->reload = 1;
    w->revoked = revoked;
    w->active = 0;
    w->nheld = 0;
    int rc = db_exec(s->db, err, SQL_WORKER_STATE, "iti", w->id, revoked ? "revoked" : "left", w->seen);
    if (rc < 0 || (rc = db_exec(s->db, err, SQL_LEASE_LAPSE_WORKER, "i", w->id)) < 0 ||
        (rc = auth_revoke_worker(s->auth, w->id, err)) < 0)
        return rc;
    sched_worker_drop(s->sched, w->id, clock_mono_ms());
    rc = tell(s, w, err);
    if (rc >= 0)
        s->reload = 0;
    return rc;
}

int route_revokeWorker(struct server *s, struct request *rq, struct err *err)
{
    struct worker *w;
    int rc = need(s, request_int(rq, "id", 0), &w, err);
    if (rc < 0 || (w->active && (rc = part(s, w, 1, err)) < 0))
        return rc;
    return request_json(rq, 200, worker_json(s, w));
}

int route_quarantineWorker(struct server *s, struct request *rq, struct err *err)
{
    struct worker *w;
    int64_t id = request_int(rq, "id", 0);
    int rc = need(s, id, &w, err);
    if (rc < 0 || (rc = trust_run_quarantine(s, id, err)) < 0)
        return rc;
    return request_json(rq, 200, worker_json(s, w));
}

int route_releaseWorker(struct server *s, struct request *rq, struct err *err)
{
    struct worker *w;
    int64_t id = request_int(rq, "id", 0);
    int rc = need(s, id, &w, err);
    if (rc < 0 || (rc = trust_run_release(s, id, err)) < 0)
        return rc;
    return request_json(rq, 200, worker_json(s, w));
}

int route_leaveWorker(struct server *s, struct request *rq, struct err *err)
{
    struct worker *w;
    int rc = need(s, request_who(rq)->worker, &w, err);
    if (rc < 0 || (w->active && (rc = part(s, w, 0, err)) < 0))
        return rc;
    return request_empty(rq, 204);
}
