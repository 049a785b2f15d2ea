/* score: see score.h. */
#include "worker/engine/score.h"

#include "proto/base/clock.h"
#include "proto/base/fields.h"
#include "proto/base/json.h"
#include "proto/base/log.h"
#include "proto/policy.h"
#include "worker/engine/cpu/cpu.h"
#include "worker/engine/evaluate.h"
#include "worker/engine/images.h"
#include "worker/engine/score_cache.h"
#include "worker/engine/window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct job {                                                                      /* everything of one job */
    const json_t *space, *checkpoint, *dataset, *policy_doc, *evaluation, *codes; /* borrowed from the document */
    const char *split;
    int64_t images, batch_size, first;

    const struct score_options *opt;
    const struct score_callbacks *calls;
    struct op_backend backend;
    struct policy policy;
    struct space *space_parsed; /* owned by the cache, as the next two */
    struct params *params;
    struct images *pictures;
    struct shape input;
    int64_t *calibration_index, *scoring_index, ncalibration;
    const float **calibration, **scoring;
    int32_t *labels, label_max;

    struct arena arena;
    struct window window;
    int64_t shown; /* progress was last said to be */
    int gives_statistics;
    json_t *logits, *statistics; /* of the candidate being reported */
};

/* ---- the document ---- */

static int read_evaluation(struct job *j, struct err *err)
{
    static const struct field rows[] = {
        {"split", FIELD_STRING, FIELD_REQUIRED | FIELD_NONEMPTY, FIELD_AT(struct job, split)},
        {"images", FIELD_INT, .min = 1, .max = 1e12, FIELD_AT(struct job, images)},
        {"batch_size", FIELD_INT, .min = 1, .max = 1e6, FIELD_AT(struct job, batch_size)},
        {"first", FIELD_INT, .min = 0, .max = 1e12, FIELD_AT(struct job, first)},
    };
    j->batch_size = 250;
    int rc = fields_read(j->evaluation, rows, FIELDS_COUNT(rows), j, err);
    if (rc)
        err_prefix(err, "/evaluation");
    return rc;
}

static int read_document(struct job *j, const json_t *doc, struct err *err)
{
    const json_t *kind = json_object_get(doc, "kind");
    const char *name = json_is_string(kind) ? json_string_value(kind) : "";
    if (strcmp(name, "score") != 0 && strcmp(name, "weights") != 0)
        return err_set(err, ERR_UNSUPPORTED, "/kind", "the engine runs jobs of the kinds \"score\" and \"weights\"");
    j->gives_statistics = j->opt->statistics || strcmp(name, "weights") == 0;
    j->space = json_object_get(json_object_get(doc, "space"), "document");
    j->checkpoint = json_object_get(doc, "checkpoint");
    j->dataset = json_object_get(json_object_get(doc, "dataset"), "document");
    j->policy_doc = json_object_get(doc, "policy");
    j->evaluation = json_object_get(doc, "evaluation");
    j->codes = json_object_get(doc, "candidates");
    const struct {
        const json_t *value;
        const char *where;
    } must[] = {{j->space, "/space/document"},
                {j->checkpoint, "/checkpoint"},
                {j->dataset, "/dataset/document"},
                {j->policy_doc, "/policy"},
                {j->evaluation, "/evaluation"}};
    for (size_t i = 0; i < sizeof must / sizeof *must; i++)
        if (!json_is_object(must[i].value))
            return err_set(err, ERR_INVALID, must[i].where, "must be an object, not %s", json_kind(must[i].value));
    if (!json_is_array(j->codes) || json_array_size(j->codes) == 0)
        return err_set(err, ERR_INVALID, "/candidates", "must be a list of at least one code");
    int rc = policy_parse(j->policy_doc, &j->policy, err);
    if (rc)
        err_prefix(err, "/policy");
    return rc ? rc : read_evaluation(j, err);
}

/* ---- images ---- */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the job");
}

static int calibrates(const struct job *j)
{
    return j->policy.average != AVERAGE_BATCH && j->policy.average != AVERAGE_NONE;
}

static int choose_scoring(struct job *j, struct err *err)
{
    int64_t count;
    int rc = images_split(j->pictures, j->split, &count, &j->input, err);
    if (rc) {
        err_prefix(err, "/dataset/document");
        return rc;
    }
    if (!j->images)
        j->images = count - j->first;
    if (j->images <= 0 || j->first > count - j->images)
        return err_set(err, ERR_INVALID, "/evaluation/images",
                       "images %" PRId64 " to %" PRId64 " are wanted, the split \"%s\" has %" PRId64, j->first,
                       j->first + j->images, j->split, count);
    j->scoring_index = arena_array(&j->arena, (size_t)j->images, sizeof *j->scoring_index);
    j->scoring = arena_array(&j->arena, (size_t)j->images, sizeof(const float *));
    j->labels = arena_array(&j->arena, (size_t)j->images, sizeof *j->labels);
    if (!j->scoring_index || !j->scoring || !j->labels)
        return no_memory(err);
    for (int64_t i = 0; i < j->images; i++)
        j->scoring_index[i] = j->first + i;
    return 0;
}

