/* route_decisions: a search's candidates by what was chosen in them: an even selection for parallel coordinates, the
 * neighbours of one candidate, the generations of an evolution. */
#include "server/routes.h"
#include "server/scores_genes.h"
#include "server/search_load.h"
#include "server/searches.h"
#include "server/server.h"

#include "proto/space.h"

#include <math.h>
#include <stdlib.h>

enum { LINES = 1000, LINES_MAX = 5000, NEIGHBOURS = 200 };

static int answer(struct request *rq, json_t *doc, struct err *err)
{
    return doc ? request_json(rq, 200, doc) : err_set(err, ERR_NO_MEMORY, "", "not enough memory for the answer");
}

static json_t *options_of(const struct scores *scores, uint32_t row, int n)
{
    const uint16_t *genes = scores_genes(scores, row);
    json_t *list = json_array();
    for (int d = 0; d < n; d++)
        json_array_append_new(list, json_integer(genes[d] == SCORES_INACTIVE ? -1 : genes[d]));
    return list;
}

int route_getChoices(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    uint32_t rows[LINES_MAX], limit = (uint32_t)request_int(rq, "limit", LINES);
    int rc = searches_open_folded(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = search_load_order_first(s, rq, run, SCORES_BY_ACCURACY, 1, err);
    if (rc)
        return rc;
    int64_t n = scores_spread(scores, rows, limit < LINES_MAX ? limit : LINES_MAX, err);
    if (n < 0)
        return (int)n;
    json_t *code = json_array(), *accuracy = json_array(), *macs = json_array(), *params = json_array();
    json_t *choices = json_array();
    for (int64_t i = 0; i < n; i++) {
        struct scores_row row;
        scores_get(scores, rows[i], &row);
        json_array_append_new(code, json_string(row.code));
        json_array_append_new(accuracy, json_real(row.accuracy));
        json_array_append_new(macs, json_integer((json_int_t)row.macs));
        json_array_append_new(params, json_integer((json_int_t)row.params));
        json_array_append_new(choices, options_of(scores, rows[i], space_ndecisions(run->space)));
    }
    return answer(rq,
                  json_pack("{s:I,s:o,s:o,s:o,s:o,s:o}", "total", (json_int_t)scores_scored(scores), "code", code,
                            "accuracy", accuracy, "macs", macs, "params", params, "choices", choices),
                  err);
}

static const char *option_text(const struct space *space, const struct scores *scores, uint32_t row, int decision)
{
    uint16_t o = scores_genes(scores, row)[decision];
    return o == SCORES_INACTIVE ? NULL : space_option(space, decision, o);
}

int route_getNeighbours(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_neighbour found[NEIGHBOURS];
    int rc = searches_open_folded(s, rq, &run, &scores, err);
    if (rc)
        return rc;
    int64_t row = scores_find(scores, request_text(rq, "code"));
    if (row < 0)
        return err_set(err, ERR_NOT_FOUND, "code", "this search has no such candidate");
    int64_t n = scores_neighbours(scores, (uint32_t)row, found, NEIGHBOURS, err);
    if (n < 0)
        return (int)n;
    json_t *items = json_array();
    for (int64_t i = 0; i < n && i < NEIGHBOURS; i++) {
        struct scores_row r;
        int d = found[i].decision;
        scores_get(scores, found[i].row, &r);
        json_array_append_new(items, json_pack("{s:s,s:s?,s:s?,s:o}", "decision", space_decision_name(run->space, d),
                                               "from", option_text(run->space, scores, (uint32_t)row, d), "to",
                                               option_text(run->space, scores, r.row, d), "candidate",
                                               searches_candidate(run, &r, 0)));
    }
    return answer(rq, json_pack("{s:o,s:I}", "items", items, "total", (json_int_t)n), err);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

int route_getGenerations(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_generation *g;
    size_t n;
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = scores_generations(scores, &g, &n, err);
    if (rc)
        return rc;
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++)
        if (g[i].n)
            json_array_append_new(items,
                                  json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o}", "generation", (json_int_t)i, "n",
                                            (json_int_t)g[i].n, "worst", number(g[i].worst), "q1", number(g[i].q1),
                                            "median", number(g[i].median), "q3", number(g[i].q3), "best",
                                            number(g[i].best), "mean", number(g[i].mean)));
    free(g);
    return answer(rq, json_pack("{s:o}", "items", items), err);
}
