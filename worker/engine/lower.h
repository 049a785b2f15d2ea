/* lower: a merged graph becomes a program, a list of fused steps in execution order.
 *
 * Decides which nodes run, which neighbours are done on the fly by one step (op.h), and in what order: depth first, so
 * that what is alive at any moment is about one path through the graph. Whether two nodes are fused may depend on how
 * many readers a value has, because op.h promises that fusing changes no bit; reading images without conversion depends
 * on a node and its ancestors alone, and foreseeing statistics on what merge.h keeps apart. So a candidate's numbers do
 * not depend on the company it is scored in.
 *
 * BatchNorm is never an operator of its own here: it is the affine of its statistics, applied by the step that writes
 * its input (when known beforehand), by the step that reads it, or by an elementwise step (row OP_BN). */
#ifndef ENGINE_LOWER_H
#define ENGINE_LOWER_H

#include "proto/graph.h"
#include "worker/engine/op.h"
#include "worker/engine/params.h"

enum lower_pass {
    LOWER_CALIBRATE,  /* every BatchNorm normalises with its batch; what no BatchNorm's statistics need is left out */
    LOWER_SCORE,      /* tracked BatchNorms have known statistics; all outputs are computed */
    LOWER_SCORE_BATCH /* all outputs, every BatchNorm normalises with its batch */
};

struct lower_load { /* what is done to an input as it is read */
    int32_t bn;     /* BatchNorm node, -1 none */
    enum act_kind act;
};

struct lower_step {
    int32_t head, tail; /* graph nodes: the operator it runs, the value it writes */
    struct op_site site;
    const int32_t *inputs;          /* [site.ninputs] nodes whose stored values it reads, below what `loads` applies */
    const struct lower_load *loads; /* [site.ninputs] */
    int32_t store_bn;               /* BatchNorm node whose affine it writes through, -1 none */
    enum act_kind store_act;
    int32_t residual; /* node, -1 none */
    int measures;     /* the tail's statistics are wanted */
    int foresees;     /* nothing but those are: they come from op_backend.foresee, and the tail has no value */
    const struct lower_step *first; /* a step done together with this one (op_backend.pair), which reads its inputs in
                                       the place of `inputs`; NULL: none */
    const float *params[OP_PARAMS];
};

struct lower_program {
    const struct graph *graph;
    const struct op_backend *backend;
    enum lower_pass pass;
    int nsteps;
    struct lower_step *steps;  /* in execution order */
    struct lower_step *firsts; /* [nfirsts] steps done together with one of `steps` */
    int nfirsts;
    int32_t *home;     /* [nnodes] step that stores the node's value, -1: not stored */
    int32_t *bn_first; /* [nnodes + 1] batch-statistics BatchNorms measured on a node: bn_list[first..next) */
    int32_t *bn_list;
    int32_t culprit;          /* on failure: the node that cannot run, -1 when it is not one node's fault */
    unsigned char *is_output; /* [nnodes] the node is some plan's logits */
};

/* 1 when the BatchNorm keeps statistics; one without mean and variance always uses its batch's. */
int lower_bn_tracked(const struct plan_node *bn);

/* The step whose inputs and loads are read when s runs: s itself or the one done together with it. */
static inline const struct lower_step *lower_reader(const struct lower_step *s)
{
    return s->first ? s->first : s;
}

/* `n`: samples of every mini-batch, for LOWER_CALIBRATE. ERR_UNSUPPORTED when the back end lacks an operator or refuses
 * a site, naming it. Everything comes from `a`. */
int lower(struct arena *a, const struct graph *g, const struct op_backend *backend, enum lower_pass pass, int n,
          struct lower_program *out, struct err *err);

/* Packs what the steps need and points them at it. Fails with p->culprit set where a parameter cannot be used. */
int lower_bind(struct lower_program *p, struct params *params, struct err *err);

#endif
