/* route_weights: a candidate's own weights as a file. They need statistics that only a worker can measure: the first
 * request queues an errand, later ones find what it brought. */
#include "proto/space.h"
#include "server/db.h"
#include "server/errands.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_blob.h"
#include "server/store_search.h"
#include "server/weights_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_S = 2 };

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the answer");
}

struct delivery {
    struct weights_source source;
    struct weights_file *file;
    struct err err;
    char name[100];
};

static void drop(void *arg)
{
    struct delivery *d = arg;
    weights_file_close(d->file);
    weights_source_clear(&d->source);
    free(d);
}

static int64_t fill(void *arg, char *buf, size_t max)
{
    struct delivery *d = arg;
    int64_t n = weights_file_read(d->file, buf, max, &d->err);
    return n < 0 ? -1 : n;
}

/* The stream takes the delivery over, so that the job that opened the file must not release it. */
static int send_file(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct delivery **at = arg, *d = *at;
    (void)s;
    if (d->err.code) {
        *err = d->err;
        return -(int)err->code;
    }
    *at = NULL;
    request_set_header(rq, "Content-Disposition", d->name);
    return request_stream(rq, 200, "application/octet-stream", weights_file_size(d->file),
                          &(struct request_source){fill, drop, d, 0});
}

static void open_held(void *arg)
{
    struct delivery **at = arg;
    weights_file_open(&(*at)->source, &(*at)->file, &(*at)->err);
}

static void drop_held(void *arg)
{
    struct delivery **at = arg;
    if (*at)
        drop(*at);
    free(at);
}

static char *metadata(const struct search_run *r, const struct scores_row *row, const json_t *checkpoint,
                      const json_t *result)
{
    char search[24], correct[24], images[24], accuracy[40];
    snprintf(search, sizeof search, "%lld", (long long)r->id);
    snprintf(correct, sizeof correct, "%u", row->n_correct);
    snprintf(images, sizeof images, "%u", row->n_images);
    snprintf(accuracy, sizeof accuracy, "%.17g", row->accuracy);
    char *policy = json_dumps(r->policy, JSON_COMPACT), *evaluation = json_dumps(r->evaluation, JSON_COMPACT);
    const char *digest = json_string_value(json_object_get(result, "stats_digest")),
               *backend = json_string_value(json_object_get(result, "backend")),
               *build = json_string_value(json_object_get(result, "build"));
    json_t *j =
        json_pack("{ss ss ss ss ss ss ss ss ss ss ss ss ss}", "format", "pt", "search", search, "code", row->code,
                  "space", space_name(r->space), "checkpoint", json_string_value(json_object_get(checkpoint, "blob")),
                  "policy", policy ? policy : "", "evaluation", evaluation ? evaluation : "", "accuracy", accuracy,
                  "n_correct", correct, "n_images", images, "stats_digest", digest ? digest : "", "backend",
                  backend ? backend : "", "build", build ? build : "");
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    free(policy);
    free(evaluation);
    return text;
}

