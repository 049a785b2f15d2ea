/* sched: the protocol's cases one by one; the randomised model is in test_sched_model.c. */
#include "server/sched.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROOM = 16 };

struct bench {
    struct sched *s;
    int64_t now;
    uint64_t ids;
    struct sched_grant out[ROOM];
    size_t n;
    int64_t delay;
};

static struct lease_id fresh_id(struct bench *b)
{
    struct lease_id id = {{0}};
    b->ids++;
    memcpy(id.bytes, &b->ids, sizeof b->ids);
    return id;
}

static void bench_open(struct bench *b, const struct sched_config *c)
{
    memset(b, 0, sizeof *b);
    b->s = sched_new(c ? c : &(struct sched_config){0});
    b->now = 1000000;
    CHECK(b->s != NULL);
}

static void add_search(struct bench *b, int64_t id, uint32_t weight, unsigned char blob, uint32_t rows)
{
    struct sched_search_spec spec = {.id = id, .weight = weight, .nblobs = 1};
    memset(spec.blobs[0], blob, HASH256_SIZE);
    CHECK_INT(sched_search_add(b->s, &spec, NULL), 0);
    uint32_t *v = malloc((rows + 1) * sizeof *v);
    for (uint32_t i = 0; i < rows; i++)
        v[i] = i;
    CHECK_INT(sched_push(b->s, id, v, rows, NULL), 0);
    free(v);
}

static size_t lease(struct bench *b, int64_t worker, size_t max, const struct lease_id *held, size_t nheld)
{
    struct lease_id ids[ROOM];
    for (size_t i = 0; i < max; i++)
        ids[i] = fresh_id(b);
    struct sched_ask ask = {.worker = worker, .now = b->now, .held = held, .nheld = nheld, .max = max, .fresh = ids};
    CHECK_INT(sched_lease(b->s, &ask, b->out, &b->n, &b->delay, NULL), 0);
    return b->n;
}

TEST(sched_result_once)
{
    struct bench b;
    struct sched_delivery d;
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 3);
    CHECK_INT(sched_worker_add(b.s, 7, 2, 0, NULL), 0);
    CHECK_INT(lease(&b, 7, 1, NULL, 0), 1);
    struct sched_grant g = b.out[0];
    CHECK(g.fresh_job && g.fresh_lease && g.attempt == 1 && g.nrows >= 1);
    struct lease_id wrong = g.lease;
    wrong.bytes[15] ^= 1;
    CHECK_INT(sched_result(b.s, g.job, &wrong, b.now, &d), SCHED_UNKNOWN);
    CHECK_INT(sched_result(b.s, g.job + 1, &g.lease, b.now, &d), SCHED_UNKNOWN);
    CHECK_INT(sched_result(b.s, g.job, &g.lease, b.now, &d), SCHED_STORED);
    CHECK(d.worker == 7 && d.search == 1 && d.nrows == g.nrows && !d.late);
    CHECK_INT(sched_result(b.s, g.job, &g.lease, b.now, &d), SCHED_UNKNOWN);
    CHECK_INT(sched_final(1, &g.lease, &g.lease), SCHED_ANSWER_DUPLICATE);
    CHECK_INT(sched_final(1, &wrong, &g.lease), SCHED_ANSWER_SUPERSEDED);
    CHECK_INT(sched_final(1, NULL, &g.lease), SCHED_ANSWER_SUPERSEDED);
    CHECK_INT(sched_final(0, NULL, &g.lease), SCHED_ANSWER_CANCELLED);
    sched_free(b.s);
}

/* The lease expires, another worker gets the job, the first one's result still counts and the second's does not. */
TEST(sched_late_result)
{
    struct bench b;
    struct sched_delivery d;
    struct sched_expired e[4];
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 1);
    for (int64_t w = 1; w <= 2; w++)
        CHECK_INT(sched_worker_add(b.s, w, 1, 0, NULL), 0);
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    struct sched_grant first = b.out[0];
    b.now += 89999;
    CHECK_INT(sched_expire(b.s, b.now, e, 4), 0);
    b.now += 1;
    CHECK_INT(sched_next_deadline(b.s), b.now);
    CHECK_INT(sched_expire(b.s, b.now, e, 4), 1);
    CHECK(e[0].job == first.job && e[0].worker == 1 && !e[0].gave_up);
    CHECK_INT(lease(&b, 2, 1, NULL, 0), 1);
    CHECK(b.out[0].job == first.job && !b.out[0].fresh_job && b.out[0].attempt == 2);
    struct sched_grant second = b.out[0];
    CHECK_INT(sched_result(b.s, first.job, &first.lease, b.now, &d), SCHED_STORED);
    CHECK(d.late && d.worker == 1);
    CHECK_INT(sched_result(b.s, second.job, &second.lease, b.now, &d), SCHED_UNKNOWN);
    struct lease_id gone[1];
    struct sched_grant forgotten[4];
    struct sched_beat beat;
    CHECK_INT(sched_beat(b.s, 2, b.now, &second.lease, 1, gone, forgotten, 4, 0, &beat, NULL), 0);
    CHECK_INT(beat.ngone, 1);
    sched_free(b.s);
}

