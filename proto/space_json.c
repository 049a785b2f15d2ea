/* space_json: see space_json.h. */
#include "proto/space_json.h"

#include "proto/space_tab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *shape_json(struct shape s)
{
    return json_pack("[i,i,i]", s.c, s.h, s.w);
}

static json_t *bound_json(const struct space_bound *b)
{
    return json_pack("{s:I, s:I, s:b}", "min", (json_int_t)b->min, "max", (json_int_t)b->max, "exact", b->exact);
}

static json_t *decisions_json(const struct space *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->ndecisions; i++) {
        json_t *options = json_array();
        for (int o = 0; o < s->decisions[i].noptions; o++)
            json_array_append_new(options, json_string(s->decisions[i].labels[o]));
        json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "name", s->decisions[i].name, "options", options,
                                              "path", s->facts.read_at[i]));
    }
    return list;
}

/* ---- stages: the network from far away ---- */

/* The part of a path that a drawing groups by: up to its first number, or one word. */
static size_t stage_length(const char *path)
{
    size_t dot = strcspn(path, ".");
    if (!path[dot])
        return dot;
    size_t digits = strspn(path + dot + 1, "0123456789");
    return digits && path[dot + 1 + digits] == '.' ? dot + 1 + digits : dot;
}

/* Does b go on with a's stage? Joins and activations between named layers belong to the stage before them, and so does
 * what has no name. */
static int same_stage(const struct plan_node *a, const struct plan_node *b)
{
    size_t n = stage_length(a->path), whole = strlen(b->path);
    if (whole == 0 || (b->nparams == 0 && whole <= n && strncmp(a->path, b->path, whole) == 0))
        return 1;
    return n == stage_length(b->path) && strncmp(a->path, b->path, n) == 0 && a->block == b->block;
}

struct stage {
    int first, last;
};

static json_t *stage_json(const struct space *s, const struct plan *p, struct stage st)
{
    const struct plan_node *first = &p->nodes[st.first], *last = &p->nodes[st.last];
    struct shape in = first->ninputs ? p->nodes[first->inputs[0]].out : first->out;
    json_int_t macs = 0, params = 0;
    for (int i = st.first; i <= st.last; i++) {
        int64_t conv, all;
        cost_node(&p->nodes[i], p->nodes, &conv, &all);
        macs += conv;
        params += cost_node_params(&p->nodes[i]);
    }
    json_t *o = json_pack("{s:o, s:o, s:o, s:I, s:I}", "path", json_stringn(first->path, stage_length(first->path)),
                          "in", shape_json(in), "out", shape_json(last->out), "macs", macs, "params", params);
    if (o && first->block >= 0)
        json_object_set_new(o, "block", json_string(s->blocks[first->block]));
    return o;
}

static json_t *stages_json(const struct space *s, const struct plan *p)
{
    json_t *list = json_array();
    struct stage st = {1, 1};
    for (int i = 2; i <= p->nnodes; i++) {
        int goes_on = i < p->nnodes && same_stage(&p->nodes[st.first], &p->nodes[i]);
        if (goes_on) {
            st.last = i;
            continue;
        }
        if (st.first < p->nnodes)
            json_array_append_new(list, stage_json(s, p, st));
        st = (struct stage){i, i};
    }
    return list;
}

/* What the terms with this decision add up to under a choice. */
static int64_t cost_around(const struct space *s, int decision, const int *choice)
{
    int64_t sum = 0;
    for (int i = 0; i < s->facts.nterms; i++)
        if (dom_has(&s->facts.terms[i].dom, decision))
            sum += ((const struct cost_term *)tab_at(&s->facts.terms[i], choice))->v[TERM_ALL_MACS];
    return sum;
}

/* One decision after the other takes the option that costs most, so that what could be there is drawn. */
static void dearest(const struct space *s, int *choice)
{
    struct rng r;
    rng_seed(&r, 0, 0);
    space_sample(s, &r, choice); /* allowed; always the same */
    for (int d = 0; d < s->ndecisions; d++) {
        int best = choice[d];
        int64_t most = cost_around(s, d, choice);
        for (int o = 0; o < s->decisions[d].noptions; o++) {
            choice[d] = o;
            int64_t cost = space_allowed(s, choice, NULL) ? cost_around(s, d, choice) : -1;
            if (cost > most) {
                most = cost;
                best = o;
            }
        }
        choice[d] = best;
    }
    space_normalise(s, choice);
}

