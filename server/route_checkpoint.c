/* route_checkpoint: binds an uploaded blob to a space: every tensor that any architecture of the space may read must be
 * there in the right shape and finite. The file is read once, on a worker thread. */
#include "proto/base/clock.h"
#include "proto/binding.h"
#include "proto/checkpoint.h"
#include "proto/space.h"
#include "server/blob_source.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/store_blob.h"
#include "server/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PROBLEMS = 100, MAX_UNUSED = 1000 };

struct bind {
    char path[4096];
    struct store_blob blob;
    struct space *space;
    json_t *rename; /* its own copy: jansson counts references without locks */
    json_t *problems, *unused, *list;
    const char *format;
    int wrong; /* tensors missing or misshapen */
    int64_t tensors, params;
    struct err err;
};

/* ---- on the worker thread */

static json_t *shape_json(const struct tensor *t)
{
    json_t *a = json_array();
    for (int i = 0; i < t->ndim; i++)
        json_array_append_new(a, json_integer((json_int_t)t->dims[i]));
    return a;
}

static int list_tensors(struct bind *b, const struct checkpoint *c, struct binding_tensor *out)
{
    for (size_t i = 0; i < checkpoint_count(c); i++) {
        const struct tensor *t = checkpoint_at(c, i);
        out[i] = (struct binding_tensor){t->name, t->ndim, t->dims};
        json_array_append_new(
            b->list, json_pack("{ss ss so}", "name", t->name, "dtype", dtype_name(t->dtype), "shape", shape_json(t)));
    }
    return 0;
}

static int compare(struct bind *b, const struct checkpoint *c)
{
    struct arena a;
    struct binding found;
    arena_init(&a, 0);
    size_t n = checkpoint_count(c);
    struct binding_tensor *tensors = arena_array(&a, n + 1, sizeof *tensors);
    int rc =
        tensors ? list_tensors(b, c, tensors) : err_set(&b->err, ERR_NO_MEMORY, "", "no memory to check the tensors");
    if (rc >= 0)
        rc = binding_check(&a, b->space, tensors, n, MAX_PROBLEMS, &found, &b->err);
    for (int i = 0; rc >= 0 && i < found.nproblems; i++)
        json_array_append_new(b->problems, json_pack("{ss ss}", "tensor", found.problems[i].tensor, "problem",
                                                     found.problems[i].problem));
    for (int i = 0; rc >= 0 && i < found.nunused && i < MAX_UNUSED; i++)
        json_array_append_new(b->unused, json_string(found.unused[i]));
    b->tensors = (int64_t)n;
    b->params = rc >= 0 ? found.params : 0;
    b->wrong = rc >= 0 ? found.nmissing + found.nmisshapen : 0;
    arena_clear(&a);
    return rc;
}

static void work(void *arg)
{
    struct bind *b = arg;
    struct source *src = NULL;
    struct checkpoint *c = NULL;
    b->problems = json_array();
    b->unused = json_array();
    b->list = json_array();
    int rc = blob_source_open(b->path, b->blob.id, b->blob.size, &src, &b->err);
    if (rc >= 0 && (rc = checkpoint_open(src, b->rename, &c, &b->err)) >= 0 &&
        (rc = checkpoint_verify(c, &b->err)) >= 0) {
        b->format = checkpoint_format(c);
        rc = compare(b, c);
    }
    checkpoint_close(c);
    source_close(src);
    if (rc < 0 && b->err.code == ERR_NONE)
        err_set(&b->err, ERR_INTERNAL, "/blob", "the checkpoint could not be read");
}

/* ---- on the loop */

static void release(void *arg)
{
    struct bind *b = arg;
    space_free(b->space);
    json_decref(b->rename);
    json_decref(b->problems);
    json_decref(b->unused);
    json_decref(b->list);
    free(b);
}