/* A silent worker that beats again before anybody took its job goes on with it. */
TEST(sched_revive)
{
    struct bench b;
    struct sched_expired e[4];
    struct lease_id gone[1];
    struct sched_grant forgotten[4];
    struct sched_beat beat;
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 1);
    CHECK_INT(sched_worker_add(b.s, 1, 1, 0, NULL), 0);
    CHECK_INT(sched_worker_add(b.s, 2, 1, 0, NULL), 0);
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    struct sched_grant g = b.out[0];
    b.now += 100000;
    CHECK_INT(sched_expire(b.s, b.now, e, 4), 1);
    CHECK_INT(sched_beat(b.s, 1, b.now, &g.lease, 1, gone, forgotten, 4, 0, &beat, NULL), 0);
    CHECK_INT(beat.ngone, 0);
    CHECK_INT(lease(&b, 2, 1, NULL, 0), 0);
    CHECK(b.delay >= 200 && b.delay <= 60000);
    b.now += 80000;
    CHECK_INT(sched_expire(b.s, b.now, e, 4), 0);
    CHECK_INT(sched_beat(b.s, 2, b.now, &g.lease, 1, gone, forgotten, 4, 0, &beat, NULL), 0);
    CHECK_INT(beat.ngone, 1); /* not its own */
    sched_free(b.s);
}

/* A lost answer: the worker asks again with an empty hand and gets the same lease, not a second one. */
TEST(sched_lost_answer)
{
    struct bench b;
    struct lease_id gone[1];
    struct sched_grant forgotten[4];
    struct sched_beat beat;
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 100);
    CHECK_INT(sched_worker_add(b.s, 1, 1, 0, NULL), 0);
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    struct sched_grant g = b.out[0];
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    CHECK(memcmp(&g.lease, &b.out[0].lease, sizeof g.lease) == 0 && !b.out[0].fresh_lease && b.out[0].job == g.job);
    CHECK_INT(lease(&b, 1, 1, &g.lease, 1), 1);
    CHECK(b.out[0].fresh_lease && b.out[0].job != g.job);
    struct sched_delivery d;
    CHECK_INT(sched_result(b.s, b.out[0].job, &g.lease, b.now, &d), SCHED_UNKNOWN); /* another job's lease */
    b.now += 5000; /* too young to be called forgotten */
    CHECK_INT(sched_beat(b.s, 1, b.now, &g.lease, 1, gone, forgotten, 4, 0, &beat, NULL), 0);
    CHECK(beat.nforgotten == 0 && beat.ngone == 0 && beat.delay_ms == 30000);
    b.now += 6000;
    CHECK_INT(sched_beat(b.s, 1, b.now, &g.lease, 1, gone, forgotten, 4, 500, &beat, NULL), 0);
    CHECK(beat.nforgotten == 1 && forgotten[0].job == b.out[0].job && beat.delay_ms == 35000);
    sched_free(b.s);
}

TEST(sched_failures_move_on_and_end)
{
    struct bench b;
    struct sched_delivery d;
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 1);
    for (int64_t w = 1; w <= 3; w++)
        CHECK_INT(sched_worker_add(b.s, w, 1, 0, NULL), 0);
    CHECK_INT(lease(&b, 3, 1, NULL, 0), 1);
    int64_t job = b.out[0].job;
    struct lease_id l3 = b.out[0].lease;
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 0);
    CHECK_INT(lease(&b, 2, 1, NULL, 0), 0);
    CHECK_INT(sched_failed(b.s, job, &l3, b.now, &d), SCHED_RETRY);
    CHECK_INT(sched_failed(b.s, job, &l3, b.now, &d), SCHED_IGNORE); /* told twice */
    CHECK_INT(lease(&b, 3, 1, NULL, 0), 0);                          /* others first */
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    CHECK_INT(sched_failed(b.s, job, &b.out[0].lease, b.now, &d), SCHED_RETRY);
    b.now += 100000; /* worker 2 is silent by now: one that failed it may try again */
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    CHECK_INT(sched_failed(b.s, job, &b.out[0].lease, b.now, &d), SCHED_GIVE_UP);
    CHECK_INT(d.nrows, 1);
    CHECK_INT(sched_jobs_open(b.s, 1), 0);
    CHECK_INT(sched_result(b.s, job, &l3, b.now, &d), SCHED_UNKNOWN);
    sched_free(b.s);
}

