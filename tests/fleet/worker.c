/* worker: what one simulated worker does, and the misfortunes that happen to it. */
#include "tests/fleet/fleet.h"

#include "proto/base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- leases */

static struct fleet_held *keep(struct fleet_held *h)
{
    h->refs++;
    return h;
}

static void drop(struct fleet_held *h)
{
    if (!h || --h->refs)
        return;
    json_decref(h->codes);
    free(h);
}

static int place_of(const struct fleet_worker *w, const char *lease)
{
    for (int i = 0; i < w->nheld; i++)
        if (strcmp(w->held[i]->lease, lease) == 0)
            return i;
    return -1;
}

static void let_go(struct fleet_worker *w, const struct fleet_held *h)
{
    int i = place_of(w, h->lease);
    if (i < 0)
        return;
    drop(w->held[i]);
    w->held[i] = w->held[--w->nheld];
}

/* A worker with the same identity: a neighbour that is a clone, or w itself. Anybody else's delivery is refused. */
static struct fleet_worker *double_of(struct fleet_worker *w)
{
    struct fleet *f = w->fleet;
    if (w->number + 1 < f->o.workers && w[1].joined && w[1].id == w->id)
        return w + 1;
    return w->number && w[-1].joined && w[-1].id == w->id ? w - 1 : w;
}

static void set_alarm(struct fleet_worker *w, int64_t at, enum fleet_alarm what, struct fleet_held *h)
{
    heap_push(&w->fleet->alarms, (struct alarm){at, what, w, h});
}

/* ---- sending */

static void pump(struct fleet_worker *w);

static struct fleet_op *queue(struct fleet_worker *w, enum fleet_kind kind, int64_t due, struct fleet_held *h)
{
    struct fleet_op *op = calloc(1, sizeof *op);
    assert(op);
    *op = (struct fleet_op){.kind = kind, .due_ns = due, .held = h ? keep(h) : NULL};
    if (w->last)
        w->last->next = op;
    else
        w->first = op;
    w->last = op;
    w->fleet->pending++;
    return op;
}

static void finish(struct fleet_worker *w)
{
    drop(w->now->held);
    free(w->now);
    w->now = NULL;
    w->fleet->pending--;
}

static void put_back(struct fleet_worker *w)
{
    if (!w->now)
        return;
    w->now->tries++;
    w->now->next = w->first;
    w->first = w->now;
    if (!w->last)
        w->last = w->now;
    w->now = NULL;
}

static double next_backoff(struct fleet_worker *w)
{
    const struct fleet_options *o = &w->fleet->o;
    double wait = w->backoff_s * (0.5 + fleet_chance(w->fleet));
    w->backoff_s = w->backoff_s * 2 < o->backoff_max_s ? w->backoff_s * 2 : o->backoff_max_s;
    return wait;
}

static void reconnect(struct fleet_worker *w)
{
    if (w->reconnecting)
        return;
    w->reconnecting = 1;
    set_alarm(w, clock_mono_ns() + (int64_t)(next_backoff(w) * 1e9), ALARM_CONNECT, NULL);
}

static void on_lost(struct fleet_worker *w, int meant)
{
    struct fleet *f = w->fleet;
    f->count.lost += !meant;
    f->unserved += w->served;
    w->served = 0;
    put_back(w);
    reconnect(w);
}

static void start(struct fleet_worker *w)
{
    struct fleet *f = w->fleet;
    struct fleet_op *op = w->now = w->first;
    w->first = op->next;
    if (!w->first)
        w->last = NULL;
    op->next = NULL;
    size_t len;
    char *text = fleet_request(w, op, &len);
    w->conn.cut = 0;
    w->conn.leave = 0;
    if (op->kind == FLEET_RESULT && !op->tries) {
        w->conn.leave = fleet_chance(f) < f->o.drop;
        if (fleet_chance(f) < f->o.cut)
            w->conn.cut = 1 + rng_below(&f->rng, len - 1);
    }
    conn_send(&w->conn, text, len);
}

