/* trust_run: see trust_run.h. Scores taken back are queued again in their searches, ended ones run again; so a ranking
 * still holds every architecture once. */
#include "server/trust_run.h"

#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/errands.h"
#include "server/events.h"
#include "server/fleet.h"
#include "server/search_load.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/trust.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double uniform(uint64_t word)
{
    return (double)(word >> 11) / 9007199254740992.0;
}

int trust_run_scored(struct server *s, const struct search_run *r, int64_t worker, const uint32_t *rows, size_t n,
                     struct err *err)
{
    const struct worker *w = fleet_find(s->fleet, worker);
    uint64_t word[2];
    uint32_t at[TRUST_SAMPLE], sample[TRUST_SAMPLE];
    if (strcmp(s->config->check_results, "adaptive") != 0 || !w || fleet_others(s->fleet, worker, 0) < 1 ||
        hash_random(word, sizeof word) < 0 || !trust_wants_check(&w->trust, uniform(word[0])))
        return 0;
    size_t k = trust_sample(n, word[1], at);
    for (size_t i = 0; i < k; i++)
        sample[i] = rows[at[i]];
    return k ? errands_start(s, ERRAND_CHECK, r, sample, k, worker, NULL, err) : 0;
}

/* ---- opinions */

struct text { /* of a stored score's program */
    char backend[64], build[128];
};

/* 1: the score that counts, by `worker`; 0: it no longer does. */
static int read_first(struct server *s, const struct search_run *r, uint32_t row, int64_t worker,
                      struct trust_opinion *out, struct text *t, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_CANDIDATE_GET, "ii", r->id, (int64_t)row);
    int rc = db_step(st, err), still = rc > 0 && sqlite3_column_int64(st, 6) == worker;
    if (still) {
        snprintf(t->backend, sizeof t->backend, "%s", db_text(st, 9));
        snprintf(t->build, sizeof t->build, "%s", db_text(st, 10));
        *out = (struct trust_opinion){worker,
                                      t->backend,
                                      t->build,
                                      (uint32_t)sqlite3_column_int64(st, 1),
                                      (uint32_t)sqlite3_column_int64(st, 2),
                                      (uint32_t)sqlite3_column_int64(st, 3),
                                      db_is_null(st, 4) ? INFINITY : sqlite3_column_double(st, 4),
                                      strcmp(db_text(st, 0), "failed") == 0};
    }
    db_done(st);
    return rc < 0 ? rc : still;
}

static const char *text_of(const json_t *doc, const char *name)
{
    const char *v = json_string_value(json_object_get(doc, name));
    return v ? v : "";
}

/* doc: {"worker"?, "backend", "build"}; score as in a result document. */
static struct trust_opinion read_opinion(int64_t worker, const json_t *doc, const json_t *score)
{
    const json_t *loss = json_object_get(score, "loss_sum");
    return (struct trust_opinion){worker,
                                  text_of(doc, "backend"),
                                  text_of(doc, "build"),
                                  (uint32_t)json_integer_value(json_object_get(score, "n_images")),
                                  (uint32_t)json_integer_value(json_object_get(score, "n_correct")),
                                  (uint32_t)json_integer_value(json_object_get(score, "n_correct_top5")),
                                  json_is_number(loss) ? json_number_value(loss) : INFINITY,
                                  json_object_get(score, "error") != NULL};
}

/* The verdict on all rows together: one wrong score is enough. */
static int judge(struct server *s, const struct search_run *r, const struct errand *e, int64_t worker,
                 const json_t *const *scores, const json_t *body, enum trust_verdict *out, struct err *err)
{
    const json_t *before = e->second;
    *out = TRUST_FINE;
    for (size_t i = 0; i < e->nrows && *out != TRUST_FIRST_WRONG && *out != TRUST_SECOND_WRONG; i++) {
        struct trust_opinion first, now = read_opinion(worker, body, scores[i]), second = now;
        struct text t;
        int rc = read_first(s, r, e->rows[i], e->worker, &first, &t, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (before)
            second = read_opinion(json_integer_value(json_object_get(before, "worker")), before,
                                  json_array_get(json_object_get(before, "scores"), i));
        enum trust_verdict v = trust_judge(&first, &second, before ? &now : NULL);
        *out = v == TRUST_FINE ? *out : v;
    }
    return 0;
}

/* Every row that still has the score in question shows that it was repeated, and whether with the same outcome. */
static int count_opinions(struct server *s, struct search_run *r, const struct errand *e, int64_t worker,
                          const json_t *const *scores, const json_t *body, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < e->nrows && rc >= 0 && worker != e->worker; i++) {
        struct trust_opinion first, now = read_opinion(worker, body, scores[i]);
        struct text t;
        if ((rc = read_first(s, r, e->rows[i], e->worker, &first, &t, err)) <= 0)
            continue;
        int agree = trust_agree(&first, &now);
        rc = db_exec(s->db, err, SQL_CANDIDATE_OPINION, "iii", r->id, (int64_t)e->rows[i], (int64_t)agree);
        if (r->scores)
            scores_repeated(r->scores, e->rows[i], 1, (uint32_t)agree);
    }
    if (!r->scores)
        search_load_drop(r); /* a thread may be reading what was there before */
    return rc < 0 ? rc : 0;
}

/* ---- consequences */

static int keep(struct server *s, const struct worker *w, struct err *err)
{
    int rc = w->quarantined
                 ? db_exec(s->db, err, SQL_WORKER_TRUST, "iiii", w->id, (int64_t)w->trust.good, (int64_t)w->trust.bad,
                           w->quarantined)
                 : db_exec(s->db, err, SQL_WORKER_TRUST, "iiin", w->id, (int64_t)w->trust.good, (int64_t)w->trust.bad);
    return rc < 0 ? rc : 0;
}

