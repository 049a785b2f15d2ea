/* pass: see pass.h. */
#include "worker/engine/pass.h"

#include "worker/engine/blocked.h"

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

int pass_calibrate(struct group *g, struct err *err)
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

int pass_score(struct group *g, struct err *err)
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
                             .record_bytes = group_score_record_bytes(g),
                             .logits = count_logits,
                             .fold = fold_tallies};
    return exec_run(&pass, err);
}