static int choose_calibration(struct job *j, struct err *err)
{
    if (!calibrates(j))
        return 0;
    int64_t count;
    struct shape shape;
    int rc = images_split(j->pictures, j->policy.split, &count, &shape, err);
    if (rc) {
        err_prefix(err, "/dataset/document");
        return rc;
    }
    if (shape.c != j->input.c || shape.h != j->input.h || shape.w != j->input.w)
        return err_set(err, ERR_INVALID, "/dataset/document/splits",
                       "the splits \"%s\" and \"%s\" differ in image shape", j->policy.split, j->split);
    j->ncalibration = (int64_t)j->policy.batches * j->policy.batch_size;
    if (j->ncalibration > count)
        return err_set(err, ERR_INVALID, "/policy/batches",
                       "%" PRId64 " images are wanted, the split \"%s\" has %" PRId64, j->ncalibration, j->policy.split,
                       count);
    j->calibration_index = arena_array(&j->arena, (size_t)j->ncalibration, sizeof *j->calibration_index);
    j->calibration = arena_array(&j->arena, (size_t)j->ncalibration, sizeof(const float *));
    if (!j->calibration_index || !j->calibration)
        return no_memory(err);
    rc = policy_samples(&j->policy, count, j->calibration_index, err);
    if (rc)
        err_prefix(err, "/policy");
    return rc;
}

static int check_image_memory(const struct job *j, struct err *err)
{
    size_t need = images_bytes(j->pictures) + images_missing_bytes(j->pictures, j->split, j->scoring_index, j->images);
    if (j->ncalibration)
        need += images_missing_bytes(j->pictures, j->policy.split, j->calibration_index, j->ncalibration);
    if (j->opt->memory_bytes && need > j->opt->memory_bytes)
        return err_set(err, ERR_NO_MEMORY, "memory", "the images of the job take %zu MiB decoded, the limit is %zu MiB",
                       (need >> 20) + 1, j->opt->memory_bytes >> 20);
    return 0;
}

static int load_images(struct job *j, struct err *err)
{
    int rc = choose_scoring(j, err);
    if (!rc)
        rc = choose_calibration(j, err);
    if (!rc)
        rc = check_image_memory(j, err);
    if (!rc)
        rc =
            images_get(j->pictures, j->split, j->scoring_index, j->images, j->opt->threads, j->scoring, j->labels, err);
    if (!rc && j->ncalibration)
        rc = images_get(j->pictures, j->policy.split, j->calibration_index, j->ncalibration, j->opt->threads,
                        j->calibration, NULL, err);
    for (int64_t i = 0; !rc && i < j->images; i++)
        j->label_max = j->labels[i] > j->label_max ? j->labels[i] : j->label_max;
    return rc;
}

/* ---- reporting ---- */

json_t *score_error_json(const struct err *err)
{
    return json_pack("{s:s, s:s, s:s}", "type", err_type(err->code), "where", err->where, "detail", err->text);
}

static int give(struct job *j, json_t *score)
{
    int rc = score ? j->calls->score(j->calls->ctx, score) : -1;
    json_decref(score);
    return rc;
}

static int report_error(void *ctx, const char *code, const struct err *why)
{
    return give(ctx, json_pack("{s:s, s:o}", "code", code, "error", score_error_json(why)));
}

static int finished(void *ctx, struct evaluate_candidate *c)
{
    struct job *j = ctx;
    const char *code = window_code(&j->window, (int)(c - j->window.candidates));
    json_t *logits = j->logits, *statistics = j->statistics;
    j->logits = j->statistics = NULL;
    if (c->error.code != ERR_NONE) {
        json_decref(logits);
        json_decref(statistics);
        return report_error(j, code, &c->error);
    }
    json_t *score =
        json_pack("{s:s, s:I, s:I, s:I, s:f, s:s}", "code", code, "n_images", (json_int_t)j->images, "n_correct",
                  (json_int_t)c->tally.n_correct, "n_correct_top5", (json_int_t)c->tally.n_correct_top5, "loss_sum",
                  c->tally.loss_sum, "stats_digest", c->digest);
    if (logits)
        json_object_set_new(score, "logits", logits);
    if (statistics)
        json_object_set_new(score, "statistics", statistics);
    return give(j, score);
}

