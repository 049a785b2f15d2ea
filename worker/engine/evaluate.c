/* evaluate: see evaluate.h. A `group` is what is merged into one graph. */
#include "worker/engine/evaluate.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "worker/engine/blocked.h"
#include "worker/engine/merge.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct group {
    struct evaluate_job *job;
    struct evaluate_candidate **candidates;
    int n;
    double done_before, share; /* of the whole job's work */
    struct arena arena;
    struct graph graph;
    struct norm norm;
    struct lower_program calibrate, score;
    struct memory_plan calibrate_memory, score_memory;
    int calibrates, score_batch, threads;
    int32_t culprit; /* node whose fault a failure is, -1: nobody's */

    int32_t *slot; /* [nnodes] output node -> tally, -1 */
    int nslots, classes;
    float *kept; /* [nslots][logits_wanted][classes] */
    struct tally *tallies;
    int64_t calibration_done; /* images */
};

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory to score a group of candidates");
}

/* ---- preparation ---- */

static int has_batch_bn(const struct lower_program *p)
{
    return p->bn_first[p->graph->nnodes] > 0;
}

static int merge(struct group *g, struct err *err)
{
    const struct plan **plans = arena_array(&g->arena, (size_t)g->n, sizeof(const struct plan *));
    if (!plans)
        return out_of_memory(err);
    for (int i = 0; i < g->n; i++)
        plans[i] = g->candidates[i]->plan;
    return merge_plans(&g->arena, plans, g->n, &g->graph, err);
}

static int lower_passes(struct group *g, struct err *err)
{
    const struct evaluate_job *job = g->job;
    enum policy_average average = job->policy->average;
    g->calibrates = average != AVERAGE_BATCH && average != AVERAGE_NONE;
    enum lower_pass pass = average == AVERAGE_BATCH ? LOWER_SCORE_BATCH : LOWER_SCORE;
    int rc = lower(&g->arena, &g->graph, job->backend, pass, 0, &g->score, err);
    g->culprit = g->score.culprit;
    if (!rc && g->calibrates) {
        rc = lower(&g->arena, &g->graph, job->backend, LOWER_CALIBRATE, job->policy->batch_size, &g->calibrate, err);
        g->culprit = g->calibrate.culprit;
    }
    if (!rc && g->calibrates && g->calibrate.nsteps == 0)
        g->calibrates = 0; /* no BatchNorm keeps statistics */
    return rc;
}

static int find_slots(struct group *g, struct err *err)
{
    g->slot = arena_array(&g->arena, (size_t)g->graph.nnodes + 1, sizeof *g->slot);
    g->tallies = arena_array(&g->arena, (size_t)g->n, sizeof *g->tallies);
    if (!g->slot || !g->tallies)
        return out_of_memory(err);
    memset(g->slot, 0xff, (size_t)g->graph.nnodes * sizeof *g->slot);
    for (int i = 0; i < g->n; i++) {
        int32_t node = g->graph.outputs[i];
        if (g->slot[node] < 0)
            g->slot[node] = g->nslots++;
        int classes = g->graph.nodes[node].node->out.c;
        if (g->classes < classes)
            g->classes = classes;
    }
    size_t kept = (size_t)g->nslots * (size_t)g->job->logits_wanted * (size_t)g->classes;
    g->kept = arena_array(&g->arena, kept + 1, sizeof *g->kept);
    return g->kept ? 0 : out_of_memory(err);
}

static size_t score_record_bytes(const struct group *g)
{
    return (size_t)g->nslots * (size_t)g->score_batch * sizeof(struct tally_image);
}

static struct shape image_of(const struct group *g)
{
    for (int32_t v = 0; v < g->graph.nnodes; v++)
        if (g->graph.nodes[v].node->op == OP_INPUT)
            return g->graph.nodes[v].node->out;
    return (struct shape){0, 0, 0};
}