static void pump(struct fleet_worker *w)
{
    int64_t now = clock_mono_ns();
    if (w->now || !w->first || now < w->pause_ns || now < w->mute_ns)
        return;
    if (w->conn.state == CONN_CLOSED)
        reconnect(w);
    if (w->conn.state == CONN_IDLE)
        start(w);
}

/* ---- answers */

static void schedule_result(struct fleet_worker *w, struct fleet_held *h, int64_t from)
{
    struct fleet *f = w->fleet;
    int64_t at = from + (int64_t)(f->o.hold_s * (0.5 + fleet_chance(f)) * 1e9), now = clock_mono_ns();
    set_alarm(w, f->stopping || at < now ? now : at, ALARM_RESULT, keep(h));
}

static void take_lease(struct fleet_worker *w, const json_t *j, int64_t from)
{
    struct fleet *f = w->fleet;
    const char *lease = json_string_value(json_object_get(j, "lease"));
    const json_t *input = json_object_get(j, "input");
    if (!lease || strlen(lease) != 32 || place_of(w, lease) >= 0) {
        f->count.resent++;
        return;
    }
    struct fleet_held *h = calloc(1, sizeof *h);
    if (w->nheld == w->cap)
        w->held = realloc(w->held, (size_t)(w->cap = w->cap * 2 + 2) * sizeof(struct fleet_held *));
    assert(h && w->held);
    h->job = json_integer_value(json_object_get(j, "job"));
    h->images = json_integer_value(json_object_get(json_object_get(input, "evaluation"), "images"));
    h->codes = json_incref(json_object_get(input, "candidates"));
    memcpy(h->lease, lease, sizeof h->lease);
    w->held[w->nheld++] = keep(h);
    f->count.leases++;
    schedule_result(w, h, from);
}

static void on_joined(struct fleet_worker *w, const json_t *j)
{
    struct fleet *f = w->fleet;
    const char *key = json_string_value(json_object_get(j, "key"));
    if (!key)
        return;
    snprintf(w->key, sizeof w->key, "%s", key);
    w->id = json_integer_value(json_object_get(j, "id"));
    w->joined = 1;
    f->joined++;
    set_alarm(w, clock_mono_ns() + (int64_t)(fleet_chance(f) * f->o.beat_s * 1e9), ALARM_BEAT, NULL);
}

static void on_beat(struct fleet_worker *w, const json_t *j)
{
    struct fleet_count *c = &w->fleet->count;
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(j, "gone"), i, v)
    {
        int at = place_of(w, json_string_value(v));
        if (at < 0)
            continue;
        c->gone++;
        c->lates += (uint64_t)!w->held[at]->ready;
    }
    json_array_foreach(json_object_get(j, "forgotten"), i, v)
    {
        c->forgotten++;
        take_lease(w, v, clock_mono_ns());
    }
}

static void on_leases(struct fleet_worker *w, const json_t *j, int64_t due)
{
    const json_t *list = json_object_get(j, "leases");
    size_t i;
    json_t *v;
    w->fleet->count.empty += json_array_size(list) == 0;
    json_array_foreach(list, i, v)
    {
        take_lease(w, v, due);
    }
}

static void ledger(struct fleet *f, const struct fleet_held *h, const char *status)
{
    if (f->ledger)
        fprintf(f->ledger, "%lld %s %s %zu %lld\n", (long long)h->job, h->lease, status, json_array_size(h->codes),
                (long long)clock_mono_ns());
}