json_t *space_describe_json(const struct space *s, struct err *err)
{
    int choice[SPACE_MAX_DECISIONS];
    struct arena a;
    struct plan p;
    arena_init(&a, 0);
    dearest(s, choice);
    if (plan_build(&a, s, choice, s->input, NULL, &p, err)) {
        arena_clear(&a);
        return NULL;
    }
    json_t *blocks = json_array();
    for (int i = 0; i < s->nblocks; i++)
        json_array_append_new(blocks, json_string(s->blocks[i]));
    json_t *cost = json_pack("{s:o, s:o, s:o}", "macs", bound_json(&s->bounds.conv_macs), "all_macs",
                             bound_json(&s->bounds.all_macs), "params", bound_json(&s->bounds.params));
    json_t *o = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:i, s:o}", "name", s->name, "input", shape_json(s->input),
                          "architectures", s->count, "decisions", decisions_json(s), "cost", cost, "blocks", blocks,
                          "tensors", s->facts.ntensors, "stages", stages_json(s, &p));
    arena_clear(&a);
    if (!o)
        err_set(err, ERR_NO_MEMORY, "", "no memory to describe a space");
    return o;
}

/* ---- one plan ---- */

static json_t *hash_json(struct hash128 h)
{
    char text[33];
    snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)h.hi, (unsigned long long)h.lo);
    return json_string(text);
}

static json_t *op_json(const struct space *s, const struct plan *p, const struct plan_node *n)
{
    int64_t macs, all;
    json_t *inputs = json_array();
    cost_node(n, p->nodes, &macs, &all);
    for (int i = 0; i < n->ninputs; i++)
        json_array_append_new(inputs, json_integer(n->inputs[i]));
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:I, s:I, s:o}", "op", op_text(n->op), "path", n->path, "out", shape_json(n->out),
                  "macs", (json_int_t)macs, "params", (json_int_t)cost_node_params(n), "inputs", inputs);
    if (n->op == OP_ACT)
        json_object_set_new(o, "kind", json_string(act_text((enum act_kind)n->attr.act)));
    if (n->attr.kernel_h)
        json_object_set_new(o, "kernel", json_pack("[i,i]", n->attr.kernel_h, n->attr.kernel_w));
    if (n->attr.stride > 1)
        json_object_set_new(o, "stride", json_integer(n->attr.stride));
    if (n->attr.groups > 1)
        json_object_set_new(o, "groups", json_integer(n->attr.groups));
    if (n->block >= 0)
        json_object_set_new(o, "block", json_string(s->blocks[n->block]));
    return o;
}

static json_t *active_json(const struct space *s, const int *choice, const unsigned char *active)
{
    json_t *o = json_object();
    for (int i = 0; i < s->ndecisions; i++)
        if (active[i])
            json_object_set_new(o, s->decisions[i].name, json_string(s->decisions[i].labels[choice[i]]));
    return o;
}

static json_t *plan_json(const struct space *s, const int *choice, const struct plan *p, struct err *err)
{
    struct cost c;
    unsigned char active[SPACE_MAX_DECISIONS];
    char code[SPACE_MAX_CODE];
    if (cost_plan(p, &c, err) || space_code_print(s, choice, code, sizeof code, err))
        return NULL;
    space_active(s, choice, active);
    json_t *ops = json_array();
    for (int i = 0; i < p->nnodes; i++)
        json_array_append_new(ops, op_json(s, p, &p->nodes[i]));
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "code", code, "macs", (json_int_t)c.conv_macs,
                  "all_macs", (json_int_t)c.all_macs, "params", (json_int_t)c.params, "activation_bytes",
                  (json_int_t)c.activation_bytes, "peak_bytes", (json_int_t)c.peak_bytes, "key", hash_json(p->key),
                  "class", hash_json(p->class_key), "active", active_json(s, choice, active), "ops", ops);
    if (!o)
        err_set(err, ERR_NO_MEMORY, "", "no memory to describe a plan");
    return o;
}

json_t *space_plan_json(const struct space *s, const int *choice, struct err *err)
{
    int canonical[SPACE_MAX_DECISIONS];
    struct arena a;
    struct plan p;
    json_t *o = NULL;
    memcpy(canonical, choice, (size_t)s->ndecisions * sizeof *choice);
    space_normalise(s, canonical);
    arena_init(&a, 0);
    if (plan_build(&a, s, canonical, s->input, NULL, &p, err) == 0)
        o = plan_json(s, canonical, &p, err);
    arena_clear(&a);
    return o;
}
