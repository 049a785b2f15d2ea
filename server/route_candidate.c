/* route_candidate: one candidate with everything needed to repeat its score. */
#include "proto/base/hash.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/scores_view.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the answer");
}

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

static json_t *text_or_null(sqlite3_stmt *st, int column)
{
    return db_is_null(st, column) ? json_null() : json_string(db_text(st, column));
}

static json_t *int_or_null(sqlite3_stmt *st, int column)
{
    return db_is_null(st, column) ? json_null() : json_integer(sqlite3_column_int64(st, column));
}

static void add_score(json_t *j, sqlite3_stmt *st)
{
    json_object_set_new(j, "loss_sum", db_is_null(st, 4) ? json_null() : json_real(sqlite3_column_double(st, 4)));
    json_object_set_new(j, "stats_digest", text_or_null(st, 5));
    json_object_set_new(j, "error", db_json(st, 8));
    json_object_set_new(j, "backend", text_or_null(st, 9));
    json_object_set_new(j, "build", text_or_null(st, 10));
    json_object_set_new(j, "job", int_or_null(st, 16));
    json_object_set_new(j, "job_wall_ms", int_or_null(st, 17));
    json_object_set_new(j, "calibration_images", int_or_null(st, 18));
}

/* The job document that scores this one candidate again: `subrank-worker score --job` takes it as it is. */
static int add_repeat(struct server *s, struct search_run *r, json_t *j, const char *code, struct err *err)
{
    json_t *input;
    int rc = store_search_input(s->db, r, &input, err);
    if (rc < 0)
        return rc;
    json_object_set_new(input, "kind", json_string("score"));
    json_object_set_new(input, "candidates", json_pack("[s]", code));
    char *data = json_dumps(json_object_get(input, "dataset"), JSON_COMPACT | JSON_SORT_KEYS), hash[HASH256_HEX];
    if (data)
        hash256_hex(data, strlen(data), hash);
    json_object_set_new(j, "data_hash", data ? json_string(hash) : NULL);
    free(data);
    return json_object_set_new(j, "repeat", input) ? no_memory(err) : 0;
}

int route_getCandidate(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *r;
    struct scores_row row;
    int rc = searches_open_candidate(s, rq, &r, &row, err);
    if (rc)
        return rc;
    json_t *j = searches_candidate(r, &row, rank_of(r->scores, row.row));
    if (!j)
        return no_memory(err);
    sqlite3_stmt *st = db_query(s->db, SQL_CANDIDATE_GET, "ii", r->id, (int64_t)row.row);
    rc = db_step(st, err);
    if (rc > 0)
        add_score(j, st);
    db_done(st);
    if (rc >= 0)
        rc = add_repeat(s, r, j, row.code, err);
    if (rc < 0) {
        json_decref(j);
        return rc;
    }
    return request_json(rq, 200, j);
}