TEST(sched_silence_ends_too)
{
    struct bench b;
    struct sched_expired e[4];
    bench_open(&b, &(struct sched_config){.max_expired = 3});
    add_search(&b, 1, 1, 0, 1);
    CHECK_INT(sched_worker_add(b.s, 1, 1, 0, NULL), 0);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
        b.now += 90000;
        CHECK_INT(sched_expire(b.s, b.now, e, 4), 1);
        CHECK_INT(e[0].gave_up, i == 3);
    }
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 0);
    sched_free(b.s);
}

TEST(sched_pause_cancel_return_leave)
{
    struct bench b;
    struct sched_delivery d;
    struct lease_id gone[4];
    struct sched_grant forgotten[4];
    struct sched_beat beat;
    int64_t job = 0;
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 100);
    CHECK_INT(sched_worker_add(b.s, 1, 1, 0, NULL), 0);
    CHECK_INT(sched_worker_add(b.s, 2, 1, 0, NULL), 0);
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    struct sched_grant g = b.out[0];
    sched_search_pause(b.s, 1, 1);
    CHECK_INT(lease(&b, 2, 1, NULL, 0), 0);
    CHECK_INT(sched_beat(b.s, 1, b.now, &g.lease, 1, gone, forgotten, 4, 0, &beat, NULL), 0);
    CHECK_INT(beat.ngone, 0); /* what runs may finish */
    sched_search_pause(b.s, 1, 0);
    CHECK_INT(sched_return(b.s, 2, &g.lease, b.now, &job), 0);
    CHECK_INT(sched_return(b.s, 1, &g.lease, b.now, &job), 1);
    CHECK_INT(job, g.job);
    CHECK_INT(sched_return(b.s, 1, &g.lease, b.now, &job), 0);
    CHECK_INT(lease(&b, 2, 1, NULL, 0), 1);
    CHECK_INT(b.out[0].job, g.job); /* a returned job goes first */
    sched_worker_drop(b.s, 2, b.now);
    CHECK_INT(lease(&b, 1, 1, NULL, 0), 1);
    CHECK_INT(b.out[0].job, g.job);
    struct lease_id held = b.out[0].lease;
    sched_search_drop(b.s, 1);
    CHECK_INT(sched_beat(b.s, 1, b.now, &held, 1, gone, forgotten, 4, 0, &beat, NULL), 0);
    CHECK_INT(beat.ngone, 1);
    CHECK_INT(sched_result(b.s, g.job, &held, b.now, &d), SCHED_UNKNOWN);
    CHECK_INT(sched_push(b.s, 1, (uint32_t[]){1}, 1, NULL), -ERR_NOT_FOUND);
    struct sched_stats st;
    sched_stats(b.s, b.now, &st);
    CHECK(st.queued == 0 && st.open_jobs == 0 && st.live_leases == 0 && st.workers == 1 && st.live_workers == 1);
    sched_free(b.s);
}

