/* searches: loading, asking, telling, ending. Which worker gets what is the scheduler's business; what a row looks like
 * to the outside is search_view.c's. */
#include "server/searches.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/space.h"
#include "server/db.h"
#include "server/errands.h"
#include "server/events.h"
#include "server/http.h"
#include "server/reaper.h"
#include "server/sched.h"
#include "server/search_fit.h"
#include "server/search_space.h"
#include "server/server.h"
#include "server/store_search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Asking makes plans, tens of microseconds to milliseconds each, on the loop: in slices, so that beats and results do
 * not wait for it. A queue shorter than LOW is filled at once, a longer one up to AHEAD in a fraction of the time.
 * GROUP proposals are queued together, sorted, so that a job's networks begin alike. */
enum { ASK = 4, GROUP = 256, LOW = 512, AHEAD = 16384, LOOSE = 256 };
enum { SLICE_MS = 2, PAUSE_MS = 3, RETRY_MS = 5000, EVENT_MS = 250 };

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

/* Which option each decision of a code has; those without effect are inactive. */
static int decode(void *ctx, const char *code, uint16_t *genes)
{
    const struct search_run *r = ctx;
    int choice[SPACE_MAX_DECISIONS], n = space_ndecisions(r->space);
    unsigned char active[SPACE_MAX_DECISIONS];
    int rc = space_code_parse(r->space, code, choice, NULL);
    if (rc >= 0)
        space_active(r->space, choice, active);
    for (int i = 0; i < n && rc >= 0; i++)
        genes[i] = active[i] ? (uint16_t)choice[i] : SCORES_INACTIVE;
    return rc < 0 ? -1 : 0;
}

static int open_space(struct server *s, struct search_run *r, struct err *err)
{
    if (r->space)
        return 0;
    int rc = store_search_shape(s->db, r, &r->shape, &r->labels, err);
    if (rc < 0 || (rc = store_search_space(s->db, r->space_id, &r->space, err)) < 0)
        return rc;
    return search_space_open(r->space, r->shape, &r->genes, err);
}

static int open_asker(struct server *s, struct search_run *r, struct err *err)
{
    struct search_limits limits;
    int rc = open_space(s, r, err);
    if (rc < 0 || (rc = store_search_limits(r->constraints, &limits, err)) < 0)
        return rc;
    rc = search_open(r->strategy, &limits, (uint64_t)r->seed, &r->genes, &r->asker, err);
    if (rc < 0 && strncmp(err->where, "/constraints", 12) != 0)
        err_prefix(err, "/strategy");
    return rc;
}

/* ---- candidates read back */

static int unhex128(const char *text, struct hash128 *out)
{
    unsigned char b[16];
    if (hash_unhex(text, sizeof b, b) < 0)
        return -1;
    memcpy(out, b, sizeof b);
    return 0;
}

static int read_candidate(struct search_run *r, sqlite3_stmt *st, struct err *err)
{
    char *code = (char *)(uintptr_t)db_text(st, 1);
    struct search_proposal p = {.index = (uint32_t)sqlite3_column_int64(st, 0),
                                .generation = (uint32_t)sqlite3_column_int64(st, 6),
                                .code = code};
    p.cost.macs = (uint64_t)sqlite3_column_int64(st, 4);
    p.cost.params = (uint64_t)sqlite3_column_int64(st, 5);
    if (unhex128(db_text(st, 2), &p.cost.key) < 0 || unhex128(db_text(st, 3), &p.cost.class_key) < 0 ||
        p.index != scores_count(r->scores))
        return err_set(err, ERR_CORRUPT, "database", "candidate %u of search %lld is damaged", p.index,
                       (long long)r->id);
    struct scores_new row = {code, p.cost.class_key, p.cost.macs, p.cost.params, p.generation};
    int rc = r->asker ? search_restore(r->asker, &p, err) : 0;
    return rc < 0 ? rc : scores_add(r->scores, &row, err);
}

static int read_result(struct search_run *r, sqlite3_stmt *st, struct err *err)
{
    uint32_t row = (uint32_t)sqlite3_column_int64(st, 0);
    const char *state = db_text(st, 7);
    if (strcmp(state, "queued") == 0)
        return 0;
    struct scores_result result = {.status = strcmp(state, "scored") == 0 ? SCORES_SCORED : SCORES_FAILED,
                                   .n_images = (uint32_t)sqlite3_column_int64(st, 8),
                                   .n_correct = (uint32_t)sqlite3_column_int64(st, 9),
                                   .n_correct_top5 = (uint32_t)sqlite3_column_int64(st, 10),
                                   .worker = sqlite3_column_int64(st, 12),
                                   .scored_at_ms = sqlite3_column_int64(st, 13)};
    if (result.n_images)
        result.loss = db_is_null(st, 11) ? INFINITY : sqlite3_column_double(st, 11) / result.n_images;
    int rc = scores_set(r->scores, row, &result, err);
    if (rc < 0 || !r->asker)
        return rc;
    int failed = result.status == SCORES_FAILED;
    return search_tell(r->asker, row, failed, failed ? 0 : (double)result.n_correct / result.n_images, err);
}