static void on_result(struct fleet_worker *w, struct fleet_held *h, const json_t *j)
{
    static const char *const names[] = {"", "stored", "duplicate", "superseded", "cancelled"};
    struct fleet *f = w->fleet;
    const char *status = json_string_value(json_object_get(j, "status"));
    int a = FLEET_CANCELLED;
    while (a > FLEET_NONE && (!status || strcmp(names[a], status) != 0))
        a--;
    f->count.answers[a]++;
    f->delivered++;
    ledger(f, h, names[a]);
    int mine = a == FLEET_STORED || a == FLEET_DUPLICATE,
        was = h->answered == FLEET_STORED || h->answered == FLEET_DUPLICATE;
    h->stored += a == FLEET_STORED;
    f->count.contradictions += (uint64_t)(h->stored > 1 || (h->answered && mine != was));
    if (a == FLEET_STORED)
        f->count.scores += json_array_size(h->codes);
    if (!h->answered)
        h->answered = a;
    if (fleet_chance(f) < f->o.dup && !f->stopping)
        set_alarm(double_of(w), clock_mono_ns() + (int64_t)(fleet_chance(f) * 5e9), ALARM_AGAIN, keep(h));
    let_go(w, h);
}

static void on_good(struct fleet_worker *w, const struct fleet_op *op)
{
    json_t *j = w->conn.body_len ? json_loadb(conn_body(&w->conn), w->conn.body_len, 0, NULL) : NULL;
    switch (op->kind) {
    case FLEET_JOIN:
        on_joined(w, j);
        break;
    case FLEET_BEAT:
        on_beat(w, j);
        break;
    case FLEET_LEASE:
        on_leases(w, j, op->due_ns);
        break;
    case FLEET_RESULT:
        on_result(w, op->held, j);
        break;
    default:
        let_go(w, op->held);
        break;
    }
    json_decref(j);
}

static void rejoin(struct fleet_worker *w)
{
    w->fleet->count.rejoined++;
    w->fleet->joined -= w->joined;
    w->joined = 0;
    while (w->nheld)
        let_go(w, w->held[0]);
    if (!w->now || w->now->kind != FLEET_JOIN)
        queue(w, FLEET_JOIN, clock_mono_ns(), NULL);
}

static void on_answer(struct fleet_worker *w)
{
    struct fleet *f = w->fleet;
    struct fleet_op *op = w->now;
    int status = w->conn.status;
    double retry = w->conn.retry_s;
    int64_t now = clock_mono_ns();
    f->count.status[status / 100 < 6 ? status / 100 : 5]++;
    if (status >= 500 || status == 429) {
        f->count.busy++;
        w->pause_ns = now + (int64_t)((retry > 0 && retry < f->o.backoff_max_s ? retry : next_backoff(w)) * 1e9);
        set_alarm(w, w->pause_ns + 1, ALARM_PUMP, NULL);
        conn_next(&w->conn);
        put_back(w);
        return;
    }
    hist_add(&f->count.late[op->kind], now - op->due_ns);
    hist_add(&f->count.all, now - op->due_ns);
    w->backoff_s = f->o.backoff_s;
    if (status < 300) {
        if (!w->served && --f->unserved == 0)
            f->served_ns = now;
        w->served = 1;
        on_good(w, op);
    } else if (status == 401 || status == 403) {
        rejoin(w);
    } else {
        f->count.invalid++;
        if (op->kind == FLEET_RESULT)
            let_go(w, op->held);
    }
    conn_next(&w->conn);
    finish(w);
}

void fleet_worker_event(struct fleet_worker *w, uint32_t events)
{
    int meant = w->conn.leave || w->conn.cut;
    switch (conn_event(&w->conn, events)) {
    case CONN_READY:
        if (w->joined && !w->first && !w->now)
            queue(w, FLEET_BEAT, clock_mono_ns(), NULL);
        break;
    case CONN_ANSWER:
        on_answer(w);
        break;
    case CONN_LOST:
        on_lost(w, meant);
        break;
    case CONN_NOTHING:
        return;
    }
    pump(w);
}

/* ---- alarms */

static int has_beat(const struct fleet_worker *w)
{
    if (w->now && w->now->kind == FLEET_BEAT)
        return 1;
    for (const struct fleet_op *op = w->first; op; op = op->next)
        if (op->kind == FLEET_BEAT)
            return 1;
    return 0;
}