/* Ten workers of different speed for an hour: jobs take about a minute, the shares follow the weights within 10 %. */
TEST(sched_size_and_fairness)
{
    struct bench b;
    struct sched_delivery d;
    bench_open(&b, NULL);
    double got[4] = {0}, speed[11], last_size[11] = {0};
    for (int64_t q = 1; q <= 3; q++)
        add_search(&b, q, (uint32_t)q, (unsigned char)q, 1000000);
    struct sched_grant held[11];
    int64_t until[11];
    for (int64_t w = 1; w <= 10; w++) {
        speed[w] = .2 * (double)w;
        CHECK_INT(sched_worker_add(b.s, w, 1, 0, NULL), 0);
        CHECK_INT(lease(&b, w, 1, NULL, 0), 1);
        held[w] = b.out[0];
        until[w] = b.now + (int64_t)(1000 * held[w].nrows / speed[w]);
    }
    for (int64_t end = b.now + 7200000; b.now < end; b.now += 100)
        for (int64_t w = 1; w <= 10; w++) {
            struct lease_id gone[1];
            struct sched_grant forgotten[1];
            struct sched_beat beat;
            if (b.now % 30000 == 0)
                CHECK_INT(sched_beat(b.s, w, b.now, &held[w].lease, 1, gone, forgotten, 1, 0, &beat, NULL), 0);
            if (b.now < until[w])
                continue;
            CHECK_INT(sched_result(b.s, held[w].job, &held[w].lease, b.now, &d), SCHED_STORED);
            got[held[w].search] += held[w].nrows / speed[w]; /* worker seconds */
            CHECK_INT(lease(&b, w, 1, NULL, 0), 1);
            held[w] = b.out[0];
            until[w] = b.now + (int64_t)(1000 * held[w].nrows / speed[w]);
            last_size[w] = held[w].nrows;
        }
    double all = got[1] + got[2] + got[3];
    for (int q = 1; q <= 3; q++)
        CHECK_NEAR(got[q] / all, q / 6.0, .1 * q / 6.0);
    for (int w = 1; w <= 10; w++) {
        CHECK(last_size[w] / speed[w] > 50 && last_size[w] / speed[w] < 70);
        CHECK_NEAR(sched_worker_rate(b.s, w), speed[w], .05 * speed[w] + .01);
    }
    double flow =
        sched_search_rate(b.s, 1, b.now) + sched_search_rate(b.s, 2, b.now) + sched_search_rate(b.s, 3, b.now);
    CHECK_NEAR(flow, 11, 1); /* the sum of the speeds */
    CHECK(sched_search_rate(b.s, 1, b.now + 60000) > .5 * sched_search_rate(b.s, 1, b.now));
    CHECK(sched_search_rate(b.s, 1, b.now + 3600000) == 0); /* when all have left there is no time to tell */
    sched_free(b.s);
}

/* Generations of 50 with a barrier after each, a job taking 150 ms and each_ms for a candidate: how long eight take. */
static int64_t generations(int nworkers, int64_t each_ms)
{
    enum { MOST = 8, SIZE = 50 };
    struct bench b;
    struct sched_delivery d;
    struct {
        int64_t at; /* the job's end, or the next question */
        int busy;
        struct sched_grant g;
    } w[MOST] = {{0}};
    uint32_t rows[SIZE];
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, SIZE);
    int64_t start = b.now;
    for (int i = 0; i < nworkers; i++) {
        CHECK_INT(sched_worker_add(b.s, i + 1, 1, 0, NULL), 0);
        w[i].at = b.now;
    }
    for (uint32_t done = 0, pushed = SIZE; done < 8 * SIZE;) {
        int next = 0;
        for (int i = 1; i < nworkers; i++)
            if (w[i].at < w[next].at)
                next = i;
        b.now = w[next].at;
        if (w[next].busy) {
            CHECK_INT(sched_result(b.s, w[next].g.job, &w[next].g.lease, b.now, &d), SCHED_STORED);
            w[next].busy = 0;
            done += d.nrows;
        }
        if (done == pushed && done < 8 * SIZE) {
            for (uint32_t i = 0; i < SIZE; i++)
                rows[i] = pushed + i;
            CHECK_INT(sched_push(b.s, 1, rows, SIZE, NULL), 0);
            pushed += SIZE;
        }
        w[next].busy = lease(&b, next + 1, 1, NULL, 0) == 1;
        CHECK(!w[next].busy == (b.delay > 0)); /* who got work may ask again at once */
        w[next].g = b.out[0];
        w[next].at = b.now + (w[next].busy ? 150 + each_ms * w[next].g.nrows : b.delay);
    }
    sched_free(b.s);
    return b.now - start;
}

TEST(sched_two_workers_are_nearly_twice_one)
{
    static const int64_t each[] = {50, 300, 2000, 20000};
    for (int i = 0; i < 4; i++) {
        double two = (double)generations(1, each[i]) / (double)generations(2, each[i]),
               four = (double)generations(1, each[i]) / (double)generations(4, each[i]);
        if (i ? two < 1.8 || four < 3.2 : two < 1.4)
            test_fail(__FILE__, __LINE__, "%d ms a candidate: %.2f times by two workers, %.2f by four", (int)each[i],
                      two, four);
    }
}

