/* search_ask: see search_ask.h. */
#include "server/search_ask.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/turn.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"

#include <stdlib.h>
#include <string.h>

/* Asking makes plans, tens of microseconds to milliseconds each, on the loop: in slices, so that beats and results do
 * not wait for it. A queue shorter than LOW is filled at once, a longer one up to AHEAD in a fraction of the time.
 * GROUP proposals are queued together, sorted, so that a job's networks begin alike. */
enum { ASK = 4, GROUP = 256, LOW = 512, AHEAD = 16384 };
enum { SLICE_MS = 1, PAUSE_MS = 4, RETRY_MS = 5000 };

/* ---- queueing */

static int by_generation(const void *a, const void *b, void *scores)
{
    struct scores_row x, y;
    scores_get(scores, *(const uint32_t *)a, &x);
    scores_get(scores, *(const uint32_t *)b, &y);
    return x.generation != y.generation ? (x.generation > y.generation) - (x.generation < y.generation)
                                        : strcmp(x.code, y.code);
}

int search_ask_queue_rest(struct server *s, struct search_run *r, struct err *err)
{
    if (!r->nloose)
        return 0;
    qsort_r(r->loose, r->nloose, sizeof *r->loose, by_generation, r->scores);
    int rc = sched_push(s->sched, r->id, r->loose, r->nloose, err);
    free(r->loose);
    r->loose = NULL;
    r->nloose = 0;
    return rc;
}

struct by_code {
    const char *code;
    uint32_t row;
};

static int by_code(const void *a, const void *b)
{
    return strcmp(((const struct by_code *)a)->code, ((const struct by_code *)b)->code);
}

/* What was proposed since the last time reaches the scheduler, neighbours next to each other. */
static int queue_proposed(struct server *s, struct search_run *r, struct err *err)
{
    uint32_t n = scores_count(r->scores) - r->queued;
    struct by_code *order = malloc((n + 1) * sizeof *order);
    uint32_t *rows = malloc((n + 1) * sizeof *rows);
    int rc = order && rows ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for proposals");
    for (uint32_t i = 0; i < n && rc >= 0; i++) {
        struct scores_row row;
        scores_get(r->scores, r->queued + i, &row);
        order[i] = (struct by_code){row.code, r->queued + i};
    }
    if (rc >= 0) {
        qsort(order, n, sizeof *order, by_code);
        for (uint32_t i = 0; i < n; i++)
            rows[i] = order[i].row;
        rc = sched_push(s->sched, r->id, rows, n, err);
        r->queued += n;
    }
    free(order);
    free(rows);
    return rc;
}

static int store_batch(struct server *s, struct search_run *r, const struct search_proposal *batch, size_t n,
                       struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = store_search_propose(s->db, r->id, &batch[i], err);
        struct scores_new row = {batch[i].code, batch[i].cost.class_key, batch[i].cost.macs, batch[i].cost.params,
                                 batch[i].generation};
        if (rc >= 0)
            rc = scores_add(r->scores, &row, err);
        if (rc >= 0)
            rc = store_search_truth_of(s->db, r->id, batch[i].code, r->scores, err);
    }
    return rc;
}

static int take_batch(struct server *s, struct search_run *r, const struct search_proposal *batch, size_t n,
                      struct err *err)
{
    int rc = db_savepoint(s->db, err); /* a batch is stored whole or not at all */
    if (rc < 0)
        return rc;
    rc = store_batch(s, r, batch, n, err);
    db_savepoint_end(s->db, rc >= 0);
    uint32_t loose = scores_count(r->scores) - r->queued;
    if (rc < 0 || !loose || (loose < GROUP && search_ready(r->asker) && sched_queued(s->sched, r->id) > 0))
        return rc;
    return queue_proposed(s, r, err);
}

static int finish_if_done(struct server *s, struct search_run *r, struct err *err)
{
    if (!search_done(r->asker) || scores_scored(r->scores) + scores_failed(r->scores) < scores_count(r->scores))
        return 0;
    return searches_set_state(s, r, SEARCH_DONE, NULL, err);
}

/* One ask of one search that is ready; how many it brought. */
static int ask(struct server *s, struct search_run *r, struct err *err)
{
    const struct search_proposal *batch;
    size_t n = 0;
    int rc = search_ask(r->asker, ASK, &batch, &n, err);
    if (rc < 0) {
        json_t *error = json_pack("{ss ss ss}", "type", err_type(err->code), "where", err->where, "detail", err->text);
        int failed = searches_set_state(s, r, SEARCH_FAILED, error, err);
        json_decref(error);
        return failed;
    }
    if (!s->lazy_bytes)
        s->lazy_ms = clock_mono_ms();
    s->lazy_bytes += (int64_t)n; /* nobody waits for proposals: a few asks share a commit */
    rc = take_batch(s, r, batch, n, err);
    return rc < 0 ? rc : (int)n;
}

static size_t waiting(const struct server *s, const struct search_run *r)
{
    return sched_queued(s->sched, r->id) + scores_count(r->scores) - r->queued;
}

static int wants_more(const struct server *s, const struct search_run *r)
{
    return r->state == SEARCH_RUNNING && search_ready(r->asker) && waiting(s, r) < AHEAD;
}

/* The search with the shortest queue of those that can propose, or NULL. */
static struct search_run *hungriest(const struct server *s)
{
    struct search_run *best = NULL;
    for (struct search_run *r = searches_first(s->searches); r; r = r->next)
        if (wants_more(s, r) && (!best || waiting(s, r) < waiting(s, best)))
            best = r;
    return best;
}

static int finish_all(struct server *s, struct err *err)
{
    int rc = 0;
    for (struct search_run *r = searches_first(s->searches); r && rc >= 0; r = r->next)
        if (r->state == SEARCH_RUNNING && !search_ready(r->asker))
            rc = finish_if_done(s, r, err);
    return rc;
}

void search_ask_slice(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct err err = {0};
    struct search_run *r = NULL;
    int64_t now = clock_mono_ms();
    if (now < s->ask_after_ms) {
        uv_timer_start(timer, search_ask_slice, (uint64_t)(s->ask_after_ms - now), 0);
        return;
    }
    int rc = 0, low = 0;
    while (!s->reload && rc >= 0 && (r = hungriest(s))) {
        low = waiting(s, r) < LOW;
        if (clock_mono_ms() - now >= (low ? SLICE_MS + s->turn_ms / 2 : SLICE_MS))
            break;
        rc = ask(s, r, &err);
    }
    if (rc >= 0 && !s->reload)
        rc = finish_all(s, &err);
    if (rc < 0) {
        log_error("ask_failed", "type=%s detail=\"%s\"", err_type(err.code), err.text);
        s->reload = 1;
        s->ask_after_ms = clock_mono_ms() + RETRY_MS;
    }
    if (r && rc >= 0)
        uv_timer_start(timer, search_ask_slice, low ? 1 : PAUSE_MS, 0);
    turn_later(s->turn); /* a commit of their own would take its time from requests */
}
