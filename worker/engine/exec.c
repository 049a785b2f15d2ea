/* exec: see exec.h. */
#include "worker/engine/exec.h"

#include "worker/engine/blocked.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_INPUTS = 64 };

struct turns { /* hands records over in batch order */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int next_batch, turn, stop;
};

struct worker {
    const struct exec_pass *pass;
    struct turns *turns;
    struct shape image;   /* c = 0: the program has no input */
    unsigned char *block; /* one allocation: the pieces below */
    unsigned char *region, *work;
    float *images;
    double *mean, *var;
    void *record;
    struct exec_profile profile;
    pthread_t thread;
    int started;
};

static size_t aligned(size_t bytes)
{
    return (bytes + BLOCKED_ALIGN - 1) / BLOCKED_ALIGN * BLOCKED_ALIGN;
}

static size_t image_bytes(struct shape image, int n)
{
    return (size_t)image.c * blocked_pixels(image) * (size_t)n * sizeof(float);
}

static size_t worker_bytes(const struct memory_plan *m, struct shape image, size_t record_bytes)
{
    return aligned(m->region_bytes) + aligned(m->work_bytes) + aligned(image_bytes(image, m->n)) +
           2 * aligned((size_t)m->channels_max * sizeof(double)) + aligned(record_bytes);
}

size_t exec_bytes(const struct memory_plan *m, struct shape image, size_t record_bytes, int threads)
{
    return worker_bytes(m, image, record_bytes) * (size_t)threads;
}

static void *piece(unsigned char **at, size_t bytes)
{
    void *p = *at;
    *at += aligned(bytes);
    return p;
}

static int worker_open(struct worker *w)
{
    const struct memory_plan *m = w->pass->memory;
    w->block = aligned_alloc(BLOCKED_ALIGN, worker_bytes(m, w->image, w->pass->record_bytes) + BLOCKED_ALIGN);
    if (!w->block)
        return -1;
    unsigned char *at = w->block;
    w->region = piece(&at, m->region_bytes);
    w->work = piece(&at, m->work_bytes);
    w->images = piece(&at, image_bytes(w->image, m->n));
    w->mean = piece(&at, (size_t)m->channels_max * sizeof(double));
    w->var = piece(&at, (size_t)m->channels_max * sizeof(double));
    w->record = piece(&at, w->pass->record_bytes);
    return 0;
}

/* ---- one batch ---- */

static const float *value(const struct worker *w, int32_t node, int n)
{
    return (const float *)(const void *)(w->region + memory_at(w->pass->memory, node, n));
}

/* Scale and shift of a BatchNorm: this batch's own, or the known ones. */
static struct op_affine affine_of(const struct worker *w, int32_t bn, enum act_kind act)
{
    if (bn < 0)
        return (struct op_affine){NULL, NULL, act};
    size_t own = w->pass->memory->affine[bn];
    const struct norm *n = w->pass->norm;
    if (own == SIZE_MAX)
        return (struct op_affine){n->scale + n->at[bn], n->shift + n->at[bn], act};
    const float *a = (const float *)(const void *)(w->region + own);
    return (struct op_affine){a, a + (size_t)blocked_blocks(n->graph->nodes[bn].node->out.c) * LANES, act};
}

static void measure(struct worker *w, const struct lower_step *s, int n)
{
    const struct lower_program *p = w->pass->program;
    double count = (double)n * (double)blocked_pixels(s->site.out);
    for (int32_t k = p->bn_first[s->tail]; k < p->bn_first[s->tail + 1]; k++) {
        int32_t bn = p->bn_list[k];
        if (w->pass->measured)
            w->pass->measured(w->pass->ctx, w->record, bn, w->mean, w->var, count);
        size_t own = w->pass->memory->affine[bn];
        if (own == SIZE_MAX)
            continue;
        float *a = (float *)(void *)(w->region + own);
        norm_batch_affine(w->pass->norm, bn, w->mean, w->var, a, a + (size_t)blocked_blocks(s->site.out.c) * LANES);
    }
}

static struct op_call call_of(struct worker *w, const struct lower_step *s, int n, const float **x,
                              struct op_affine *loads)
{
    assert(s->site.ninputs <= MAX_INPUTS);
    for (int i = 0; i < s->site.ninputs; i++) {
        x[i] = s->site.image ? w->images : value(w, s->inputs[i], n);
        loads[i] = affine_of(w, s->loads[i].bn, s->loads[i].act);
    }
    if (s->site.op == OP_INPUT)
        x[0] = w->images;
    struct op_call call = {.site = &s->site,
                           .n = n,
                           .x = x,
                           .loads = loads,
                           .work = w->work,
                           .store = affine_of(w, s->store_bn, s->store_act)};
    memcpy(call.params, s->params, sizeof call.params);
    return call;
}