TEST(sched_prefers_held_blobs)
{
    struct bench b;
    bench_open(&b, NULL);
    for (int64_t q = 1; q <= 4; q++)
        add_search(&b, q, 1, (unsigned char)q, 10000);
    int stayed = 0;
    for (int64_t w = 1; w <= 40; w++)
        CHECK_INT(sched_worker_add(b.s, w, 1, 0, NULL), 0);
    unsigned char blobs[1][HASH256_SIZE];
    for (int64_t w = 1; w <= 40; w++) {
        struct lease_id id = fresh_id(&b);
        memset(blobs[0], (int)(w % 4 + 1), HASH256_SIZE);
        struct sched_ask ask = {.worker = w, .now = b.now, .max = 1, .fresh = &id, .blobs = blobs, .nblobs = 1};
        CHECK_INT(sched_lease(b.s, &ask, b.out, &b.n, &b.delay, NULL), 0);
        stayed += b.n == 1 && b.out[0].search == w % 4 + 1;
    }
    CHECK(stayed >= 30);
    sched_free(b.s);
}

/* The whole state rebuilt from rows: an open lease goes on, a lapsed one's late result still counts. */
TEST(sched_restart)
{
    struct bench b;
    struct sched_delivery d;
    bench_open(&b, NULL);
    add_search(&b, 1, 1, 0, 0);
    CHECK_INT(sched_worker_add(b.s, 1, 1, 0, NULL), 0);
    CHECK_INT(sched_worker_add(b.s, 2, 1, 0, NULL), 0);
    uint32_t rows[3] = {5, 6, 7};
    struct sched_job_row row = {
        .id = 40, .search = 1, .failed = 1, .rows = rows, .nrows = 3, .navoid = 1, .avoid = {2}};
    CHECK_INT(sched_load_job(b.s, &row, NULL), 0);
    row.id = 41;
    CHECK_INT(sched_load_job(b.s, &row, NULL), 0);
    CHECK_INT(sched_load_job(b.s, &row, NULL), -ERR_CONFLICT);
    struct lease_id live = fresh_id(&b), dead = fresh_id(&b);
    CHECK_INT(sched_load_lease(b.s, &live, 40, 1, 1, b.now, NULL), 0);
    CHECK_INT(sched_load_lease(b.s, &dead, 41, 9, 0, b.now, NULL), 0); /* worker 9 is no more */
    CHECK_INT(sched_push(b.s, 1, (uint32_t[]){8}, 1, NULL), 0);
    CHECK_INT(sched_next_deadline(b.s), b.now + 90000);
    CHECK_INT(lease(&b, 1, 1, &live, 1), 1);
    CHECK(b.out[0].job == 41 && b.out[0].rows[2] == 7);
    CHECK_INT(sched_result(b.s, 41, &dead, b.now, &d), SCHED_STORED);
    CHECK(d.late && d.worker == 9);
    CHECK_INT(sched_result(b.s, 40, &live, b.now, &d), SCHED_STORED);
    CHECK(!d.late && d.rows[0] == 5);
    CHECK_INT(lease(&b, 2, 1, NULL, 0), 1);
    CHECK(b.out[0].job == 42 && b.out[0].fresh_job && b.out[0].rows[0] == 8);
    sched_free(b.s);
}

/* 10,000 workers, ten searches of 100,000: cost of one operation. */
TEST(sched_scale)
{
    enum { WORKERS = 10000 };
    static struct sched_grant held[WORKERS + 1];
    struct bench b;
    struct sched_delivery d;
    struct timespec t0, t1;
    bench_open(&b, NULL);
    for (int64_t q = 1; q <= 10; q++)
        add_search(&b, q, 1, (unsigned char)q, 100000);
    for (int64_t w = 1; w <= WORKERS; w++)
        CHECK_INT(sched_worker_add(b.s, w, 1, .2, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &t0);
    long ops = 0;
    for (int round = 0; round < 4; round++) {
        for (int64_t w = 1; w <= WORKERS; w++, ops++) {
            CHECK_INT(lease(&b, w, 1, NULL, 0), 1);
            held[w] = b.out[0];
        }
        for (int beats = 0; beats < 2; beats++) {
            b.now += 29900;
            for (int64_t w = 1; w <= WORKERS; w++, ops++) {
                struct lease_id gone[1];
                struct sched_grant forgotten[1];
                struct sched_beat beat;
                CHECK_INT(sched_beat(b.s, w, b.now, &held[w].lease, 1, gone, forgotten, 1, 0, &beat, NULL), 0);
                CHECK_INT(beat.ngone, 0);
            }
        }
        for (int64_t w = 1; w <= WORKERS; w++, ops++)
            CHECK_INT(sched_result(b.s, held[w].job, &held[w].lease, b.now, &d), SCHED_STORED);
    }
    clock_gettime(CLOCK_MONOTONIC, &t1);
    double us = ((double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec)) / 1e3 / (double)ops;
    printf("# sched: %.2f us an operation (%ld)\n", us, ops);
    CHECK(us < 50);
    sched_free(b.s);
}