static int agreed(struct server *s, int64_t worker, struct err *err)
{
    struct worker *w = fleet_find(s->fleet, worker);
    if (!w)
        return 0;
    trust_agreed(&w->trust);
    return keep(s, w, err);
}

static int quarantine(struct server *s, struct worker *w, struct err *err)
{
    w->quarantined = clock_wall_ms();
    log_warn("worker_quarantined", "worker=%lld bad=%u", (long long)w->id, w->trust.bad);
    int rc = db_exec(s->db, err, SQL_SEARCH_REOPEN_WORKER, "i", w->id);
    if (rc < 0 || (rc = db_exec(s->db, err, SQL_CANDIDATE_REQUEUE_WORKER, "i", w->id)) < 0 ||
        (rc = db_exec(s->db, err, SQL_LEASE_LAPSE_WORKER, "i", w->id)) < 0)
        return rc;
    log_info("scores_taken_back", "worker=%lld", (long long)w->id);
    return events_emit(s->events, "worker", 0,
                       json_pack("{sI ss ss}", "worker", (json_int_t)w->id, "name", w->name, "state", "quarantined"),
                       err);
}

/* row: of the job whose scores are taken back even when the worker may go on; -1: none counts. */
static int was_wrong(struct server *s, const struct search_run *r, int64_t worker, int64_t row, struct err *err)
{
    struct worker *w = fleet_find(s->fleet, worker);
    if (!w)
        return 0;
    int out = trust_was_wrong(&w->trust), rc = 0;
    log_warn("score_wrong", "worker=%lld search=%lld bad=%u", (long long)worker, (long long)r->id, w->trust.bad);
    s->reload = 1;
    if (row >= 0 && ((rc = db_exec(s->db, err, SQL_SEARCH_REOPEN, "i", r->id)) < 0 ||
                     (rc = db_exec(s->db, err, SQL_CANDIDATE_REQUEUE_JOB, "ii", r->id, row)) < 0))
        return rc;
    if (out && !w->quarantined && (rc = quarantine(s, w, err)) < 0)
        return rc;
    return keep(s, w, err);
}

/* Two differ: a third decides, when there is one. */
static int ask_third(struct server *s, const struct search_run *r, const struct errand *e, int64_t worker,
                     const json_t *const *scores, const json_t *body, struct err *err)
{
    log_warn("scores_differ", "search=%lld workers=%lld,%lld third=%d", (long long)r->id, (long long)e->worker,
             (long long)worker, e->second != NULL);
    if (e->second || worker == e->worker || fleet_others(s->fleet, e->worker, worker) < 1)
        return 0;
    json_t *list = json_array();
    for (size_t i = 0; i < e->nrows; i++)
        json_array_append(list, (json_t *)(uintptr_t)scores[i]);
    json_t *second = json_pack("{sI ss ss so}", "worker", (json_int_t)worker, "backend", text_of(body, "backend"),
                               "build", text_of(body, "build"), "scores", list);
    int rc = second ? errands_start(s, ERRAND_CHECK, r, e->rows, e->nrows, e->worker, second, err)
                    : err_set(err, ERR_NO_MEMORY, "", "no memory for an opinion");
    json_decref(second);
    return rc;
}

int trust_run_checked(struct server *s, struct search_run *r, const struct errand *e, int64_t worker,
                      const json_t *const *scores, const json_t *body, json_t **result, struct err *err)
{
    static const char *const names[] = {"open", "first wrong", "second wrong", "fine"};
    enum trust_verdict v;
    int64_t second = json_integer_value(json_object_get(e->second, "worker"));
    int rc = judge(s, r, e, worker, scores, body, &v, err);
    if (rc < 0 || (rc = count_opinions(s, r, e, worker, scores, body, err)) < 0)
        return rc;
    *result = json_pack("{ss sI}", "verdict", names[v], "by", (json_int_t)worker);
    if (v == TRUST_FINE && worker != e->worker && (rc = agreed(s, e->worker, err)) >= 0)
        rc = agreed(s, worker, err);
    else if (v == TRUST_OPEN)
        rc = ask_third(s, r, e, worker, scores, body, err);
    else if (v == TRUST_FIRST_WRONG)
        rc = was_wrong(s, r, e->worker, e->rows[0], err);
    else if (v == TRUST_SECOND_WRONG)
        rc = was_wrong(s, r, second, -1, err);
    return rc;
}

int trust_run_quarantine(struct server *s, int64_t worker, struct err *err)
{
    struct worker *w = fleet_find(s->fleet, worker);
    if (!w)
        return err_set(err, ERR_NOT_FOUND, "path id", "no worker %lld", (long long)worker);
    if (!w->active)
        return err_set(err, ERR_CONFLICT, "path id", "it has left and gets no jobs; what it scored stays");
    if (w->quarantined)
        return 0;
    s->reload = 1;
    w->nheld = 0;
    int rc = quarantine(s, w, err);
    return rc < 0 ? rc : keep(s, w, err);
}

int trust_run_release(struct server *s, int64_t worker, struct err *err)
{
    struct worker *w = fleet_find(s->fleet, worker);
    if (!w)
        return err_set(err, ERR_NOT_FOUND, "path id", "no worker %lld", (long long)worker);
    w->trust = (struct trust){0};
    w->quarantined = 0;
    s->reload = 1; /* the scheduler must know it again */
    return keep(s, w, err);
}
