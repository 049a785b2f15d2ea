/* evaluate: see evaluate.h. */
#include "worker/engine/evaluate.h"

#include "proto/base/clock.h"
#include "worker/engine/cut.h"
#include "worker/engine/merge.h"
#include "worker/engine/pass.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- results ---- */

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
        merge_map(&g->graph, i, c->plan, map);
        c->tally = g->tallies[g->slot[g->graph.outputs[i]]];
        check_logits(c, digest(g, c, map));
        for (int64_t k = 0; k < g->job->logits_wanted && k < g->job->scoring.n; k++)
            g->job->logits(g->job->ctx, c, k, logits_of(g, i, k), g->classes);
        free(map);
        rc = stop(g, c, err);
    }
    return rc;
}

static int run_group(struct group *g, struct err *err)
{
    int rc = group_prepare(g, err);
    if (rc)
        return rc;
    int64_t start = clock_mono_ns();
    if (g->calibrates)
        rc = pass_calibrate(g, err);
    int64_t calibrated = clock_mono_ns();
    g->job->calibration_ns += calibrated - start;
    if (!rc)
        rc = norm_finish(&g->norm, err);
    if (!rc) {
        rc = pass_score(g, err);
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
    merge_map(&g->graph, i, p, map);
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
    struct group g;
    group_init(&g, job, candidates, n, before, share);
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

/* Group after group, each as long as cut.h makes it. */
static int evaluate_groups(struct evaluate_job *job, struct evaluate_candidate **list, int n, const unsigned char *last,
                           const double *work, struct err *err)
{
    double all = 0, before = 0;
    int rc = 0;
    for (int i = 0; i < n; i++)
        all += work[i];
    for (int i = 0, first = 0; i < n && !rc; i++) {
        if (!last[i])
            continue;
        if (job->more && first > 0 && i == n - 1) {
            job->waiting = n - first;
            break;
        }
        double own = 0;
        for (int k = first; k <= i; k++)
            own += all > 0 ? work[k] / all : 1.0 / n;
        rc = evaluate_some(job, list + first, i + 1 - first, before, own, err);
        before += own;
        first = i + 1;
    }
    return rc;
}

int evaluate(struct evaluate_job *job, struct evaluate_candidate *candidates, int n, struct err *err)
{
    size_t room = (size_t)(n > 0 ? n : 1);
    struct evaluate_candidate **list = malloc(room * sizeof(struct evaluate_candidate *));
    const struct plan **plans = calloc(room, sizeof(const struct plan *));
    unsigned char *last = calloc(room, 1);
    double *work = calloc(room, sizeof *work);
    int rc = list && plans && last && work ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for %d candidates", n);
    job->waiting = 0;
    for (int i = 0; i < n && !rc; i++) {
        list[i] = &candidates[i];
        plans[i] = candidates[i].plan;
    }
    if (!rc)
        rc = cut_groups(plans, n, (double)(job->calibration.n + job->scoring.n), last, work, err);
    if (!rc)
        rc = evaluate_groups(job, list, n, last, work, err);
    free(list);
    free(plans);
    free(last);
    free(work);
    return rc;
}
