/* route_dataset: a data set is described, read once on a worker thread, and kept with what was found. */
#include "proto/base/clock.h"
#include "proto/dataset.h"
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

struct inspect {
    char path[4096];
    struct dataset_doc *doc;
    struct db *db; /* the worker thread's */
    json_t *found;
    struct err err;
};

/* ---- on the worker thread */

static int open_blob(void *ctx, const char *sha256, struct source **out, struct err *err)
{
    struct inspect *in = ctx;
    struct store_blob b;
    int rc = store_blob_need(in->db, sha256, "", &b, err);
    return rc < 0 ? rc : blob_source_open(in->path, b.id, b.size, out, err);
}

static void work(void *arg)
{
    struct inspect *in = arg;
    if (db_open_reader(in->path, &in->db, &in->err) >= 0)
        in->found = dataset_inspect(in->doc, open_blob, in, &in->err);
    db_close(in->db);
    if (!in->found && in->err.code == ERR_NONE)
        err_set(&in->err, ERR_NO_MEMORY, "", "no memory to read the data set");
}

/* ---- on the loop */

static void release(void *arg)
{
    struct inspect *in = arg;
    dataset_doc_free(in->doc);
    json_decref(in->found);
    free(in);
}

static const struct stored_kind kind = {
    .name = "data set",
    .used = "a search uses this data set",
    .page = SQL_DATASET_PAGE,
    .get = SQL_DATASET_GET,
    .in_use = SQL_DATASET_USED,
    .del = SQL_DATASET_DELETE,
    .brief = stored_row,
    .full = stored_row,
};

static int link_blob(struct server *s, int64_t dataset, const char *hash, struct err *err)
{
    struct store_blob b;
    if (!hash)
        return 0;
    int rc = store_blob_need(s->db, hash, "/splits", &b, err); /* it may have gone while it was read */
    return rc < 0 ? rc : db_exec(s->db, err, SQL_DATASET_BLOB_INSERT, "ii", dataset, b.id);
}

static int link_blobs(struct server *s, int64_t dataset, const struct dataset_doc *doc, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < doc->nsplits; i++)
        for (size_t k = 0; k < doc->splits[i].nfiles && rc >= 0; k++) {
            rc = link_blob(s, dataset, doc->splits[i].files[k].blob, err);
            if (rc >= 0)
                rc = link_blob(s, dataset, doc->splits[i].files[k].labels, err);
        }
    return rc;
}

static int done(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct inspect *in = arg;
    if (in->err.code) {
        *err = in->err;
        return -(int)err->code;
    }
    json_object_set_new(in->found, "format", json_incref(json_object_get(request_body(rq), "format")));
    char *document = json_dumps(json_object_get(in->found, "document"), JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_object_del(in->found, "document");
    char *found = json_dumps(in->found, JSON_COMPACT);
    int rc = document && found ? db_exec(s->db, err, SQL_DATASET_INSERT, "tttti",
                                         json_string_value(json_object_get(request_body(rq), "name")), document, found,
                                         request_who(rq)->name, clock_wall_ms())
                               : err_set(err, ERR_NO_MEMORY, "", "no memory for the data set");
    int64_t id = db_last_id(s->db);
    free(document);
    free(found);
    if (rc < 0 || (rc = link_blobs(s, id, in->doc, err)) < 0)
        return rc;
    return stored_created(s, rq, &kind, id, err);
}

static int check_blobs(struct server *s, const struct dataset_doc *doc, struct err *err)
{
    struct store_blob b;
    for (size_t i = 0; i < doc->nsplits; i++)
        for (size_t k = 0; k < doc->splits[i].nfiles; k++) {
            const struct dataset_file *f = &doc->splits[i].files[k];
            int rc = store_blob_need(s->db, f->blob, "/blob", &b, err);
            if (rc >= 0 && f->labels)
                rc = store_blob_need(s->db, f->labels, "/labels", &b, err);
            if (rc < 0) {
                err_prefix(err, "/splits/%s/%zu", doc->splits[i].name, k);
                return rc;
            }
        }
    return 0;
}

int route_createDataset(struct server *s, struct request *rq, struct err *err)
{
    struct inspect *in = calloc(1, sizeof *in);
    if (!in)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    snprintf(in->path, sizeof in->path, "%s", db_path(s->db));
    int rc = dataset_doc_parse(request_body(rq), &in->doc, err);
    if (rc >= 0)
        rc = check_blobs(s, in->doc, err);
    if (rc < 0) {
        release(in);
        return rc;
    }
    return request_work_committed(rq, &(struct request_job){work, done, release, in});
}

int route_listDatasets(struct server *s, struct request *rq, struct err *err)
{
    return stored_list(s, rq, &kind, err);
}

int route_getDataset(struct server *s, struct request *rq, struct err *err)
{
    return stored_get(s, rq, &kind, err);
}

int route_deleteDataset(struct server *s, struct request *rq, struct err *err)
{
    return stored_delete(s, rq, &kind, err);
}
