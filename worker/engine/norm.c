/* norm: see norm.h. */
#include "worker/engine/norm.h"

#include "worker/engine/blocked.h"
#include "worker/engine/lower.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t padded(const struct graph *g, int32_t v)
{
    return g->nodes[v].node->op == OP_BN ? (size_t)blocked_blocks(g->nodes[v].node->out.c) * LANES : 0;
}

static size_t channels(const struct graph *g)
{
    size_t n = 0;
    for (int32_t v = 0; v < g->nnodes; v++)
        n += padded(g, v);
    return n;
}

/* Mean and variance, or scale and shift. */
size_t norm_bytes(const struct graph *g)
{
    return channels(g) * 2 * sizeof(float);
}

size_t norm_record_bytes(const struct graph *g)
{
    return channels(g) * 2 * sizeof(float);
}

static const struct param *param_of(const struct plan_node *bn, int i)
{
    return i < bn->nparams ? bn->params[i] : NULL;
}

/* Statistics start at 0 and 1, or at the checkpoint's. */
static int start(struct norm *n, int32_t v, const struct policy *policy, struct params *params, struct err *err)
{
    const struct plan_node *bn = n->graph->nodes[v].node;
    int stored = lower_bn_tracked(bn) && (policy->average == AVERAGE_NONE || !policy->reset);
    const float *mean = NULL, *var = NULL;
    int rc = params_vector(params, param_of(bn, 0), &n->gamma[v], err);
    if (!rc)
        rc = params_vector(params, param_of(bn, 1), &n->beta[v], err);
    if (!rc && stored)
        rc = params_vector(params, bn->params[2], &mean, err);
    if (!rc && stored)
        rc = params_vector(params, bn->params[3], &var, err);
    for (int c = 0; !rc && c < bn->out.c; c++) {
        n->mean[n->at[v] + (size_t)c] = mean ? mean[c] : 0;
        n->var[n->at[v] + (size_t)c] = var ? var[c] : 1;
    }
    return rc;
}

/* Two zeros for each channel. */
static float *vectors(const struct norm *n)
{
    size_t bytes = norm_bytes(n->graph);
    float *p = aligned_alloc(BLOCKED_ALIGN, bytes + BLOCKED_ALIGN);
    if (p)
        memset(p, 0, bytes);
    return p;
}

static int out_of_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the statistics of BatchNorms");
}

int norm_init(struct norm *n, struct arena *a, const struct graph *g, const struct policy *policy,
              struct params *params, struct err *err)
{
    size_t nodes = (size_t)g->nnodes;
    *n = (struct norm){.graph = g, .nchannels = channels(g), .culprit = -1};
    n->at = arena_array(a, nodes + 1, sizeof *n->at);
    n->gamma = arena_array(a, nodes + 1, sizeof *n->gamma);
    n->beta = arena_array(a, nodes + 1, sizeof *n->beta);
    n->mean = vectors(n);
    if (!n->at || !n->gamma || !n->beta || !n->mean) {
        norm_clear(n);
        return out_of_memory(err);
    }
    n->var = n->mean + n->nchannels;
    size_t next = 0;
    for (int32_t v = 0; v < g->nnodes; v++) {
        n->at[v] = g->nodes[v].node->op == OP_BN ? next : SIZE_MAX;
        next += padded(g, v);
        int rc = n->at[v] != SIZE_MAX ? start(n, v, policy, params, err) : 0;
        if (rc) {
            norm_clear(n);
            n->culprit = v;
            return rc;
        }
    }
    return 0;
}

void norm_clear(struct norm *n)
{
    free(n->mean);
    free(n->scale);
    *n = (struct norm){0};
}

static void affine(const struct norm *n, int32_t bn, int c, double mean, double var, float *scale, float *shift)
{
    double gamma = n->gamma[bn] ? (double)n->gamma[bn][c] : 1, beta = n->beta[bn] ? (double)n->beta[bn][c] : 0;
    double a = gamma / sqrt(var + (double)n->graph->nodes[bn].node->attr.eps);
    scale[c] = (float)a;
    shift[c] = (float)(beta - mean * a);
}

void norm_batch_affine(const struct norm *n, int32_t bn, const double *mean, const double *var, float *scale,
                       float *shift)
{
    int c = n->graph->nodes[bn].node->out.c, all = blocked_blocks(c) * LANES;
    for (int i = 0; i < c; i++)
        affine(n, bn, i, mean[i], var[i], scale, shift);
    for (int i = c; i < all; i++)
        scale[i] = shift[i] = 0;
}

void norm_record(const struct norm *n, const struct policy *policy, int32_t bn, const double *mean, const double *var,
                 double count, const struct norm_batch *r)
{
    double unbias = policy->unbiased ? count / (count - 1) : 1;
    for (int c = 0; c < n->graph->nodes[bn].node->out.c; c++) {
        r->mean[n->at[bn] + (size_t)c] = (float)mean[c];
        r->var[n->at[bn] + (size_t)c] = (float)(var[c] * unbias);
    }
}

static void fold(float *running, const float *batch, size_t count, double weight)
{
    for (size_t i = 0; i < count; i++)
        running[i] = (float)((1 - weight) * (double)running[i] + weight * (double)batch[i]);
}

void norm_fold(struct norm *n, const struct policy *policy, const struct norm_batch *r)
{
    n->folded++;
    double weight = policy->average == AVERAGE_EMA          ? policy->momentum
                    : policy->average == AVERAGE_CUMULATIVE ? 1.0 / n->folded
                                                            : 1;
    for (int32_t v = 0; v < n->graph->nnodes; v++) {
        if (n->at[v] == SIZE_MAX || !lower_bn_tracked(n->graph->nodes[v].node))
            continue;
        size_t at = n->at[v], count = (size_t)n->graph->nodes[v].node->out.c;
        fold(n->mean + at, r->mean + at, count, weight);
        fold(n->var + at, r->var + at, count, weight);
    }
}

int norm_finish(struct norm *n, struct err *err)
{
    n->scale = vectors(n);
    if (!n->scale)
        return out_of_memory(err);
    n->shift = n->scale + n->nchannels;
    for (int32_t v = 0; v < n->graph->nnodes; v++) {
        if (n->at[v] == SIZE_MAX)
            continue;
        for (int c = 0; c < n->graph->nodes[v].node->out.c; c++) {
            size_t i = n->at[v] + (size_t)c;
            affine(n, v, c, (double)n->mean[i], (double)n->var[i], n->scale + n->at[v], n->shift + n->at[v]);
        }
    }
    return 0;
}
