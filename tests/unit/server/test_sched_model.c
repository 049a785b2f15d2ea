/* The lease protocol under a hostile network, against a ledger: messages and answers are lost, late, reordered and
 * doubled, workers die and come back with their spool, searches are cancelled, the coordinator restarts. Nothing may be
 * counted twice and nothing lost. A million deliveries here; SUBRANK_TORTURE=1 makes it twenty. */
#include "proto/base/rng.h"
#include "server/sched.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 24, SEARCHES = 5, ROWS = 20000, JOBS = 200000, HOLD = 8, LEASES = 16 };

struct entry { /* the store's job row */
    int64_t search;
    uint32_t row[32], nrows;
    int open, done, gave_up;
    struct lease_id accepted;
    struct { /* its lease rows */
        struct lease_id id;
        int64_t worker;
        int live;
    } lease[LEASES];
    uint32_t nleases, failed, expired;
};

struct hold {
    int64_t job;
    struct lease_id lease;
    int64_t ready_ms; /* when its result is there */
    int spooled;      /* finished: survives a crash */
};

struct world {
    struct sched *s;
    struct rng rng;
    int64_t now;
    uint64_t ids, deliveries;
    struct entry *job; /* [JOBS] */
    int64_t njobs;
    unsigned char *scored[SEARCHES], *failed[SEARCHES]; /* [ROWS] how often */
    uint32_t pushed[SEARCHES];
    int cancelled[SEARCHES];
    struct hold hold[WORKERS + 1][HOLD];
    uint32_t nhold[WORKERS + 1];
    uint64_t answers[4], lates, restarts;
};

static int chance(struct world *w, uint64_t percent)
{
    return rng_below(&w->rng, 100) < percent;
}

static struct lease_id new_id(struct world *w)
{
    struct lease_id id = {{0}};
    w->ids++;
    memcpy(id.bytes, &w->ids, 8);
    return id;
}

/* ---- the store's side: what the coordinator writes when sched decides */

static void ledger_lease(struct world *w, const struct sched_grant *g, int64_t worker)
{
    CHECK(g->job > 0 && g->job < JOBS);
    struct entry *e = &w->job[g->job];
    if (g->fresh_job) {
        CHECK(!e->open && !e->done && g->nrows <= 32);
        e->open = 1;
        e->search = g->search;
        e->nrows = g->nrows;
        memcpy(e->row, g->rows, g->nrows * sizeof *e->row);
        w->njobs = g->job > w->njobs ? g->job : w->njobs;
    }
    CHECK(e->open && e->search == g->search && e->nrows == g->nrows);
    CHECK(memcmp(e->row, g->rows, g->nrows * sizeof *e->row) == 0); /* a job keeps its candidates */
    CHECK(!w->cancelled[e->search]);
    for (uint32_t i = 0; i < e->nleases; i++)
        if (g->fresh_lease)
            e->lease[i].live = 0;
    if (!g->fresh_lease)
        return;
    CHECK(e->nleases < LEASES);
    e->lease[e->nleases].id = g->lease;
    e->lease[e->nleases].worker = worker;
    e->lease[e->nleases++].live = 1;
}

static void give_up(struct world *w, int64_t job)
{
    struct entry *e = &w->job[job];
    CHECK(e->open);
    e->open = 0;
    e->done = e->gave_up = 1;
    for (uint32_t i = 0; i < e->nrows; i++)
        w->failed[e->search][e->row[i]]++;
}

static void lapse_row(struct world *w, int64_t job, const struct lease_id *id)
{
    struct entry *e = &w->job[job];
    for (uint32_t i = 0; i < e->nleases; i++)
        if (memcmp(&e->lease[i].id, id, sizeof *id) == 0)
            e->lease[i].live = 0;
}

/* ---- deliveries */

