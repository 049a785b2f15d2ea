/* search_view: searches and candidates as the API shows them. */
#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/rankstat.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *real_or_null(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *searches_candidate(const struct search_run *r, const struct scores_row *c, int64_t rank)
{
    static const char *const status[] = {"queued", "scored", "failed"};
    char class[33];
    (void)r;
    hash_hex((const unsigned char *)&c->class_key, 16, class);
    json_t *j = json_pack("{sI ss ss ss sI sI sI}", "index", (json_int_t)c->row, "code", c->code, "class", class,
                          "status", status[c->status], "macs", (json_int_t)c->macs, "params", (json_int_t)c->params,
                          "generation", (json_int_t)c->generation);
    if (!j)
        return NULL;
    json_object_set_new(j, "rank", rank > 0 ? json_integer(rank) : json_null());
    int scored = c->status == SCORES_SCORED;
    struct rankstat_interval ci = rankstat_wilson(scored ? c->n_correct : 0, scored ? c->n_images : 1);
    json_object_set_new(j, "accuracy", scored ? json_real(c->accuracy) : json_null());
    json_object_set_new(j, "accuracy5", scored ? json_real(c->top5) : json_null());
    json_object_set_new(j, "ci", scored ? json_pack("[ff]", ci.lo, ci.hi) : json_null());
    json_object_set_new(j, "n_images", scored ? json_integer(c->n_images) : json_null());
    json_object_set_new(j, "n_correct", scored ? json_integer(c->n_correct) : json_null());
    json_object_set_new(j, "n_correct_top5", scored ? json_integer(c->n_correct_top5) : json_null());
    json_object_set_new(j, "loss", scored ? real_or_null(c->loss) : json_null());
    json_object_set_new(j, "worker", c->worker ? json_integer(c->worker) : json_null());
    json_object_set_new(j, "scored_at", c->scored_at_ms ? json_integer(c->scored_at_ms) : json_null());
    int done = c->status != SCORES_PROPOSED; /* its own result counts */
    json_object_set_new(j, "replicas", done ? json_integer(1 + (json_int_t)c->repeats) : json_null());
    json_object_set_new(j, "agreed", done ? json_integer(1 + (json_int_t)c->agreed) : json_null());
    if (isfinite(c->truth))
        json_object_set_new(j, "truth", json_real(c->truth));
    return j;
}

struct search_summary searches_summary(const struct search_run *r)
{
    if (!r->scores)
        return r->summary;
    return (struct search_summary){scores_count(r->scores), scores_scored(r->scores), scores_failed(r->scores),
                                   scores_best(r->scores)};
}

static json_t *best_of(struct server *s, const struct search_run *r, int64_t best, struct err *err)
{
    struct scores_row c;
    struct arena a;
    if (best < 0)
        return json_null();
    arena_init(&a, 0);
    int rc = 0;
    if (r->scores)
        scores_get(r->scores, (uint32_t)best, &c);
    else
        rc = store_search_row(s->db, r->id, (uint32_t)best, &a, &c, err);
    json_t *j = rc < 0 ? NULL : searches_candidate(r, &c, 1);
    arena_clear(&a);
    return j;
}

json_t *searches_json(struct server *s, struct search_run *r, struct err *err)
{
    struct search_summary sum = searches_summary(r);
    double scored = (double)sum.scored, failed = (double)sum.failed, proposed = (double)sum.proposed;
    double expected = r->asker ? search_expected(r->asker) : proposed;
    json_t *best = best_of(s, r, sum.best, err);
    if (!best) {
        if (!err->code)
            err_set(err, ERR_NO_MEMORY, "", "no memory for the answer");
        return NULL;
    }
    double rate = r->state == SEARCH_RUNNING ? sched_search_rate(s->sched, r->id, clock_mono_ms()) : 0;
    double left = expected - scored - failed;
    int known = isfinite(expected) && expected < 9e15;
    json_t *progress =
        json_pack("{sI sI so sI}", "scored", (json_int_t)scored, "proposed", (json_int_t)proposed, "expected",
                  known ? json_integer((json_int_t)expected) : json_null(), "failed", (json_int_t)failed);
    json_t *j = json_pack(
        "{sI ss ss so sI sI sI sO sO sO sO sI sI sO ss so so s{sf} so sI so ss}", "id", (json_int_t)r->id, "name",
        r->name, "state", searches_state_name(r->state), "error", r->error ? json_incref(r->error) : json_null(),
        "space", (json_int_t)r->space_id, "checkpoint", (json_int_t)r->checkpoint_id, "dataset",
        (json_int_t)r->dataset_id, "strategy", r->strategy, "constraints", r->constraints, "policy", r->policy,
        "evaluation", r->evaluation, "seed", (json_int_t)r->seed, "priority", (json_int_t)r->priority, "tags", r->tags,
        "notes", r->notes, "progress", progress, "best", best, "rate", "per_s", rate, "eta_s",
        known && rate > 0 && r->state == SEARCH_RUNNING ? json_real(left / rate) : json_null(), "created",
        (json_int_t)r->created, "finished", r->finished ? json_integer(r->finished) : json_null(), "owner", r->owner);
    if (!j)
        err_set(err, ERR_NO_MEMORY, "", "no memory for the answer");
    return j;
}

int searches_input(struct server *s, struct search_run *r, struct err *err)
{
    json_t *doc = NULL;
    int rc = r->input ? 1 : store_search_input(s->db, r, &doc, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(doc);
    size_t n = text ? strlen(text) : 0;
    r->input = text ? strndup(text + 1, n - 2) : NULL; /* without the braces */
    free(text);
    return r->input ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a job document");
}