/* A candidate without score and without job waits for the queue. */
static int note_loose(struct search_run *r, sqlite3_stmt *st, struct err *err)
{
    if (!r->asker || !db_is_null(st, 14) || strcmp(db_text(st, 7), "queued") != 0)
        return 0;
    if (r->nloose % LOOSE == 0) {
        uint32_t *p = realloc(r->loose, (r->nloose + LOOSE) * sizeof *p);
        if (!p)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for the queue");
        r->loose = p;
    }
    r->loose[r->nloose++] = (uint32_t)sqlite3_column_int64(st, 0);
    return 0;
}

/* One pass: a result may be told as soon as its own proposal is there. */
static int read_all(struct server *s, struct search_run *r, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_CANDIDATE_ALL, "i", r->id);
    int rc;
    while ((rc = db_step(st, err)) > 0)
        if ((rc = read_candidate(r, st, err)) < 0 || (rc = read_result(r, st, err)) < 0 ||
            (rc = note_loose(r, st, err)) < 0)
            break;
    db_done(st);
    return rc;
}

static int load_scores(struct server *s, struct search_run *r, struct err *err)
{
    int rc = open_space(s, r, err);
    if (rc < 0)
        return rc;
    r->scores = scores_new(space_ndecisions(r->space), decode, r);
    if (!r->scores)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for scores");
    if ((rc = read_all(s, r, err)) < 0)
        return rc;
    r->queued = scores_count(r->scores);
    return store_search_truth(s->db, r->id, r->scores, err);
}

struct scores *searches_scores(struct server *s, struct search_run *r, struct err *err)
{
    if (!r->scores && load_scores(s, r, err) < 0) {
        scores_free(r->scores);
        r->scores = NULL;
    }
    return r->scores;
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

static int by_generation(const void *a, const void *b, void *scores)
{
    struct scores_row x, y;
    scores_get(scores, *(const uint32_t *)a, &x);
    scores_get(scores, *(const uint32_t *)b, &y);
    return x.generation != y.generation ? (x.generation > y.generation) - (x.generation < y.generation)
                                        : strcmp(x.code, y.code);
}

static int queue_rest(struct server *s, struct search_run *r, struct err *err)
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

/* ---- asking */

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
    for (struct search_run *r = s->searches->first; r; r = r->next)
        if (wants_more(s, r) && (!best || waiting(s, r) < waiting(s, best)))
            best = r;
    return best;
}

static int finish_all(struct server *s, struct err *err)
{
    int rc = 0;
    for (struct search_run *r = s->searches->first; r && rc >= 0; r = r->next)
        if (r->state == SEARCH_RUNNING && !search_ready(r->asker))
            rc = finish_if_done(s, r, err);
    return rc;
}

static void on_ask(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct err err = {0};
    struct search_run *r = NULL;
    int64_t now = clock_mono_ms(), until = now + SLICE_MS;
    if (now < s->ask_after_ms) {
        uv_timer_start(timer, on_ask, (uint64_t)(s->ask_after_ms - now), 0);
        return;
    }
    int rc = 0, low = 0;
    while (!s->reload && rc >= 0 && (r = hungriest(s))) {
        low = waiting(s, r) < LOW;
        if (clock_mono_ms() >= until)
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
        uv_timer_start(timer, on_ask, low ? 0 : PAUSE_MS, 0);
    http_turn(s->http);
}

void searches_wake(struct server *s)
{
    if (!uv_is_active((uv_handle_t *)s->searches->asker))
        uv_timer_start(s->searches->asker, on_ask, 0, 0);
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

int searches_sweep(struct server *s, struct err *err)
{
    int rc = 0;
    for (struct search_run *r = s->searches->first; r && rc >= 0; r = r->next) {
        int64_t best = r->told_late && r->scores ? scores_best(r->scores) : -1;
        if (best >= 0)
            rc = tell_event(s, r, (uint32_t)best, err);
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

static int revive(struct server *s, struct search_run *r, struct err *err)
{
    int rc = open_asker(s, r, err);
    if (rc < 0 || (rc = load_scores(s, r, err)) < 0)
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
            rc = queue_rest(s, r, err);
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
    if ((rc = open_space(s, r, err)) >= 0 && (rc = search_fit(r->space, r->shape, r->labels, err)) >= 0 &&
        (rc = open_asker(s, r, err)) >= 0) {
        json_decref(r->strategy);
        r->strategy = search_document(r->asker); /* with every default, so that later defaults do not change it */
        rc = store_search_strategy(s->db, r, err);
    }
    if (rc >= 0 && !(r->scores = scores_new(space_ndecisions(r->space), decode, r)))
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
    int64_t now = over ? clock_wall_ms() : 0;
    int rc = store_search_state(s->db, r->id, searches_state_name(state), error, now, err);
    if (rc < 0)
        return rc;
    if (!over)
        sched_search_pause(s->sched, r->id, state == SEARCH_PAUSED);
    else if (is_open(r))
        sched_search_drop(s->sched, r->id);
    if (over) {
        stop_asking(r);
        r->finished = now;
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
