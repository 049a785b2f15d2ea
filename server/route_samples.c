/* route_samples: some images of a data set as the network sees them, with the normalisation taken back, so that a
 * person can check channel order, transform and labels. Read and transformed on a worker thread. */
#include "proto/dataset.h"
#include "server/blob_source.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/store_blob.h"

#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 12 };

struct samples {
    char path[4096], split[64];
    json_t *document, *found;
    struct dataset_doc *doc;
    struct db *db; /* the worker thread's */
    int64_t first, count;
    struct err err;
};

/* ---- on the worker thread */

static int open_blob(void *ctx, const char *sha256, struct source **out, struct err *err)
{
    struct samples *sm = ctx;
    struct store_blob b;
    int rc = store_blob_need(sm->db, sha256, "", &b, err);
    return rc < 0 ? rc : blob_source_open(sm->path, b.id, b.size, out, err);
}

static double given(const double *v, size_t n, int channel, double otherwise)
{
    return n == 0 ? otherwise : v[n == 1 ? 0 : channel];
}

/* x * std + mean is the pixel over the scale: 0..1 of its range, or the byte itself in a data set whose scale is 1. */
static double unit(const struct dataset_doc *doc, const int chw[3], const float *in)
{
    size_t plane = (size_t)chw[1] * (size_t)chw[2];
    double most = 0;
    for (size_t i = 0; i < plane * (size_t)chw[0]; i++) {
        int c = (int)(i / plane);
        most = fmax(most, in[i] * given(doc->std, doc->nstd, c, 1) + given(doc->mean, doc->nmean, c, 0));
    }
    return most > 1.5 ? 1 : 255;
}

static char *pixels(const struct dataset_doc *doc, const int chw[3], const float *in)
{
    size_t plane = (size_t)chw[1] * (size_t)chw[2], n = plane * (size_t)chw[0];
    unsigned char *bytes = malloc(n + 1);
    char *text = malloc(BASE64_ENCODE_RAW_LENGTH(n) + 1);
    double scale = unit(doc, chw, in);
    for (int c = 0; bytes && c < chw[0]; c++) {
        double mean = given(doc->mean, doc->nmean, c, 0), std = given(doc->std, doc->nstd, c, 1);
        for (size_t i = 0; i < plane; i++) {
            double v = scale * (in[(size_t)c * plane + i] * std + mean);
            bytes[(size_t)c * plane + i] = (unsigned char)(v > 0 ? v < 255 ? lrint(v) : 255 : 0);
        }
    }
    if (bytes && text) {
        base64_encode_raw(text, n, bytes);
        text[BASE64_ENCODE_RAW_LENGTH(n)] = 0;
    } else {
        free(text);
        text = NULL;
    }
    free(bytes);
    return text;
}

static json_t *read_some(struct samples *sm, const struct dataset *d)
{
    int chw[3];
    dataset_shape(d, chw);
    size_t size = (size_t)chw[0] * (size_t)chw[1] * (size_t)chw[2];
    int64_t total = dataset_count(d);
    json_t *items = json_array();
    float *in = malloc((size + 1) * sizeof *in);
    int rc = in && items ? 0 : err_set(&sm->err, ERR_NO_MEMORY, "", "not enough memory for an image");
    for (int64_t i = sm->first; rc >= 0 && i < total && i < sm->first + sm->count; i++) {
        rc = dataset_load(d, &i, 1, in, NULL, &sm->err);
        char *text = rc >= 0 ? pixels(sm->doc, chw, in) : NULL;
        if (text)
            json_array_append_new(items, json_pack("{s:I,s:i,s:s}", "index", (json_int_t)i, "label",
                                                   (int)dataset_label(d, i), "pixels", text));
        free(text);
    }
    free(in);
    if (rc < 0) {
        json_decref(items);
        return NULL;
    }
    return json_pack("{s:[i,i,i],s:I,s:o}", "image", chw[0], chw[1], chw[2], "total", (json_int_t)total, "items",
                     items);
}

static void work(void *arg)
{
    struct samples *sm = arg;
    struct dataset *d = NULL;
    if (db_open_reader(sm->path, &sm->db, &sm->err) >= 0 &&
        dataset_open(sm->doc, sm->split, open_blob, sm, &d, &sm->err) >= 0)
        sm->found = read_some(sm, d);
    dataset_close(d);
    db_close(sm->db);
}

/* ---- on the loop */

static void release(void *arg)
{
    struct samples *sm = arg;
    dataset_doc_free(sm->doc);
    json_decref(sm->document);
    json_decref(sm->found);
    free(sm);
}

static int done(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct samples *sm = arg;
    (void)s;
    if (!sm->found) {
        *err = sm->err;
        return err->code ? -(int)err->code : err_set(err, ERR_NO_MEMORY, "", "not enough memory for the images");
    }
    return request_json(rq, 200, json_incref(sm->found));
}

static int read_document(struct server *s, struct samples *sm, int64_t id, struct err *err)
{
    sqlite3_stmt *st = db_query(s->db, SQL_DATASET_GET, "i", id);
    int rc = db_step(st, err);
    if (rc > 0)
        sm->document = db_json(st, 3);
    db_done(st);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "path id", "there is no data set %lld", (long long)id);
    return rc < 0 ? rc : dataset_doc_parse(sm->document, &sm->doc, err);
}

int route_getSamples(struct server *s, struct request *rq, struct err *err)
{
    struct samples *sm = calloc(1, sizeof *sm);
    if (!sm)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the images");
    snprintf(sm->path, sizeof sm->path, "%s", db_path(s->db));
    sm->first = request_int(rq, "first", 0);
    sm->count = request_int(rq, "count", SAMPLES);
    int rc = read_document(s, sm, request_int(rq, "id", 0), err);
    const char *split = request_text(rq, "split");
    if (rc >= 0 && !dataset_doc_split(sm->doc, split ? split : ""))
        rc = err_set(err, ERR_INVALID, "query split", "the data set has no split \"%.60s\"", split ? split : "");
    if (rc < 0) {
        release(sm);
        return rc;
    }
    snprintf(sm->split, sizeof sm->split, "%s", split);
    return request_work(rq, &(struct request_job){work, done, release, sm});
}
