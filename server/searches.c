/* searches: loading, asking, telling, ending. Which worker gets what is the scheduler's business; what a row looks like
 * to the outside is search_view.c's. */
#include "server/searches.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/space.h"
#include "server/db.h"
#include "server/errands.h"
#include "server/events.h"
#include "server/reaper.h"
#include "server/request.h"
#include "server/sched.h"
#include "server/scores_importance.h"
#include "server/search_ask.h"
#include "server/search_fit.h"
#include "server/search_load.h"
#include "server/search_space.h"
#include "server/server.h"
#include "server/store_search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EVENT_MS = 250, KEEP_MS = 600000, JOBS_TOLD = 25, FOLD = 20000 };

struct searches {
    struct server *server;
    struct search_run *first;
    uv_timer_t *asker; /* freed by its close callback: a reload may drop us at any time */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

/* ---- one run in memory */

static void stop_asking(struct search_run *r)
{
    search_close(r->asker);
    r->asker = NULL;
}

static void run_free(struct search_run *r)
{
    stop_asking(r);
    search_load_drop(r);
    scores_free(r->scores);
    search_space_close(&r->genes);
    space_free(r->space);
    json_decref(r->strategy);
    json_decref(r->constraints);
    json_decref(r->policy);
    json_decref(r->evaluation);
    json_decref(r->tags);
    json_decref(r->error);
    free(r->input);
    free(r->name);
    free(r->notes);
    free(r->loose);
    free(r->owner);
    free(r);
}

/* ---- the scheduler's view */

static int schedule(struct server *s, struct search_run *r, struct err *err)
{
    struct sched_search_spec spec = {.id = r->id, .weight = (uint32_t)r->priority, .paused = r->state == SEARCH_PAUSED};
    int rc = store_search_blobs(s->db, r->checkpoint_id, r->dataset_id, spec.blobs, SCHED_BLOBS, &spec.nblobs, err);
    return rc < 0 ? rc : sched_search_add(s->sched, &spec, err);
}

static int is_open(const struct search_run *r)
{
    return r->state == SEARCH_RUNNING || r->state == SEARCH_PAUSED;
}

void searches_wake(struct server *s)
{
    if (!uv_is_active((uv_handle_t *)s->searches->asker))
        uv_timer_start(s->searches->asker, search_ask_slice, 0, 0);
}

/* ---- telling */

static int tell_event(struct server *s, struct search_run *r, uint32_t row, struct err *err)
{
    int64_t now = clock_mono_ms();
    if (now - r->told_ms < EVENT_MS) {
        r->told_late = 1;
        return 0;
    }
    struct scores_row c;
    scores_get(r->scores, row, &c);
    r->told_ms = now;
    r->told_late = 0;
    return events_emit(s->events, "score", r->id,
                       json_pack("{sI sI ss so sI sI}", "search", (json_int_t)r->id, "scored",
                                 (json_int_t)scores_scored(r->scores), "code", c.code, "accuracy",
                                 c.status == SCORES_SCORED ? json_real(c.accuracy) : json_null(), "macs",
                                 (json_int_t)c.macs, "params", (json_int_t)c.params),
                       err);
}

int searches_tell(struct server *s, struct search_run *r, uint32_t row, const struct scores_result *result,
                  struct err *err)
{
    int failed = result->status == SCORES_FAILED;
    int rc = scores_set(r->scores, row, result, err);
    if (rc >= 0 && r->asker)
        rc = search_tell(r->asker, row, failed, failed ? 0 : (double)result->n_correct / result->n_images, err);
    return rc < 0 ? rc : tell_event(s, r, row, err);
}

int searches_tell_job(struct server *s, struct search_run *r, int64_t job, const char *state, int64_t worker,
                      struct err *err)
{
    int64_t now = clock_mono_ms();
    if (now - r->jobs_ms >= 1000) {
        r->jobs_ms = now;
        r->jobs_told = 0;
    }
    if (r->jobs_told == JOBS_TOLD)
        return 0;
    r->jobs_told++;
    return events_emit(s->events, "job", r->id,
                       json_pack("{sI sI ss sI}", "job", (json_int_t)job, "search", (json_int_t)r->id, "state", state,
                                 "worker", (json_int_t)worker),
                       err);
}

/* Nobody has looked at a search that ended for a while. */
static void forget_rows(struct search_run *r)
{
    if (is_open(r) || !r->scores || clock_mono_ms() - r->looked_ms < KEEP_MS)
        return;
    search_load_drop(r);
    r->summary = searches_summary(r);
    scores_free(r->scores);
    r->scores = NULL;
}

int searches_sweep(struct server *s, struct err *err)
{
    int rc = 0;
    for (struct search_run *r = s->searches->first; r && rc >= 0; r = r->next) {
        int64_t best = r->told_late && r->scores ? scores_best(r->scores) : -1;
        if (best >= 0)
            rc = tell_event(s, r, (uint32_t)best, err);
        forget_rows(r);
    }
    return rc;
}

/* ---- life */

struct search_run *searches_first(struct searches *x)
{
    return x->first;
}

struct search_run *searches_find(struct searches *x, int64_t id)
{
    struct search_run *r = x->first;
    while (r && r->id != id)
        r = r->next;
    return r;
}

int searches_named(struct server *s, struct request *rq, struct search_run **out, struct err *err)
{
    int64_t id = request_int(rq, "id", 0);
    *out = searches_find(s->searches, id);
    return *out ? 0 : err_set(err, ERR_NOT_FOUND, "path id", "there is no search %lld", (long long)id);
}

int searches_open(struct server *s, struct request *rq, struct search_run **out, struct scores **scores,
                  struct err *err)
{
    int rc = searches_named(s, rq, out, err);
    if (rc < 0)
        return rc;
    (*out)->looked_ms = clock_mono_ms();
    *scores = (*out)->scores;
    return *scores ? 0 : search_load_begin(s, rq, *out, err);
}

int searches_open_folded(struct server *s, struct request *rq, struct search_run **out, struct scores **scores,
                         struct err *err)
{
    int rc = searches_open(s, rq, out, scores, err);
    if (rc == 0)
        rc = scores_fold(*scores, FOLD, err);
    return rc == 1 && *scores ? request_soon(rq) : rc;
}

int searches_open_candidate(struct server *s, struct request *rq, struct search_run **out, struct scores_row *row,
                            struct err *err)
{
    const char *code = request_text(rq, "code");
    struct scores *scores;
    int rc = searches_open(s, rq, out, &scores, err);
    if (rc)
        return rc;
    int64_t at = scores_find(scores, code);
    if (at < 0)
        return err_set(err, ERR_NOT_FOUND, "path code", "\"%.200s\" is no candidate of this search", code);
    scores_get(scores, (uint32_t)at, row);
    return 0;
}

static int revive(struct server *s, struct search_run *r, struct err *err)
{
    int rc = search_load_asker(s, r, err);
    if (rc < 0 || (rc = search_load_rows(s, r, err)) < 0)
        return rc;
    return schedule(s, r, err);
}

int searches_load(struct server *s, struct searches **out, struct err *err)
{
    struct searches *x = *out = calloc(1, sizeof *x);
    if (!x || !(x->asker = calloc(1, sizeof *x->asker)))
        return err_set(err, ERR_NO_MEMORY, "", "no memory for searches");
    x->server = s;
    uv_timer_init(s->loop, x->asker);
    x->asker->data = s;
    int rc = store_search_all(s->db, &x->first, err);
    for (struct search_run *r = x->first; r && rc >= 0; r = r->next)
        if (is_open(r))
            rc = revive(s, r, err);
    return rc;
}

int searches_start(struct server *s, struct err *err)
{
    int rc = 0;
    for (struct search_run *r = s->searches->first; r && rc >= 0; r = r->next)
        if (is_open(r))
            rc = search_ask_queue_rest(s, r, err);
    searches_wake(s);
    return rc;
}

void searches_free(struct searches *x)
{
    if (!x)
        return;
    while (x->first) {
        struct search_run *next = x->first->next;
        run_free(x->first);
        x->first = next;
    }
    if (x->asker)
        uv_close((uv_handle_t *)x->asker, on_closed);
    free(x);
}

static int tell_state(struct server *s, const struct search_run *r, struct err *err)
{
    log_info("search_state", "search=%lld state=%s", (long long)r->id, searches_state_name(r->state));
    return events_emit(s->events, "search", r->id,
                       json_pack("{sI ss}", "search", (json_int_t)r->id, "state", searches_state_name(r->state)), err);
}

int searches_create(struct server *s, const json_t *body, const char *owner, struct search_run **out, struct err *err)
{
    struct search_run *r = NULL;
    int rc = store_search_insert(s->db, body, owner, &r, err);
    if (rc < 0)
        return rc;
    if ((rc = search_load_space(s, r, err)) >= 0 && (rc = search_fit(r->space, r->shape, r->labels, err)) >= 0 &&
        (rc = search_load_asker(s, r, err)) >= 0) {
        json_decref(r->strategy);
        r->strategy = search_document(r->asker); /* with every default, so that later defaults do not change it */
        rc = store_search_strategy(s->db, r, err);
    }
    if (rc >= 0 && !(r->scores = search_load_empty(r)))
        rc = err_set(err, ERR_NO_MEMORY, "", "no memory for scores");
    if (rc >= 0)
        rc = schedule(s, r, err);
    if (rc >= 0)
        rc = tell_state(s, r, err);
    if (rc < 0) {
        sched_search_drop(s->sched, r->id);
        run_free(r);
        return rc;
    }
    r->next = s->searches->first;
    s->searches->first = *out = r;
    searches_wake(s);
    return 0;
}

int searches_set_state(struct server *s, struct search_run *r, enum search_state state, const json_t *error,
                       struct err *err)
{
    int over = state != SEARCH_RUNNING && state != SEARCH_PAUSED;
    r->finished = over ? clock_wall_ms() : 0;
    r->summary = searches_summary(r);
    r->looked_ms = clock_mono_ms();
    int rc = store_search_state(s->db, r, searches_state_name(state), error, err);
    if (rc < 0)
        return rc;
    if (!over)
        sched_search_pause(s->sched, r->id, state == SEARCH_PAUSED);
    else if (is_open(r))
        sched_search_drop(s->sched, r->id);
    if (over) {
        stop_asking(r);
        json_decref(r->error);
        r->error = error ? json_deep_copy(error) : NULL;
    }
    r->state = state;
    if (!over)
        searches_wake(s);
    return tell_state(s, r, err);
}

int searches_delete(struct server *s, struct search_run *r, struct err *err)
{
    int rc = reaper_doom_search(s, r->id, err);
    if (rc < 0)
        return rc;
    if (is_open(r))
        sched_search_drop(s->sched, r->id);
    errands_drop_search(s, r->id);
    struct search_run **at = &s->searches->first;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    json_t *data = json_pack("{sI ss}", "search", (json_int_t)r->id, "state", "deleted");
    rc = events_emit(s->events, "search", r->id, data, err);
    run_free(r);
    return rc;
}
