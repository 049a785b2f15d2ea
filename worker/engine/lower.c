/* lower: see lower.h. What is needed, which nodes fuse into which step, which steps are done together. */
#include "worker/engine/lower.h"

#include "worker/engine/order.h"

#include <assert.h>
#include <string.h>

struct virtual_value { /* act(bn(stored)) */
    int32_t stored, bn;
    enum act_kind act;
};

struct lowering {
    struct arena *arena;  /* the program's */
    struct arena scratch; /* what only making it needs, the steps before they are put in order too */
    const struct graph *g;
    const struct op_backend *backend;
    struct lower_program *p;
    unsigned char *need;              /* the node's value is read */
    unsigned char *measure;           /* BatchNorm nodes that normalise with their batch */
    unsigned char *taken;             /* absorbed into another node's step */
    int32_t *uses;                    /* readers in this pass */
    int32_t *reader;                  /* the only reader, when uses is 1 */
    int32_t *values;                  /* of the uses, those that want the value and not only its statistics */
    int n;                            /* samples of a calibration batch */
    struct virtual_value *virtual_of; /* of a node that its only reader makes on the fly */
    int nsteps;
};

int lower_bn_tracked(const struct plan_node *bn)
{
    return bn->nparams > 3 && bn->params[2] && bn->params[3];
}

static const struct plan_node *at(const struct lowering *l, int32_t v)
{
    return l->g->nodes[v].node;
}

static const struct op_row *row_of(const struct lowering *l, int32_t v)
{
    return &l->backend->rows[at(l, v)->op];
}

static int is_batch_bn(const struct lowering *l, int32_t v)
{
    return at(l, v)->op == OP_BN && (l->p->pass != LOWER_SCORE || !lower_bn_tracked(at(l, v)));
}

static void *array(struct lowering *l, size_t n, size_t size)
{
    return arena_array(l->arena, n ? n : 1, size);
}

static void *temporary(struct lowering *l, size_t n, size_t size)
{
    return arena_array(&l->scratch, n ? n : 1, size);
}

static int allocate(struct lowering *l, struct err *err)
{
    size_t n = (size_t)l->g->nnodes;
    struct lower_program *p = l->p;
    l->need = temporary(l, n, 1);
    l->measure = temporary(l, n, 1);
    l->taken = temporary(l, n, 1);
    l->uses = temporary(l, n, sizeof *l->uses);
    l->reader = temporary(l, n, sizeof *l->reader);
    l->values = temporary(l, n, sizeof *l->values);
    l->virtual_of = temporary(l, n, sizeof *l->virtual_of);
    p->home = array(l, n, sizeof *p->home);
    p->bn_first = array(l, n + 1, sizeof *p->bn_first);
    p->bn_list = array(l, n, sizeof *p->bn_list);
    p->is_output = array(l, n, 1);
    p->steps = temporary(l, n, sizeof *p->steps);
    if (!l->need || !l->measure || !l->taken || !l->uses || !l->reader || !l->values || !l->virtual_of || !p->home ||
        !p->bn_first || !p->bn_list || !p->is_output || !p->steps)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to lower a graph of %zu nodes", n);
    memset(l->virtual_of, 0xff, n * sizeof *l->virtual_of);
    memset(p->home, 0xff, n * sizeof *p->home);
    return 0;
}

static void read_by(struct lowering *l, int32_t v, int32_t reader)
{
    l->need[v] = 1;
    l->uses[v]++;
    l->reader[v] = reader;
}

/* Backwards from the outputs (scoring) or from the inputs of measured BatchNorms (calibration). */
static void find_needed(struct lowering *l)
{
    const struct graph *g = l->g;
    if (l->p->pass != LOWER_CALIBRATE)
        for (int i = 0; i < g->nplans; i++) {
            read_by(l, g->outputs[i], -1);
            l->p->is_output[g->outputs[i]] = 1;
        }
    for (int32_t v = g->nnodes - 1; v >= 0; v--) {
        int wanted = l->need[v];
        if (is_batch_bn(l, v) && (wanted || (l->p->pass == LOWER_CALIBRATE && lower_bn_tracked(at(l, v)))))
            wanted = l->measure[v] = 1;
        for (int i = 0; wanted && i < at(l, v)->ninputs; i++) {
            l->values[g->nodes[v].inputs[i]] += l->need[v];
            read_by(l, g->nodes[v].inputs[i], v);
        }
    }
}

