/* expr_node: the tree that expr_parse.c makes and expr.c evaluates; nobody else looks inside. */
#ifndef PROTO_EXPR_NODE_H
#define PROTO_EXPR_NODE_H

#include "proto/expr.h"

enum expr_op {
    X_LITERAL,
    X_SLOT,
    X_INPUT,
    X_TABLE,
    X_DECISION,
    X_AND,
    X_OR,
    X_COND,
    X_NOT,
    X_EQ,
    X_NE,
    X_LT,
    X_LE,
    X_GT,
    X_GE,
    X_NEG,
    X_ADD,
    X_SUB,
    X_MUL,
    X_DIV,
    X_FLOORDIV,
    X_MOD,
    X_MIN,
    X_MAX,
    X_FLOOR,
    X_CEIL,
    X_ROUND,
    X_ROUND8,
    X_SQRT,
    X_HAS,
    X_SIZE
};

struct expr {
    enum expr_op op;
    int column; /* of its first character, from 1 */
    struct val lit;
    struct expr_name name;
    int nkids;
    struct expr **kids; /* operands; indices of tables and decisions */
    const char *where;
};

#endif