static void foresee(struct worker *w, const struct lower_step *s, int n)
{
    const float *x[MAX_INPUTS];
    struct op_affine loads[MAX_INPUTS];
    struct op_call call = call_of(w, s, n, x, loads);
    call.mean = w->mean;
    call.var = w->var;
    w->pass->program->backend->foresee(&call);
    measure(w, s, n);
}

static void run_step(struct worker *w, const struct lower_step *s, int n)
{
    const struct op_backend *b = w->pass->program->backend;
    const struct op_row *row = &b->rows[s->site.op];
    const float *x[MAX_INPUTS], *first_x[MAX_INPUTS];
    struct op_affine loads[MAX_INPUTS], first_loads[MAX_INPUTS];
    struct op_call first, call = call_of(w, s, n, x, loads);
    call.y = (float *)(void *)(w->region + memory_at(w->pass->memory, s->tail, n));
    if (s->residual >= 0)
        call.residual = value(w, s->residual, n);
    if (s->measures && (row->fuses & FUSE_STATS)) {
        call.mean = w->mean;
        call.var = w->var;
    }
    if (s->first) {
        first = call_of(w, s->first, n, first_x, first_loads);
        b->pair(&first, &call);
    } else {
        row->forward(&call);
    }
    if (s->measures && !call.mean)
        b->stats(b, call.y, s->site.out.c, (size_t)n * blocked_pixels(s->site.out), w->mean, w->var);
    if (s->measures)
        measure(w, s, n);
}

const char *exec_kind_text(int kind)
{
    static const char *const convs[] = {"conv 1x1", "conv dw", "1x1 + dw", "1x1 stats"};
    return kind < OP_COUNT ? op_text((enum op_kind)kind) : convs[kind - OP_COUNT];
}

static int kind_of(const struct lower_step *step)
{
    const struct op_site *s = &step->site;
    if (step->first)
        return EXEC_PAIR;
    if (step->foresees)
        return EXEC_FORESEEN;
    if (s->op != OP_CONV)
        return (int)s->op;
    if (s->attr.groups > 1 && s->attr.groups == s->in[0].c)
        return EXEC_DEPTHWISE;
    return s->attr.kernel_h == 1 && s->attr.kernel_w == 1 && s->attr.groups == 1 ? EXEC_POINTWISE : OP_CONV;
}

static int64_t volume(struct shape s)
{
    return (int64_t)s.c * (int64_t)blocked_pixels(s);
}

static int64_t param_volume(const struct param *p)
{
    int64_t n = 1;
    for (int d = 0; d < p->ndim; d++)
        n *= p->count[d];
    return n;
}

static void add_site(struct exec_cost *c, const struct op_site *site, int n)
{
    for (int i = 0; i < OP_PARAMS; i++)
        c->bytes += site->params[i] ? 4 * param_volume(site->params[i]) : 0;
    if (site->op == OP_CONV)
        c->macs +=
            n * volume(site->out) * site->attr.kernel_h * site->attr.kernel_w * site->in[0].c / site->attr.groups;
    else if (site->op == OP_LINEAR)
        c->macs += n * volume(site->out) * site->in[0].c;
}

static void add_cost(struct exec_cost *c, const struct lower_step *s, int n, int64_t ns)
{
    const struct op_site *in = &lower_reader(s)->site;
    int64_t values = s->foresees ? 0 : volume(s->site.out) * (s->residual >= 0 ? 2 : 1);
    for (int i = 0; i < in->ninputs; i++)
        values += volume(in->in[i]);
    c->ns += ns;
    c->calls++;
    c->bytes += 4 * n * values;
    add_site(c, &s->site, n);
    if (s->first)
        add_site(c, &s->first->site, n);
}

static int64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void profiled_step(struct worker *w, const struct lower_step *s, int n)
{
    int64_t start = w->pass->profile ? thread_ns() : 0;
    if (s->foresees)
        foresee(w, s, n);
    else
        run_step(w, s, n);
    if (w->pass->profile)
        add_cost(&w->profile.kind[kind_of(s)], s, n, thread_ns() - start);
}

static int stopped(const struct worker *w)
{
    return w->pass->cancel && atomic_load_explicit(w->pass->cancel, memory_order_relaxed);
}

