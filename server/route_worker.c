/* route_worker: joining, leaving, revoking, and the list that the dashboard shows. */
#include "proto/base/clock.h"
#include "server/auth.h"
#include "server/db.h"
#include "server/fleet.h"
#include "server/lease_run.h"
#include "server/page.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/sched.h"
#include "server/server.h"
#include "server/trust_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    if ((rc = fleet_adopt(s, s->fleet, w, err)) < 0 ||
        (rc = auth_create(s->auth, API_ROLE_WORKER, name, w->id, secret, &token, err)) < 0 ||
        (rc = fleet_seen(s, w, err)) < 0 || (rc = fleet_tell(s, w, err)) < 0)
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
                     "memory_bytes", (json_int_t)w->memory_bytes, "state", fleet_state(w), "leases",
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
    const struct worker *w;
    for (size_t i = 0; (w = fleet_at(s->fleet, i)) != NULL && !next; i++) {
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
    rc = fleet_tell(s, w, err);
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