static json_t *full_row(sqlite3_stmt *st)
{
    json_t *j = db_json(st, 3);
    if (!j)
        return NULL;
    json_object_set_new(j, "id", json_integer(sqlite3_column_int64(st, 0)));
    json_object_set_new(j, "name", json_string(db_text(st, 1)));
    json_object_set_new(j, "space", json_integer(sqlite3_column_int64(st, 2)));
    json_object_set_new(j, "created", json_integer(sqlite3_column_int64(st, 5)));
    json_object_set_new(j, "blob", json_string(db_text(st, 6)));
    json_object_set_new(j, "size", json_integer(sqlite3_column_int64(st, 7)));
    return j;
}

/* Without the list of tensors. */
static json_t *brief_row(sqlite3_stmt *st)
{
    json_t *j = full_row(st);
    json_object_del(j, "list");
    return j;
}

static const struct stored_kind kind = {
    .name = "checkpoint",
    .used = "a search uses this checkpoint",
    .page = SQL_CHECKPOINT_PAGE,
    .get = SQL_CHECKPOINT_GET,
    .in_use = SQL_CHECKPOINT_USED,
    .del = SQL_CHECKPOINT_DELETE,
    .brief = brief_row,
    .full = full_row,
};

static int done(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct bind *b = arg;
    const json_t *body = request_body(rq);
    if (b->err.code) {
        *err = b->err;
        if (strncmp(err->where, "/rename", 7) != 0)
            err_prefix(err, "/blob ");
        return -(int)err->code;
    }
    if (json_array_size(b->problems)) {
        request_problems(rq, json_incref(b->problems));
        return err_set(err, ERR_INVALID, "/blob", "%d tensors are missing or misshapen for this space, the first is %s",
                       b->wrong, json_string_value(json_object_get(json_array_get(b->problems, 0), "tensor")));
    }
    json_t *about = json_pack("{ss sI sI sO sO}", "format", b->format, "tensors", (json_int_t)b->tensors, "params",
                              (json_int_t)b->params, "unused", b->unused, "list", b->list);
    char *text = about ? json_dumps(about, JSON_COMPACT) : NULL,
         *rename = b->rename ? json_dumps(b->rename, JSON_COMPACT) : NULL;
    json_decref(about);
    int rc =
        text ? db_exec(s->db, err, SQL_CHECKPOINT_INSERT, "tiittti", json_string_value(json_object_get(body, "name")),
                       b->blob.id, (int64_t)json_integer_value(json_object_get(body, "space")), rename, text,
                       request_who(rq)->name, clock_wall_ms())
             : err_set(err, ERR_NO_MEMORY, "", "no memory for the checkpoint");
    free(text);
    free(rename);
    return rc < 0 ? rc : stored_created(s, rq, &kind, db_last_id(s->db), err);
}

int route_createCheckpoint(struct server *s, struct request *rq, struct err *err)
{
    const json_t *body = request_body(rq), *rename = json_object_get(body, "rename");
    int64_t space = json_integer_value(json_object_get(body, "space"));
    struct bind *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    snprintf(b->path, sizeof b->path, "%s", db_path(s->db));
    b->rename = rename ? json_deep_copy(rename) : NULL;
    int rc = store_blob_need(s->db, json_string_value(json_object_get(body, "blob")), "/blob", &b->blob, err);
    sqlite3_stmt *st = db_query(s->db, SQL_SPACE_GET, "i", space);
    if (rc >= 0 && (rc = db_step(st, err)) == 0)
        rc = err_set(err, ERR_INVALID, "/space", "there is no space %lld", (long long)space);
    if (rc > 0)
        rc = space_parse(db_text(st, 3), strlen(db_text(st, 3)), &b->space, err);
    db_done(st);
    if (rc < 0) {
        release(b);
        return rc;
    }
    return request_work_committed(rq, &(struct request_job){work, done, release, b});
}

int route_listCheckpoints(struct server *s, struct request *rq, struct err *err)
{
    return stored_list(s, rq, &kind, err);
}

int route_getCheckpoint(struct server *s, struct request *rq, struct err *err)
{
    return stored_get(s, rq, &kind, err);
}

int route_deleteCheckpoint(struct server *s, struct request *rq, struct err *err)
{
    return stored_delete(s, rq, &kind, err);
}