/* The node that alone reads v, when there is one and nothing has taken it. */
static int32_t only_reader(const struct lowering *l, int32_t v)
{
    if (l->uses[v] != 1 || l->reader[v] < 0 || l->taken[l->reader[v]] || !l->need[l->reader[v]])
        return -1;
    return l->reader[v];
}

static int fusable_act(const struct lowering *l, int32_t v)
{
    return at(l, v)->op == OP_ACT && l->backend->fuses_act((enum act_kind)at(l, v)->attr.act);
}

/* 1 when `reader` can read v through an affine and an activation. */
static int can_load(const struct lowering *l, int32_t reader, int32_t v)
{
    const int32_t *in = l->g->nodes[reader].inputs;
    for (int i = 0; i < at(l, reader)->ninputs && i < row_of(l, reader)->loads; i++)
        if (in[i] == v)
            return 1;
    return 0;
}

/* A BatchNorm or an activation, or the one behind the other, may be applied by the only operator that reads them. */
static int fuse_into_load(struct lowering *l, int32_t v)
{
    struct virtual_value value = {.stored = l->g->nodes[v].inputs[0], .bn = -1, .act = ACT_NONE};
    int32_t tail = v, next = only_reader(l, v);
    if (at(l, v)->op == OP_BN) {
        value.bn = v;
        if (next >= 0 && fusable_act(l, next)) {
            tail = next;
            next = only_reader(l, next);
        }
    }
    if (at(l, tail)->op == OP_ACT) {
        if (!fusable_act(l, tail))
            return 0;
        value.act = (enum act_kind)at(l, tail)->attr.act;
    }
    if (next < 0 || !can_load(l, next, tail))
        return 0;
    l->taken[v] = l->taken[tail] = 1;
    l->virtual_of[tail] = value;
    return 1;
}

static int takes_image(const struct lowering *l, int32_t v)
{
    return (row_of(l, v)->fuses & FUSE_IMAGE) && at(l, v)->ninputs == 1 &&
           at(l, l->g->nodes[v].inputs[0])->op == OP_INPUT;
}

/* 1 when somebody reads the input as blocks. */
static int input_is_read(const struct lowering *l, int32_t input)
{
    int images = 0;
    for (int32_t v = input + 1; v < l->g->nnodes; v++)
        if (l->need[v] && takes_image(l, v) && l->g->nodes[v].inputs[0] == input)
            images++;
    return l->uses[input] > images;
}

static void absorb_bn(struct lowering *l, struct lower_step *s, int32_t v)
{
    s->store_bn = v;
    s->tail = v;
    l->taken[v] = 1;
}

/* Takes what follows into the step as long as the row can do it and nobody else reads the value in between. */
static void absorb(struct lowering *l, struct lower_step *s)
{
    unsigned fuses = row_of(l, s->head)->fuses;
    if (s->site.params[1]) /* a bias is an affine already: a second one would round differently when folded in */
        fuses &= ~(unsigned)FUSE_AFFINE;
    for (int32_t v = only_reader(l, s->tail); v >= 0; v = only_reader(l, s->tail)) {
        const struct plan_node *n = at(l, v);
        const int32_t *in = l->g->nodes[v].inputs;
        int32_t other = n->ninputs == 2 && in[0] == s->tail ? in[1] : in[0];
        if (n->op == OP_BN && (fuses & FUSE_AFFINE) && s->store_bn < 0 && s->residual < 0 && !is_batch_bn(l, v)) {
            absorb_bn(l, s, v);
        } else if (n->op == OP_ADD && n->ninputs == 2 && (fuses & FUSE_RESIDUAL) && s->residual < 0 &&
                   l->virtual_of[other].stored < 0) {
            s->residual = other;
            s->tail = v;
            l->taken[v] = 1;
        } else if ((fuses & FUSE_ACT) && fusable_act(l, v)) {
            s->store_act = (enum act_kind)n->attr.act;
            s->tail = v;
            l->taken[v] = 1;
            return;
        } else {
            return;
        }
    }
}

