/* route_views: what matters in a search and how far to trust it: density, importance of decisions, isomorphic classes,
 * known accuracies and the correlation with them, always beside what counting MACs or parameters gives. */
#include "server/routes.h"
#include "server/scores_importance.h"
#include "server/scores_view.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/text.h"

#include "proto/base/hash.h"
#include "proto/space.h"
#include "server/db.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 128, TOP = 100, CLASS_PAGE = 100, CLASS_CODES = 1000 };

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the answer");
}

static int answer(struct request *rq, json_t *doc, struct err *err)
{
    return doc ? request_json(rq, 200, doc) : no_memory(err);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *interval(const struct rankstat_interval *i)
{
    return json_pack("{s:o,s:o,s:o}", "value", number(i->value), "lo", number(i->lo), "hi", number(i->hi));
}

/* ---- density */

static void put_range(struct text *t, const char *name, double lo, double hi)
{
    text_put(t, name);
    text_real(t, lo);
    text_put(t, ",");
    text_real(t, hi);
    text_put(t, "],");
}

/* Written as it goes: a tree of a number for each of 65536 bins takes longer than counting a million rows. */
static int answer_density(struct request *rq, const struct scores_density *d)
{
    struct text t = {0};
    int any = isfinite(d->xlo) && isfinite(d->ylo);
    put_range(&t, "{\"x\":[", any ? d->xlo : 0, any ? d->xhi : 0);
    put_range(&t, "\"y\":[", any ? d->ylo : 0, any ? d->yhi : 0);
    put_range(&t, "\"bins\":[", d->nx, d->ny);
    text_put(&t, "\"counts\":[");
    for (size_t i = 0; i < (size_t)d->nx * d->ny; i++) {
        text_add(&t, ",", i > 0);
        text_int(&t, d->counts[i]);
    }
    text_put(&t, "]}");
    return request_written(rq, 200, &t);
}

int route_getDensity(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_density d;
    const char *tx = request_text(rq, "x"), *ty = request_text(rq, "y");
    int x = scores_axis_parse(tx ? tx : "macs"), y = scores_axis_parse(ty ? ty : "accuracy");
    uint32_t bins = (uint32_t)request_int(rq, "bins", BINS);
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc == 0 && (x < 0 || y < 0))
        rc = err_set(err, ERR_INVALID, x < 0 ? "query x" : "query y", "not a column");
    struct scores_window window = {request_number(rq, "x_min", NAN), request_number(rq, "x_max", NAN),
                                   request_number(rq, "y_min", NAN), request_number(rq, "y_max", NAN)};
    if (rc == 0)
        rc = scores_density(scores, (enum scores_axis)x, (enum scores_axis)y, bins, bins, &window, &d, err);
    if (rc)
        return rc;
    return answer_density(rq, &d);
}

/* ---- importance */

static json_t *option_json(const struct space *space, int decision, uint32_t o, const struct scores_option *v)
{
    return json_pack("{s:s,s:I,s:o,s:o,s:o,s:o}", "option", space_option(space, decision, (int)o), "n",
                     (json_int_t)v->n, "mean", number(v->mean.value), "lo", number(v->mean.lo), "hi",
                     number(v->mean.hi), "top_share", number(v->top_share));
}

