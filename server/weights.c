/* weights: see weights.h. Workers of one back end and build give the same bits, so the digests must be equal; another
 * one's statistics differ in the last bits, so there the counts decide, within what two implementations may differ. */
#include "server/weights.h"

#include "server/db.h"
#include "server/searches.h"
#include "server/server.h"

#include <string.h>

struct stored { /* of the candidate's score */
    char digest[40], backend[64], build[128];
    int64_t n, correct;
};

static int read_stored(struct server *s, const struct search_run *r, uint32_t row, struct stored *out, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_CANDIDATE_GET, "ii", r->id, (int64_t)row);
    int rc = db_step(st, err);
    if (rc > 0) {
        out->n = sqlite3_column_int64(st, 1);
        out->correct = sqlite3_column_int64(st, 2);
        snprintf(out->digest, sizeof out->digest, "%s", db_text(st, 5));
        snprintf(out->backend, sizeof out->backend, "%s", db_text(st, 9));
        snprintf(out->build, sizeof out->build, "%s", db_text(st, 10));
    }
    db_done(st);
    return rc < 0 ? rc : rc > 0 ? 0 : err_set(err, ERR_INTERNAL, "", "candidate %u is not there", row);
}

static const char *text(const json_t *doc, const char *name)
{
    const char *v = json_string_value(json_object_get(doc, name));
    return v ? v : "";
}

int weights_accept(struct server *s, const struct search_run *r, uint32_t row, const json_t *score, const json_t *body,
                   json_t **result, struct err *err)
{
    struct stored was = {0};
    const json_t *error = json_object_get(score, "error"), *statistics = json_object_get(score, "statistics");
    if (error)
        return err_set(err, ERR_INVALID, "/scores/0/error", "%s: %s", text(error, "type"), text(error, "detail"));
    if (!json_is_object(statistics))
        return err_set(err, ERR_INVALID, "/scores/0/statistics", "is missing");
    int rc = read_stored(s, r, row, &was, err);
    if (rc < 0)
        return rc;
    int same_program = strcmp(text(body, "backend"), was.backend) == 0 && strcmp(text(body, "build"), was.build) == 0;
    int64_t correct = json_integer_value(json_object_get(score, "n_correct"));
    int64_t apart = correct > was.correct ? correct - was.correct : was.correct - correct;
    if (strcmp(text(score, "stats_digest"), was.digest) != 0 &&
        (same_program || apart > (was.n / 2000 > 1 ? was.n / 2000 : 1)))
        return err_set(err, ERR_INVALID, "/scores/0/stats_digest",
                       "these are not the statistics that the candidate's score was made with");
    *result = json_pack("{sO ss ss ss}", "statistics", statistics, "stats_digest", text(score, "stats_digest"),
                        "backend", text(body, "backend"), "build", text(body, "build"));
    return *result ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for statistics");
}
