/* route_search: the life of a search. Its candidates are shown by route_ranking.c. */
#include "server/db.h"
#include "server/page.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"
#include "server/store_search.h"

#include <string.h>

static int answer(struct server *s, struct request *rq, int status, struct search_run *r, struct err *err)
{
    json_t *j = searches_json(s, r, err);
    return j ? request_json(rq, status, j) : -(int)err->code;
}

int route_createSearch(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *r;
    int rc = searches_create(s, request_body(rq), request_who(rq)->name, &r, err);
    return rc < 0 ? rc : answer(s, rq, 201, r, err);
}

int route_listSearches(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    const char *state = request_text(rq, "state");
    int rc = page_open(rq, &page, INT64_MAX, err);
    json_t *items = json_array();
    int64_t last = 0, next = 0;
    for (struct search_run *r = searches_first(s->searches); r && rc >= 0 && !next; r = r->next) {
        if (r->id >= page.after || (state && strcmp(state, searches_state_name(r->state)) != 0))
            continue;
        if ((int64_t)json_array_size(items) == page.limit) {
            next = last;
            break;
        }
        json_t *j = searches_json(s, r, err);
        rc = j ? json_array_append_new(items, j) : -(int)err->code;
        last = r->id;
    }
    if (rc < 0) {
        json_decref(items);
        return rc;
    }
    return page_send(rq, items, next);
}

int route_getSearch(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *r;
    int rc = searches_named(s, rq, &r, err);
    return rc < 0 ? rc : answer(s, rq, 200, r, err);
}

int route_patchSearch(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *r;
    int rc = searches_named(s, rq, &r, err);
    if (rc < 0 || (rc = store_search_patch(s->db, r, request_body(rq), err)) < 0)
        return rc;
    sched_search_weight(s->sched, r->id, (uint32_t)r->priority);
    return answer(s, rq, 200, r, err);
}

static int move(struct server *s, struct request *rq, unsigned from, enum search_state to, struct err *err)
{
    struct search_run *r;
    int rc = searches_named(s, rq, &r, err);
    if (rc < 0)
        return rc;
    if (r->state == to)
        return answer(s, rq, 200, r, err);
    if (!(from & 1u << r->state))
        return err_set(err, ERR_CONFLICT, "state", "the search is %s", searches_state_name(r->state));
    s->reload = 1; /* unless all of it works */
    if ((rc = searches_set_state(s, r, to, NULL, err)) < 0)
        return rc;
    s->reload = 0;
    return answer(s, rq, 200, r, err);
}

int route_pauseSearch(struct server *s, struct request *rq, struct err *err)
{
    return move(s, rq, 1u << SEARCH_RUNNING, SEARCH_PAUSED, err);
}

int route_resumeSearch(struct server *s, struct request *rq, struct err *err)
{
    return move(s, rq, 1u << SEARCH_PAUSED, SEARCH_RUNNING, err);
}

int route_cancelSearch(struct server *s, struct request *rq, struct err *err)
{
    return move(s, rq, 1u << SEARCH_RUNNING | 1u << SEARCH_PAUSED, SEARCH_CANCELLED, err);
}

int route_deleteSearch(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *r;
    int rc = searches_named(s, rq, &r, err);
    if (rc < 0)
        return rc;
    s->reload = 1;
    if ((rc = searches_delete(s, r, err)) < 0)
        return rc;
    s->reload = 0;
    return request_empty(rq, 204);
}
