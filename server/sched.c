/* sched: the decisions of sched.h. Whom to serve and how much is share.c's; the records are sched_table.c's. */
#include "server/sched.h"

#include "server/share.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESENT = 3 };
static const int64_t forget_ms = 10000; /* a lease this young may simply not have reached the worker's beat yet */

/* ---- start-up */

int sched_load_job(struct sched *s, const struct sched_job_row *row, struct err *err)
{
    struct sched_search *q = sched_find_search(s, row->search);
    if (!q)
        return err_set(err, ERR_NOT_FOUND, "", "search %lld is not scheduled", (long long)row->search);
    assert(q->head == q->nrows && row->navoid <= SCHED_AVOID &&
           row->nrows <= UINT32_MAX); /* jobs come before the queue */
    uint32_t first = q->nrows;
    int rc = sched_rows_append(s, q, row->rows, row->nrows, err);
    if (rc)
        return rc;
    struct sched_job *j;
    rc = sched_job_add(s, q, row->id, first, (uint32_t)row->nrows, &j, err);
    if (rc) {
        q->nrows = first;
        return rc;
    }
    q->head = q->nrows;
    j->failed = row->failed;
    j->expired = row->expired;
    j->navoid = (uint32_t)row->navoid;
    memcpy(j->avoid, row->avoid, sizeof j->avoid);
    sched_job_queue(s, j, 0);
    sched_load_next_job(s, row->id + 1);
    return 0;
}

int64_t sched_new_job(struct sched *s)
{
    return s->next_job++;
}

void sched_load_next_job(struct sched *s, int64_t next_job)
{
    if (next_job > s->next_job)
        s->next_job = next_job;
}

/* w may be NULL for a lapsed lease of a worker that is no more. */
static int add_lease(struct sched *s, struct sched_job *j, struct sched_worker *w, int64_t worker,
                     const struct lease_id *id, int live, int64_t now, struct err *err)
{
    struct lease like = {
        .id = *id, .job = j->id, .worker = worker, .granted_ms = now, .deadline_ms = now + s->config.expiry_ms};
    struct lease *l;
    int rc = lease_add(&s->leases, &like, live, w ? &w->leases : NULL, &j->leases, &l, err);
    if (rc)
        return rc;
    j->attempts++;
    if (live) {
        j->live = l;
        if (w->nlive++ == 0)
            s->nbusy++;
    }
    return 0;
}

int sched_load_lease(struct sched *s, const struct lease_id *id, int64_t job, int64_t worker, int live, int64_t now,
                     struct err *err)
{
    struct sched_job *j = sched_find_job(s, job);
    struct sched_worker *w = sched_find_worker(s, worker);
    if (!j)
        return err_set(err, ERR_NOT_FOUND, "", "job %lld is not open", (long long)job);
    int alive = live && w && !j->live;
    int rc = add_lease(s, j, w, worker, id, alive, now, err);
    if (rc == 0 && alive) {
        sched_job_unqueue(s, j);
        sched_worker_seen(s, w, now);
    }
    return rc;
}

/* ---- granting */

static void fill_grant(const struct sched_job *j, int fresh_job, int fresh_lease, struct sched_grant *out)
{
    *out = (struct sched_grant){.job = j->id,
                                .search = j->search->spec.id,
                                .lease = j->live->id,
                                .fresh_job = fresh_job,
                                .fresh_lease = fresh_lease,
                                .attempt = j->attempts,
                                .rows = j->search->rows + j->first,
                                .nrows = j->count};
}

static int grant_retry(struct sched *s, struct sched_job *j, struct sched_worker *w, const struct lease_id *id,
                       int64_t now, struct err *err)
{
    sched_job_unqueue(s, j);
    int rc = add_lease(s, j, w, w->id, id, 1, now, err);
    if (rc)
        sched_job_queue(s, j, 1);
    return rc;
}