static void deliver_result(struct world *w, int64_t job, const struct lease_id *lease)
{
    struct sched_delivery d;
    struct entry *e = &w->job[job];
    w->deliveries++;
    enum sched_answer answer = SCHED_ANSWER_STORED;
    if (sched_result(w->s, job, lease, w->now, &d) == SCHED_STORED) {
        CHECK(e->open && !w->cancelled[e->search] && d.search == e->search && d.nrows == e->nrows);
        e->open = 0;
        e->done = 1;
        e->accepted = *lease;
        w->lates += (uint64_t)d.late;
        for (uint32_t i = 0; i < e->nrows; i++) {
            CHECK_INT(d.rows[i], e->row[i]);
            w->scored[e->search][e->row[i]]++;
        }
    } else {
        int cancelled = w->cancelled[e->search];
        CHECK(!e->open || cancelled); /* an open job's result is never turned away */
        answer = sched_final(e->done && !cancelled, e->done && !e->gave_up ? &e->accepted : NULL, lease);
    }
    w->answers[answer]++;
}

static void deliver_failure(struct world *w, int64_t job, const struct lease_id *lease)
{
    struct sched_delivery d;
    w->deliveries++;
    enum sched_failure f = sched_failed(w->s, job, lease, w->now, &d);
    if (f == SCHED_IGNORE)
        return;
    w->job[job].failed++;
    lapse_row(w, job, lease);
    if (f == SCHED_GIVE_UP)
        give_up(w, job);
}

static void sweep(struct world *w)
{
    struct sched_expired e[8];
    size_t n;
    do {
        n = sched_expire(w->s, w->now, e, 8);
        for (size_t i = 0; i < n; i++) {
            w->job[e[i].job].expired++;
            lapse_row(w, e[i].job, &e[i].lease);
            if (e[i].gave_up)
                give_up(w, e[i].job);
        }
    } while (n == 8);
}

/* ---- workers */

static void forget(struct world *w, int64_t worker, uint32_t at)
{
    w->hold[worker][at] = w->hold[worker][--w->nhold[worker]];
}

static void take(struct world *w, int64_t worker, const struct sched_grant *g)
{
    struct hold *h = w->hold[worker];
    for (uint32_t i = 0; i < w->nhold[worker]; i++)
        if (memcmp(&h[i].lease, &g->lease, sizeof g->lease) == 0)
            return;
    if (w->nhold[worker] == HOLD)
        return; /* a full hand drops it: the coordinator will find out */
    h[w->nhold[worker]++] = (struct hold){g->job, g->lease, w->now + 1000 * (int64_t)rng_below(&w->rng, 120), 0};
}

static size_t list(const struct world *w, int64_t worker, struct lease_id *held)
{
    for (uint32_t i = 0; i < w->nhold[worker]; i++)
        held[i] = w->hold[worker][i].lease;
    return w->nhold[worker];
}

static void ask(struct world *w, int64_t worker)
{
    struct lease_id held[HOLD], fresh[2] = {new_id(w), new_id(w)};
    struct sched_grant out[2];
    size_t n;
    int64_t delay;
    struct sched_ask a = {
        .worker = worker, .now = w->now, .held = held, .nheld = list(w, worker, held), .max = 2, .fresh = fresh};
    w->deliveries++;
    CHECK_INT(sched_lease(w->s, &a, out, &n, &delay, NULL), 0);
    for (size_t i = 0; i < n; i++)
        ledger_lease(w, &out[i], worker);
    if (!chance(w, 10)) /* or the answer is lost */
        for (size_t i = 0; i < n; i++)
            take(w, worker, &out[i]);
}

static void beat(struct world *w, int64_t worker)
{
    struct lease_id held[HOLD], gone[HOLD];
    struct sched_grant forgotten[4];
    struct sched_beat b;
    w->deliveries++;
    CHECK_INT(sched_beat(w->s, worker, w->now, held, list(w, worker, held), gone, forgotten, 4, 0, &b, NULL), 0);
    for (size_t i = 0; i < b.nforgotten; i++)
        ledger_lease(w, &forgotten[i], worker);
    if (chance(w, 10))
        return;
    for (size_t i = 0; i < b.ngone; i++)
        for (uint32_t k = 0; k < w->nhold[worker]; k++)
            if (memcmp(&w->hold[worker][k].lease, &gone[i], sizeof gone[i]) == 0 && !w->hold[worker][k].spooled)
                forget(w, worker, k--);
    for (size_t i = 0; i < b.nforgotten; i++)
        take(w, worker, &forgotten[i]);
}

