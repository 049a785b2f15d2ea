/* plan_reduce: branches become one tensor: sum, mean, product, maximum, concatenation. What is joined must have one
 * shape; zeros add nothing, a single branch is itself. */
#include "proto/plan_builder.h"

#include "proto/shape.h"

static int is_zero(const struct plan_builder *b, struct tensor t)
{
    return b->nodes[t.node].op == OP_ZERO;
}

/* Zeros add nothing to a sum: they are left out, unless there is nothing else. */
static int reduce_sum(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t)
{
    int kept = 0, rc = 0;
    for (int i = 1; i < br->n; i++)
        if (!shape_equal(br->out[i].shape, br->out[0].shape))
            return err_set(b->err, ERR_INVALID, l->where, "branches of unequal shapes: %d x %d x %d and %d x %d x %d",
                           br->out[0].shape.c, br->out[0].shape.h, br->out[0].shape.w, br->out[i].shape.c,
                           br->out[i].shape.h, br->out[i].shape.w);
    for (int i = 0; i < br->n; i++)
        if (!is_zero(b, br->out[i]))
            br->out[kept++] = br->out[i];
    *t = br->out[0];
    for (int i = 1; i < kept; i++)
        if (br->out[i].full > t->full)
            t->full = br->out[i].full;
    struct plan_attr attr = {0};
    struct tensor out = *t;
    if (kept > 1)
        rc = builder_emit(b, l, OP_ADD, &attr, NULL, 0, br->out, kept, &out);
    *t = out;
    attr.scale = 1.0F / (float)br->n;
    if (!rc && l->reduce == REDUCE_MEAN && br->n > 1)
        rc = builder_emit(b, l, OP_SCALE, &attr, NULL, 0, &out, 1, t);
    return rc;
}

static int reduce_concat(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t)
{
    int32_t full = 0;
    for (int i = 0; i < br->n; i++) {
        if (i + 1 < br->n && br->out[i].full != br->out[i].shape.c)
            return err_set(b->err, ERR_UNSUPPORTED, l->where, "concat of a sliced tensor before another one");
        full += br->out[i].full;
    }
    if (br->n == 1) {
        *t = br->out[0];
        return 0;
    }
    struct plan_attr attr = {0};
    struct tensor out = br->out[0];
    int rc = builder_emit(b, l, OP_CONCAT, &attr, NULL, 0, br->out, br->n, &out);
    out.full = full;
    *t = out;
    return rc;
}

static int reduce_by(struct plan_builder *b, const struct layer *l, enum op_kind op, struct branches *br,
                     struct tensor *t)
{
    struct plan_attr attr = {0};
    struct tensor out = br->out[0];
    int rc = br->n == 1 ? 0 : builder_emit(b, l, op, &attr, NULL, 0, br->out, br->n, &out);
    *t = out;
    return rc;
}

int builder_reduce(struct plan_builder *b, const struct layer *l, struct branches *br, struct tensor *t)
{
    if (br->n == 0)
        return err_set(b->err, ERR_INVALID, l->where, "no branch is left");
    return l->reduce == REDUCE_CONCAT ? reduce_concat(b, l, br, t)
           : l->reduce == REDUCE_MUL  ? reduce_by(b, l, OP_MUL, br, t)
           : l->reduce == REDUCE_MAX  ? reduce_by(b, l, OP_MAX, br, t)
                                      : reduce_sum(b, l, br, t);
}