/* Cuts the next job off the search's queue. */
static int grant_new(struct sched *s, struct sched_search *q, struct sched_worker *w, const struct lease_id *id,
                     const struct sched_ask *ask, struct sched_job **out, struct err *err)
{
    struct sched_job *j;
    uint32_t size = share_size(s, q, w, ask->candidates_per_s);
    int rc = sched_job_add(s, q, s->next_job, q->head, size, &j, err);
    if (rc)
        return rc;
    rc = add_lease(s, j, w, w->id, id, 1, ask->now, err);
    if (rc) {
        sched_job_queue(s, j, 1); /* ending a job takes it out of the queue */
        sched_job_end(s, j);
        return rc;
    }
    s->next_job++;
    q->head += size;
    s->queued -= size;
    sched_search_update(s, q);
    *out = j;
    return 0;
}

/* 1: granted; 0: nothing for this worker; or an error. */
static int grant_one(struct sched *s, struct sched_worker *w, const struct sched_ask *ask, const struct lease_id *id,
                     struct sched_grant *out, struct err *err)
{
    unsigned char few[64] = {0}, *skip = few;
    if (s->nactive > sizeof few && !(skip = calloc(s->nactive, 1)))
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory to choose a search");
    int rc = 0;
    for (struct sched_search *q; rc == 0 && (q = share_choose(s, w, ask, skip)) != NULL;) {
        struct sched_job *j = share_retry(s, q, w);
        int fresh = !j;
        if (fresh && q->head == q->nrows) {
            skip[q->active] = 1; /* only jobs that this worker failed */
            continue;
        }
        rc = fresh ? grant_new(s, q, w, id, ask, &j, err) : grant_retry(s, j, w, id, ask->now, err);
        if (rc)
            break;
        share_charge(s, j, w);
        fill_grant(j, fresh, 1, out);
        rc = 1;
    }
    if (skip != few)
        free(skip);
    return rc;
}

static void mark_held(struct sched *s, const struct sched_worker *w, const struct lease_id *held, size_t nheld)
{
    s->held_lists++;
    for (size_t i = 0; i < nheld; i++) {
        struct lease *l = lease_find(&s->leases, &held[i]);
        if (l && l->worker == w->id)
            l->mark = s->held_lists;
    }
}

/* Live leases of the worker that its held list (the last mark_held) lacks are handed out again. */
static size_t resend(struct sched *s, struct sched_worker *w, int64_t now, int64_t slack_ms, struct sched_grant *out,
                     size_t room)
{
    size_t n = 0;
    for (struct lease *l = w->leases; l && n < room; l = l->worker_next) {
        if (l->mark == s->held_lists || l->resent >= MAX_RESENT || now - l->granted_ms < slack_ms)
            continue;
        struct sched_job *j = sched_find_job(s, l->job);
        assert(j && j->live == l);
        l->resent++;
        l->granted_ms = now;
        lease_renew(&s->leases, l, now + s->config.expiry_ms);
        fill_grant(j, 0, 0, &out[n++]);
    }
    return n;
}

/* When to ask again: soon for a small fleet, later the more workers wait and the later the loop runs. */
static int64_t idle_delay(const struct sched *s, const struct sched_worker *w, int64_t lag_ms)
{
    double idle = s->nseen > s->nbusy ? s->nseen - s->nbusy : 1;
    double least = s->nbusy ? 250 : 1000; /* the next generation may be one result away */
    double ms = fmax(least, 1000 * idle / s->config.polls_per_s) + 10 * (double)(lag_ms > 0 ? lag_ms : 0);
    uint64_t spread = ((uint64_t)w->id * 0x9e3779b97f4a7c15u) >> 54; /* 0..1023: workers of one start drift apart */
    return (int64_t)(fmin(ms, (double)s->config.expiry_ms * 2 / 3) * (.8 + .4 * (double)spread / 1024));
}

