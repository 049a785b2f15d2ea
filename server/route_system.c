/* route_system: health, the contract, who am I, tokens and the audit. */
#include "proto/base/clock.h"
#include "server/auth.h"
#include "server/db.h"
#include "server/events.h"
#include "server/page.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/version.h"
#include "server/watchdog.h"

#include <stdlib.h>
#include <string.h>

enum { STALL_WINDOW_MS = 30000 };

int route_getHealth(struct server *s, struct request *rq, struct err *err)
{
    int64_t version;
    int rc = db_int(s->db, err, &version, SQL_PING, "");
    if (rc < 0)
        return rc;
    int64_t now = clock_mono_ms(), stall = watchdog_recent(s->watchdog, now, STALL_WINDOW_MS);
    if (stall)
        return err_set(err, ERR_BUSY, "loop", "the loop stood still for %lld ms lately", (long long)stall);
    return request_json(rq, 200,
                        json_pack("{ss sI sI}", "status", "ok", "loop_lag_ms", (json_int_t)s->lag_ms, "uptime_s",
                                  (json_int_t)((now - s->started_ms) / 1000)));
}

int route_getOpenapi(struct server *s, struct request *rq, struct err *err)
{
    static const char *const pieces[] = {
#include "server/openapi.inc"
    };
    size_t n = 0, len = 0;
    (void)s;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        n += strlen(pieces[i]);
    char *text = malloc(n + 1);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t k = strlen(pieces[i]);
        memcpy(text + len, pieces[i], k);
        len += k;
    }
    return request_bytes(rq, 200, "application/json", text, len);
}

int route_getVersion(struct server *s, struct request *rq, struct err *err)
{
    (void)s;
    (void)err;
    return request_json(rq, 200,
                        json_pack("{ss ss ss si si}", "name", "subrank", "version", VERSION_TEXT, "build",
                                  VERSION_BUILD, "protocol", API_PROTOCOL, "api", API_VERSION));
}

int route_getSession(struct server *s, struct request *rq, struct err *err)
{
    const struct auth_who *who = request_who(rq);
    (void)s;
    (void)err;
    json_t *j = json_pack("{ss ss}", "role", api_role_name(who->role), "name", who->name);
    if (who->worker)
        json_object_set_new(j, "id", json_integer(who->worker));
    return request_json(rq, 200, j);
}

/* ---- tokens */

static json_t *token_row(sqlite3_stmt *st)
{
    return json_pack("{sI ss ss sI}", "id", (json_int_t)sqlite3_column_int64(st, 0), "role", db_text(st, 1), "name",
                     db_text(st, 2), "created", (json_int_t)sqlite3_column_int64(st, 3));
}

int route_listTokens(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    int rc = page_open(rq, &page, 0, err);
    if (rc < 0)
        return rc;
    return page_answer(rq, &page, db_query(s->db, SQL_TOKEN_PAGE, "ii", page.after, page.limit + 1), token_row, err);
}

int route_createToken(struct server *s, struct request *rq, struct err *err)
{
    const char *role = json_string_value(json_object_get(request_body(rq), "role"));
    const char *name = json_string_value(json_object_get(request_body(rq), "name"));
    char secret[AUTH_SECRET_TEXT];
    int64_t id;
    int rc = auth_create(s->auth, (enum api_role)api_role_parse(role), name, 0, secret, &id, err);
    if (rc < 0) {
        s->reload = 1;
        return rc;
    }
    return request_json(rq, 201,
                        json_pack("{sI ss ss sI ss}", "id", (json_int_t)id, "role", role, "name", name, "created",
                                  (json_int_t)clock_wall_ms(), "secret", secret));
}

int route_revokeToken(struct server *s, struct request *rq, struct err *err)
{
    int64_t id = request_int(rq, "id", 0);
    int rc = auth_revoke(s->auth, id, err);
    if (rc < 0)
        return rc;
    events_revoke(s->events, id);
    return request_empty(rq, 204);
}

static json_t *audit_row(sqlite3_stmt *st)
{
    return json_pack("{sI sI ss ss ss}", "id", (json_int_t)sqlite3_column_int64(st, 0), "at",
                     (json_int_t)sqlite3_column_int64(st, 1), "who", db_text(st, 2), "action", db_text(st, 3), "what",
                     db_text(st, 4));
}

int route_listAudit(struct server *s, struct request *rq, struct err *err)
{
    struct page page;
    int rc = page_open(rq, &page, INT64_MAX, err);
    if (rc < 0)
        return rc;
    return page_answer(rq, &page, db_query(s->db, SQL_AUDIT_PAGE, "ii", page.after, page.limit + 1), audit_row, err);
}
