/* order: see order.h. */
#include "worker/engine/order.h"

#include <assert.h>
#include <string.h>

struct edges { /* step -> steps that read what it stores, and how many inputs of a step are still missing */
    int32_t *first, *next_free, *to, *missing, *stack;
};

/* The i-th step that s reads from; 0 when there are no more. An image reader reads from nobody. */
static int sources(const struct lower_program *p, const struct lower_step *s, int32_t *out, int i)
{
    const struct lower_step *reader = lower_reader(s);
    int n = reader->site.image ? 0 : reader->site.ninputs;
    if (i < n)
        *out = p->home[reader->inputs[i]];
    else if (i == n && s->residual >= 0)
        *out = p->home[s->residual];
    else
        return 0;
    assert(*out >= 0);
    return 1;
}

static int build_edges(struct arena *a, const struct lower_program *p, struct edges *e, struct err *err)
{
    size_t n = (size_t)p->nsteps, nedges = 0;
    int32_t from;
    for (int s = 0; s < p->nsteps; s++)
        for (int i = 0; sources(p, &p->steps[s], &from, i); i++)
            nedges++;
    e->first = arena_array(a, n + 1, sizeof(int32_t));
    e->next_free = arena_array(a, n + 1, sizeof(int32_t));
    e->to = arena_array(a, nedges + 1, sizeof(int32_t));
    e->missing = arena_array(a, n + 1, sizeof(int32_t));
    e->stack = arena_array(a, n + 1, sizeof(int32_t));
    if (!e->first || !e->next_free || !e->to || !e->missing || !e->stack)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to order %zu steps", n);
    for (int s = 0; s < p->nsteps; s++)
        for (int i = 0; sources(p, &p->steps[s], &from, i); i++) {
            e->first[from + 1]++;
            e->missing[s]++;
        }
    for (size_t s = 0; s < n; s++)
        e->first[s + 1] += e->first[s];
    memcpy(e->next_free, e->first, n * sizeof(int32_t));
    for (int s = 0; s < p->nsteps; s++)
        for (int i = 0; sources(p, &p->steps[s], &from, i); i++)
            e->to[e->next_free[from]++] = s;
    return 0;
}

static void sort_steps(struct lower_program *p, const struct edges *e, struct lower_step *sorted)
{
    int top = 0, done = 0;
    for (int s = p->nsteps - 1; s >= 0; s--)
        if (e->missing[s] == 0)
            e->stack[top++] = s;
    while (top > 0) {
        int32_t s = e->stack[--top];
        p->home[p->steps[s].tail] = done;
        sorted[done++] = p->steps[s];
        for (int32_t i = e->first[s + 1] - 1; i >= e->first[s]; i--)
            if (--e->missing[e->to[i]] == 0)
                e->stack[top++] = e->to[i];
    }
    assert(done == p->nsteps);
    p->steps = sorted;
}

int order_steps(struct arena *a, struct lower_program *p, struct err *err)
{
    struct arena scratch;
    struct edges e;
    arena_init(&scratch, 0);
    int rc = build_edges(&scratch, p, &e, err);
    struct lower_step *sorted = rc ? NULL : arena_array(a, (size_t)p->nsteps + 1, sizeof *sorted);
    if (!rc && !sorted)
        rc = err_set(err, ERR_NO_MEMORY, "", "no memory to order %d steps", p->nsteps);
    if (!rc)
        sort_steps(p, &e, sorted);
    arena_clear(&scratch);
    return rc;
}