static size_t bytes_needed(const struct group *g, int threads)
{
    struct shape image = image_of(g);
    size_t calibrate = 0, score = exec_bytes(&g->score_memory, image, score_record_bytes(g), threads);
    if (g->calibrates)
        calibrate = exec_bytes(&g->calibrate_memory, image, norm_record_bytes(&g->graph), threads);
    return (calibrate > score ? calibrate : score) + norm_bytes(&g->graph) + g->arena.used +
           params_bytes(g->job->params) + g->job->held_bytes;
}

/* How many images are scored at a time: a few megabytes of activations, where bits do not depend on it. */
static int choose_batch(struct group *g, struct err *err)
{
    enum { CACHE = 4 << 20, SMALLEST = 4, LARGEST = 64 }; /* fewer than 4 read the weights too often */
    g->score_batch = g->job->score_batch;
    if (!has_batch_bn(&g->score)) {
        struct memory_plan one;
        int rc = memory_plan(&g->arena, &g->score, 1, &one, err);
        if (rc)
            return rc;
        size_t fit = one.region_bytes ? CACHE / one.region_bytes : LARGEST;
        g->score_batch = fit < SMALLEST ? SMALLEST : fit > LARGEST ? LARGEST : (int)fit;
    }
    if (g->job->scoring.n < g->score_batch)
        g->score_batch = (int)g->job->scoring.n;
    return memory_plan(&g->arena, &g->score, g->score_batch, &g->score_memory, err);
}

static int bind(struct group *g, struct err *err)
{
    int rc = lower_bind(&g->score, g->job->params, err);
    g->culprit = g->score.culprit;
    if (!rc && g->calibrates) {
        rc = lower_bind(&g->calibrate, g->job->params, err);
        g->culprit = g->calibrate.culprit;
    }
    if (!rc) {
        rc = norm_init(&g->norm, &g->arena, &g->graph, g->job->policy, g->job->params, err);
        g->culprit = g->norm.culprit;
    }
    return rc;
}

/* A batch's variance over one value says nothing (PyTorch refuses it too). */
static int check_counts(struct group *g, const struct lower_program *p, int n, struct err *err)
{
    for (int32_t v = 0; v < g->graph.nnodes; v++) {
        const struct plan_node *node = g->graph.nodes[v].node;
        if (p->bn_first[v + 1] > p->bn_first[v] && (size_t)n * blocked_pixels(node->out) <= 1) {
            g->culprit = p->bn_list[p->bn_first[v]];
            return err_set(err, ERR_INVALID, g->graph.nodes[g->culprit].node->path,
                           "BatchNorm has one value per channel in a batch of %d: use larger batches", n);
        }
    }
    return 0;
}

static int check_batches(struct group *g, struct err *err)
{
    int rc = g->calibrates ? check_counts(g, &g->calibrate, g->job->policy->batch_size, err) : 0;
    int tail = (int)(g->job->scoring.n % g->score_batch);
    return rc ? rc : check_counts(g, &g->score, tail ? tail : g->score_batch, err);
}

/* Everything up to the first computation. ERR_NO_MEMORY with where "memory": the group is too large for the limit. */
static int prepare(struct group *g, struct err *err)
{
    int rc = merge(g, err);
    if (!rc)
        rc = lower_passes(g, err);
    if (!rc)
        rc = find_slots(g, err);
    if (!rc)
        rc = choose_batch(g, err);
    if (!rc && g->calibrates)
        rc = memory_plan(&g->arena, &g->calibrate, g->job->policy->batch_size, &g->calibrate_memory, err);
    if (!rc)
        rc = check_batches(g, err);
    if (rc)
        return rc;
    size_t limit = g->job->memory_bytes;
    g->threads = g->job->threads;
    while (limit && g->threads > 1 && bytes_needed(g, g->threads) > limit)
        g->threads--;
    if (limit && bytes_needed(g, g->threads) > limit)
        return err_set(err, ERR_NO_MEMORY, "memory",
                       "%d candidate%s in batches of %d need %zu MiB, the limit is %zu MiB", g->n, g->n == 1 ? "" : "s",
                       g->calibrates ? g->job->policy->batch_size : g->score_batch,
                       (bytes_needed(g, g->threads) >> 20) + 1, limit >> 20);
    if (g->threads < g->job->threads)
        log_info("threads_reduced", "threads=%d memory_mib=%zu", g->threads, limit >> 20);
    return bind(g, err);
}