static void on_beat_due(struct fleet_worker *w, int64_t at)
{
    struct fleet *f = w->fleet;
    if (!w->joined)
        return;
    set_alarm(w, at + (int64_t)(f->o.beat_s * 1e9), ALARM_BEAT, NULL);
    if (fleet_chance(f) < f->o.mute && !f->stopping) {
        w->mute_ns = at + (int64_t)(f->o.mute_s * (0.5 + fleet_chance(f)) * 1e9);
        set_alarm(w, w->mute_ns + 1, ALARM_PUMP, NULL);
    }
    if (has_beat(w))
        f->count.skipped++;
    else
        queue(w, FLEET_BEAT, at, NULL);
}

static void on_result_due(struct fleet_worker *w, struct fleet_held *h, int64_t at)
{
    struct fleet *f = w->fleet;
    int kind = fleet_chance(f) < f->o.give ? FLEET_RETURN : FLEET_RESULT;
    if (!h->ready && place_of(w, h->lease) >= 0) {
        h->ready = 1;
        queue(w, (enum fleet_kind)kind, at, h);
        struct fleet_worker *twin = double_of(w);
        if (fleet_chance(f) < f->o.dup) {
            queue(twin, FLEET_RESULT, at, h);
            pump(twin);
        }
    }
    drop(h);
}

static void on_connect(struct fleet_worker *w)
{
    struct fleet *f = w->fleet;
    const struct fleet_worker *model = w - 1;
    w->reconnecting = 0;
    if (w->conn.state != CONN_CLOSED)
        return;
    if (!w->joined && w->number && !w->first && model->joined && fleet_chance(f) < f->o.clone) {
        memcpy(w->key, model->key, sizeof w->key);
        w->id = model->id;
        w->joined = 1;
        f->joined++;
        set_alarm(w, clock_mono_ns(), ALARM_BEAT, NULL);
    }
    if (!w->joined && !w->first)
        queue(w, FLEET_JOIN, clock_mono_ns(), NULL);
    if (conn_open(&w->conn, (struct sockaddr *)&f->to, f->to_len) != 0)
        on_lost(w, 0);
}

void fleet_worker_alarm(struct fleet_worker *w, const struct alarm *a)
{
    switch ((enum fleet_alarm)a->what) {
    case ALARM_CONNECT:
        on_connect(w);
        break;
    case ALARM_BEAT:
        on_beat_due(w, a->at_ns);
        break;
    case ALARM_RESULT:
        on_result_due(w, a->with, a->at_ns);
        break;
    case ALARM_AGAIN:
        if (w->joined)
            queue(w, FLEET_RESULT, a->at_ns, a->with);
        drop(a->with);
        break;
    case ALARM_PUMP:
        break;
    }
    pump(w);
}

int fleet_worker_cycle(struct fleet_worker *w, int64_t due)
{
    if (!w->joined || w->now || w->first || w->nheld >= w->fleet->o.jobs || clock_mono_ns() < w->mute_ns)
        return 0;
    queue(w, FLEET_LEASE, due, NULL);
    pump(w);
    return 1;
}

void fleet_worker_flush(struct fleet_worker *w)
{
    w->mute_ns = 0;
    for (int i = 0; i < w->nheld; i++)
        if (!w->held[i]->ready)
            set_alarm(w, clock_mono_ns(), ALARM_RESULT, keep(w->held[i]));
    pump(w);
}

void fleet_worker_init(struct fleet *f, struct fleet_worker *w, int number)
{
    w->fleet = f;
    w->number = number;
    w->backoff_s = f->o.backoff_s;
    conn_init(&w->conn, f->epoll, w);
    w->reconnecting = 1;
    set_alarm(w, f->started_ns + (int64_t)((double)number / f->o.join_rate * 1e9), ALARM_CONNECT, NULL);
    f->unserved++;
}

void fleet_worker_clear(struct fleet_worker *w)
{
    conn_close(&w->conn);
    put_back(w);
    while (w->first) {
        struct fleet_op *op = w->first;
        w->first = op->next;
        drop(op->held);
        free(op);
    }
    while (w->nheld)
        let_go(w, w->held[0]);
    free(w->held);
}
