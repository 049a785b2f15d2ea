/* plan_builder: the state of one walk through a space. plan_build.c follows the structure (sequences, choices, loops,
 * modules), plan_reduce.c joins branches, plan_layer.c makes the operators of primitive layers. */
#ifndef PROTO_PLAN_BUILDER_H
#define PROTO_PLAN_BUILDER_H

#include "proto/space_node.h"

struct tensor { /* a value while the plan is made */
    int32_t node;
    struct shape shape;
    int32_t full; /* channels it has in the largest network: what slices of weights are prefixes of */
};

struct frame { /* names of one module call; [0] actual values, [1] those of the largest network */
    struct val slots[2][SPACE_MAX_SLOTS];
};

struct named_tensor {
    int name;
    int64_t index;
    struct tensor value;
};

enum { BUILDER_MAX_NAMED = 1024 };

struct plan_builder {
    const struct space *s;
    struct arena *arena;
    const int *choice;
    unsigned char *active;
    struct err *err;
    struct frame *frame;
    struct tensor cur; /* what `in`, `height`, `width` mean */
    int nnodes, capacity;
    struct plan_node *nodes;
    struct hash128 *keys, *classes;
    char path[SPACE_MAX_PATH];
    size_t npath, nparent; /* nparent: length of the path of the enclosing container */
    struct named_tensor *named;
    int nnamed, named_base; /* names below named_base belong to callers */
    int steps, depth, block;
    const unsigned char *known; /* the survey's: decisions that have a value; NULL: all */
    int missing;                /* the survey's: a decision that was read without being known, -1 none */
};

struct branches { /* what a reduction joins */
    struct tensor in, out[SPACE_MAX_BRANCHES];
    const struct layer *l;
    int n;
};

void builder_init(struct plan_builder *b, const struct space *s, struct arena *a, const int *choice, struct err *err);
void builder_clear(struct plan_builder *b);
int builder_push_name(struct plan_builder *b, const struct layer *l, int number);
int builder_reduce(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t);
int builder_slot(struct plan_builder *b, int slot, const struct expr *x, struct frame *into); /* both values */
int builder_is_let(const struct layer *l);       /* only names values: no branch of a reduction */
int builder_one_layer(const struct layer *body); /* has one layer besides lets: a round of branches is that layer */

int builder_decide(void *builder, int decision, struct val *out, struct err *err);      /* actual; marks it active */
int builder_decide_full(void *builder, int decision, struct val *out, struct err *err); /* largest network */
struct expr_env builder_env(struct plan_builder *b, int full);
int builder_text(struct plan_builder *b, const struct tmpl *t, char *out, size_t size); /* bytes written, or < 0 */

/* Tensors by name: "node[2]". Those of callers are out of sight. */
int builder_ref_index(struct plan_builder *b, const struct tensor_ref *r, int64_t *index); /* -1 without an index */
int builder_find_named(struct plan_builder *b, const struct tensor_ref *r, struct tensor *out);
int builder_set_named(struct plan_builder *b, int name, int64_t index, struct tensor t, const char *where);

/* Appends one node; *out becomes its value. params' array is copied. */
int builder_emit(struct plan_builder *b, const struct layer *l, enum op_kind op, const struct plan_attr *attr,
                 const struct param *const *params, int nparams, const struct tensor *in, int nin, struct tensor *out);

/* A primitive layer applied to *t. */
int builder_layer(struct plan_builder *b, const struct layer *l, struct tensor *t);

#endif