/* ---- calibration ---- */

static int report(struct group *g, double part)
{
    const struct evaluate_job *job = g->job;
    return job->progress ? job->progress(job->ctx, g->done_before + g->share * part) : 0;
}

static double calibration_part(const struct group *g)
{
    double c = g->calibrates ? (double)g->job->calibration.n * g->calibrate.nsteps : 0;
    return c / (c + (double)g->job->scoring.n * g->score.nsteps);
}

static struct norm_batch batch_of(const struct group *g, void *record)
{
    float *mean = record;
    return (struct norm_batch){mean, mean + g->norm.nchannels};
}

static void measured(void *ctx, void *record, int32_t bn, const double *mean, const double *var, double count)
{
    struct group *g = ctx;
    struct norm_batch r = batch_of(g, record);
    norm_record(&g->norm, g->job->policy, bn, mean, var, count, &r);
}

static int fold_statistics(void *ctx, void *record, int batch)
{
    (void)batch;
    struct group *g = ctx;
    struct norm_batch r = batch_of(g, record);
    norm_fold(&g->norm, g->job->policy, &r);
    g->calibration_done += g->job->policy->batch_size;
    return report(g, calibration_part(g) * (double)g->calibration_done / (double)g->job->calibration.n);
}

static int calibrate(struct group *g, struct err *err)
{
    const struct evaluate_job *job = g->job;
    const struct policy *policy = job->policy;
    int last_only = policy->average == AVERAGE_LAST; /* batches are independent: the others change nothing */
    struct exec_pass pass = {.program = &g->calibrate,
                             .memory = &g->calibrate_memory,
                             .norm = &g->norm,
                             .images = job->calibration.images,
                             .nimages = job->calibration.n,
                             .batch_size = policy->batch_size,
                             .first_batch = last_only ? policy->batches - 1 : 0,
                             .nbatches = last_only ? 1 : policy->batches,
                             .threads = g->threads,
                             .cancel = job->cancel,
                             .profile = job->profile,
                             .ctx = g,
                             .record_bytes = norm_record_bytes(&g->graph),
                             .measured = measured,
                             .fold = fold_statistics};
    return exec_run(&pass, err);
}

/* ---- scoring ---- */

/* Row-major copies of the logits that the caller wants; rows of different images never meet. */
static void keep_logits(struct group *g, int32_t node, const float *x, int64_t first, int n)
{
    for (int i = 0; i < n && first + i < g->job->logits_wanted; i++) {
        size_t row = (size_t)g->slot[node] * (size_t)g->job->logits_wanted + (size_t)(first + i);
        for (int c = 0; c < g->graph.nodes[node].node->out.c; c++)
            g->kept[row * (size_t)g->classes + (size_t)c] =
                x[((size_t)(c / LANES) * (size_t)n + (size_t)i) * LANES + (size_t)(c % LANES)];
    }
}

static void count_logits(void *ctx, void *record, int32_t node, const float *x, int64_t first, int n)
{
    struct group *g = ctx;
    keep_logits(g, node, x, first, n);
    struct tally_image *rows = (struct tally_image *)record + (size_t)g->slot[node] * (size_t)g->score_batch;
    for (int i = 0; i < n; i++)
        tally_logits(x + (size_t)i * LANES, (size_t)n * LANES, g->graph.nodes[node].node->out.c,
                     g->job->scoring.labels[first + i], &rows[i]);
}

static int fold_tallies(void *ctx, void *record, int batch)
{
    struct group *g = ctx;
    int64_t first = (int64_t)batch * g->score_batch, left = g->job->scoring.n - first;
    int n = (int)(left < g->score_batch ? left : g->score_batch);
    for (int s = 0; s < g->nslots; s++)
        for (int i = 0; i < n; i++)
            tally_add(&g->tallies[s], (struct tally_image *)record + (size_t)s * (size_t)g->score_batch + i, first + i);
    double part = calibration_part(g);
    return report(g, part + (1 - part) * (double)(first + n) / (double)g->job->scoring.n);
}

