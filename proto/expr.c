/* expr: evaluation. The parser is expr_parse.c. Every error is placed at the expression's JSON pointer. */
#include "proto/expr_node.h"

#include <math.h>
#include <string.h>

static int fail(const struct expr *x, struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, x->where, "%s (column %d)", what, x->column);
}

double expr_round(double v, double divisor)
{
    double r = floor((v + divisor / 2) / divisor) * divisor;
    if (r < divisor)
        r = divisor;
    return r < 0.9 * v ? r + divisor : r;
}

static int out_num(double v, const struct expr *x, struct val *out, struct err *err)
{
    if (!isfinite(v))
        return fail(x, err, "the result is not a finite number");
    *out = (struct val){.type = VAL_NUM, .num = v};
    return 0;
}

static int out_bool(int v, struct val *out)
{
    *out = (struct val){.type = VAL_BOOL, .num = v ? 1 : 0};
    return 0;
}

int expr_num(const struct expr *x, const struct expr_env *env, double *out, struct err *err)
{
    struct val v;
    int rc = 0;
    if (x->op == X_LITERAL) /* most attributes are literals or arguments, and a plan reads thousands */
        v = x->lit;
    else if (x->op == X_SLOT)
        v = env->slots[x->name.index];
    else
        rc = expr_eval(x, env, &v, err);
    if (rc)
        return rc;
    if (v.type == VAL_STR)
        return fail(x, err, "a number is needed, this is a text");
    *out = v.num;
    return 0;
}

int expr_int(const struct expr *x, const struct expr_env *env, int64_t lo, int64_t hi, int64_t *out, struct err *err)
{
    double v = 0;
    int rc = expr_num(x, env, &v, err);
    if (rc)
        return rc;
    int64_t whole = fabs(v) <= 9e15 ? (int64_t)v : 0; /* floor() is a call, and a plan asks thousands of times */
    if (v != (double)whole)
        return err_set(err, ERR_INVALID, x->where, "%.9g is not an integer", v);
    if (v < (double)lo || v > (double)hi)
        return err_set(err, ERR_INVALID, x->where, "%.0f is not between %lld and %lld", v, (long long)lo,
                       (long long)hi);
    *out = whole;
    return 0;
}

int expr_bool(const struct expr *x, const struct expr_env *env, int *out, struct err *err)
{
    double v = 0;
    int rc = expr_num(x, env, &v, err);
    if (rc)
        return rc;
    *out = v != 0;
    return 0;
}

int expr_str(const struct expr *x, const struct expr_env *env, const char **out, struct err *err)
{
    struct val v = {0};
    int rc = expr_eval(x, env, &v, err);
    if (rc)
        return rc;
    if (v.type != VAL_STR)
        return fail(x, err, "a text is needed, this is a number");
    *out = v.str;
    return 0;
}

static int index_of(const struct expr *x, const struct expr_env *env, int n, int *out, struct err *err)
{
    int64_t i = 0;
    int rc = expr_int(x, env, INT32_MIN, INT32_MAX, &i, err);
    if (rc)
        return rc;
    if (i < 0 || i >= n)
        return err_set(err, ERR_INVALID, x->where, "index %lld of a list of %d (column %d)", (long long)i, n,
                       x->column);
    *out = (int)i;
    return 0;
}

static int eval_table(const struct expr *x, const struct expr_env *env, struct val *out, struct err *err)
{
    const struct table *t = x->name.table;
    for (int k = 0; k < x->nkids; k++) {
        if (t->n < 0)
            return fail(x, err, "too many indices: this is no list");
        int i = 0, rc = index_of(x->kids[k], env, t->n, &i, err);
        if (rc)
            return rc;
        t = &t->items[i];
    }
    if (t->n >= 0)
        return fail(x, err, "a list cannot be used as a value: give an index");
    *out = t->leaf;
    return 0;
}

static int eval_decision(const struct expr *x, const struct expr_env *env, struct val *out, struct err *err)
{
    int at = 0;
    for (int k = 0; k < x->nkids; k++) {
        int i = 0, rc = index_of(x->kids[k], env, x->name.dims[k], &i, err);
        if (rc)
            return rc;
        at = at * x->name.dims[k] + i;
    }
    return env->decide(env->ctx, x->name.index + at, out, err);
}

static int compare(const struct expr *x, const struct val *a, const struct val *b, struct val *out, struct err *err)
{
    int strings = (a->type == VAL_STR) + (b->type == VAL_STR);
    if (strings == 1)
        return fail(x, err, "a text cannot be compared with a number");
    if (strings == 2) {
        if (x->op != X_EQ && x->op != X_NE)
            return fail(x, err, "texts can only be compared by == and !=");
        return out_bool((strcmp(a->str, b->str) == 0) == (x->op == X_EQ), out);
    }
    double l = a->num, r = b->num;
    switch (x->op) {
    case X_EQ:
        return out_bool(l == r, out);
    case X_NE:
        return out_bool(l != r, out);
    case X_LT:
        return out_bool(l < r, out);
    case X_LE:
        return out_bool(l <= r, out);
    case X_GT:
        return out_bool(l > r, out);
    default:
        return out_bool(l >= r, out);
    }
}