static int fill_site(struct lowering *l, struct lower_step *s, struct err *err)
{
    const struct graph_node *gn = &l->g->nodes[s->head];
    const struct plan_node *n = gn->node;
    struct shape *in = array(l, (size_t)n->ninputs, sizeof *in);
    if (!in)
        return err_set(err, ERR_NO_MEMORY, n->path, "no memory to lower the graph");
    for (int i = 0; i < n->ninputs; i++)
        in[i] = at(l, gn->inputs[i])->out;
    s->site = (struct op_site){
        .backend = l->backend, .op = n->op, .attr = n->attr, .ninputs = n->ninputs, .in = in, .out = n->out};
    s->site.image = n->op == OP_INPUT || takes_image(l, s->head);
    for (int i = 0; n->op != OP_BN && i < n->nparams; i++) {
        assert(i < OP_PARAMS);
        s->site.params[i] = n->params[i];
    }
    const struct op_row *row = row_of(l, s->head);
    if (!row->forward)
        return err_set(err, ERR_UNSUPPORTED, n->path, "back end %s has no operator \"%s\"", l->backend->name,
                       op_text(n->op));
    const char *why = row->refuse ? row->refuse(&s->site) : NULL;
    if (why)
        return err_set(err, ERR_UNSUPPORTED, n->path, "back end %s cannot run this \"%s\": %s", l->backend->name,
                       op_text(n->op), why);
    return 0;
}

/* What the step reads: stored values, seen through what it does to them on the fly. */
static int fill_inputs(struct lowering *l, struct lower_step *s, struct err *err)
{
    const struct graph_node *gn = &l->g->nodes[s->head];
    size_t n = (size_t)gn->node->ninputs;
    int32_t *inputs = array(l, n, sizeof *inputs);
    struct lower_load *loads = array(l, n, sizeof *loads);
    if (!inputs || !loads)
        return err_set(err, ERR_NO_MEMORY, gn->node->path, "no memory to lower the graph");
    for (size_t i = 0; i < n; i++) {
        const struct virtual_value *value = &l->virtual_of[gn->inputs[i]];
        int through = value->stored >= 0;
        inputs[i] = through ? value->stored : gn->inputs[i];
        loads[i] = (struct lower_load){.bn = through ? value->bn : -1, .act = through ? value->act : ACT_NONE};
    }
    s->inputs = inputs;
    s->loads = loads;
    return 0;
}

static int make_step(struct lowering *l, int32_t v, struct err *err)
{
    struct lower_step *s = &l->p->steps[l->nsteps];
    *s = (struct lower_step){.head = v, .tail = v, .store_bn = -1, .residual = -1};
    int rc = fill_site(l, s, err);
    if (!rc)
        rc = fill_inputs(l, s, err);
    if (rc)
        return rc;
    if (at(l, v)->op == OP_BN)
        s->store_bn = v;
    absorb(l, s);
    l->p->home[s->tail] = l->nsteps++;
    return 0;
}

static int make_steps(struct lowering *l, struct err *err)
{
    for (int32_t v = 0; v < l->g->nnodes; v++) {
        if (!l->need[v] || l->taken[v])
            continue;
        if (at(l, v)->op == OP_INPUT && !input_is_read(l, v))
            continue;
        if ((at(l, v)->op == OP_BN || at(l, v)->op == OP_ACT) && fuse_into_load(l, v))
            continue;
        int rc = make_step(l, v, err);
        if (rc) {
            l->p->culprit = v;
            return rc;
        }
    }
    return 0;
}

static void mark_measured(struct lowering *l)
{
    for (int32_t v = 0; v < l->g->nnodes; v++) {
        struct lower_step *s = l->measure[v] ? &l->p->steps[l->p->home[l->g->nodes[v].inputs[0]]] : NULL;
        if (!s)
            continue;
        s->measures = 1;
        s->foresees = l->backend->foresees && l->values[s->tail] == 0 && /* so this pass is calibration */
                      l->backend->foresees(&s->site, l->n);
    }
}

