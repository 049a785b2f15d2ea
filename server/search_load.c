/* search_load: see search_load.h. A thread gets copies and a connection of its own, and hands over what it made on the
 * loop. */
#include "server/search_load.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/space.h"
#include "server/db.h"
#include "server/request.h"
#include "server/scores_kept.h"
#include "server/search_rows.h"
#include "server/search_space.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { HELD = 256 };

/* ---- a run without rows */

/* Which option each decision of a code has; those without effect are inactive. */
static int decode(void *ctx, const char *code, uint16_t *genes)
{
    const struct search_run *r = ctx;
    int choice[SPACE_MAX_DECISIONS], n = space_ndecisions(r->space);
    unsigned char active[SPACE_MAX_DECISIONS];
    int rc = space_code_parse(r->space, code, choice, NULL);
    if (rc >= 0)
        space_active(r->space, choice, active);
    for (int i = 0; i < n && rc >= 0; i++)
        genes[i] = active[i] ? (uint16_t)choice[i] : SCORES_INACTIVE;
    return rc < 0 ? -1 : 0;
}

int search_load_space(struct server *s, struct search_run *r, struct err *err)
{
    if (r->space)
        return 0;
    int rc = store_search_shape(s->db, r, &r->shape, &r->labels, err);
    if (rc < 0 || (rc = store_search_space(s->db, r->space_id, &r->space, err)) < 0)
        return rc;
    return search_space_open(r->space, r->shape, &r->genes, err);
}

int search_load_asker(struct server *s, struct search_run *r, struct err *err)
{
    struct search_limits limits;
    int rc = search_load_space(s, r, err);
    if (rc < 0 || (rc = store_search_limits(r->constraints, &limits, err)) < 0)
        return rc;
    rc = search_open(r->strategy, &limits, (uint64_t)r->seed, &r->genes, &r->asker, err);
    if (rc < 0 && strncmp(err->where, "/constraints", 12) != 0)
        err_prefix(err, "/strategy");
    return rc;
}

struct scores *search_load_empty(struct search_run *r)
{
    return scores_new(space_ndecisions(r->space), decode, r);
}

int search_load_rows(struct server *s, struct search_run *r, struct err *err)
{
    int rc = search_load_space(s, r, err);
    if (rc < 0)
        return rc;
    r->scores = search_load_empty(r);
    if (!r->scores)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for scores");
    struct search_rows rows = {r->id, r->scores, r->asker, NULL, 0};
    rc = search_rows_read(s->db, &rows, err);
    r->loose = rows.loose;
    r->nloose = rows.nloose;
    r->queued = scores_count(r->scores);
    return rc;
}

/* ---- on another thread */

struct search_load {
    struct server *server;
    struct search_run *run; /* NULL: it went away */
    uv_work_t work;
    char *path; /* of the database */
    struct search_rows rows;
    struct request *held[HELD];
    int nheld;
    int64_t began_ms;
    struct err err;
};

static void read_work(uv_work_t *work)
{
    struct search_load *x = work->data;
    struct db *db;
    if (db_open_reader(x->path, &db, &x->err) < 0)
        return;
    search_rows_read(db, &x->rows, &x->err);
    db_close(db);
}

static void load_free(struct search_load *x)
{
    scores_free(x->rows.scores);
    free(x->path);
    free(x);
}

static void read_done(uv_work_t *work, int status)
{
    struct search_load *x = work->data;
    struct search_run *r = x->run;
    (void)status;
    if (r) {
        r->loading = NULL;
        r->looked_ms = clock_mono_ms();
    }
    if (r && !x->err.code) {
        r->scores = x->rows.scores;
        r->queued = scores_count(r->scores);
        x->rows.scores = NULL;
        log_info("search_read", "search=%lld candidates=%u ms=%lld", (long long)r->id, scores_count(r->scores),
                 (long long)(clock_mono_ms() - x->began_ms));
    }
    struct err none = {0};
    for (int i = 0; i < x->nheld; i++)
        request_again(x->held[i], r ? &x->err : &none); /* without the run: the handler says so */
    load_free(x);
}

static int load_new(struct server *s, struct search_run *r, struct err *err)
{
    struct search_load *x = calloc(1, sizeof *x);
    if (x) {
        *x = (struct search_load){.server = s, .run = r, .path = strdup(db_path(s->db)), .began_ms = clock_mono_ms()};
        x->rows = (struct search_rows){.search = r->id, .scores = search_load_empty(r)};
        x->work.data = x;
    }
    if (!x || !x->path || !x->rows.scores) {
        if (x)
            load_free(x);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for scores");
    }
    int rc = uv_queue_work(s->loop, &x->work, read_work, read_done);
    assert(rc == 0); /* it fails only without a function */
    r->loading = x;
    return 0;
}

int search_load_begin(struct server *s, struct request *rq, struct search_run *r, struct err *err)
{
    int rc = r->loading ? 0 : search_load_space(s, r, err);
    if (rc >= 0 && !r->loading)
        rc = load_new(s, r, err);
    if (rc < 0)
        return rc;
    struct search_load *x = r->loading;
    if (x->nheld == HELD)
        return err_set(err, ERR_BUSY, "", "many wait for this search; ask again a little later");
    x->held[x->nheld++] = rq;
    return request_hold(rq);
}

/* ---- orders */

struct search_sort {
    struct search_run *run; /* NULL: it went away, or its rows did */
    struct scores_build *build;
    uv_work_t work;
    struct request *held[HELD];
    int nheld;
};

static void sort_work(uv_work_t *work)
{
    struct search_sort *x = work->data;
    scores_build_run(x->build);
}

static void sort_done(uv_work_t *work, int status)
{
    struct search_sort *x = work->data;
    struct err err = {0};
    (void)status;
    if (scores_build_end(x->run ? x->run->scores : NULL, x->build) && x->run)
        err_set(&err, ERR_NO_MEMORY, "", "not enough memory to sort the ranking");
    if (x->run)
        x->run->sorting = NULL;
    for (int i = 0; i < x->nheld; i++)
        request_again(x->held[i], &err);
    free(x);
}

void search_load_order(struct server *s, struct search_run *r, enum scores_column by, int descending)
{
    if (r->sorting || !scores_build_wanted(r->scores, by, descending))
        return;
    struct search_sort *x = calloc(1, sizeof *x);
    if (!x || !(x->build = scores_build_begin(r->scores, by, descending))) {
        free(x);
        return; /* the next page tries again */
    }
    x->run = r;
    x->work.data = x;
    int rc = uv_queue_work(s->loop, &x->work, sort_work, sort_done);
    assert(rc == 0); /* it fails only without a function */
    r->sorting = x;
}

int search_load_order_first(struct server *s, struct request *rq, struct search_run *r, enum scores_column by,
                            int descending, struct err *err)
{
    if (!scores_build_wanted(r->scores, by, descending))
        return 0;
    search_load_order(s, r, by, descending);
    if (!r->sorting)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory to sort the ranking");
    if (r->sorting->nheld == HELD)
        return err_set(err, ERR_BUSY, "", "many wait for this ranking; ask again a little later");
    r->sorting->held[r->sorting->nheld++] = rq; /* perhaps for another order: then this one comes next */
    return request_hold(rq);
}

void search_load_drop(struct search_run *r)
{
    if (r->loading)
        r->loading->run = NULL;
    if (r->sorting)
        r->sorting->run = NULL;
    r->loading = NULL;
    r->sorting = NULL;
}
