/* expr: the expressions of the space language: numbers, booleans and texts over names.
 *
 *   or: and ('||' and)*      and: cmp ('&&' cmp)*     cmp: sum (== != < <= > >= sum)?     cond: or ('?' cond ':' cond)?
 *   sum: mul (+ - mul)*      mul: unary (* / // % unary)*      unary: - ! unary, or postfix
 *   postfix: 12, 0.25, true, 'text', name, name[i][j], [1, 2, 3][i], f(a, b), (cond)
 *
 * All numbers are doubles; whoever needs an integer checks for one. `/` divides exactly, `//` rounds down. What a name
 * means is decided by the caller when the text is parsed (a slot of the frame, a decision, a constant) and its value is
 * supplied when the expression is evaluated. This room knows nothing of layers. */
#ifndef PROTO_EXPR_H
#define PROTO_EXPR_H

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/base/suggest.h"

#include <stdint.h>

enum val_type { VAL_NUM, VAL_BOOL, VAL_STR };
struct val {
    enum val_type type;
    double num;      /* VAL_NUM, VAL_BOOL (0 or 1) */
    const char *str; /* VAL_STR */
};

struct table { /* a constant: a leaf, or a list of tables */
    int n;     /* -1: leaf */
    const struct table *items;
    struct val leaf;
};

enum { EXPR_MAX_DIMS = 3, EXPR_MAX_TEXT = 1024, EXPR_MAX_DEPTH = 64 };

enum expr_name_kind { NAME_SLOT, NAME_DECISION, NAME_TABLE, NAME_INPUT };
struct expr_name { /* what a name means */
    enum expr_name_kind kind;
    int index;                      /* slot; first decision of the array; 0 in, 1 height, 2 width */
    int ndims, dims[EXPR_MAX_DIMS]; /* decisions */
    const struct table *table;
};

struct expr_scope {
    /* 1 and *out filled, or 0 after offering every name that would do to *s. */
    int (*lookup)(void *ctx, const char *name, struct expr_name *out, struct suggest *s);
    void *ctx;
};

struct expr;

/* Values while evaluating. Everything has two: the actual one, and the one in the largest network (`full`). */
struct expr_env {
    const struct val *slots;
    double in[3]; /* channels, height, width of the incoming tensor */
    int (*decide)(void *ctx, int decision, struct val *out, struct err *err);
    void *ctx;
};

/* NULL with ERR_INVALID; where is `where`, the text names the column. */
struct expr *expr_parse(struct arena *a, const char *text, const struct expr_scope *scope, const char *where,
                        struct err *err);
struct expr *expr_literal(struct arena *a, struct val v, const char *where);

int expr_eval(const struct expr *x, const struct expr_env *env, struct val *out, struct err *err);
int expr_num(const struct expr *x, const struct expr_env *env, double *out, struct err *err);
int expr_int(const struct expr *x, const struct expr_env *env, int64_t lo, int64_t hi, int64_t *out, struct err *err);
int expr_bool(const struct expr *x, const struct expr_env *env, int *out, struct err *err);
int expr_str(const struct expr *x, const struct expr_env *env, const char **out, struct err *err);

int expr_is_const(const struct expr *x); /* a literal: its value needs no environment */
const char *expr_where(const struct expr *x);

/* Calls fn for every slot (kind NAME_SLOT), decision array and input the expression can read. */
void expr_walk(const struct expr *x, void (*fn)(void *ctx, const struct expr *node, const struct expr_name *name),
               void *ctx);

double expr_round(double v, double divisor); /* nearest multiple, at least divisor, never under 90 % of v */

#endif