/* Which BatchNorms are measured on which node. */
static void list_measured(struct lowering *l)
{
    struct lower_program *p = l->p;
    for (int32_t v = 0; v < l->g->nnodes; v++)
        if (l->measure[v])
            p->bn_first[l->g->nodes[v].inputs[0] + 1]++;
    for (int32_t v = 0; v < l->g->nnodes; v++)
        p->bn_first[v + 1] += p->bn_first[v];
    int32_t *fill = l->uses; /* no longer needed: becomes the fill count */
    memset(fill, 0, (size_t)l->g->nnodes * sizeof *fill);
    for (int32_t v = 0; v < l->g->nnodes; v++)
        if (l->measure[v]) {
            int32_t on = l->g->nodes[v].inputs[0];
            p->bn_list[p->bn_first[on] + fill[on]++] = v;
        }
}

/* ---- pairs ---- */

/* The step that makes the only input of s and can be done together with it: nobody else reads or measures its value. */
static struct lower_step *partner(struct lowering *l, const struct lower_step *s)
{
    struct lower_program *p = l->p;
    if (!l->backend->pairs || s->residual >= 0 || s->site.ninputs != 1 || s->site.image || s->loads[0].bn >= 0 ||
        s->loads[0].act != ACT_NONE)
        return NULL;
    int32_t v = s->inputs[0];
    struct lower_step *first = &p->steps[p->home[v]];
    if (l->uses[v] != 1 || first->measures || first->residual >= 0 || first->first || first->site.ninputs != 1)
        return NULL;
    return l->backend->pairs(&first->site, &s->site) ? first : NULL;
}

/* Steps that can be done together become one, at the place of the second. */
static int join_pairs(struct lowering *l, struct err *err)
{
    struct lower_program *p = l->p;
    int n = 0;
    size_t most = 0;
    for (int i = 0; i < l->nsteps; i++)
        most += partner(l, &p->steps[i]) != NULL;
    p->firsts = array(l, most, sizeof *p->firsts);
    if (!p->firsts)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to join %d steps", l->nsteps);
    for (int i = 0; i < l->nsteps; i++) {
        struct lower_step *s = &p->steps[i], *first = partner(l, s);
        if (!first)
            continue;
        p->firsts[p->nfirsts] = *first;
        s->first = &p->firsts[p->nfirsts++];
        p->home[first->tail] = -1;
    }
    for (int i = 0; i < l->nsteps; i++)
        if (p->home[p->steps[i].tail] == i) {
            p->home[p->steps[i].tail] = n;
            p->steps[n++] = p->steps[i];
        }
    l->nsteps = n;
    return 0;
}

static int make_program(struct lowering *l, struct err *err)
{
    int rc = allocate(l, err);
    if (rc)
        return rc;
    find_needed(l);
    rc = make_steps(l, err);
    if (rc)
        return rc;
    mark_measured(l);
    rc = join_pairs(l, err);
    if (rc)
        return rc;
    list_measured(l);
    l->p->nsteps = l->nsteps;
    return order_steps(l->arena, l->p, err);
}

int lower(struct arena *a, const struct graph *g, const struct op_backend *backend, enum lower_pass pass, int n,
          struct lower_program *out, struct err *err)
{
    *out = (struct lower_program){.graph = g, .backend = backend, .pass = pass, .culprit = -1};
    struct lowering l = {.arena = a, .g = g, .backend = backend, .p = out, .n = n};
    arena_init(&l.scratch, 0);
    int rc = make_program(&l, err);
    arena_clear(&l.scratch);
    return rc;
}

int lower_bind(struct lower_program *p, struct params *params, struct err *err)
{
    for (int i = 0; i < p->nsteps + p->nfirsts; i++) {
        struct lower_step *s = i < p->nsteps ? &p->steps[i] : &p->firsts[i - p->nsteps];
        const struct op_row *row = &p->backend->rows[s->site.op];
        for (int k = 0; k < OP_PARAMS; k++) {
            int rc = params_get(params, row, &s->site, k, &s->params[k], err);
            if (rc) {
                p->culprit = s->head;
                return rc;
            }
        }
    }
    return 0;
}
