/* memory: values that are alive together never overlap, the region is as large as the plan says, and it does not grow
 * with the number of candidates. */
#include "tests/unit/test.h"
#include "tests/unit/worker/tiny.h"
#include "worker/engine/blocked.h"
#include "worker/engine/memory.h"

#include <stdlib.h>

struct span { /* one value, from the step that writes it to the last that reads it */
    size_t at, size;
    int from, to;
};

static size_t value_size(const struct lower_program *p, int32_t v, int n)
{
    return blocked_floats(p->graph->nodes[v].node->out, n) * sizeof(float);
}

static void read_at(struct span *s, int step)
{
    if (s->to < step)
        s->to = step;
}

/* Spans of all stored nodes [0, nnodes) and of the affines of measured norms [nnodes, 2 nnodes); size 0: none. */
static struct span *spans_of(struct arena *a, const struct lower_program *p, const struct memory_plan *m)
{
    int32_t nodes = p->graph->nnodes;
    struct span *s = arena_array(a, 2 * (size_t)nodes, sizeof *s);
    for (int i = 0; i < p->nsteps; i++) {
        const struct lower_step *step = &p->steps[i], *reader = lower_reader(step);
        if (!step->foresees)
            s[step->tail] = (struct span){memory_at(m, step->tail, m->n), value_size(p, step->tail, m->n), i, i};
        for (int32_t k = p->bn_first[step->tail]; k < p->bn_first[step->tail + 1]; k++) {
            int32_t bn = p->bn_list[k];
            size_t size = (size_t)blocked_blocks(p->graph->nodes[bn].node->out.c) * LANES * 2 * sizeof(float);
            if (m->affine[bn] != SIZE_MAX)
                s[nodes + bn] = (struct span){m->affine[bn], size, i, i};
        }
        for (int k = 0; !reader->site.image && k < reader->site.ninputs; k++) {
            read_at(&s[reader->inputs[k]], i);
            if (reader->loads[k].bn < 0)
                continue;
            CHECK(p->pass == LOWER_SCORE || m->affine[reader->loads[k].bn] != SIZE_MAX);
            read_at(&s[nodes + reader->loads[k].bn], i);
        }
        if (step->residual >= 0)
            read_at(&s[step->residual], i);
        if (step->store_bn >= 0)
            read_at(&s[nodes + step->store_bn], i);
    }
    return s;
}

/* 1 when value i lies in value j as a part of it or the other way round, at the right place. */
static int is_part_of(const struct lower_program *p, const struct memory_plan *m, int i, int j)
{
    int nodes = p->graph->nnodes;
    if (i >= nodes || j >= nodes || (m->whole[i] != j && m->whole[j] != i))
        return 0;
    int whole = m->whole[i] == j ? j : i, part = whole == i ? j : i;
    const struct lower_step *s = &p->steps[p->home[whole]];
    size_t at = m->value[whole];
    for (int k = 0; s->inputs[k] != part; k++)
        at += value_size(p, s->inputs[k], m->n);
    CHECK_INT(memory_at(m, part, m->n), at);
    return 1;
}

static void check_plan(struct arena *a, const struct lower_program *p, int n, size_t *region)
{
    struct memory_plan m;
    struct err err = {0};
    CHECK_INT(memory_plan(a, p, n, &m, &err), 0);
    struct span *s = spans_of(a, p, &m);
    int count = 2 * p->graph->nnodes;
    for (int i = 0; i < count; i++) {
        if (!s[i].size)
            continue;
        CHECK_INT(s[i].at % BLOCKED_ALIGN, 0);
        CHECK(s[i].at + s[i].size <= m.region_bytes);
        for (int j = 0; j < i; j++)
            if (s[j].size && s[i].from <= s[j].to && s[j].from <= s[i].to && !is_part_of(p, &m, i, j))
                CHECK(s[i].at + s[i].size <= s[j].at || s[j].at + s[j].size <= s[i].at);
    }
    *region = m.region_bytes;
}

