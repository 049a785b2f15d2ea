/* events: the table of recent events and the open streams. */
#include "server/events.h"

#include "proto/base/clock.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEARTBEAT_MS = 15000, SLOW_VIEWER = 1 << 20, REPLAY = 2000, TRIM_EVERY = 256 };

struct stream {
    struct stream *prev, *next;
    struct events *events;
    struct request *rq;
    int64_t search; /* 0: all */
};

struct pending {
    struct pending *next;
    int64_t search;
    char *text; /* the whole frame */
};

struct events {
    struct server *server;
    struct stream *streams;
    struct pending *first, **last;
    uv_timer_t beat;
    int since_trim, ending;
};

static void push(struct stream *st, const char *text, size_t n)
{
    if (request_push(st->rq, text, n) > SLOW_VIEWER)
        request_end(st->rq); /* it reconnects and replays, or gets a reset */
}

static void on_beat(uv_timer_t *timer)
{
    struct events *e = timer->data;
    for (struct stream *st = e->streams; st; st = st->next)
        push(st, ":\n\n", 3);
}

int events_new(struct server *s, struct events **out, struct err *err)
{
    struct events *e = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for events");
    e->server = s;
    e->last = &e->first;
    uv_timer_init(s->loop, &e->beat);
    e->beat.data = e;
    uv_timer_start(&e->beat, on_beat, HEARTBEAT_MS, HEARTBEAT_MS);
    *out = e;
    return 0;
}

static void drop_pending(struct events *e)
{
    while (e->first) {
        struct pending *p = e->first;
        e->first = p->next;
        free(p->text);
        free(p);
    }
    e->last = &e->first;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void events_free(struct events *e)
{
    if (!e)
        return;
    drop_pending(e);
    uv_close((uv_handle_t *)&e->beat, on_closed);
}

static char *frame(int64_t seq, const char *kind, const char *data)
{
    char *text = NULL;
    return asprintf(&text, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)seq, kind, data) < 0 ? NULL : text;
}

static int trim(struct events *e, int64_t seq, struct err *err)
{
    if (++e->since_trim < TRIM_EVERY)
        return 0;
    e->since_trim = 0;
    return db_exec(e->server->db, err, SQL_EVENT_TRIM, "i", seq - (int64_t)e->server->config->keep_events);
}

int events_emit(struct events *e, const char *kind, int64_t search, json_t *data, struct err *err)
{
    char *text = data ? json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(data);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for an event");
    struct db *db = e->server->db;
    int rc = search ? db_exec(db, err, SQL_EVENT_INSERT, "itit", clock_wall_ms(), kind, search, text)
                    : db_exec(db, err, SQL_EVENT_INSERT, "itnt", clock_wall_ms(), kind, text);
    int64_t seq = db_last_id(db);
    if (rc >= 0)
        rc = trim(e, seq, err);
    struct pending *p = rc >= 0 && e->streams ? calloc(1, sizeof *p) : NULL;
    if (p) {
        p->search = search;
        p->text = frame(seq, kind, text);
        *e->last = p;
        e->last = &p->next;
    }
    free(text);
    return rc < 0 ? rc : 0;
}

void events_settle(struct events *e, int committed)
{
    for (struct pending *p = e->first; p && committed; p = p->next)
        for (struct stream *st = e->streams; st && p->text; st = st->next)
            if (!st->search || !p->search || st->search == p->search)
                push(st, p->text, strlen(p->text));
    drop_pending(e);
}

void events_revoke(struct events *e, int64_t token)
{
    for (struct stream *st = e->streams; st; st = st->next)
        if (request_who(st->rq)->token == token)
            request_end(st->rq);
}

void events_end(struct events *e)
{
    e->ending = 1;
    for (struct stream *st = e->streams; st; st = st->next)
        request_end(st->rq);
}

/* ---- the route */

static void on_gone(struct server *s, struct request *rq)
{
    struct stream *st = request_state(rq);
    (void)s;
    if (st->prev)
        st->prev->next = st->next;
    else
        st->events->streams = st->next;
    if (st->next)
        st->next->prev = st->prev;
    free(st);
}

static int replay(struct server *s, struct stream *st, int64_t after, struct err *err)
{
    int64_t first = 0, last = 0;
    int rc = db_int(s->db, err, &first, SQL_EVENT_FIRST, "");
    if (rc < 0 || (rc = db_int(s->db, err, &last, SQL_EVENT_LAST, "")) < 0)
        return rc;
    if (after > last || (first && after < first - 1) || last - after > REPLAY) {
        char text[80];
        int n = snprintf(text, sizeof text, "id: %lld\nevent: reset\ndata: {}\n\n", (long long)last);
        push(st, text, (size_t)n);
        return 0;
    }
    sqlite3_stmt *q = db_query(s->db, SQL_EVENT_AFTER, "ii", after, (int64_t)REPLAY);
    while ((rc = db_step(q, err)) > 0) {
        int64_t search = sqlite3_column_int64(q, 2);
        char *text = !st->search || !search || search == st->search
                         ? frame(sqlite3_column_int64(q, 0), db_text(q, 1), db_text(q, 3))
                         : NULL;
        if (text)
            push(st, text, strlen(text));
        free(text);
    }
    db_done(q);
    return rc;
}

int route_streamEvents(struct server *s, struct request *rq, struct err *err)
{
    struct events *e = s->events;
    struct stream *st = calloc(1, sizeof *st);
    if (!st || e->ending) {
        free(st);
        return err_set(err, ERR_BUSY, "", "no room for another stream");
    }
    st->events = e;
    st->rq = rq;
    st->search = request_int(rq, "search", 0);
    st->next = e->streams;
    if (e->streams)
        e->streams->prev = st;
    e->streams = st;
    request_set_state(rq, st, on_gone);
    request_open_stream(rq, "text/event-stream");
    request_set_header(rq, "X-Accel-Buffering", "no");
    push(st, "retry: 2000\n\n", 13);
    const char *id = request_header(rq, "Last-Event-ID");
    if (!id)
        return 0;
    if (!*id || strlen(id) > 18 || id[strspn(id, "0123456789")])
        return err_set(err, ERR_INVALID, "header Last-Event-ID", "must be digits");
    return replay(s, st, strtoll(id, NULL, 10), err);
}