int sched_lease(struct sched *s, const struct sched_ask *ask, struct sched_grant *out, size_t *n, int64_t *delay_ms,
                struct err *err)
{
    struct sched_worker *w = sched_find_worker(s, ask->worker);
    if (!w)
        return err_set(err, ERR_NOT_FOUND, "", "worker %lld is not known", (long long)ask->worker);
    sched_worker_seen(s, w, ask->now);
    sched_forget_silent(s, ask->now);
    mark_held(s, w, ask->held, ask->nheld);
    *n = resend(s, w, ask->now, 0, out, ask->max);
    int rc = 1;
    for (size_t used = 0; rc == 1 && *n < ask->max && w->nlive < s->config.max_held; used++) {
        rc = grant_one(s, w, ask, &ask->fresh[used], &out[*n], err);
        *n += rc == 1;
    }
    *delay_ms = *n ? 0 : idle_delay(s, w, ask->lag_ms);
    return rc < 0 && *n == 0 ? rc : 0; /* what was granted is granted */
}

/* ---- beats */

/* 1: the worker may go on with it. */
static int keep(struct sched *s, struct sched_worker *w, const struct lease_id *id, int64_t now)
{
    struct lease *l = lease_find(&s->leases, id);
    if (!l || l->worker != w->id)
        return 0;
    if (lease_live(l)) {
        lease_renew(&s->leases, l, now + s->config.expiry_ms);
        l->resent = 0;
        return 1;
    }
    struct sched_job *j = sched_find_job(s, l->job);
    assert(j);
    if (j->live || l->failed)
        return 0;
    sched_job_unqueue(s, j); /* it fell silent for a while, and nobody took the job over */
    lease_revive(&s->leases, l, now + s->config.expiry_ms, &w->leases);
    j->live = l;
    if (w->nlive++ == 0)
        s->nbusy++;
    share_charge(s, j, w);
    return 1;
}

int sched_beat(struct sched *s, int64_t worker, int64_t now, const struct lease_id *held, size_t nheld,
               struct lease_id *gone, struct sched_grant *forgotten, size_t room, int64_t lag_ms,
               struct sched_beat *out, struct err *err)
{
    struct sched_worker *w = sched_find_worker(s, worker);
    if (!w)
        return err_set(err, ERR_NOT_FOUND, "", "worker %lld is not known", (long long)worker);
    sched_worker_seen(s, w, now);
    *out = (struct sched_beat){0};
    for (size_t i = 0; i < nheld; i++)
        if (!keep(s, w, &held[i], now))
            gone[out->ngone++] = held[i];
    mark_held(s, w, held, nheld);
    out->nforgotten = resend(s, w, now, forget_ms, forgotten, room);
    int64_t late = lag_ms > 0 ? 10 * lag_ms : 0, most = s->config.expiry_ms / 2;
    out->delay_ms = s->config.beat_ms + late < most ? s->config.beat_ms + late : most;
    if (out->delay_ms < s->config.beat_ms)
        out->delay_ms = s->config.beat_ms;
    return 0;
}

/* ---- deliveries */

static struct sched_job *job_of(const struct sched *s, int64_t job, const struct lease *l)
{
    struct sched_job *j = l && l->job == job ? sched_find_job(s, job) : NULL;
    assert(!l || l->job != job || j); /* leases end with their job */
    return j;
}

static void fill_delivery(const struct sched_job *j, const struct lease *l, struct sched_delivery *out)
{
    *out = (struct sched_delivery){.search = j->search->spec.id,
                                   .worker = l->worker,
                                   .rows = j->search->rows + j->first,
                                   .nrows = j->count,
                                   .late = j->live != l};
}

/* The live attempt ends: its share is corrected to what it took. */
static void settle(struct sched *s, struct sched_job *j, int64_t now)
{
    struct sched_worker *w = sched_find_worker(s, j->live->worker);
    int64_t from = w->done_ms > j->live->granted_ms ? w->done_ms : j->live->granted_ms;
    share_settle(j, w, now - from);
}

