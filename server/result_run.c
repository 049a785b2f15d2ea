/* result_run: a result is accepted whole or not at all. The first one under any lease of an open job is stored; what
 * comes later gets one of the other final answers. */
#include "server/result_run.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/errands.h"
#include "server/fleet.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"
#include "server/trust_run.h"
#include "server/weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct delivery {
    struct search_run *run;
    struct errand *errand; /* NULL: the candidates' one score */
    int64_t job, worker;   /* the worker the lease was given to */
    const char *lease;
    struct lease_id id;
    uint32_t *rows; /* of the job, as the store says */
    const char **codes;
    size_t nrows;
    const json_t **scores; /* [nrows] */
};

/* ---- candidates of a job */

static const char *code_of(const struct scores *scores, uint32_t row)
{
    struct scores_row c;
    scores_get(scores, row, &c);
    return c.code;
}

static int by_code(const void *a, const void *b, void *scores)
{
    return strcmp(code_of(scores, *(const uint32_t *)a), code_of(scores, *(const uint32_t *)b));
}

int result_run_rows(struct server *s, const struct search_run *r, int64_t job, uint32_t **rows, size_t *n,
                    struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_CANDIDATE_OF_JOB, "i", job);
    size_t cap = 0;
    int rc;
    *rows = NULL;
    *n = 0;
    while ((rc = db_step(st, err)) > 0) {
        if (*n == cap) {
            cap = cap ? cap * 2 : 64;
            uint32_t *p = realloc(*rows, cap * sizeof *p);
            if (!p) {
                rc = err_set(err, ERR_NO_MEMORY, "", "no memory for a job");
                break;
            }
            *rows = p;
        }
        (*rows)[(*n)++] = (uint32_t)sqlite3_column_int64(st, 0);
    }
    db_done(st);
    if (rc >= 0 && r->scores && *n > 1)
        qsort_r(*rows, *n, sizeof **rows, by_code, r->scores);
    return rc;
}

/* ---- failing candidates */

static char *error_text(const char *type, const char *where, const char *detail)
{
    json_t *j = json_pack("{ss ss ss}", "type", type, "where", where, "detail", detail);
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

static int fail_candidate(struct server *s, struct search_run *r, uint32_t row, int64_t worker, const char *text,
                          struct err *err)
{
    int64_t now = clock_wall_ms();
    int rc = db_exec(s->db, err, SQL_CANDIDATE_FAIL, "iitii", r->id, (int64_t)row, text ? text : "{}", worker, now);
    if (rc <= 0)
        return rc;
    struct scores_result result = {.status = SCORES_FAILED, .worker = worker, .scored_at_ms = now};
    return searches_tell(s, r, row, &result, err);
}

int result_run_give_up(struct server *s, int64_t search, int64_t job, const uint32_t *rows, uint32_t n, int64_t worker,
                       const struct err *why, struct err *err)
{
    struct search_run *r = searches_find(s->searches, search);
    int rc = db_exec(s->db, err, SQL_JOB_FAILED, "iii", job, clock_wall_ms(), worker);
    char *text = error_text(err_type(why->code), why->where, why->text);
    for (uint32_t i = 0; r && i < n && rc >= 0; i++)
        rc = fail_candidate(s, r, rows[i], worker, text, err);
    free(text);
    log_warn("job_gave_up", "job=%lld search=%lld candidates=%u", (long long)job, (long long)search, n);
    searches_wake(s);
    return rc < 0 ? rc : db_exec(s->db, err, SQL_LEASE_DROP_JOB, "i", job);
}

/* ---- checking */

static int check_score(const struct search_run *r, const json_t *score, struct err *err)
{
    if (json_object_get(score, "error"))
        return 0;
    json_int_t n = json_integer_value(json_object_get(score, "n_images")),
               k = json_integer_value(json_object_get(score, "n_correct"));
    const json_t *k5 = json_object_get(score, "n_correct_top5");
    if (n != r->images)
        return err_set(err, ERR_INVALID, "/n_images", "must be %lld, as the job says", (long long)r->images);
    if (!json_object_get(score, "n_correct") || k > n)
        return err_set(err, ERR_INVALID, "/n_correct", "must be there and at most n_images");
    if (k5 && (json_integer_value(k5) < k || json_integer_value(k5) > n))
        return err_set(err, ERR_INVALID, "/n_correct_top5", "must be between n_correct and n_images");
    if (!json_object_get(score, "loss_sum"))
        return err_set(err, ERR_INVALID, "/loss_sum", "is missing");
    if (json_number_value(json_object_get(score, "loss_sum")) < -1e-3 * (double)n) /* rounding, at most */
        return err_set(err, ERR_INVALID, "/loss_sum", "a cross entropy is not negative");
    return 0;
}

/* -1: not of this job. Results come in the order of the job, or nearly: `guess` is looked at first. */
static int64_t find_code(const struct delivery *d, const char *code, size_t guess)
{
    for (size_t i = 0; i < d->nrows; i++) {
        size_t at = (guess + i) % d->nrows;
        if (strcmp(d->codes[at], code) == 0)
            return (int64_t)at;
    }
    return -1;
}

/* Every candidate of the job exactly once, nothing else. */
static int match(struct delivery *d, const json_t *body, struct err *err)
{
    const json_t *list = json_object_get(body, "scores");
    d->scores = calloc(d->nrows + 1, sizeof *d->scores);
    if (!d->scores)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a result");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *score = json_array_get(list, i);
        int64_t at = find_code(d, json_string_value(json_object_get(score, "code")), i);
        int rc = at < 0          ? err_set(err, ERR_INVALID, "/code", "is no candidate of this job")
                 : d->scores[at] ? err_set(err, ERR_INVALID, "/code", "is given twice")
                                 : check_score(d->run, score, err);
        if (rc < 0) {
            err_prefix(err, "/scores/%zu", i);
            return rc;
        }
        d->scores[at] = score;
    }
    for (size_t i = 0; i < d->nrows; i++)
        if (!d->scores[i])
            return err_set(err, ERR_INVALID, "/scores", "%zu of %zu candidates have no score",
                           d->nrows - json_array_size(list), d->nrows);
    return 0;
}

