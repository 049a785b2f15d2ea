/* memory: first fit over a sorted list of gaps; neighbours that are free are joined. */
#include "worker/engine/memory.h"

#include "worker/engine/blocked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct gap {
    size_t at, size;
};

struct heap {
    struct gap *gaps; /* by address; behind the last one everything is free */
    size_t ngaps, room, top, peak;
    int failed;
};

static void insert_gap(struct heap *h, size_t i, struct gap g)
{
    if (h->ngaps == h->room) {
        size_t room = h->room ? h->room * 2 : 64;
        struct gap *bigger = realloc(h->gaps, room * sizeof *bigger);
        if (!bigger) {
            h->failed = 1;
            return;
        }
        h->gaps = bigger;
        h->room = room;
    }
    memmove(h->gaps + i + 1, h->gaps + i, (h->ngaps - i) * sizeof *h->gaps);
    h->gaps[i] = g;
    h->ngaps++;
}

static void remove_gap(struct heap *h, size_t i)
{
    memmove(h->gaps + i, h->gaps + i + 1, (h->ngaps - i - 1) * sizeof *h->gaps);
    h->ngaps--;
}

static size_t take(struct heap *h, size_t size)
{
    for (size_t i = 0; i < h->ngaps; i++) {
        struct gap *g = &h->gaps[i];
        if (g->size < size)
            continue;
        size_t at = g->at;
        g->at += size;
        g->size -= size;
        if (g->size == 0)
            remove_gap(h, i);
        return at;
    }
    size_t at = h->top;
    h->top += size;
    if (h->top > h->peak)
        h->peak = h->top;
    return at;
}

static void give(struct heap *h, size_t at, size_t size)
{
    size_t i = 0;
    while (i < h->ngaps && h->gaps[i].at < at)
        i++;
    if (i < h->ngaps && at + size == h->gaps[i].at) {
        h->gaps[i].at = at;
        h->gaps[i].size += size;
    } else {
        insert_gap(h, i, (struct gap){at, size});
    }
    if (i > 0 && h->gaps[i - 1].at + h->gaps[i - 1].size == h->gaps[i].at) {
        h->gaps[i - 1].size += h->gaps[i].size;
        remove_gap(h, i--);
    }
    if (h->ngaps && h->gaps[h->ngaps - 1].at + h->gaps[h->ngaps - 1].size == h->top) {
        h->top = h->gaps[h->ngaps - 1].at;
        h->ngaps--;
    }
}

static size_t aligned(size_t bytes)
{
    return (bytes + BLOCKED_ALIGN - 1) / BLOCKED_ALIGN * BLOCKED_ALIGN;
}

/* ---- lifetimes ---- */

struct lives {
    const struct lower_program *p;
    int32_t *last;      /* [nnodes] last step that reads the stored node, or its own step */
    int32_t *last_bn;   /* [nnodes] last step that reads the measured BatchNorm's affine, -1 */
    int32_t *dies_next; /* [2 nnodes] list of what dies at a step: node v, or nnodes + v for its affine */
    int32_t *dies_first;
};

static void reads_bn(struct lives *l, int32_t bn, int32_t step)
{
    if (bn >= 0)
        l->last_bn[bn] = step;
}

static void find_last(struct lives *l)
{
    const struct lower_program *p = l->p;
    for (int32_t i = 0; i < p->nsteps; i++) {
        const struct lower_step *s = &p->steps[i];
        if (!s->foresees)
            l->last[s->tail] = i;
        const struct lower_step *reader = lower_reader(s);
        for (int k = 0; k < reader->site.ninputs; k++) {
            if (!reader->site.image)
                l->last[reader->inputs[k]] = i;
            reads_bn(l, reader->loads[k].bn, i);
        }
        reads_bn(l, reader->store_bn, i);
        reads_bn(l, s->store_bn, i);
        if (s->residual >= 0)
            l->last[s->residual] = i;
    }
}

static size_t value_bytes(const struct lower_program *p, int32_t v, int n)
{
    return aligned(blocked_floats(p->graph->nodes[v].node->out, n) * sizeof(float));
}

/* ---- parts ---- */

/* Input k of the step can lie in what it writes: it begins and ends there with a block, and lies nowhere else, nor does
 * anything in it. `before`: channels of the inputs before it. */
static int is_part(const struct lower_step *s, int k, int before, const int32_t *whole, const unsigned char *holds)
{
    int32_t v = s->inputs[k];
    return before % LANES == 0 && (s->site.in[k].c % LANES == 0 || k + 1 == s->site.ninputs) && whole[v] < 0 &&
           !holds[v];
}

static void find_parts(const struct lower_program *p, int32_t *whole, unsigned char *holds)
{
    for (int32_t i = 0; i < p->nsteps; i++) {
        const struct lower_step *s = &p->steps[i];
        if (!(p->backend->rows[s->site.op].fuses & FUSE_PARTS))
            continue;
        for (int k = 0, before = 0; k < s->site.ninputs; before += s->site.in[k++].c)
            if (is_part(s, k, before, whole, holds)) {
                whole[s->inputs[k]] = s->tail;
                holds[s->tail] = 1;
            }
    }
}

/* Where in the value of its whole a part begins, in bytes for each sample: a batch may be smaller than the plan's. */
static size_t part_at(const struct lower_program *p, int32_t whole, int32_t v)
{
    const struct lower_step *s = &p->steps[p->home[whole]];
    struct shape before = {0, s->site.out.h, s->site.out.w};
    for (int k = 0; s->inputs[k] != v; k++)
        before.c += s->site.in[k].c;
    return blocked_floats(before, 1) * sizeof(float);
}

