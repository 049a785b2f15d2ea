/* cost: counting over plans; see cost.h for the conventions. */
#include "proto/cost.h"

#include <stdlib.h>
#include <string.h>

static int64_t volume(struct shape s)
{
    return (int64_t)s.c * s.h * s.w;
}

static int64_t param_count(const struct param *p)
{
    int64_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= p->count[i];
    return n;
}

/* Multiply-accumulates of the operators that papers count; 0 for the others. */
static int64_t product_macs(const struct plan_node *n, const struct plan_node *nodes)
{
    switch (n->op) {
    case OP_CONV: {
        const int32_t *w = n->params[0]->count;
        return volume(n->out) * w[1] * w[2] * w[3];
    }
    case OP_LINEAR:
        return (int64_t)n->params[0]->count[0] * n->params[0]->count[1];
    case OP_ATTENTION:
        return 2 * (int64_t)n->out.c * nodes[n->inputs[0]].out.h * nodes[n->inputs[0]].out.h;
    default:
        return 0;
    }
}

void cost_node(const struct plan_node *n, const struct plan_node *nodes, int64_t *conv_macs, int64_t *all_macs)
{
    *conv_macs = product_macs(n, nodes);
    *all_macs = *conv_macs;
    switch (n->op) {
    case OP_INPUT:
    case OP_SLICE:
    case OP_CONCAT:
    case OP_SHUFFLE:
    case OP_PADC:
    case OP_SUBSAMPLE:
    case OP_SELECT:
    case OP_TOKENS:
    case OP_UNTOKENS:
    case OP_EMBED:
    case OP_ZERO:
        break; /* moves data */
    case OP_CONV:
    case OP_LINEAR:
        if (n->nparams > 1 && n->params[1])
            *all_macs += volume(n->out);
        break;
    case OP_AVGPOOL:
    case OP_MAXPOOL:
        *all_macs += volume(n->out) * n->attr.kernel_h * n->attr.kernel_w;
        break;
    case OP_GAP:
        *all_macs += volume(nodes[n->inputs[0]].out);
        break;
    case OP_ADD:
    case OP_MAX:
        *all_macs += volume(n->out) * (n->ninputs - 1);
        break;
    case OP_RESIZE:
        *all_macs += volume(n->out) * (n->attr.mode == RESIZE_BICUBIC ? 16 : 4);
        break;
    default:
        *all_macs += volume(n->out);
    }
}

int64_t cost_node_params(const struct plan_node *n)
{
    int64_t sum = 0;
    int last = n->op == OP_BN ? 2 : n->nparams; /* then running statistics */
    for (int i = 0; i < last && i < n->nparams; i++)
        if (n->params[i])
            sum += param_count(n->params[i]);
    return sum;
}

static int cmp_param(const void *a, const void *b)
{
    return param_cmp(*(const struct param *const *)a, *(const struct param *const *)b);
}

/* Distinct trainable parameters. */
static int unique_params(const struct plan *p, int64_t *sum)
{
    const struct param **all = malloc(((size_t)p->nnodes * 4 + 1) * sizeof *all);
    size_t n = 0;
    if (!all)
        return -1;
    for (int i = 0; i < p->nnodes; i++) {
        const struct plan_node *node = &p->nodes[i];
        int last = node->op == OP_BN ? 2 : node->nparams;
        for (int k = 0; k < last && k < node->nparams && k < 4; k++)
            if (node->params[k])
                all[n++] = node->params[k];
    }
    qsort(all, n, sizeof *all, cmp_param);
    *sum = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || param_cmp(all[i - 1], all[i]) != 0)
            *sum += param_count(all[i]);
    free(all);
    return 0;
}

static int peak(const struct plan *p, int64_t *out)
{
    int32_t *last = malloc((size_t)p->nnodes * sizeof *last);
    int64_t live = 0;
    if (!last)
        return -1;
    *out = 0;
    for (int i = 0; i < p->nnodes; i++) {
        last[i] = i;
        for (int k = 0; k < p->nodes[i].ninputs; k++)
            last[p->nodes[i].inputs[k]] = i;
    }
    for (int i = 0; i < p->nnodes; i++) {
        live += volume(p->nodes[i].out) * 4;
        *out = live > *out ? live : *out;
        for (int k = 0; k < p->nodes[i].ninputs; k++) {
            int32_t in = p->nodes[i].inputs[k];
            if (last[in] == i) {
                live -= volume(p->nodes[in].out) * 4;
                last[in] = -1; /* an input that comes twice is freed once */
            }
        }
    }
    free(last);
    return 0;
}

int cost_plan(const struct plan *p, struct cost *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < p->nnodes; i++) {
        int64_t conv, all;
        cost_node(&p->nodes[i], p->nodes, &conv, &all);
        out->conv_macs += conv;
        out->all_macs += all;
        out->activation_bytes += volume(p->nodes[i].out) * 4;
    }
    if (unique_params(p, &out->params) || peak(p, &out->peak_bytes))
        return err_set(err, ERR_NO_MEMORY, "", "no memory to count a plan");
    return 0;
}