/* ---- storing */

static int store_score(struct server *s, struct delivery *d, uint32_t row, const json_t *score, struct err *err)
{
    int64_t now = clock_wall_ms(), n = json_integer_value(json_object_get(score, "n_images")),
            k = json_integer_value(json_object_get(score, "n_correct")),
            k5 = json_integer_value(json_object_get(score, "n_correct_top5"));
    const json_t *loss = json_object_get(score, "loss_sum");
    const char *digest = json_string_value(json_object_get(score, "stats_digest"));
    double sum = json_is_null(loss) ? INFINITY : json_number_value(loss);
    int rc = isfinite(sum) ? db_exec(s->db, err, SQL_CANDIDATE_SCORE, "iiiiidtii", d->run->id, (int64_t)row, n, k, k5,
                                     sum, digest, d->worker, now)
                           : db_exec(s->db, err, SQL_CANDIDATE_SCORE, "iiiiintii", d->run->id, (int64_t)row, n, k, k5,
                                     digest, d->worker, now);
    if (rc <= 0)
        return rc < 0 ? rc : err_set(err, ERR_CONFLICT, "", "candidate %u was scored before", row);
    struct scores_result result = {SCORES_SCORED,   (uint32_t)n, (uint32_t)k, (uint32_t)k5,
                                   sum / (double)n, d->worker,   now};
    return searches_tell(s, d->run, row, &result, err);
}

static int store_all(struct server *s, struct delivery *d, int64_t *failed, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < d->nrows && rc >= 0; i++) {
        const json_t *error = json_object_get(d->scores[i], "error");
        if (!error) {
            rc = store_score(s, d, d->rows[i], d->scores[i], err);
            continue;
        }
        char *text = json_dumps(error, JSON_COMPACT);
        (*failed)++;
        rc = fail_candidate(s, d->run, d->rows[i], d->worker, text, err);
        free(text);
    }
    return rc;
}

static int store_job(struct server *s, const struct delivery *d, const json_t *body, struct err *err)
{
    int rc =
        db_exec(s->db, err, SQL_JOB_DONE, "itiittii", d->job, d->lease, d->worker, clock_wall_ms(),
                json_string_value(json_object_get(body, "backend")), json_string_value(json_object_get(body, "build")),
                (int64_t)json_integer_value(json_object_get(body, "wall_ms")),
                (int64_t)json_integer_value(json_object_get(body, "calibration_images")));
    if (rc < 0 || (rc = db_exec(s->db, err, SQL_LEASE_DROP_JOB, "i", d->job)) < 0)
        return rc;
    return searches_tell_job(s, d->run, d->job, "done", d->worker, err);
}

static int answer(struct server *s, struct request *rq, enum sched_answer which)
{
    static const char *const names[] = {"stored", "duplicate", "superseded", "cancelled"};
    metrics_add(s->metrics, (enum metrics_counter)(METRICS_STORED + (int)which), 1);
    return request_json(rq, 200, json_pack("{ss}", "status", names[which]));
}