static int score(struct group *g, struct err *err)
{
    const struct evaluate_job *job = g->job;
    struct exec_pass pass = {.program = &g->score,
                             .memory = &g->score_memory,
                             .norm = &g->norm,
                             .images = job->scoring.images,
                             .nimages = job->scoring.n,
                             .batch_size = g->score_batch,
                             .nbatches = (int)((job->scoring.n + g->score_batch - 1) / g->score_batch),
                             .threads = g->threads,
                             .cancel = job->cancel,
                             .profile = job->profile,
                             .ctx = g,
                             .record_bytes = score_record_bytes(g),
                             .logits = count_logits,
                             .fold = fold_tallies};
    return exec_run(&pass, err);
}

/* ---- results ---- */

/* Graph nodes of a plan's nodes: the two are walked side by side from the output. */
static void map_plan(struct group *g, int i, int32_t *map)
{
    const struct plan *p = g->candidates[i]->plan;
    map[p->output] = g->graph.outputs[i];
    for (int v = p->nnodes - 1; v >= 0; v--)
        for (int k = 0; k < p->nodes[v].ninputs; k++)
            map[p->nodes[v].inputs[k]] = g->graph.nodes[map[v]].inputs[k];
}

static int all_finite(const float *x, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

/* The digest, and the first BatchNorm whose statistics are not finite (it explains logits that are not). */
static const struct plan_node *digest(struct group *g, struct evaluate_candidate *c, const int32_t *map)
{
    struct {
        struct hash128 so_far, mean, var;
    } link;
    const struct plan_node *broken = NULL;
    memset(&link, 0, sizeof link);
    for (int v = 0; g->job->policy->average != AVERAGE_BATCH && v < c->plan->nnodes; v++) {
        const struct plan_node *n = &c->plan->nodes[v];
        if (n->op != OP_BN || !lower_bn_tracked(n))
            continue;
        const float *mean = g->norm.mean + g->norm.at[map[v]], *var = g->norm.var + g->norm.at[map[v]];
        link.mean = hash128(mean, (size_t)n->out.c * sizeof *mean);
        link.var = hash128(var, (size_t)n->out.c * sizeof *var);
        link.so_far = hash128(&link, sizeof link);
        if (!broken && !(all_finite(mean, n->out.c) && all_finite(var, n->out.c)))
            broken = n;
        if (g->job->statistics)
            g->job->statistics(g->job->ctx, c, n, mean, var);
    }
    snprintf(c->digest, sizeof c->digest, "%016" PRIx64 "%016" PRIx64, link.so_far.hi, link.so_far.lo);
    return broken;
}

static int out_of_maps(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the nodes of a plan");
}

static void check_logits(struct evaluate_candidate *c, const struct plan_node *broken)
{
    if (c->tally.bad_image)
        err_set(&c->error, ERR_INVALID, broken ? broken->path : "logits",
                "image %" PRId64 " gives logits that are not finite%s", c->tally.bad_image - 1,
                broken ? ", and these BatchNorm statistics are not either" : "");
}

static int stop(const struct group *g, struct evaluate_candidate *c, struct err *err)
{
    return g->job->finished(g->job->ctx, c) ? err_set(err, ERR_CANCELLED, "", "the job was cancelled") : 0;
}

static const float *logits_of(const struct group *g, int i, int64_t image)
{
    size_t row = (size_t)g->slot[g->graph.outputs[i]] * (size_t)g->job->logits_wanted + (size_t)image;
    return g->kept + row * (size_t)g->classes;
}

static int finish(struct group *g, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < g->n && !rc; i++) {
        struct evaluate_candidate *c = g->candidates[i];
        int32_t *map = malloc((size_t)c->plan->nnodes * sizeof *map);
        if (!map)
            return out_of_maps(err);
        map_plan(g, i, map);
        c->tally = g->tallies[g->slot[g->graph.outputs[i]]];
        check_logits(c, digest(g, c, map));
        for (int64_t k = 0; k < g->job->logits_wanted && k < g->job->scoring.n; k++)
            g->job->logits(g->job->ctx, c, k, logits_of(g, i, k), g->classes);
        free(map);
        rc = stop(g, c, err);
    }
    return rc;
}