static int fill_source(struct server *s, struct search_run *r, const struct scores_row *row, const json_t *result,
                       struct weights_source *src, struct err *err)
{
    json_t *input;
    int rc = store_search_input(s->db, r, &input, err);
    if (rc < 0)
        return rc;
    const json_t *checkpoint = json_object_get(input, "checkpoint"), *rename = json_object_get(checkpoint, "rename"),
                 *statistics = json_object_get(result, "statistics");
    struct store_blob blob;
    rc = store_blob_need(s->db, json_string_value(json_object_get(checkpoint, "blob")), "checkpoint", &blob, err);
    if (rc < 0) {
        json_decref(input);
        return rc;
    }
    src->database = strdup(db_path(s->db));
    src->space = json_dumps(json_object_get(json_object_get(input, "space"), "document"), JSON_COMPACT);
    src->code = strdup(row->code);
    src->rename = rename ? json_dumps(rename, JSON_COMPACT) : NULL;
    src->statistics = statistics ? json_dumps(statistics, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    src->metadata = metadata(r, row, checkpoint, result);
    src->input = r->shape;
    src->blob = blob.id;
    src->size = blob.size;
    json_decref(input);
    return src->database && src->space && src->code && src->metadata ? 0 : no_memory(err);
}

static int deliver(struct server *s, struct request *rq, struct search_run *r, const struct scores_row *row,
                   const json_t *result, struct err *err)
{
    struct delivery **at = calloc(1, sizeof *at), *d = calloc(1, sizeof *d);
    if (!at || !d) {
        free(at);
        free(d);
        return no_memory(err);
    }
    *at = d;
    snprintf(d->name, sizeof d->name, "attachment; filename=\"search-%lld-candidate-%u.safetensors\"", (long long)r->id,
             row->row);
    int rc = fill_source(s, r, row, result, &d->source, err);
    if (rc < 0) {
        drop_held(at);
        return rc;
    }
    return request_work(rq, &(struct request_job){open_held, send_file, drop_held, at});
}

static int wait_for_it(struct request *rq)
{
    char after[12];
    snprintf(after, sizeof after, "%d", RETRY_S);
    request_set_header(rq, "Retry-After", after);
    return request_json(rq, 202, json_pack("{ss si}", "state", "queued", "retry_s", RETRY_S));
}

/* Policies that calibrate nothing leave the checkpoint's own statistics as they are. */
static int needs_worker(const struct search_run *r)
{
    const char *average = json_string_value(json_object_get(r->policy, "average"));
    return average && strcmp(average, "batch") != 0 && strcmp(average, "none") != 0;
}

struct found {
    int64_t id;
    char state[8];
    json_t *result;
};

static int find_errand(struct server *s, const struct search_run *r, uint32_t row, struct found *f, struct err *err)
{
    char rows[24];
    snprintf(rows, sizeof rows, "[%u]", row);
    sqlite3_stmt *st = db_query(s->db, SQL_ERRAND_FIND, "itt", r->id, errand_kind_name(ERRAND_WEIGHTS), rows);
    int rc = db_step(st, err);
    if (rc > 0) {
        f->id = sqlite3_column_int64(st, 0);
        snprintf(f->state, sizeof f->state, "%s", db_text(st, 1));
        f->result = db_json(st, 2);
    }
    db_done(st);
    return rc;
}

/* Says why, once: the next request tries again. */
static int report_failure(struct server *s, const struct found *f, struct err *err)
{
    const char *detail = json_string_value(json_object_get(f->result, "detail"));
    int rc = db_exec(s->db, err, SQL_ERRAND_DELETE, "i", f->id);
    return rc < 0 ? rc
                  : err_set(err, ERR_CONFLICT, "weights", "no worker could measure the statistics (%s); ask again",
                            detail ? detail : "");
}

int route_getCandidateWeights(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *r;
    struct scores_row row;
    struct found f = {0};
    int rc = searches_open_candidate(s, rq, &r, &row, err);
    if (rc)
        return rc;
    if (row.status != SCORES_SCORED)
        return err_set(err, ERR_CONFLICT, "path code", "this candidate has no score");
    if (!needs_worker(r))
        return deliver(s, rq, r, &row, NULL, err);
    rc = find_errand(s, r, row.row, &f, err);
    if (rc > 0 && strcmp(f.state, "done") == 0) {
        rc = deliver(s, rq, r, &row, f.result, err);
    } else if (rc > 0 && strcmp(f.state, "failed") == 0) {
        rc = report_failure(s, &f, err);
    } else if (rc >= 0) {
        if (rc == 0)
            rc = errands_start(s, ERRAND_WEIGHTS, r, &row.row, 1, 0, NULL, err);
        if (rc >= 0)
            rc = wait_for_it(rq);
    }
    json_decref(f.result);
    return rc;
}