/* A whole lives as long as each of its parts, and they only with it. */
static void join_lives(struct lives *l, const int32_t *whole)
{
    for (int32_t v = 0; v < l->p->graph->nnodes; v++)
        if (whole[v] >= 0) {
            if (l->last[whole[v]] < l->last[v])
                l->last[whole[v]] = l->last[v];
            l->last[v] = -1;
        }
}

/* Gives the tail of a step its place: a whole is placed with the first of its parts. */
static void place_value(struct heap *h, const struct lower_program *p, int32_t v, struct memory_plan *m)
{
    int32_t whole = m->whole[v] >= 0 ? m->whole[v] : v;
    if (m->value[whole] == SIZE_MAX)
        m->value[whole] = take(h, value_bytes(p, whole, m->n));
    m->value[v] = m->value[whole];
    if (whole != v)
        m->part[v] = part_at(p, whole, v);
}

/* ---- places ---- */

static void list_deaths(struct lives *l)
{
    int32_t n = l->p->graph->nnodes;
    for (int32_t v = 0; v < 2 * n; v++) {
        int32_t step = v < n ? l->last[v] : l->last_bn[v - n];
        if (step < 0)
            continue;
        l->dies_next[v] = l->dies_first[step];
        l->dies_first[step] = v;
    }
}

static size_t affine_bytes(const struct lower_program *p, int32_t v)
{
    return aligned((size_t)blocked_blocks(p->graph->nodes[v].node->out.c) * LANES * 2 * sizeof(float));
}

static size_t step_work(const struct lower_program *p, const struct lower_step *s, int n)
{
    const struct op_row *row = &p->backend->rows[s->site.op];
    if (s->foresees)
        return aligned(p->backend->foresee_workspace(&s->site, n));
    if (s->first)
        return aligned(p->backend->pair_workspace(&s->first->site, &s->site, n));
    return row->workspace ? aligned(row->workspace(&s->site, n)) : 0;
}

static void place(struct lives *l, struct memory_plan *m, struct heap *h)
{
    const struct lower_program *p = l->p;
    int32_t nnodes = p->graph->nnodes;
    for (int32_t i = 0; i < p->nsteps; i++) {
        const struct lower_step *s = &p->steps[i];
        size_t work = step_work(p, s, m->n);
        if (work > m->work_bytes)
            m->work_bytes = work;
        if (!s->foresees)
            place_value(h, p, s->tail, m);
        int32_t channels = blocked_blocks(s->site.out.c) * LANES;
        if (s->measures && channels > m->channels_max)
            m->channels_max = channels;
        for (int32_t k = p->bn_first[s->tail]; k < p->bn_first[s->tail + 1]; k++)
            if (l->last_bn[p->bn_list[k]] >= 0)
                m->affine[p->bn_list[k]] = take(h, affine_bytes(p, p->bn_list[k]));
        for (int32_t v = l->dies_first[i]; v >= 0; v = l->dies_next[v]) {
            if (v < nnodes)
                give(h, m->value[v], value_bytes(p, v, m->n));
            else if (m->affine[v - nnodes] != SIZE_MAX)
                give(h, m->affine[v - nnodes], affine_bytes(p, v - nnodes));
        }
    }
}

static int32_t *minus_ones(struct arena *a, size_t n)
{
    int32_t *p = arena_array(a, n ? n : 1, sizeof *p);
    if (p)
        memset(p, 0xff, n * sizeof *p);
    return p;
}

static int plan_places(struct arena *scratch, struct lives *l, struct memory_plan *out)
{
    size_t nodes = (size_t)l->p->graph->nnodes;
    l->last = minus_ones(scratch, nodes);
    l->last_bn = minus_ones(scratch, nodes);
    l->dies_next = minus_ones(scratch, 2 * nodes);
    l->dies_first = minus_ones(scratch, (size_t)l->p->nsteps);
    unsigned char *holds = arena_array(scratch, nodes + 1, 1);
    if (!l->last || !l->last_bn || !l->dies_next || !l->dies_first || !holds)
        return -1;
    find_last(l);
    find_parts(l->p, out->whole, holds);
    join_lives(l, out->whole);
    list_deaths(l);
    struct heap h = {0};
    place(l, out, &h);
    out->region_bytes = h.peak;
    free(h.gaps);
    return h.failed ? -1 : 0;
}

int memory_plan(struct arena *a, const struct lower_program *p, int n, struct memory_plan *out, struct err *err)
{
    size_t nodes = (size_t)p->graph->nnodes;
    struct arena scratch;
    struct lives l = {.p = p};
    *out = (struct memory_plan){.n = n};
    out->value = arena_array(a, nodes + 1, sizeof *out->value);
    out->affine = arena_array(a, nodes + 1, sizeof *out->affine);
    out->whole = minus_ones(a, nodes);
    out->part = arena_array(a, nodes + 1, sizeof *out->part);
    int rc = out->value && out->affine && out->whole && out->part ? 0 : -1;
    arena_init(&scratch, 0);
    if (!rc) {
        memset(out->value, 0xff, nodes * sizeof *out->value);
        memset(out->affine, 0xff, nodes * sizeof *out->affine);
        rc = plan_places(&scratch, &l, out);
    }
    arena_clear(&scratch);
    return rc ? err_set(err, ERR_NO_MEMORY, "", "no memory to plan a graph of %zu nodes", nodes) : 0;
}

size_t memory_thread_bytes(const struct memory_plan *m)
{
    return m->region_bytes + m->work_bytes + 2 * sizeof(double) * (size_t)m->channels_max;
}
