/* route_log: what happened, as lists to read back: the events of a search, the jobs of a worker. */
#include "server/db.h"
#include "server/fleet.h"
#include "server/page.h"
#include "server/routes.h"
#include "server/searches.h"
#include "server/server.h"

static json_t *event_row(sqlite3_stmt *st)
{
    return json_pack("{s:I,s:I,s:s,s:o}", "id", (json_int_t)sqlite3_column_int64(st, 0), "at",
                     (json_int_t)sqlite3_column_int64(st, 1), "kind", db_text(st, 2), "data", db_json(st, 3));
}

int route_listLog(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    int64_t id = request_int(rq, "id", 0);
    int rc = page_open(rq, &page, INT64_MAX, err);
    if (rc < 0)
        return rc;
    if (!searches_find(s->searches, id))
        return err_set(err, ERR_NOT_FOUND, "id", "search %lld does not exist", (long long)id);
    sqlite3_stmt *st = db_query(s->db, SQL_EVENT_LOG, "iii", id, page.after, page.limit + 1);
    return page_answer(rq, &page, st, event_row, err);
}

static json_t *job_row(sqlite3_stmt *st)
{
    return json_pack("{s:I,s:I,s:s,s:s,s:I,s:I,s:o,s:o}", "id", (json_int_t)sqlite3_column_int64(st, 0), "search",
                     (json_int_t)sqlite3_column_int64(st, 1), "kind", db_text(st, 2), "state", db_text(st, 3),
                     "candidates", (json_int_t)sqlite3_column_int64(st, 4), "created",
                     (json_int_t)sqlite3_column_int64(st, 5), "done",
                     db_is_null(st, 6) ? json_null() : json_integer(sqlite3_column_int64(st, 6)), "wall_ms",
                     db_is_null(st, 7) ? json_null() : json_integer(sqlite3_column_int64(st, 7)));
}

int route_listWorkerJobs(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    int64_t id = request_int(rq, "id", 0);
    int rc = page_open(rq, &page, INT64_MAX, err);
    if (rc < 0)
        return rc;
    if (!fleet_find(s->fleet, id))
        return err_set(err, ERR_NOT_FOUND, "id", "there is no worker %lld", (long long)id);
    sqlite3_stmt *st = db_query(s->db, SQL_JOB_OF_WORKER, "iii", id, page.after, page.limit + 1);
    return page_answer(rq, &page, st, job_row, err);
}
