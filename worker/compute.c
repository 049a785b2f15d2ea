/* compute: see compute.h. */
#include "worker/compute.h"

#include "proto/base/json.h"
#include "proto/base/log.h"
#include "proto/base/version.h"
#include "worker/engine/blas.h"
#include "worker/engine/score.h"
#include "worker/profile.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 1024 };

struct loop {
    FILE *out;
    struct score_cache *cache;
};

static int put(FILE *out, const char *kind, json_t *value)
{
    json_t *line = json_pack("{s:o}", kind, value);
    int rc = line ? json_dumpf(line, out, JSON_COMPACT | JSON_REAL_PRECISION(17)) : -1;
    json_decref(line);
    return rc || fputc('\n', out) == EOF || fflush(out) ? -1 : 0;
}

static int on_progress(void *ctx, int64_t done, int64_t of)
{
    struct loop *l = ctx;
    return put(l->out, "progress", json_pack("{s:I, s:I}", "done", (json_int_t)done, "of", (json_int_t)of));
}

static int on_score(void *ctx, const json_t *score)
{
    struct loop *l = ctx;
    return put(l->out, "score", json_incref((json_t *)(uintptr_t)score));
}

static json_t *summary_json(const struct score_summary *s)
{
    return json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "backend", s->backend, "build", VERSION_BUILD,
                     "threads", s->threads, "wall_ms", (json_int_t)s->wall_ms, "load_ms", (json_int_t)s->load_ms,
                     "calibration_ms", (json_int_t)s->calibration_ms, "score_ms", (json_int_t)s->scoring_ms,
                     "calibration_images", (json_int_t)s->calibration_images);
}

/* {sha: path} as a list; the strings are the document's. */
static int read_files(const json_t *doc, struct score_file **items, size_t *count, struct err *err)
{
    const char *sha;
    json_t *path;
    *count = 0;
    *items = calloc(json_object_size(doc) + 1, sizeof **items);
    if (!*items)
        return err_set(err, ERR_NO_MEMORY, "/files", "no memory for the list of files");
    json_object_foreach((json_t *)(uintptr_t)doc, sha, path) if (json_is_string(path))(*items)[(*count)++] =
        (struct score_file){sha, json_string_value(path)};
    return 0;
}

static int run(struct loop *l, const json_t *order, struct score_summary *summary, struct err *err)
{
    json_int_t threads = json_integer_value(json_object_get(order, "threads"));
    json_int_t memory = json_integer_value(json_object_get(order, "memory_bytes"));
    struct exec_profile profile = {0};
    int profiles = json_is_true(json_object_get(order, "profile"));
    struct score_options opt = {.profile = profiles ? &profile : NULL,
                                .threads = threads < 1             ? 1
                                           : threads > THREADS_MAX ? THREADS_MAX
                                                                   : (int)threads,
                                .memory_bytes = memory > 0 ? (size_t)memory : 0,
                                .cache = l->cache};
    struct score_callbacks calls = {l, on_progress, on_score};
    struct score_file *items = NULL;
    size_t count;
    int rc = read_files(json_object_get(order, "files"), &items, &count, err);
    if (!rc)
        rc = score_job(json_object_get(order, "job"), &(struct score_files){items, count}, &opt, &calls, summary, err);
    free(items);
    if (profiles)
        profile_print(&profile, stderr);
    return rc;
}

/* One job; not 0 when the answer could not be written. */
static int serve_line(struct loop *l, const char *line, size_t n)
{
    struct err err = {0};
    struct score_summary summary;
    json_t *order = json_parse_strict(line, n, JSON_DEPTH, &err);
    int rc = order ? run(l, order, &summary, &err) : -1;
    json_decref(order);
    return rc ? put(l->out, "error", score_error_json(&err)) : put(l->out, "done", summary_json(&summary));
}

int compute_serve(FILE *in, FILE *out)
{
    struct loop l = {.out = out, .cache = score_cache_new()};
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = l.cache ? 0 : -1;
    while (!rc && (n = getline(&line, &room, in)) > 0)
        rc = serve_line(&l, line, (size_t)n);
    free(line);
    score_cache_free(l.cache);
    return rc;
}

int compute_main(void)
{
    struct err err = {0};
    char text[600];
    if (blas_open(&err)) {
        log_error("blas", "where=%s detail=%s", err.where, log_quote(text, sizeof text, err.text));
        return 1;
    }
    signal(SIGPIPE, SIG_IGN); /* a parent that is gone is seen as a failed write */
    return compute_serve(stdin, stdout) ? 1 : 0;
}

const char *compute_backend(void)
{
    static char name[24];
    return score_backend(name);
}