static void group_clear(struct group *g)
{
    norm_clear(&g->norm);
    arena_clear(&g->arena);
}

static int run_group(struct group *g, struct err *err)
{
    g->culprit = -1;
    int rc = prepare(g, err);
    if (rc)
        return rc;
    int64_t start = clock_mono_ns();
    if (g->calibrates)
        rc = calibrate(g, err);
    int64_t calibrated = clock_mono_ns();
    g->job->calibration_ns += calibrated - start;
    if (!rc) {
        norm_finish(&g->norm);
        rc = score(g, err);
        g->job->scoring_ns += clock_mono_ns() - calibrated;
    }
    return rc ? rc : finish(g, err);
}

/* ---- groups that cannot run as they are ---- */

static int uses_node(struct group *g, int i, int32_t node, int *uses, struct err *err)
{
    const struct plan *p = g->candidates[i]->plan;
    int32_t *map = malloc((size_t)p->nnodes * sizeof *map);
    if (!map)
        return out_of_maps(err);
    map_plan(g, i, map);
    *uses = 0;
    for (int v = 0; v < p->nnodes; v++)
        *uses |= map[v] == node;
    free(map);
    return 0;
}

/* The candidates that use the culprit are finished with the error; the others move to the front. */
static int drop_culprits(struct group *g, const struct err *why, int *left, struct err *err)
{
    int rc = 0;
    *left = 0;
    for (int i = 0; i < g->n && !rc; i++) {
        struct evaluate_candidate *c = g->candidates[i];
        int uses = 0;
        rc = uses_node(g, i, g->culprit, &uses, err);
        if (!rc && uses) {
            c->error = *why;
            rc = stop(g, c, err);
        } else if (!rc) {
            g->candidates[(*left)++] = c;
        }
    }
    return rc;
}

static int is_candidates_fault(const struct group *g, const struct err *why)
{
    return g->culprit >= 0 && (why->code == ERR_INVALID || why->code == ERR_UNSUPPORTED || why->code == ERR_NOT_FOUND ||
                               why->code == ERR_CORRUPT);
}

/* Runs candidates [0, n) as one group; as two when they do not fit the memory limit together; without those that
 * cannot be scored at all. */
static int evaluate_some(struct evaluate_job *job, struct evaluate_candidate **candidates, int n, double before,
                         double share, struct err *err)
{
    if (n == 0)
        return 0;
    struct group g = {.job = job, .candidates = candidates, .n = n, .done_before = before, .share = share};
    struct err why = {0};
    int left, rc = run_group(&g, &why);
    if (rc && is_candidates_fault(&g, &why)) {
        rc = drop_culprits(&g, &why, &left, err);
        group_clear(&g);
        return rc ? rc : evaluate_some(job, candidates, left, before, share, err);
    }
    group_clear(&g);
    if (rc == -ERR_NO_MEMORY && strcmp(why.where, "memory") == 0 && n > 1) {
        rc = evaluate_some(job, candidates, n / 2, before, share / 2, err);
        return rc ? rc : evaluate_some(job, candidates + n / 2, n - n / 2, before + share / 2, share / 2, err);
    }
    if (rc && err)
        *err = why;
    return rc;
}

int evaluate(struct evaluate_job *job, struct evaluate_candidate *candidates, int n, struct err *err)
{
    struct evaluate_candidate **list = malloc((size_t)(n > 0 ? n : 1) * sizeof(struct evaluate_candidate *));
    if (!list)
        return out_of_memory(err);
    for (int i = 0; i < n; i++)
        list[i] = &candidates[i];
    int rc = evaluate_some(job, list, n, 0, 1, err);
    free(list);
    return rc;
}