static int take_result(struct server *s, struct request *rq, struct delivery *d, struct err *err)
{
    struct sched_delivery out;
    int64_t failed = 0;
    s->reload = 1; /* the scheduler is ahead of the store until all of it worked */
    if (sched_result(s->sched, d->job, &d->id, clock_mono_ms(), &out) != SCHED_STORED)
        return err_set(err, ERR_INTERNAL, "", "the scheduler does not know job %lld", (long long)d->job);
    int rc = store_all(s, d, &failed, err);
    if (rc < 0 || (rc = store_job(s, d, request_body(rq), err)) < 0)
        return rc;
    struct worker *w = fleet_find(s->fleet, d->worker);
    if (w && (rc = fleet_scored(s, w, (int64_t)d->nrows - failed, failed, err)) < 0)
        return rc;
    if ((rc = trust_run_scored(s, d->run, d->worker, d->rows, d->nrows, err)) < 0)
        return rc;
    s->reload = 0;
    metrics_add(s->metrics, METRICS_SCORES, d->nrows);
    log_info("job_done", "job=%lld search=%lld worker=%lld candidates=%zu failed=%lld late=%d", (long long)d->job,
             (long long)d->run->id, (long long)d->worker, d->nrows, (long long)failed, out.late);
    searches_wake(s);
    return answer(s, rq, SCHED_ANSWER_STORED);
}

/* ---- attempts that brought no result */

static int is_retryable(const char *type)
{
    for (int i = 1; i < ERR_COUNT; i++)
        if (strcmp(err_type((enum err_code)i), type) == 0)
            return err_retry((enum err_code)i);
    return 0;
}

static int attempt_failed(struct server *s, struct delivery *d, const struct err *why, struct err *err)
{
    struct sched_delivery out;
    s->reload = 1;
    enum sched_failure f = sched_failed(s->sched, d->job, &d->id, clock_mono_ms(), &out);
    int rc = f == SCHED_IGNORE ? 0 : db_exec(s->db, err, SQL_LEASE_STATE, "itt", d->job, d->lease, "failed");
    if (rc >= 0 && f != SCHED_IGNORE)
        rc = db_exec(s->db, err, SQL_JOB_COUNT_FAILED, "i", d->job);
    if (rc >= 0 && f == SCHED_GIVE_UP && d->errand)
        rc = errands_fail(s, d->errand, why, err);
    else if (rc >= 0 && f == SCHED_GIVE_UP)
        rc = result_run_give_up(s, d->run->id, d->job, d->rows, (uint32_t)d->nrows, d->worker, why, err);
    if (rc >= 0)
        s->reload = 0;
    log_warn("attempt_failed", "job=%lld worker=%lld type=%s gave_up=%d detail=\"%s\"", (long long)d->job,
             (long long)d->worker, err_type(why->code), f == SCHED_GIVE_UP, why->text);
    return rc;
}

/* A result of an errand: what it is for is decided elsewhere; -ERR_INVALID there makes it a failed attempt. */
static int take_errand(struct server *s, struct request *rq, struct delivery *d, struct err *err)
{
    struct sched_delivery out;
    struct err wrong = {0};
    json_t *result = NULL;
    int rc = d->errand->kind == ERRAND_CHECK
                 ? trust_run_checked(s, d->run, d->errand, d->worker, d->scores, request_body(rq), &result, &wrong)
                 : weights_accept(s, d->run, d->rows[0], d->scores[0], request_body(rq), &result, &wrong);
    int reload = s->reload; /* scores were taken back */
    if (rc == -ERR_INVALID) {
        metrics_add(s->metrics, METRICS_INVALID, 1);
        rc = attempt_failed(s, d, &wrong, err);
        return rc < 0 ? rc : request_refuse(rq, &wrong);
    }
    if (rc < 0) {
        s->reload = 1;
        *err = wrong;
        return rc;
    }
    s->reload = 1;
    if (sched_result(s->sched, d->job, &d->id, clock_mono_ms(), &out) != SCHED_STORED)
        rc = err_set(err, ERR_INTERNAL, "", "the scheduler does not know job %lld", (long long)d->job);
    if (rc >= 0 && (rc = store_job(s, d, request_body(rq), err)) >= 0)
        rc = errands_done(s, d->errand, result, err);
    json_decref(result);
    if (rc < 0)
        return rc;
    s->reload = reload;
    return answer(s, rq, SCHED_ANSWER_STORED);
}

static int whole_error(struct server *s, struct request *rq, struct delivery *d, const json_t *error, struct err *err)
{
    const char *type = json_string_value(json_object_get(error, "type")),
               *detail = json_string_value(json_object_get(error, "detail")),
               *where = json_string_value(json_object_get(error, "where"));
    struct err why;
    err_set(&why, ERR_INTERNAL, where, "%s: %s", type, detail ? detail : "");
    int rc;
    if (is_retryable(type)) {
        rc = attempt_failed(s, d, &why, err);
    } else if (d->errand) {
        rc = errands_fail(s, d->errand, &why, err);
    } else {
        s->reload = 1;
        rc = db_exec(s->db, err, SQL_JOB_FAILED, "iii", d->job, clock_wall_ms(), d->worker);
        if (rc >= 0)
            rc = searches_set_state(s, d->run, SEARCH_FAILED, error, err);
        if (rc >= 0)
            s->reload = 0;
    }
    return rc < 0 ? rc : answer(s, rq, SCHED_ANSWER_STORED);
}