enum sched_verdict sched_result(struct sched *s, int64_t job, const struct lease_id *lease, int64_t now,
                                struct sched_delivery *out)
{
    struct lease *l = lease_find(&s->leases, lease);
    struct sched_job *j = job_of(s, job, l);
    if (!j)
        return SCHED_UNKNOWN;
    fill_delivery(j, l, out);
    if (j->live)
        settle(s, j, now);
    struct sched_worker *w = sched_find_worker(s, l->worker);
    if (w && !out->late)
        share_learn(j, w, l->granted_ms, now);
    sched_job_end(s, j);
    return SCHED_STORED;
}

enum sched_answer sched_final(int job_done, const struct lease_id *accepted, const struct lease_id *lease)
{
    if (!job_done)
        return SCHED_ANSWER_CANCELLED;
    if (accepted && memcmp(accepted->bytes, lease->bytes, sizeof lease->bytes) == 0)
        return SCHED_ANSWER_DUPLICATE;
    return SCHED_ANSWER_SUPERSEDED;
}

/* Takes the live lease off its job and queues the job again. */
static void requeue(struct sched *s, struct sched_job *j, int64_t now)
{
    sched_job_shun(j, j->live->worker);
    settle(s, j, now);
    sched_job_lapse(s, j);
    sched_job_queue(s, j, 1);
}

enum sched_failure sched_failed(struct sched *s, int64_t job, const struct lease_id *lease, int64_t now,
                                struct sched_delivery *out)
{
    struct lease *l = lease_find(&s->leases, lease);
    struct sched_job *j = job_of(s, job, l);
    if (!j || j->live != l)
        return SCHED_IGNORE;
    fill_delivery(j, l, out);
    l->failed = 1;
    requeue(s, j, now);
    if (++j->failed < s->config.max_failed)
        return SCHED_RETRY;
    sched_job_end(s, j);
    return SCHED_GIVE_UP;
}

int sched_return(struct sched *s, int64_t worker, const struct lease_id *lease, int64_t now, int64_t *job)
{
    struct lease *l = lease_find(&s->leases, lease);
    if (!l || l->worker != worker || !lease_live(l))
        return 0;
    struct sched_job *j = sched_find_job(s, l->job);
    assert(j && j->live == l);
    *job = j->id;
    l->failed = 1; /* it will not come back to it */
    requeue(s, j, now);
    return 1;
}

void sched_worker_drop(struct sched *s, int64_t worker, int64_t now)
{
    struct sched_worker *w = sched_find_worker(s, worker);
    if (!w)
        return;
    while (w->leases)
        requeue(s, sched_find_job(s, w->leases->job), now);
    sched_worker_unlink(s, w);
    map_take(&s->workers, (uint64_t)worker);
    free(w);
}

size_t sched_expire(struct sched *s, int64_t now, struct sched_expired *out, size_t max)
{
    size_t n = 0;
    for (struct lease *l; n < max && (l = lease_first(&s->leases)) != NULL && l->deadline_ms <= now; n++) {
        struct sched_job *j = sched_find_job(s, l->job);
        out[n] = (struct sched_expired){.lease = l->id,
                                        .job = j->id,
                                        .worker = l->worker,
                                        .search = j->search->spec.id,
                                        .rows = j->search->rows + j->first,
                                        .nrows = j->count};
        requeue(s, j, now);
        if (++j->expired >= s->config.max_expired) {
            out[n].gave_up = 1;
            sched_job_end(s, j);
        }
    }
    sched_forget_silent(s, now);
    return n;
}

int64_t sched_next_deadline(const struct sched *s)
{
    const struct lease *l = lease_first(&s->leases);
    return l ? l->deadline_ms : INT64_MAX;
}

/* ---- figures */

double sched_worker_rate(const struct sched *s, int64_t worker)
{
    const struct sched_worker *w = sched_find_worker(s, worker);
    return w ? w->rate[0].per_s : 0;
}

double sched_search_rate(const struct sched *s, int64_t search, int64_t now)
{
    const struct sched_search *q = sched_find_search(s, search);
    return q ? share_flow(q, now) : 0;
}