static int progress(void *ctx, double fraction)
{
    struct job *j = ctx;
    const struct window *w = &j->window;
    int64_t done = w->first + (int64_t)(fraction * (double)(w->end - w->first));
    j->shown = done < j->shown ? j->shown : done > w->end ? w->end : done;
    return j->calls->progress ? j->calls->progress(j->calls->ctx, j->shown, w->of) : 0;
}

static json_t *floats_json(const float *x, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_real((double)x[i]));
    return list;
}

static void keep_logits(void *ctx, const struct evaluate_candidate *c, int64_t image, const float *logits, int classes)
{
    (void)c;
    (void)image;
    struct job *j = ctx;
    if (!j->logits)
        j->logits = json_array();
    json_array_append_new(j->logits, floats_json(logits, classes));
}

static void keep_statistics(void *ctx, const struct evaluate_candidate *c, const struct plan_node *bn,
                            const float *mean, const float *var)
{
    (void)c;
    struct job *j = ctx;
    if (!j->statistics)
        j->statistics = json_object();
    json_object_set_new(
        j->statistics, bn->path,
        json_pack("{s:o, s:o}", "mean", floats_json(mean, bn->out.c), "var", floats_json(var, bn->out.c)));
}

/* ---- the job ---- */

/* Window after window; what waits of one begins the next. */
static int run_windows(struct job *j, struct evaluate_job *e, struct err *err)
{
    struct window *w = &j->window;
    int rc = 0;
    while (!rc && w->first < w->of) {
        rc = window_fill(w, err);
        if (rc)
            return rc;
        e->held_bytes = images_bytes(j->pictures) + j->arena.used + w->arena.used;
        e->more = w->end < w->of;
        rc = evaluate(e, w->candidates, w->n, err);
        window_move(w, e->waiting);
    }
    return rc;
}

static int open_window(struct job *j, struct err *err)
{
    j->window = (struct window){
        .space = j->space_parsed, .input = j->input, .label_max = j->label_max, .ctx = j, .refused = report_error};
    return window_open(&j->window, j->codes, err);
}

static int run(struct job *j, struct score_summary *summary, struct err *err)
{
    struct evaluate_job e = {.backend = &j->backend,
                             .params = j->params,
                             .policy = &j->policy,
                             .calibration = {j->calibration, NULL, j->ncalibration},
                             .scoring = {j->scoring, j->labels, j->images},
                             .score_batch = (int)j->batch_size,
                             .threads = j->opt->threads,
                             .memory_bytes = j->opt->memory_bytes,
                             .cancel = j->opt->cancel,
                             .profile = j->opt->profile,
                             .ctx = j,
                             .finished = finished,
                             .progress = progress,
                             .statistics = j->gives_statistics ? keep_statistics : NULL,
                             .logits_wanted = j->opt->logits_wanted,
                             .logits = keep_logits};
    int rc = run_windows(j, &e, err);
    summary->calibration_ms = e.calibration_ns / 1000000;
    summary->scoring_ms = e.scoring_ns / 1000000;
    summary->calibration_images = j->ncalibration;
    json_decref(j->logits);
    json_decref(j->statistics);
    return rc;
}

static int open_all(struct job *j, struct score_cache *cache, const struct score_files *files, struct err *err)
{
    int rc = cpu_backend(j->opt->isa, &j->backend, err);
    if (!rc)
        rc = score_cache_space(cache, j->space, &j->space_parsed, err);
    if (!rc)
        rc = score_cache_images(cache, j->dataset, files, &j->pictures, err);
    if (!rc)
        rc = score_cache_params(cache, j->checkpoint, j->backend.name, files, &j->params, err);
    if (!rc)
        rc = load_images(j, err);
    return rc ? rc : open_window(j, err);
}

int score_job(const json_t *doc, const struct score_files *files, const struct score_options *opt,
              const struct score_callbacks *calls, struct score_summary *summary, struct err *err)
{
    int64_t start = clock_mono_ms();
    struct job j = {.opt = opt, .calls = calls};
    struct score_cache *cache = opt->cache ? opt->cache : score_cache_new();
    *summary = (struct score_summary){.threads = opt->threads};
    arena_init(&j.arena, 0);
    int rc = cache ? read_document(&j, doc, err) : no_memory(err);
    if (!rc)
        rc = open_all(&j, cache, files, err);
    summary->load_ms = clock_mono_ms() - start;
    if (!rc)
        rc = run(&j, summary, err);
    snprintf(summary->backend, sizeof summary->backend, "%s", j.backend.name);
    summary->wall_ms = clock_mono_ms() - start;
    window_close(&j.window);
    arena_clear(&j.arena);
    if (!opt->cache)
        score_cache_free(cache);
    return rc;
}

const char *score_backend(char buf[24])
{
    struct op_backend b;
    snprintf(buf, 24, "%s", cpu_backend(NULL, &b, NULL) ? "none" : b.name);
    return buf;
}
