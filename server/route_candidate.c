/* route_candidate: one candidate with all that is stored about how it was scored. */
#include "server/db.h"
#include "server/routes.h"
#include "server/scores_view.h"
#include "server/searches.h"
#include "server/server.h"

/* Better ones + 1; ties share a rank. 0: not scored. */
static int64_t rank_of(const struct scores *scores, uint32_t row)
{
    if (!scores_is_scored(scores, row))
        return 0;
    int64_t better = 0;
    double mine = scores_value(scores, SCORES_X_ACCURACY, row);
    for (uint32_t r = 0; r < scores_count(scores); r++)
        better += scores_is_scored(scores, r) && scores_value(scores, SCORES_X_ACCURACY, r) > mine;
    return better + 1;
}

/* What only the store keeps. */
static int add_stored(struct server *s, const struct search_run *run, uint32_t row, json_t *doc, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_CANDIDATE_GET, "ii", run->id, (int64_t)row);
    int rc = db_step(st, err);
    if (rc > 0) {
        json_object_set_new(doc, "loss_sum", db_is_null(st, 4) ? json_null() : json_real(sqlite3_column_double(st, 4)));
        json_object_set_new(doc, "stats_digest", db_is_null(st, 5) ? json_null() : json_string(db_text(st, 5)));
        json_object_set_new(doc, "error", db_json(st, 8));
        json_object_set_new(doc, "backend", db_is_null(st, 9) ? json_null() : json_string(db_text(st, 9)));
        json_object_set_new(doc, "build", db_is_null(st, 10) ? json_null() : json_string(db_text(st, 10)));
    }
    db_done(st);
    return rc < 0 ? rc : 0;
}

int route_getCandidate(struct server *s, struct request *rq, struct err *err)
{
    int64_t id = request_int(rq, "id", 0);
    struct search_run *run = searches_find(s->searches, id);
    if (!run)
        return err_set(err, ERR_NOT_FOUND, "id", "search %lld does not exist", (long long)id);
    struct scores *scores = searches_scores(s, run, err);
    if (!scores)
        return -(int)ERR_INTERNAL;
    int64_t row = scores_find(scores, request_text(rq, "code"));
    if (row < 0)
        return err_set(err, ERR_NOT_FOUND, "code", "this search has no such candidate");
    struct scores_row r;
    scores_get(scores, (uint32_t)row, &r);
    json_t *doc = searches_candidate(run, &r, rank_of(scores, (uint32_t)row));
    if (!doc)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the answer");
    int rc = add_stored(s, run, (uint32_t)row, doc, err);
    if (rc) {
        json_decref(doc);
        return rc;
    }
    return request_json(rq, 200, doc);
}
