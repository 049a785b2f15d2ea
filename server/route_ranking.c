/* route_ranking: pages of candidates and the pictures made of candidates: ranking, Pareto front, improvements, points.
 * Every figure comes from the search's scores in memory; this room only translates queries and answers. */
#include "server/routes.h"
#include "server/scores_order.h"
#include "server/scores_view.h"
#include "server/search_load.h"
#include "server/searches.h"
#include "server/server.h"

#include "proto/base/hash.h"
#include "proto/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 100, PAGE_MAX = 1000, POINTS = 5000, FRONT_MAX = 10000 };

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the answer");
}

static uint64_t bound(const struct request *rq, const char *name, uint64_t otherwise, int up)
{
    double x = request_number(rq, name, NAN);
    if (isnan(x))
        return otherwise;
    x = up ? ceil(x) : floor(x);
    return x <= 0 ? 0 : x >= 0x1p63 ? UINT64_MAX : (uint64_t)x;
}

enum { INACTIVE = 63 };

/* "3:0.2;5:-" lets options 0 and 2 of decision 3 pass, and decision 5 when it has no effect. */
static int read_choices(const char *text, int ndecisions, uint64_t *allow, struct err *err)
{
    for (int d = 0; d < ndecisions; d++)
        allow[d] = UINT64_MAX;
    while (*text) {
        char *end;
        unsigned long d = strtoul(text, &end, 10);
        if (end == text || *end != ':' || d >= (unsigned long)ndecisions)
            return err_set(err, ERR_INVALID, "query choices", "\"%.40s\" does not begin with a decision and \":\"",
                           text);
        allow[d] = 0;
        do {
            text = end + 1;
            unsigned long o = *text == '-' ? INACTIVE : strtoul(text, &end, 10);
            end = *text == '-' ? (char *)text + 1 : end;
            if (end == text || (o >= INACTIVE && *text != '-'))
                return err_set(err, ERR_INVALID, "query choices", "\"%.40s\" is no option below %d", text, INACTIVE);
            allow[d] |= 1ull << o;
        } while (*end == '.');
        if (*end && *end != ';')
            return err_set(err, ERR_INVALID, "query choices", "\"%.40s\" is not understood", end);
        text = *end ? end + 1 : end;
    }
    return 0;
}

/* 0: a class nobody has, so nothing passes. */
static int read_filter(const struct request *rq, const struct scores *scores, struct scores_filter *f)
{
    scores_filter_init(f);
    f->macs_min = bound(rq, "macs_min", 0, 1);
    f->macs_max = bound(rq, "macs_max", UINT64_MAX, 0);
    f->params_min = bound(rq, "params_min", 0, 1);
    f->params_max = bound(rq, "params_max", UINT64_MAX, 0);
    f->accuracy_min = request_number(rq, "accuracy_min", NAN);
    f->accuracy_max = request_number(rq, "accuracy_max", NAN);
    f->top5_min = request_number(rq, "accuracy5_min", NAN);
    f->top5_max = request_number(rq, "accuracy5_max", NAN);
    f->loss_min = request_number(rq, "loss_min", NAN);
    f->loss_max = request_number(rq, "loss_max", NAN);
    f->generation_min = (uint32_t)request_int(rq, "generation_min", 0);
    f->generation_max = (uint32_t)request_int(rq, "generation_max", UINT32_MAX);
    f->worker = request_int(rq, "worker", 0);
    f->prefix = request_text(rq, "q");
    const char *status = request_text(rq, "status"), *class = request_text(rq, "class");
    if (status)
        f->status = strcmp(status, "failed") == 0 ? SCORES_FAILED : SCORES_SCORED;
    struct hash128 key;
    if (class && hash_unhex(class, sizeof key, (unsigned char *)&key))
        return 0;
    if (class)
        f->class_id = scores_class_find(scores, key);
    return !class || f->class_id >= 0;
}

static int read_cursor(const struct request *rq, struct scores_cursor *out, struct err *err)
{
    const char *after = request_text(rq, "after");
    *out = (struct scores_cursor){.row = (uint32_t)fmin((double)request_int(rq, "offset", 0), UINT32_MAX)};
    if (after && scores_cursor_parse(after, out))
        return err_set(err, ERR_INVALID, "query after", "this is no cursor of a ranking");
    return 0;
}

static json_t *candidates(const struct search_run *run, const struct scores *scores, const uint32_t *rows, size_t n,
                          uint32_t rank) /* of the first; 0: none */
{
    json_t *items = json_array();
    struct scores_row row;
    for (size_t i = 0; items && i < n; i++) {
        scores_get(scores, rows[i], &row);
        if (json_array_append_new(items, searches_candidate(run, &row, rank ? rank + (int64_t)i : 0))) {
            json_decref(items);
            return NULL;
        }
    }
    return items;
}