/* A net of random shape: `draw` decides layers, widths and residuals. */
static const struct plan *random_net(struct arena *a, uint64_t draw, int layers)
{
    struct tiny t = {.arena = a};
    int x = tiny_conv_bn_relu(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    for (int i = 0; i < layers; i++) {
        int option = (int)(draw >> (2 * i)) & 3;
        char *name = arena_printf(a, "layer%d.%d", i, option);
        int before = x;
        if (option == 0)
            continue;
        if (option > 1) /* an expansion with an activation, then a linear convolution */
            x = tiny_conv_bn_relu(&t, x, arena_printf(a, "%s.wide", name), 16 * option, 1, 1, 1);
        x = tiny_bn(&t, tiny_conv(&t, x, name, 16, 3, 1, 1), arena_printf(a, "%s.bn", name));
        if (draw >> (40 + i) & 1)
            x = tiny_act(&t, tiny_add(&t, before, x), ACT_RELU);
        else if (draw >> (50 + i) & 1) /* what others may join with theirs, or add to */
            x = tiny_conv(&t, tiny_concat(&t, before, x), arena_printf(a, "%s.join", name), 16, 1, 1, 1);
    }
    tiny_linear(&t, tiny_gap(&t, x), "classifier", 10);
    return tiny_plan(&t);
}

static size_t region_of(struct arena *a, const struct plan **plans, int n, enum lower_pass pass)
{
    struct graph g = tiny_graph(a, plans, n);
    struct op_backend b = tiny_backend();
    struct lower_program p;
    struct err err = {0};
    size_t region = 0;
    CHECK_INT(lower(a, &g, &b, pass, 3, &p, &err), 0);
    check_plan(a, &p, 3, &region);
    return region;
}

TEST(memory_values_alive_together_do_not_overlap)
{
    struct arena a = {0};
    uint64_t draw = 1;
    for (int trial = 0; trial < 20; trial++) {
        const struct plan *plans[8];
        for (int i = 0; i < 8; i++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            plans[i] = random_net(&a, draw >> 8, 6);
        }
        region_of(&a, plans, 8, trial % 2 ? LOWER_CALIBRATE : LOWER_SCORE);
        arena_clear(&a);
    }
}

/* Two convolutions of one value, joined twice: both lie in the first concatenation, which lives until the last reader
 * of either. What would end, and so the next begin, in the middle of a block lies elsewhere. */
TEST(memory_parts_lie_in_their_whole)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    int stem = tiny_conv(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    int left = tiny_conv(&t, stem, "left", 32, 1, 1, 1), right = tiny_conv(&t, stem, "right", 24, 1, 1, 1);
    int both = tiny_conv(&t, tiny_concat(&t, left, right), "both", 16, 1, 1, 1);
    int again = tiny_conv(&t, tiny_concat(&t, right, left), "again", 16, 1, 1, 1);
    int joined = tiny_concat(&t, both, again);
    int odd = tiny_conv(&t, joined, "odd", 24, 1, 1, 1), even = tiny_conv(&t, joined, "even", 32, 1, 1, 1);
    tiny_gap(&t, tiny_concat(&t, odd, even));
    const struct plan *plan = tiny_plan(&t);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p;
    struct memory_plan m;
    struct err err = {0};
    size_t region;
    CHECK_INT(lower(&a, &g, &b, LOWER_SCORE, 3, &p, &err), 0);
    check_plan(&a, &p, 3, &region);
    CHECK_INT(memory_plan(&a, &p, 3, &m, &err), 0);
    int parts = 0, wholes = 0;
    for (int v = 0; v < g.nnodes; v++) {
        parts += m.whole[v] >= 0;
        if (g.nodes[v].node->op == OP_CONCAT && m.whole[g.nodes[v].inputs[0]] == v) {
            wholes++;
            CHECK_INT(m.whole[g.nodes[v].inputs[1]], v);
        }
    }
    CHECK_INT(wholes, 2);
    CHECK_INT(parts, 4);
    arena_clear(&a);
}

TEST(memory_does_not_grow_with_candidates)
{
    struct arena a = {0};
    const struct plan *plans[64];
    for (int i = 0; i < 64; i++) /* layers of option 2 or 3 */
        plans[i] = random_net(
            &a,
            (uint64_t)(0xaaa | (i & 1) | (i & 2) << 1 | (i & 4) << 2 | (i & 8) << 3 | (i & 16) << 4 | (i & 32) << 5),
            6);
    const size_t value = 3 * 8 * 8 * 16 * sizeof(float);
    for (int pass = LOWER_CALIBRATE; pass <= LOWER_SCORE; pass++) {
        size_t one = region_of(&a, plans + 63, 1, (enum lower_pass)pass);
        size_t all = region_of(&a, plans, 64, (enum lower_pass)pass);
        /* What waits at each of six branching points, and as much again for gaps; side by side it would be 64. */
        CHECK(all <= one + 2 * 6 * value);
        CHECK(all >= one);
    }
    arena_clear(&a);
}

TEST(memory_what_is_foreseen_takes_no_room)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    int x = tiny_conv_bn_relu(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    tiny_gap(&t, tiny_conv_bn_relu(&t, x, "wide", 640, 1, 1, 1));
    const struct plan *plan = tiny_plan(&t);
    size_t stem = 3 * 8 * 8 * 16 * sizeof(float);
    CHECK(region_of(&a, &plan, 1, LOWER_CALIBRATE) <= stem + 256); /* and the affine of its norm */
    CHECK(region_of(&a, &plan, 1, LOWER_SCORE) >= 41 * stem);
    arena_clear(&a);
}

TEST(memory_workspace_is_the_largest_step)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    int x = tiny_conv(&t, tiny_input(&t, 3, 4, 4), "a", 8, 3, 1, 1);
    x = tiny_conv(&t, x, "b", 100, 3, 1, 1);
    tiny_gap(&t, tiny_bn(&t, tiny_conv(&t, x, "c", 20, 3, 1, 1), "bn"));
    const struct plan *plan = tiny_plan(&t);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p;
    struct memory_plan m;
    struct err err = {0};
    CHECK_INT(lower(&a, &g, &b, LOWER_CALIBRATE, 5, &p, &err), 0);
    CHECK_INT(memory_plan(&a, &p, 5, &m, &err), 0);
    CHECK_INT(m.work_bytes, 512);  /* 5 samples times 100, aligned */
    CHECK_INT(m.channels_max, 32); /* of the one measured */
    arena_clear(&a);
}
