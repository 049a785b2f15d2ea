/* route_space: spaces and what the API tells of them. The language itself is proto/space's. */
#include "proto/base/clock.h"
#include "proto/space.h"
#include "proto/space_json.h"
#include "server/db.h"
#include "server/page.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"

#include <stdlib.h>
#include <string.h>

static json_t *space_row(sqlite3_stmt *st)
{
    json_t *j = db_json(st, 2);
    if (!j)
        return NULL;
    json_object_set_new(j, "id", json_integer(sqlite3_column_int64(st, 0)));
    json_object_set_new(j, "name", json_string(db_text(st, 1)));
    json_object_set_new(j, "created", json_integer(sqlite3_column_int64(st, 4)));
    if (!db_is_null(st, 3))
        json_object_set_new(j, "document", db_json(st, 3));
    return j;
}

static int answer(struct server *s, struct request *rq, int status, int64_t id, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_SPACE_GET, "i", id);
    int rc = db_step(st, err);
    json_t *j = rc > 0 ? space_row(st) : NULL;
    db_done(st);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "path id", "there is no space %lld", (long long)id);
    return rc < 0 ? rc : request_json(rq, status, j);
}

int route_listSpaces(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    int rc = page_open(rq, &page, INT64_MAX, err);
    return rc < 0 ? rc
                  : page_answer(rq, &page, db_query(s->db, SQL_SPACE_PAGE, "ii", page.after, page.limit + 1), space_row,
                                err);
}

int route_getSpace(struct server *s, struct request *rq, struct err *err)
{
    return answer(s, rq, 200, request_int(rq, "id", 0), err);
}

int route_createSpace(struct server *s, struct request *rq, struct err *err)
{
    const json_t *body = request_body(rq), *doc = json_object_get(body, "document");
    struct space *space = NULL;
    json_t *about = NULL;
    int rc = space_parse_json(doc, &space, err);
    if (rc >= 0)
        rc = (about = space_describe_json(space, err)) ? 0 : -(int)err->code;
    space_free(space);
    if (rc < 0) {
        err_prefix(err, "/document");
        return rc;
    }
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17)),
         *described = json_dumps(about, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(about);
    rc = text && described
             ? db_exec(s->db, err, SQL_SPACE_INSERT, "tttti", json_string_value(json_object_get(body, "name")), text,
                       described, request_who(rq)->name, clock_wall_ms())
             : err_set(err, ERR_NO_MEMORY, "", "no memory for the space");
    free(text);
    free(described);
    return rc < 0 ? rc : answer(s, rq, 201, db_last_id(s->db), err);
}

int route_deleteSpace(struct server *s, struct request *rq, struct err *err)
{
    int64_t id = request_int(rq, "id", 0), used;
    int rc = db_int(s->db, err, &used, SQL_SPACE_USED, "i", id);
    if (rc != 0)
        return rc < 0 ? rc : err_set(err, ERR_CONFLICT, "path id", "a checkpoint or a search uses this space");
    rc = db_exec(s->db, err, SQL_SPACE_DELETE, "i", id);
    return rc < 0    ? rc
           : rc == 0 ? err_set(err, ERR_NOT_FOUND, "path id", "there is no space %lld", (long long)id)
                     : request_empty(rq, 204);
}

int route_planSpace(struct server *s, struct request *rq, struct err *err)
{
    int64_t id = request_int(rq, "id", 0);
    sqlite3_stmt *st = db_query(s->db, SQL_SPACE_GET, "i", id);
    struct space *space = NULL;
    json_t *plan = NULL;
    int choice[SPACE_MAX_DECISIONS];
    int rc = db_step(st, err);
    if (rc > 0)
        rc = space_parse(db_text(st, 3), strlen(db_text(st, 3)), &space, err);
    else if (rc == 0)
        rc = err_set(err, ERR_NOT_FOUND, "path id", "there is no space %lld", (long long)id);
    db_done(st);
    if (rc >= 0)
        rc = space_code_parse(space, json_string_value(json_object_get(request_body(rq), "code")), choice, err);
    if (rc >= 0)
        rc = (plan = space_plan_json(space, choice, err)) ? 0 : -(int)err->code;
    space_free(space);
    return rc < 0 ? rc : request_json(rq, 200, plan);
}