int route_getRanking(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    struct scores_filter f;
    struct scores_cursor at;
    struct scores_page page = {0};
    uint32_t rows[PAGE_MAX], limit = (uint32_t)request_int(rq, "limit", PAGE);
    const char *choices = request_text(rq, "choices");
    int rc = (choices ? searches_open_folded : searches_open)(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = read_cursor(rq, &at, err);
    if (rc)
        return rc;
    uint64_t allow[SPACE_MAX_DECISIONS];
    if (choices && (rc = read_choices(choices, space_ndecisions(run->space), allow, err)) != 0)
        return rc;
    const char *sort = request_text(rq, "sort"), *order = request_text(rq, "order");
    int by = sort ? scores_column_parse(sort) : SCORES_BY_ACCURACY;
    if (by < 0)
        return err_set(err, ERR_INVALID, "query sort", "\"%s\" is no column of a ranking", sort);
    int best_first = by == SCORES_BY_ACCURACY || by == SCORES_BY_TOP5 || by == SCORES_BY_OPINIONS;
    int descending = order ? strcmp(order, "desc") == 0 : best_first;
    int any = read_filter(rq, scores, &f);
    f.allow = choices ? allow : NULL;
    if (any)
        rc = scores_page(scores, (enum scores_column)by, descending, &f, &at, limit < PAGE_MAX ? limit : PAGE_MAX, rows,
                         &page, err);
    if (rc)
        return rc;
    char next[SCORES_CURSOR_TEXT];
    scores_cursor_text(&page.cursor, next);
    json_t *items = candidates(run, scores, rows, page.n, page.n ? page.cursor.rank - page.n + 1 : 0);
    json_t *doc = items ? json_pack("{s:o,s:o,s:I}", "items", items, "next",
                                    page.more ? json_string(next) : json_null(), "total", (json_int_t)page.total)
                        : NULL;
    search_load_order(s, run, (enum scores_column)by, descending); /* for the pages after this one */
    return doc ? request_json(rq, 200, doc) : no_memory(err);
}

static enum scores_axis cost_axis(const struct request *rq, const char *name)
{
    const char *cost = request_text(rq, name);
    return cost && strcmp(cost, "params") == 0 ? SCORES_X_PARAMS : SCORES_X_MACS;
}

int route_getPareto(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    const uint32_t *rows;
    size_t n;
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = scores_pareto(scores, cost_axis(rq, "cost"), &rows, &n, err);
    if (rc)
        return rc;
    json_t *items = candidates(run, scores, rows, n < FRONT_MAX ? n : FRONT_MAX, 0);
    json_t *doc = items ? json_pack("{s:o}", "items", items) : NULL;
    return doc ? request_json(rq, 200, doc) : no_memory(err);
}

int route_getHistory(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    uint32_t rows[PAGE_MAX];
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc)
        return rc;
    size_t n = scores_series(scores, rows, PAGE_MAX);
    json_t *items = json_array();
    for (size_t i = 0; i < n && i < PAGE_MAX; i++) {
        struct scores_row row;
        scores_get(scores, rows[i], &row);
        json_array_append_new(items,
                              json_pack("{s:I,s:I,s:s,s:f}", "n", (json_int_t)row.row + 1, "at",
                                        (json_int_t)row.scored_at_ms, "code", row.code, "accuracy", row.accuracy));
    }
    json_t *doc = json_pack("{s:o}", "items", items);
    return doc ? request_json(rq, 200, doc) : no_memory(err);
}

static void add_point(const struct scores *scores, uint32_t at, enum scores_axis x, json_t *code, json_t *xs,
                      json_t *ys)
{
    struct scores_row row;
    scores_get(scores, at, &row);
    if (row.status != SCORES_SCORED)
        return;
    json_array_append_new(code, json_string(row.code));
    json_array_append_new(xs, json_integer((json_int_t)(x == SCORES_X_PARAMS ? row.params : row.macs)));
    json_array_append_new(ys, json_real(row.accuracy));
}

static int inside(const struct scores *scores, uint32_t row, enum scores_axis x, const struct scores_window *w)
{
    double vx = scores_value(scores, x, row), vy = scores_value(scores, SCORES_X_ACCURACY, row);
    return !(vx < w->xlo) && !(vx > w->xhi) && !(vy < w->ylo) && !(vy > w->yhi);
}

/* 1 for each scored row inside the window; returns how many. */
static uint32_t mark_inside(const struct scores *scores, enum scores_axis x, const struct scores_window *w,
                            unsigned char *in)
{
    uint32_t n = 0;
    for (uint32_t row = 0; row < scores_count(scores); row++) {
        in[row] = scores_is_scored(scores, row) && inside(scores, row, x, w);
        n += in[row];
    }
    return n;
}

/* At most `limit` scored rows of the window, evenly spaced over the proposals, those of the front always among them. */
int route_getPoints(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    struct scores *scores;
    const uint32_t *front;
    size_t n;
    enum scores_axis x = cost_axis(rq, "x");
    struct scores_window w = {request_number(rq, "x_min", NAN), request_number(rq, "x_max", NAN),
                              request_number(rq, "y_min", NAN), request_number(rq, "y_max", NAN)};
    int rc = searches_open(s, rq, &run, &scores, err);
    if (rc == 0)
        rc = scores_pareto(scores, x, &front, &n, err);
    if (rc)
        return rc;
    uint32_t limit = (uint32_t)request_int(rq, "limit", POINTS), count = scores_count(scores), taken = 0;
    unsigned char *in = malloc(count + 1u);
    if (!in)
        return no_memory(err);
    uint32_t total = mark_inside(scores, x, &w, in);
    json_t *code = json_array(), *xs = json_array(), *ys = json_array();
    for (size_t i = 0; i < n; i++)
        if (in[front[i]]) {
            in[front[i]] = 0;
            add_point(scores, front[i], x, code, xs, ys);
            taken++;
        }
    uint32_t room = limit > taken ? limit - taken : 0;
    double step = room && total - taken > room ? (double)(total - taken) / room : 1, due = 0, seen = 0;
    for (uint32_t row = 0; room > 0 && row < count; row++) {
        if (!in[row] || seen++ < due)
            continue;
        due += step;
        add_point(scores, row, x, code, xs, ys);
    }
    free(in);
    json_t *doc = json_pack("{s:I,s:o,s:o,s:o}", "total", (json_int_t)total, "code", code, "x", xs, "y", ys);
    return doc ? request_json(rq, 200, doc) : no_memory(err);
}
