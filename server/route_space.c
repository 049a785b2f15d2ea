/* route_space: spaces and what the API tells of them. The language itself is proto/space's. */
#include "proto/base/clock.h"
#include "proto/space.h"
#include "proto/space_json.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/stored.h"

#include <stdlib.h>
#include <string.h>

static const struct stored_kind kind = {
    .name = "space",
    .used = "a checkpoint or a search uses this space",
    .page = SQL_SPACE_PAGE,
    .get = SQL_SPACE_GET,
    .in_use = SQL_SPACE_USED,
    .del = SQL_SPACE_DELETE,
    .brief = stored_row,
    .full = stored_row,
};

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
    return rc < 0 ? rc : stored_created(s, rq, &kind, db_last_id(s->db), err);
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

int route_listSpaces(struct server *s, struct request *rq, struct err *err)
{
    return stored_list(s, rq, &kind, err);
}

int route_getSpace(struct server *s, struct request *rq, struct err *err)
{
    return stored_get(s, rq, &kind, err);
}

int route_deleteSpace(struct server *s, struct request *rq, struct err *err)
{
    return stored_delete(s, rq, &kind, err);
}
