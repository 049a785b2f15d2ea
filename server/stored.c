/* stored: see stored.h. */
#include "server/stored.h"

#include "server/page.h"
#include "server/server.h"

json_t *stored_row(sqlite3_stmt *st)
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

static int absent(const struct stored_kind *k, int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "path id", "there is no %s %lld", k->name, (long long)id);
}

static int answer(struct server *s, struct request *rq, const struct stored_kind *k, int status, int64_t id,
                  json_t *(*row)(sqlite3_stmt *), struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, k->get, "i", id);
    int rc = db_step(st, err);
    json_t *j = rc > 0 ? row(st) : NULL;
    db_done(st);
    if (rc == 0)
        return absent(k, id, err);
    return rc < 0 ? rc : request_json(rq, status, j);
}

int stored_list(struct server *s, struct request *rq, const struct stored_kind *k, struct err *err)
{
    struct page page;
    int rc = page_open(rq, &page, INT64_MAX, err);
    if (rc < 0)
        return rc;
    return page_answer(rq, &page, db_query(s->db, k->page, "ii", page.after, page.limit + 1), k->brief, err);
}

int stored_get(struct server *s, struct request *rq, const struct stored_kind *k, struct err *err)
{
    return answer(s, rq, k, 200, request_int(rq, "id", 0), k->full, err);
}

int stored_created(struct server *s, struct request *rq, const struct stored_kind *k, int64_t id, struct err *err)
{
    return answer(s, rq, k, 201, id, k->brief, err);
}

int stored_delete(struct server *s, struct request *rq, const struct stored_kind *k, struct err *err)
{
    int64_t id = request_int(rq, "id", 0), used;
    int rc = db_int(s->db, err, &used, k->in_use, "i", id);
    if (rc != 0)
        return rc < 0 ? rc : err_set(err, ERR_CONFLICT, "path id", "%s", k->used);
    rc = db_exec(s->db, err, k->del, "i", id);
    return rc < 0 ? rc : rc == 0 ? absent(k, id, err) : request_empty(rq, 204);
}
