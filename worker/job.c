/* job: see job.h. */
#include "worker/job.h"
#include "proto/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int job_init(struct job *j, struct wire_lease *lease, struct err *err)
{
    memset(j, 0, sizeof *j);
    j->id = lease->job;
    memcpy(j->lease, lease->lease, sizeof j->lease);
    memcpy(j->kind, lease->kind, sizeof j->kind);
    j->input = lease->input;
    lease->input = NULL;
    j->of = (int64_t)json_array_size(json_object_get(j->input, "candidates"));
    if (strcmp(j->kind, "score") != 0 && strcmp(j->kind, "weights") != 0)
        return err_set(err, ERR_UNSUPPORTED, "/kind", "this worker does not know jobs of kind \"%s\"", j->kind);
    char(*names)[65];
    int rc = wire_blobs(j->input, &names, &j->nblobs, err);
    if (rc)
        return rc;
    j->blobs = calloc(j->nblobs, sizeof *j->blobs);
    for (size_t i = 0; j->blobs && i < j->nblobs; i++)
        cache_item_init(&j->blobs[i], names[i]);
    free(names);
    return j->blobs ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a job");
}

void job_again(struct job *j)
{
    json_decref(j->scores);
    json_decref(j->summary);
    json_decref(j->error);
    j->scores = j->summary = j->error = NULL;
    j->done = 0;
    j->phase = JOB_READY;
}

void job_clear(struct job *j)
{
    job_again(j);
    for (size_t i = 0; j->blobs && i < j->nblobs; i++)
        cache_release(&j->blobs[i]);
    free(j->blobs);
    json_decref(j->input);
    memset(j, 0, sizeof *j);
}

char *job_compute_line(const struct job *j, const struct cache *c, int64_t threads, int64_t memory, int profile)
{
    json_t *files = json_object();
    for (size_t i = 0; i < j->nblobs; i++) {
        char path[4096];
        cache_path(c, &j->blobs[i], path, sizeof path);
        json_object_set_new(files, j->blobs[i].sha, json_string(path));
    }
    json_t *doc = json_pack("{s:O, s:o, s:I, s:I, s:b}", "job", j->input, "files", files, "threads",
                            (json_int_t)threads, "memory_bytes", (json_int_t)memory, "profile", profile);
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    return text;
}

static int take(struct job *j, json_t *doc)
{
    json_t *v;
    if ((v = json_object_get(doc, "progress"))) {
        j->done = json_integer_value(json_object_get(v, "done"));
        j->of = json_integer_value(json_object_get(v, "of"));
        return JOB_MORE;
    }
    if ((v = json_object_get(doc, "score")) && json_is_object(v)) {
        if (!j->scores)
            j->scores = json_array();
        return json_array_append(j->scores, v) ? -ERR_NO_MEMORY : JOB_MORE;
    }
    if ((v = json_object_get(doc, "done")) && json_is_object(v)) {
        j->summary = json_incref(v);
        return JOB_ENDED;
    }
    if ((v = json_object_get(doc, "error")) && json_is_object(v)) {
        j->error = json_incref(v);
        return JOB_ENDED;
    }
    return -ERR_INVALID;
}

int job_take_line(struct job *j, const char *line, size_t n, struct err *err)
{
    json_t *doc = json_parse_strict(line, n, JSON_DEPTH, err);
    int rc = doc ? take(j, doc) : -(int)err->code;
    if (doc && rc < 0)
        err_set(err, (enum err_code) - rc, "compute", "a line that says nothing known: %.60s", line);
    json_decref(doc);
    return rc;
}

static void add_summary(json_t *doc, const json_t *summary)
{
    static const char *const names[] = {"backend", "build",          "threads", "wall_ms", "calibration_images",
                                        "load_ms", "calibration_ms", "score_ms"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *v = json_object_get(summary, names[i]);
        if (v)
            json_object_set(doc, names[i], v);
    }
}

char *job_result(const struct job *j, const struct err *failed)
{
    json_t *doc = json_pack("{s:s}", "kind", j->kind);
    if (failed && failed->code) {
        json_t *e = json_pack("{s:s, s:s, s:s}", "type", err_type(failed->code), "where", failed->where, "detail",
                              failed->text);
        json_object_set_new(doc, "error", e ? e : json_pack("{s:s}", "type", err_type(failed->code)));
    } else if (j->error) {
        json_object_set(doc, "error", j->error);
    } else {
        add_summary(doc, j->summary);
        json_object_set_new(doc, "scores", j->scores ? json_incref(j->scores) : json_array());
    }
    char *text = doc ? json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(doc);
    return text;
}
