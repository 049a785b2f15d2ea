/* merge: see merge.h. A plan's keys are copied, those of ends marked, those of what follows made anew. */
#include "worker/engine/merge.h"

#include "worker/engine/lower.h"

#include <string.h>

enum { MAX_INPUTS = 64 };

/* What calibration wants of each node: bit 0 that it is computed, bit 1 that its value is read. As lower.c does it. */
enum { WANTED = 1, READ = 2 };

static void find_wanted(const struct plan *p, unsigned char *want)
{
    for (int v = p->nnodes - 1; v >= 0; v--) {
        const struct plan_node *n = &p->nodes[v];
        int measured = n->op == OP_BN && lower_bn_tracked(n);
        for (int i = 0; i < n->ninputs; i++)
            want[n->inputs[i]] |= (want[v] & WANTED ? WANTED | READ : 0) | (measured ? WANTED : 0);
    }
}

static struct hash128 marked(struct hash128 key)
{
    struct {
        struct hash128 key;
        char text[16];
    } end = {key, "end of a network"};
    return hash128(&end, sizeof end);
}

static void make_keys(const struct plan *p, const unsigned char *want, struct hash128 *keys)
{
    for (int v = 0; v < p->nnodes; v++) {
        const struct plan_node *n = &p->nodes[v];
        struct hash128 inputs[MAX_INPUTS];
        int changed = !p->keys;
        for (int i = 0; i < n->ninputs; i++) {
            inputs[i] = keys[n->inputs[i]];
            changed |= p->keys && memcmp(&inputs[i], &p->keys[n->inputs[i]], sizeof inputs[i]) != 0;
        }
        keys[v] = changed ? plan_node_key(n, inputs) : p->keys[v];
        if (n->op == OP_CONV && want[v] == WANTED)
            keys[v] = marked(keys[v]);
    }
}

static int mark_all(struct arena *a, const struct plan *const *plans, int n, struct plan *copies)
{
    for (int i = 0; i < n; i++) {
        struct hash128 *keys = arena_array(a, (size_t)plans[i]->nnodes, sizeof *keys);
        unsigned char *want = arena_array(a, (size_t)plans[i]->nnodes, 1);
        if (!keys || !want)
            return -1;
        find_wanted(plans[i], want);
        make_keys(plans[i], want, keys);
        copies[i] = *plans[i];
        copies[i].keys = keys;
    }
    return 0;
}

int merge_plans(struct arena *a, const struct plan *const *plans, int n, struct graph *out, struct err *err)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    const struct plan **list = arena_array(&scratch, (size_t)n + 1, sizeof(const struct plan *));
    struct plan *copies = arena_array(&scratch, (size_t)n + 1, sizeof *copies);
    int rc = list && copies && mark_all(&scratch, plans, n, copies) == 0
                 ? 0
                 : err_set(err, ERR_NO_MEMORY, "", "no memory to merge plans");
    for (int i = 0; !rc && i < n; i++)
        list[i] = &copies[i];
    if (!rc)
        rc = graph_merge(a, list, n, out, err);
    arena_clear(&scratch);
    return rc;
}

/* The two are walked side by side from the output: every node of a plan is needed by it. */
void merge_map(const struct graph *g, int i, const struct plan *p, int32_t *map)
{
    map[p->output] = g->outputs[i];
    for (int v = p->nnodes - 1; v >= 0; v--)
        for (int k = 0; k < p->nodes[v].ninputs; k++)
            map[p->nodes[v].inputs[k]] = g->nodes[map[v]].inputs[k];
}