/* Finished work: delivered, perhaps twice, perhaps with the answer lost so that it comes again later. */
static void finish(struct world *w, int64_t worker)
{
    for (uint32_t i = 0; i < w->nhold[worker]; i++) {
        struct hold *h = &w->hold[worker][i];
        if (h->ready_ms > w->now || chance(w, 30))
            continue;
        h->spooled = 1;
        if (chance(w, 5)) {
            deliver_failure(w, h->job, &h->lease);
            forget(w, worker, i--);
            continue;
        }
        int lost = chance(w, 15);
        deliver_result(w, h->job, &h->lease);
        if (chance(w, 15))
            deliver_result(w, h->job, &h->lease);
        if (!lost)
            forget(w, worker, i--);
    }
}

static void act(struct world *w, int64_t worker)
{
    uint64_t what = rng_below(&w->rng, 1000);
    int64_t job;
    if (what < 5) { /* it dies and comes back with its spool */
        for (uint32_t i = 0; i < w->nhold[worker]; i++)
            if (!w->hold[worker][i].spooled)
                forget(w, worker, i--);
    } else if (what < 15 && w->nhold[worker]) {
        struct hold h = w->hold[worker][0];
        w->deliveries++;
        if (sched_return(w->s, worker, &h.lease, w->now, &job)) {
            CHECK_INT(job, h.job);
            lapse_row(w, job, &h.lease);
        }
        forget(w, worker, 0);
    } else if (what < 25) { /* somebody makes a lease up */
        struct sched_delivery d;
        struct lease_id made_up = new_id(w);
        CHECK_INT(sched_result(w->s, 1 + (int64_t)rng_below(&w->rng, 100), &made_up, w->now, &d), SCHED_UNKNOWN);
    } else if (what < 400) {
        beat(w, worker);
    } else if (what < 700 && w->nhold[worker] < HOLD / 2) {
        ask(w, worker);
    } else {
        finish(w, worker);
    }
}

/* ---- the coordinator */

static void add_search(struct world *w, int64_t q)
{
    struct sched_search_spec spec = {.id = q, .weight = 1 + (uint32_t)(q % 3)};
    CHECK_INT(sched_search_add(w->s, &spec, NULL), 0);
}

static void push(struct world *w, int64_t q, uint32_t n)
{
    uint32_t rows[500];
    for (uint32_t i = 0; i < n; i++)
        rows[i] = w->pushed[q]++;
    CHECK_INT(sched_push(w->s, q, rows, n, NULL), 0);
}

/* kill -9: everything in memory is read back from the ledger. */
static void restart(struct world *w)
{
    static unsigned char in_job[ROWS];
    static uint32_t rest[ROWS];
    sched_free(w->s);
    w->s = sched_new(&(struct sched_config){.max_job = 32});
    w->restarts++;
    for (int64_t k = 1; k <= WORKERS; k++)
        CHECK_INT(sched_worker_add(w->s, k, 1, 0, NULL), 0);
    for (int64_t q = 0; q < SEARCHES; q++) {
        if (w->cancelled[q])
            continue;
        add_search(w, q);
        memset(in_job, 0, sizeof in_job);
        for (int64_t j = 1; j <= w->njobs; j++) {
            struct entry *e = &w->job[j];
            if (e->search != q || (!e->open && !e->done))
                continue;
            for (uint32_t i = 0; i < e->nrows; i++)
                in_job[e->row[i]] = 1;
            if (!e->open)
                continue;
            struct sched_job_row row = {
                .id = j, .search = q, .failed = e->failed, .expired = e->expired, .rows = e->row, .nrows = e->nrows};
            CHECK_INT(sched_load_job(w->s, &row, NULL), 0);
            for (uint32_t i = 0; i < e->nleases; i++)
                CHECK_INT(
                    sched_load_lease(w->s, &e->lease[i].id, j, e->lease[i].worker, e->lease[i].live, w->now, NULL), 0);
        }
        uint32_t n = 0;
        for (uint32_t i = 0; i < w->pushed[q]; i++)
            if (!in_job[i])
                rest[n++] = i;
        CHECK_INT(sched_push(w->s, q, rest, n, NULL), 0);
    }
    sched_load_next_job(w->s, w->njobs + 1);
}

