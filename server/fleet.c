/* fleet: see fleet.h. Jobs and leases are lease_run.c's. */
#include "server/fleet.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/events.h"
#include "server/map.h"
#include "server/sched.h"
#include "server/server.h"

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

int fleet_adopt(struct server *s, struct fleet *f, struct worker *w, struct err *err)
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
        if ((rc = fleet_adopt(s, f, from_row(st), err)) < 0)
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

struct worker *fleet_at(const struct fleet *f, size_t i)
{
    return i < f->count ? f->list[i] : NULL;
}

struct worker *fleet_find(struct fleet *f, int64_t id)
{
    return map_get(&f->by_id, (uint64_t)id);
}

const char *fleet_state(const struct worker *w)
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

int fleet_tell(struct server *s, const struct worker *w, struct err *err)
{
    log_info("worker_state", "worker=%lld state=%s", (long long)w->id, fleet_state(w));
    return events_emit(s->events, "worker", 0,
                       json_pack("{sI ss ss}", "worker", (json_int_t)w->id, "name", w->name, "state", fleet_state(w)),
                       err);
}

int fleet_seen(struct server *s, struct worker *w, struct err *err)
{
    w->seen_ms = clock_mono_ms();
    w->seen = clock_wall_ms();
    if (!w->lost)
        return 0;
    w->lost = 0;
    return fleet_tell(s, w, err);
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
        int rc = fleet_tell(s, w, err);
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