static int arithmetic(const struct expr *x, double l, double r, struct val *out, struct err *err)
{
    switch (x->op) {
    case X_ADD:
        return out_num(l + r, x, out, err);
    case X_SUB:
        return out_num(l - r, x, out, err);
    case X_MUL:
        return out_num(l * r, x, out, err);
    case X_MIN:
        return out_num(l < r ? l : r, x, out, err);
    case X_MAX:
        return out_num(l > r ? l : r, x, out, err);
    default:
        break;
    }
    if (r == 0)
        return fail(x, err, "division by zero");
    switch (x->op) {
    case X_DIV:
        return out_num(l / r, x, out, err);
    case X_FLOORDIV:
        return out_num(floor(l / r), x, out, err);
    case X_MOD:
        return out_num(l - r * floor(l / r), x, out, err);
    default: /* X_ROUND */
        if (r < 0)
            return fail(x, err, "round() needs a positive divisor");
        return out_num(expr_round(l, r), x, out, err);
    }
}

static int mask(const struct expr *x, double v, uint32_t *out, struct err *err)
{
    if (v < 0 || v > UINT32_MAX || v != floor(v))
        return fail(x, err, "has() and size() take a subset decision");
    *out = (uint32_t)v;
    return 0;
}

static int call(const struct expr *x, const struct expr_env *env, struct val *out, struct err *err)
{
    double a = 0, b = 0;
    uint32_t m = 0;
    int rc = expr_num(x->kids[0], env, &a, err);
    if (!rc && x->nkids > 1)
        rc = expr_num(x->kids[1], env, &b, err);
    if (rc)
        return rc;
    switch (x->op) {
    case X_FLOOR:
        return out_num(floor(a), x, out, err);
    case X_CEIL:
        return out_num(ceil(a), x, out, err);
    case X_ROUND8:
        return out_num(expr_round(a, 8), x, out, err);
    case X_NEG:
        return out_num(-a, x, out, err);
    case X_NOT:
        return out_bool(a == 0, out);
    case X_SQRT:
        return a < 0 ? fail(x, err, "root of a negative number") : out_num(sqrt(a), x, out, err);
    case X_SIZE:
        rc = mask(x, a, &m, err);
        return rc ? rc : out_num(__builtin_popcount(m), x, out, err);
    case X_HAS:
        rc = mask(x, a, &m, err);
        return rc ? rc : out_bool(b >= 0 && b < 32 && (m >> (unsigned)b & 1U), out);
    default:
        return arithmetic(x, a, b, out, err);
    }
}

static int logic(const struct expr *x, const struct expr_env *env, struct val *out, struct err *err)
{
    int v = 0, rc = expr_bool(x->kids[0], env, &v, err);
    if (rc)
        return rc;
    if (x->op == X_COND)
        return expr_eval(x->kids[v ? 1 : 2], env, out, err);
    if (v == (x->op == X_OR))
        return out_bool(v, out);
    rc = expr_bool(x->kids[1], env, &v, err);
    return rc ? rc : out_bool(v, out);
}

int expr_eval(const struct expr *x, const struct expr_env *env, struct val *out, struct err *err)
{
    switch (x->op) {
    case X_LITERAL:
        *out = x->lit;
        return 0;
    case X_SLOT:
        *out = env->slots[x->name.index];
        return 0;
    case X_INPUT:
        return out_num(env->in[x->name.index], x, out, err);
    case X_TABLE:
        return eval_table(x, env, out, err);
    case X_DECISION:
        return eval_decision(x, env, out, err);
    case X_AND:
    case X_OR:
    case X_COND:
        return logic(x, env, out, err);
    case X_EQ:
    case X_NE:
    case X_LT:
    case X_LE:
    case X_GT:
    case X_GE: {
        struct val a, b;
        int rc = expr_eval(x->kids[0], env, &a, err);
        if (!rc)
            rc = expr_eval(x->kids[1], env, &b, err);
        return rc ? rc : compare(x, &a, &b, out, err);
    }
    default:
        return call(x, env, out, err);
    }
}

int expr_is_const(const struct expr *x)
{
    return x->op == X_LITERAL;
}

const char *expr_where(const struct expr *x)
{
    return x->where;
}

void expr_walk(const struct expr *x, void (*fn)(void *ctx, const struct expr *node, const struct expr_name *name),
               void *ctx)
{
    if (x->op == X_SLOT || x->op == X_INPUT || x->op == X_DECISION)
        fn(ctx, x, &x->name);
    for (int k = 0; k < x->nkids; k++)
        expr_walk(x->kids[k], fn, ctx);
}