int route_getImportance(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_importance *im;
    int rc = searches_open_folded(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = scores_importance(scores, (uint32_t)request_int(rq, "top", TOP), &im, err);
    if (rc)
        return rc;
    json_t *items = json_array();
    int n = space_ndecisions(run->space);
    for (int d = 0; d < n; d++) {
        json_t *options = json_array();
        for (uint32_t o = 0; o < im[d].noptions && (int)o < space_noptions(run->space, d); o++)
            json_array_append_new(options, option_json(run->space, d, o, &im[d].options[o]));
        json_array_append_new(items, json_pack("{s:s,s:f,s:I,s:o}", "decision", space_decision_name(run->space, d),
                                               "importance", isfinite(im[d].eta2) ? im[d].eta2 : 0, "n",
                                               (json_int_t)im[d].n, "options", options));
    }
    scores_importance_free(im, n);
    return answer(rq, json_pack("{s:o}", "items", items), err);
}

/* ---- classes */

static json_t *class_json(const struct scores *scores, const struct scores_class *c, size_t codes_told)
{
    uint32_t rows[CLASS_CODES];
    size_t n = scores_class_rows(scores, c->class_id, rows, codes_told < c->n ? codes_told : c->n);
    struct hash128 key = scores_class_key(scores, c->class_id);
    char hex[2 * sizeof key + 1];
    json_t *codes = json_array();
    hash_hex((const unsigned char *)&key, sizeof key, hex);
    for (size_t i = 0; i < n; i++) {
        struct scores_row row;
        scores_get(scores, rows[i], &row);
        json_array_append_new(codes, json_string(row.code));
    }
    return json_pack("{s:s,s:I,s:f,s:f,s:f,s:o}", "class", hex, "n", (json_int_t)c->n, "mean", c->mean, "min", c->min,
                     "max", c->max, "codes", codes);
}

/* How many have several codes, and how far the furthest of one class lie apart. */
static size_t spread_of(const struct scores_class *classes, size_t n, double *widest)
{
    size_t several = 0;
    *widest = 0;
    for (size_t i = 0; i < n; i++) {
        several += classes[i].n > 1;
        *widest = fmax(*widest, classes[i].max - classes[i].min);
    }
    return several;
}

/* Best mean first; the cursor is how many were shown. */
int route_getClasses(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_class *classes;
    size_t n;
    const char *after = request_text(rq, "after");
    char *end = NULL, next[24];
    size_t at = after ? strtoul(after, &end, 10) : (size_t)request_int(rq, "offset", 0),
           limit = (size_t)request_int(rq, "limit", CLASS_PAGE);
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc == 0 && after && (*end || end == after))
        rc = err_set(err, ERR_INVALID, "query after", "this is no cursor of a list of classes");
    if (rc == 0)
        rc = scores_classes(scores, 1, &classes, &n, err);
    if (rc)
        return rc;
    json_t *items = json_array();
    size_t stop = at < n && limit < n - at ? at + limit : n, codes = (size_t)request_int(rq, "codes", CLASS_CODES);
    for (size_t i = at; i < stop; i++)
        json_array_append_new(items, class_json(scores, &classes[i], codes));
    double widest;
    size_t several = spread_of(classes, n, &widest);
    free(classes);
    snprintf(next, sizeof next, "%zu", stop);
    return answer(rq,
                  json_pack("{s:o,s:o,s:I,s:I,s:f}", "items", items, "next", stop < n ? json_string(next) : json_null(),
                            "total", (json_int_t)n, "several", (json_int_t)several, "widest", widest),
                  err);
}

/* ---- correlation with known accuracies (route_truth.c) */

static json_t *correlations(const struct rankstat *r)
{
    return json_pack("{s:o,s:o,s:o}", "tau_b", interval(&r->tau_b), "spearman", interval(&r->spearman), "pearson",
                     interval(&r->pearson));
}

static json_t *top_json(const struct rankstat_top *t)
{
    json_t *j = correlations(&t->corr);
    json_object_set_new(j, "n", json_integer((json_int_t)t->n));
    json_object_set_new(j, "overlap", number(t->overlap));
    json_object_set_new(j, "best_pick", number(t->best_pick));
    json_object_set_new(j, "best", number(t->best));
    return j;
}

int route_getCorrelation(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_correlation c;
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = scores_correlation(scores, &c, err);
    if (rc)
        return rc;
    return answer(rq,
                  json_pack("{s:I,s:o,s:o,s:o,s:{s:o,s:o,s:o}}", "n", (json_int_t)c.n, "score", correlations(&c.score),
                            "macs", correlations(&c.macs), "params", correlations(&c.params), "top_decile", "score",
                            top_json(&c.top_score), "macs", top_json(&c.top_macs), "params", top_json(&c.top_params)),
                  err);
}
