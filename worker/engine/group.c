/* group: see group.h. */
#include "worker/engine/group.h"

#include "proto/base/log.h"
#include "worker/engine/blocked.h"
#include "worker/engine/merge.h"

#include <string.h>

void group_init(struct group *g, struct evaluate_job *job, struct evaluate_candidate **candidates, int n, double before,
                double share)
{
    *g = (struct group){
        .job = job, .candidates = candidates, .n = n, .done_before = before, .share = share, .culprit = -1};
}

void group_clear(struct group *g)
{
    norm_clear(&g->norm);
    arena_clear(&g->arena);
}

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory to score a group of candidates");
}

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

size_t group_score_record_bytes(const struct group *g)
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
    size_t calibrate = 0, score = exec_bytes(&g->score_memory, image, group_score_record_bytes(g), threads);
    score += norm_bytes(&g->graph); /* the affines */
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
        struct arena scratch;
        arena_init(&scratch, 0);
        int rc = memory_plan(&scratch, &g->score, 1, &one, err);
        arena_clear(&scratch);
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

/* Fewer threads until it fits the limit. */
static int fit(struct group *g, struct err *err)
{
    size_t limit = g->job->memory_bytes;
    while (limit && g->threads > 1 && bytes_needed(g, g->threads) > limit)
        g->threads--;
    if (!limit || bytes_needed(g, g->threads) <= limit)
        return 0;
    return err_set(err, ERR_NO_MEMORY, "memory", "%d candidate%s in batches of %d need %zu MiB, the limit is %zu MiB",
                   g->n, g->n == 1 ? "" : "s", g->calibrates ? g->job->policy->batch_size : g->score_batch,
                   (bytes_needed(g, g->threads) >> 20) + 1, limit >> 20);
}

int group_prepare(struct group *g, struct err *err)
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
    g->threads = g->job->threads;
    if (!rc)
        rc = fit(g, err);
    if (!rc)
        rc = bind(g, err);
    if (!rc)
        rc = fit(g, err); /* packed weights count too, and are known only now */
    if (!rc && g->threads < g->job->threads)
        log_info("threads_reduced", "threads=%d memory_mib=%zu", g->threads, g->job->memory_bytes >> 20);
    return rc;
}
