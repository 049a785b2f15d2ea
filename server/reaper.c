/* reaper: what is doomed is already invisible; here its rows go, a few milliseconds of work a tick, each tick one
 * transaction. A crash in between loses nothing: the marks are in the database. Free pages at the end go back to the
 * file system when they are many. */
#include "server/reaper.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/turn.h"
#include "server/server.h"

#include <stdlib.h>

enum { TICK_MS = 10, BUDGET_MS = 5, PIECE = 256, CHUNKS = 16, FEW = 2000, GC_MS = 60000, FREE_PAGES = 4096 };

struct reaper {
    uv_timer_t timer;
    int64_t gc_ms;
    int shrinking;
};

/* 1: did something, more may follow; 0: nothing left. */
static int drop_search(struct server *s, struct err *err)
{
    static const enum sql pieces[] = {SQL_CANDIDATE_DROP, SQL_TRUTH_DROP, SQL_JOB_DROP};
    int64_t id;
    int rc = db_int(s->db, err, &id, SQL_DOOMED_FIRST, "");
    if (rc <= 0)
        return rc;
    for (int i = 0; i < 3; i++)
        if ((rc = db_exec(s->db, err, pieces[i], "ii", id, (int64_t)PIECE)) != 0)
            return rc < 0 ? rc : 1;
    log_info("search_dropped", "search=%lld", (long long)id);
    rc = db_exec(s->db, err, SQL_SEARCH_DELETE, "i", id);
    return rc < 0 ? rc : 1;
}

static int drop_blob(struct server *s, struct err *err)
{
    int64_t id;
    int rc = db_int(s->db, err, &id, SQL_BLOB_DOOMED, "");
    if (rc <= 0)
        return rc;
    if ((rc = db_exec(s->db, err, SQL_CHUNK_DROP, "ii", id, (int64_t)CHUNKS)) != 0)
        return rc < 0 ? rc : 1;
    rc = db_exec(s->db, err, SQL_BLOB_DELETE, "i", id);
    return rc < 0 ? rc : 1;
}

/* Gives the file's end back while more than a quarter of it is free. */
static int shrink(struct server *s, struct err *err)
{
    int64_t free_pages = 0, pages = 0;
    int rc = db_int(s->db, err, &free_pages, SQL_FREE_PAGES, "");
    if (rc >= 0)
        rc = db_int(s->db, err, &pages, SQL_PAGES, "");
    if (rc < 0 || free_pages < FREE_PAGES || free_pages < pages / 4)
        return rc < 0 ? rc : 0;
    rc = db_exec(s->db, err, SQL_VACUUM_SOME, "");
    return rc < 0 ? rc : 1;
}

static void on_tick(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct err err = {0};
    int64_t began = clock_mono_ms();
    int rc;
    do {
        rc = drop_search(s, &err);
        if (rc == 0)
            rc = drop_blob(s, &err);
        if (rc == 0 && s->reaper->shrinking && (rc = shrink(s, &err)) == 0)
            s->reaper->shrinking = 0;
    } while (rc > 0 && clock_mono_ms() - began < BUDGET_MS);
    if (rc < 0)
        log_error("reap_failed", "type=%s detail=\"%s\"", err_type(err.code), err.text);
    if (rc <= 0)
        uv_timer_stop(timer); /* the next sweep tries again */
    turn_now(s->turn);
}

void reaper_wake(struct server *s)
{
    s->reaper->shrinking = 1;
    if (!uv_is_active((uv_handle_t *)&s->reaper->timer))
        uv_timer_start(&s->reaper->timer, on_tick, TICK_MS, TICK_MS);
}

void reaper_sweep(struct server *s)
{
    struct err err = {0};
    int64_t now = clock_mono_ms(), grace = (int64_t)(s->config->blob_grace_s * 1000), every = grace / 4;
    if (now - s->reaper->gc_ms < (every < GC_MS ? every : GC_MS))
        return;
    s->reaper->gc_ms = now;
    int rc;
    int64_t id, dropped = 0;
    while ((rc = db_int(s->db, &err, &id, SQL_BLOB_UNUSED, "i", clock_wall_ms() - grace)) > 0) {
        log_info("blob_unused", "blob=%lld", (long long)id);
        if ((rc = db_exec(s->db, &err, SQL_BLOB_DOOM, "i", id)) < 0)
            break;
        dropped++;
    }
    if (rc < 0)
        log_error("reap_failed", "type=%s detail=\"%s\"", err_type(err.code), err.text);
    /* What a crash or an error left is found here too. */
    if (dropped || db_int(s->db, NULL, &id, SQL_BLOB_DOOMED, "") > 0 ||
        db_int(s->db, NULL, &id, SQL_DOOMED_FIRST, "") > 0)
        reaper_wake(s);
}

int reaper_doom_search(struct server *s, int64_t search, struct err *err)
{
    int64_t last = -1;
    int rc = db_int(s->db, err, &last, SQL_CANDIDATE_LAST, "i", search);
    if (rc < 0)
        return rc;
    rc = last < FEW ? db_exec(s->db, err, SQL_SEARCH_DELETE, "i", search)
                    : db_exec(s->db, err, SQL_DOOMED_INSERT, "i", search);
    if (rc >= 0)
        reaper_wake(s);
    return rc < 0 ? rc : 0;
}

int reaper_new(struct server *s, struct reaper **out, struct err *err)
{
    struct reaper *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the reaper");
    uv_timer_init(s->loop, &r->timer);
    r->timer.data = s;
    *out = r;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle); /* the timer is the reaper's first member */
}

void reaper_free(struct reaper *r)
{
    if (r)
        uv_close((uv_handle_t *)&r->timer, on_closed);
}