/* ---- the route */

static int read_lease(struct server *s, struct delivery *d, struct err *err)
{
    return db_int(s->db, err, &d->worker, SQL_LEASE_GET, "it", d->job, d->lease);
}

/* 1: open; 0: over, *final says how. */
static int read_job(struct server *s, struct delivery *d, int64_t *search, enum sched_answer *final, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_JOB_GET, "i", d->job);
    int rc = db_step(st, err), open = 0;
    if (rc > 0) {
        const char *state = db_text(st, 2);
        struct lease_id accepted = {{0}};
        int has = hash_unhex(db_text(st, 3), sizeof accepted.bytes, accepted.bytes) == 0;
        open = strcmp(state, "open") == 0;
        *search = sqlite3_column_int64(st, 0);
        d->errand = db_is_null(st, 4) ? NULL : errands_find(s->errands, sqlite3_column_int64(st, 4));
        *final = sched_final(strcmp(state, "done") == 0, has ? &accepted : NULL, &d->id);
    }
    db_done(st);
    return rc < 0 ? rc : open;
}

static int errand_rows(struct delivery *d, struct err *err)
{
    d->nrows = d->errand->nrows;
    d->rows = malloc(d->nrows * sizeof *d->rows + 1);
    if (!d->rows)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a result");
    memcpy(d->rows, d->errand->rows, d->nrows * sizeof *d->rows);
    return 0;
}

/* The rows may not be in memory: a search that ended can have errands. */
static int read_codes(struct server *s, struct delivery *d, struct arena *a, struct err *err)
{
    d->codes = arena_array(a, d->nrows + 1, sizeof *d->codes);
    int rc = d->codes ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a result");
    for (size_t i = 0; i < d->nrows && rc >= 0; i++)
        if (d->run->scores)
            d->codes[i] = code_of(d->run->scores, d->rows[i]);
        else
            rc = store_search_code(s->db, d->run->id, d->rows[i], a, &d->codes[i], err);
    return rc;
}

static int deliver(struct server *s, struct request *rq, struct delivery *d, struct err *err)
{
    const json_t *body = request_body(rq), *error = json_object_get(body, "error");
    int rc = d->errand ? errand_rows(d, err) : result_run_rows(s, d->run, d->job, &d->rows, &d->nrows, err);
    if (rc < 0)
        return rc;
    if (error)
        return whole_error(s, rq, d, error, err);
    if ((rc = read_codes(s, d, request_arena(rq), err)) < 0)
        return rc;
    struct err wrong = {0};
    if (match(d, body, &wrong) >= 0)
        return d->errand ? take_errand(s, rq, d, err) : take_result(s, rq, d, err);
    if (wrong.code == ERR_NO_MEMORY) {
        *err = wrong;
        return -(int)err->code;
    }
    metrics_add(s->metrics, METRICS_INVALID, 1);
    rc = attempt_failed(s, d, &wrong, err);
    return rc < 0 ? rc : request_refuse(rq, &wrong);
}

int route_putResult(struct server *s, struct request *rq, struct err *err)
{
    struct delivery d = {.job = request_int(rq, "job", 0), .lease = request_text(rq, "lease")};
    enum sched_answer final = SCHED_ANSWER_CANCELLED;
    int64_t search = 0;
    hash_unhex(d.lease, sizeof d.id.bytes, d.id.bytes);
    struct worker *caller = fleet_find(s->fleet, request_who(rq)->worker);
    int rc = caller ? fleet_seen(s, caller, err) : 0;
    if (rc < 0 || (rc = read_lease(s, &d, err)) < 0)
        return rc;
    if (rc == 0 || d.worker != request_who(rq)->worker || (caller && caller->quarantined))
        /* never given, gone with its search, another worker's, or not to be believed */
        return answer(s, rq, SCHED_ANSWER_CANCELLED);
    if ((rc = read_job(s, &d, &search, &final, err)) < 0)
        return rc;
    d.run = searches_find(s->searches, search);
    if (rc == 0 || !d.run || (!d.errand && d.run->state != SEARCH_RUNNING && d.run->state != SEARCH_PAUSED))
        return answer(s, rq, rc == 0 ? final : SCHED_ANSWER_CANCELLED);
    rc = deliver(s, rq, &d, err);
    free(d.rows);
    free(d.scores);
    return rc;
}
