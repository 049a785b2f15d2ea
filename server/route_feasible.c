/* route_feasible: what limits on MACs and parameters leave of a space, so that a person can see it before a search is
 * made. The space is parsed and looked through on a worker thread. */
#include "proto/rankstat.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/search_fit.h"
#include "server/search_survey.h"
#include "server/server.h"
#include "server/store_search.h"

#include <stdlib.h>
#include <string.h>

struct feasible {
    char *document, *total, *estimate;
    struct shape image; /* c = 0: the one that the space names */
    struct search_limits limits;
    struct search_survey found;
    int rc;
    struct err err;
};

/* ---- on the worker thread */

static int look(struct feasible *f, const struct space *space, struct err *err)
{
    struct shape image = f->image.c ? f->image : space_input(space);
    int rc = search_fit(space, image, 0, err);
    if (rc < 0 || (rc = search_survey(space, image, &f->limits, &f->found, err)) < 0)
        return rc;
    f->total = strdup(space_architectures(space));
    f->estimate = search_survey_estimate(space_architectures(space), &f->found);
    return f->total && f->estimate ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a number");
}

static void work(void *arg)
{
    struct feasible *f = arg;
    struct space *space = NULL;
    f->rc = space_parse(f->document, strlen(f->document), &space, &f->err);
    if (f->rc >= 0)
        f->rc = look(f, space, &f->err);
    space_free(space);
}

/* ---- on the loop */

static void release(void *arg)
{
    struct feasible *f = arg;
    free(f->document);
    free(f->total);
    free(f->estimate);
    free(f);
}

static json_t *range(const int64_t v[2])
{
    return json_pack("{sI sI}", "min", (json_int_t)v[0], "max", (json_int_t)v[1]);
}

static int done(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct feasible *f = arg;
    const struct search_survey *n = &f->found;
    (void)s;
    if (f->rc < 0) {
        *err = f->err;
        return f->rc;
    }
    struct rankstat_interval share = rankstat_wilson(n->feasible, n->looked_at);
    double lo = n->exact ? share.value : share.lo, hi = n->exact ? share.value : share.hi;
    json_t *outside =
        json_pack("{s{sI sI} s{sI sI}}", "macs", "min", (json_int_t)n->outside[SURVEY_MACS_MIN], "max",
                  (json_int_t)n->outside[SURVEY_MACS_MAX], "params", "min", (json_int_t)n->outside[SURVEY_PARAMS_MIN],
                  "max", (json_int_t)n->outside[SURVEY_PARAMS_MAX]);
    return request_json(rq, 200,
                        json_pack("{ss ss sb sI sI sf s[ff] so s{so so}}", "architectures", f->total, "estimate",
                                  f->estimate, "exact", n->exact, "looked_at", (json_int_t)n->looked_at, "feasible",
                                  (json_int_t)n->feasible, "share", share.value, "ci", lo, hi, "outside", outside,
                                  "met", "macs", range(n->macs), "params", range(n->params)));
}

static int read_space(struct server *s, struct feasible *f, int64_t id, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_SPACE_GET, "i", id);
    int rc = db_step(st, err);
    if (rc > 0 && !(f->document = strdup(db_text(st, 3))))
        rc = err_set(err, ERR_NO_MEMORY, "", "no memory for the space");
    db_done(st);
    return rc == 0 ? err_set(err, ERR_NOT_FOUND, "path id", "there is no space %lld", (long long)id) : rc < 0 ? rc : 0;
}

int route_surveyFeasible(struct server *s, struct request *rq, struct err *err)
{
    const json_t *body = request_body(rq), *dataset = json_object_get(body, "dataset");
    struct feasible *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a survey");
    struct search_limits *l = &f->limits;
    int rc = read_space(s, f, request_int(rq, "id", 0), err);
    if (rc >= 0)
        rc = store_search_limits(json_object_get(body, "constraints"), l, err);
    if (rc >= 0 && dataset)
        rc = store_search_image(s->db, json_integer_value(dataset), &f->image, err);
    if (rc < 0) {
        release(f);
        return rc;
    }
    return request_work(rq, &(struct request_job){work, done, release, f});
}