static void check_all(struct world *w)
{
    for (int64_t q = 0; q < SEARCHES; q++)
        for (uint32_t i = 0; i < w->pushed[q]; i++) {
            int times = w->scored[q][i] + w->failed[q][i];
            if (times > 1 || (times == 0 && !w->cancelled[q]))
                test_fail(__FILE__, __LINE__, "search %d candidate %u was counted %d times", (int)q, i, times);
        }
}

TEST(sched_model_exactly_once)
{
    const char *long_run = getenv("SUBRANK_TORTURE");
    uint64_t want = long_run && *long_run == '1' ? 20000000 : 1000000, total = 0;
    uint64_t answers[4] = {0}, lates = 0, restarts = 0;
    for (uint64_t seed = 1; total < want; seed++) {
        struct world *w = calloc(1, sizeof *w);
        w->job = calloc(JOBS, sizeof *w->job);
        w->now = 1000;
        rng_seed(&w->rng, seed, 0);
        w->s = sched_new(&(struct sched_config){.max_job = 32});
        for (int64_t k = 1; k <= WORKERS; k++)
            CHECK_INT(sched_worker_add(w->s, k, 1, 0, NULL), 0);
        for (int64_t q = 0; q < SEARCHES; q++) {
            w->scored[q] = calloc(ROWS, 1);
            w->failed[q] = calloc(ROWS, 1);
            add_search(w, q);
            push(w, q, 100);
        }
        int64_t open = 1;
        for (uint64_t step = 0; step < 60000 || open; step++) {
            w->now += (int64_t)rng_below(&w->rng, 200);
            if (rng_below(&w->rng, 400) == 0)
                w->now += 60000; /* everybody sleeps */
            act(w, 1 + (int64_t)rng_below(&w->rng, WORKERS));
            if (step % 25 == 0)
                sweep(w);
            if (step % 5000 == 4999 && step < 60000)
                restart(w);
            int64_t q = (int64_t)rng_below(&w->rng, SEARCHES);
            if (step < 60000 && step % 200 == 0 && !w->cancelled[q] && w->pushed[q] + 500 < ROWS)
                push(w, q, 1 + (uint32_t)rng_below(&w->rng, 200));
            if (step % 30 == 0)
                sched_search_pause(w->s, q, chance(w, 20) && step < 60000);
            if (step == 40000) {
                sched_search_drop(w->s, 2);
                w->cancelled[2] = 1;
            }
            for (open = step < 60000, q = 0; step >= 60000 && q < SEARCHES; q++)
                open += (int64_t)(sched_queued(w->s, q) + sched_jobs_open(w->s, q));
            CHECK(step < 3000000); /* it must end */
        }
        check_all(w);
        struct sched_stats st;
        sched_stats(w->s, w->now, &st);
        CHECK(st.queued == 0 && st.open_jobs == 0 && st.live_leases == 0);
        total += w->deliveries;
        for (int i = 0; i < 4; i++)
            answers[i] += w->answers[i];
        lates += w->lates;
        restarts += w->restarts;
        sched_free(w->s);
        for (int q = 0; q < SEARCHES; q++) {
            free(w->scored[q]);
            free(w->failed[q]);
        }
        free(w->job);
        free(w);
    }
    printf("# sched model: %llu deliveries, %llu restarts; results stored %llu (late %llu), duplicate %llu, superseded "
           "%llu, "
           "cancelled %llu\n",
           (unsigned long long)total, (unsigned long long)restarts, (unsigned long long)answers[0],
           (unsigned long long)lates, (unsigned long long)answers[1], (unsigned long long)answers[2],
           (unsigned long long)answers[3]);
    for (int i = 0; i < 4; i++)
        CHECK(answers[i] > 0);
    CHECK(lates > 0);
}
