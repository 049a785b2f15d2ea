/* graph: hash-consing of plans with one open-addressing table. Two nodes are one when their 128-bit keys are equal. */
#include "proto/graph.h"

#include <stdlib.h>
#include <string.h>

struct merger {
    struct arena *arena;
    struct graph *g;
    int32_t *slots; /* index + 1 of a node; 0 empty */
    size_t mask;
    int32_t *map; /* plan node -> graph node, for the plan being merged */
    struct err *err;
};

static int no_memory(struct merger *m)
{
    return err_set(m->err, ERR_NO_MEMORY, "", "no memory to merge plans");
}

/* The slot that holds key, or the empty one where it belongs. */
static int32_t *find(struct merger *m, struct hash128 key)
{
    size_t at = (size_t)key.lo & m->mask;
    for (;; at = (at + 1) & m->mask) {
        int32_t *slot = &m->slots[at];
        if (*slot == 0)
            return slot;
        const struct hash128 *k = &m->g->nodes[*slot - 1].key;
        if (k->lo == key.lo && k->hi == key.hi)
            return slot;
    }
}

static int add_node(struct merger *m, const struct plan_node *n, struct hash128 key, int32_t *slot)
{
    struct graph_node *g = &m->g->nodes[m->g->nnodes];
    int32_t *inputs = arena_array(m->arena, (size_t)n->ninputs + 1, sizeof *inputs);
    if (!inputs)
        return no_memory(m);
    for (int i = 0; i < n->ninputs; i++) {
        inputs[i] = m->map[n->inputs[i]];
        m->g->nodes[inputs[i]].uses++;
    }
    *g = (struct graph_node){.node = n, .key = key, .inputs = inputs};
    *slot = ++m->g->nnodes;
    return 0;
}

static struct hash128 key_of(const struct merger *m, const struct plan_node *n)
{
    struct hash128 inputs[64];
    for (int k = 0; k < n->ninputs; k++)
        inputs[k] = m->g->nodes[m->map[n->inputs[k]]].key;
    return plan_node_key(n, inputs);
}

static int merge_plan(struct merger *m, const struct plan *p)
{
    for (int i = 0; i < p->nnodes; i++) {
        const struct plan_node *n = &p->nodes[i];
        struct hash128 key = p->keys ? p->keys[i] : key_of(m, n);
        int32_t *slot = find(m, key);
        int rc = *slot ? 0 : add_node(m, n, key, slot);
        if (rc)
            return rc;
        m->map[i] = *slot - 1;
    }
    m->g->nodes[m->map[p->output]].uses++;
    m->g->outputs[m->g->nplans++] = m->map[p->output];
    return 0;
}

static int prepare(struct merger *m, const struct plan *const *plans, int nplans)
{
    size_t total = 0, most = 1, size = 16;
    for (int i = 0; i < nplans; i++) {
        total += (size_t)plans[i]->nnodes;
        most = (size_t)plans[i]->nnodes > most ? (size_t)plans[i]->nnodes : most;
    }
    while (size < total * 2)
        size *= 2;
    m->mask = size - 1;
    m->slots = calloc(size, sizeof *m->slots);
    m->map = calloc(most, sizeof *m->map);
    /* an upper bound: pages of it that no node needs are never touched */
    m->g->nodes = calloc(total + 1, sizeof *m->g->nodes);
    m->g->outputs = arena_array(m->arena, (size_t)nplans + 1, sizeof *m->g->outputs);
    return m->slots && m->map && m->g->nodes && m->g->outputs ? 0 : no_memory(m);
}

int graph_merge(struct arena *a, const struct plan *const *plans, int nplans, struct graph *out, struct err *err)
{
    struct merger m = {.arena = a, .g = out, .err = err};
    memset(out, 0, sizeof *out);
    int rc = prepare(&m, plans, nplans);
    for (int i = 0; i < nplans && !rc; i++)
        rc = merge_plan(&m, plans[i]);
    struct graph_node *scratch = out->nodes;
    if (!rc) {
        out->nodes = arena_array(a, (size_t)out->nnodes + 1, sizeof *out->nodes);
        if (out->nodes)
            memcpy(out->nodes, scratch, (size_t)out->nnodes * sizeof *out->nodes);
        else
            rc = no_memory(&m);
    }
    free(scratch);
    free(m.slots);
    free(m.map);
    if (rc)
        *out = (struct graph){0};
    return rc;
}