/* 0, or -1 when cancelled on the way: a flag is looked at before every step. */
static int run_batch(struct worker *w, int batch)
{
    const struct exec_pass *pass = w->pass;
    const struct lower_program *p = pass->program;
    int64_t first = (int64_t)batch * pass->batch_size, left = pass->nimages - first;
    int n = (int)(left < pass->batch_size ? left : pass->batch_size);
    assert(n > 0);
    size_t each = (size_t)w->image.c * blocked_pixels(w->image);
    for (int i = 0; i < n; i++)
        memcpy(w->images + (size_t)i * each, pass->images[first + i], each * sizeof(float));
    if (pass->record_bytes)
        memset(w->record, 0, pass->record_bytes);
    for (int i = 0; i < p->nsteps; i++) {
        const struct lower_step *s = &p->steps[i];
        if (stopped(w))
            return -1;
        profiled_step(w, s, n);
        if (pass->logits && p->is_output[s->tail])
            pass->logits(pass->ctx, w->record, s->tail, value(w, s->tail, n), first, n);
    }
    return 0;
}

/* ---- threads ---- */

static int take_batch(struct worker *w)
{
    struct turns *t = w->turns;
    pthread_mutex_lock(&t->lock);
    int last = w->pass->first_batch + w->pass->nbatches;
    int batch = !t->stop && t->next_batch < last ? t->next_batch++ : -1;
    pthread_mutex_unlock(&t->lock);
    return batch;
}

/* Waits for its turn: at most as long as the batches before it, which are being run, still take. */
static void hand_over(struct worker *w, int batch, int failed)
{
    struct turns *t = w->turns;
    pthread_mutex_lock(&t->lock);
    while (t->turn != batch && !t->stop && !failed)
        pthread_cond_wait(&t->moved, &t->lock);
    if (failed || t->stop)
        t->stop = 1;
    else if (w->pass->fold && w->pass->fold(w->pass->ctx, w->record, batch))
        t->stop = 1;
    t->turn++;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (int batch = take_batch(w); batch >= 0; batch = take_batch(w))
        hand_over(w, batch, run_batch(w, batch));
    return NULL;
}

static void add_profile(const struct exec_pass *pass, const struct worker *w)
{
    for (int i = 0; pass->profile && i < EXEC_KINDS; i++) {
        struct exec_cost *to = &pass->profile->kind[i];
        const struct exec_cost *c = &w->profile.kind[i];
        *to = (struct exec_cost){to->ns + c->ns, to->calls + c->calls, to->macs + c->macs, to->bytes + c->bytes};
    }
}

static struct shape image_shape(const struct graph *g)
{
    for (int32_t v = 0; v < g->nnodes; v++)
        if (g->nodes[v].node->op == OP_INPUT)
            return g->nodes[v].node->out;
    return (struct shape){0, 0, 0};
}

static void run_all(struct worker *ws, int threads)
{
    for (int i = 1; i < threads; i++) /* a thread that cannot start leaves its batches to the others */
        ws[i].started = pthread_create(&ws[i].thread, NULL, work, &ws[i]) == 0;
    work(&ws[0]);
    for (int i = 1; i < threads; i++)
        if (ws[i].started)
            pthread_join(ws[i].thread, NULL);
}

int exec_run(const struct exec_pass *pass, struct err *err)
{
    int threads = pass->threads < pass->nbatches ? pass->threads : pass->nbatches, rc = 0;
    threads = threads < 1 ? 1 : threads;
    struct turns turns = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, pass->first_batch, pass->first_batch, 0};
    struct worker *ws = calloc((size_t)threads, sizeof *ws);
    if (!ws)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for %d threads", threads);
    for (int i = 0; i < threads && !rc; i++) {
        ws[i] = (struct worker){.pass = pass, .turns = &turns, .image = image_shape(pass->program->graph)};
        if (worker_open(&ws[i]))
            rc = err_set(err, ERR_NO_MEMORY, "", "no memory for the activations of a batch of %d", pass->memory->n);
    }
    if (!rc)
        run_all(ws, threads);
    for (int i = 0; i < threads; i++) {
        add_profile(pass, &ws[i]);
        free(ws[i].block);
    }
    free(ws);
    if (!rc && turns.stop)
        rc = err_set(err, ERR_CANCELLED, "", "the job was cancelled");
    pthread_mutex_destroy(&turns.lock);
    pthread_cond_destroy(&turns.moved);
    return rc;
}
