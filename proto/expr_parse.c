/* expr_parse: text to tree, by recursive descent of bounded depth. Literal subtrees are folded when they are built. */
#include "proto/expr_node.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KIDS = 256, NAME_SIZE = 64 };

struct parser {
    struct arena *arena;
    const char *text, *at, *where;
    const struct expr_scope *scope;
    int depth;
    struct err *err;
};

static const struct function {
    const char *name;
    enum expr_op op;
    int args;
} functions[] = {
    {"min", X_MIN, 2},       {"max", X_MAX, 2},   {"floor", X_FLOOR, 1}, {"ceil", X_CEIL, 1}, {"round", X_ROUND, 2},
    {"round8", X_ROUND8, 1}, {"sqrt", X_SQRT, 1}, {"has", X_HAS, 2},     {"size", X_SIZE, 1},
};
enum { NFUNCTIONS = sizeof functions / sizeof *functions };

static struct expr *parse_cond(struct parser *p);

static int column(const struct parser *p)
{
    return (int)(p->at - p->text) + 1;
}

static struct expr *fail(struct parser *p, const char *fmt, const char *arg, const char *hint)
{
    char what[256];
    snprintf(what, sizeof what, fmt, arg, hint); /* NOLINT: fmt is always a literal of this file */
    err_set(p->err, ERR_INVALID, p->where, "%s, column %d of \"%.200s\"", what, column(p), p->text);
    return NULL;
}

static void space(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t')
        p->at++;
}

static int take(struct parser *p, const char *token)
{
    space(p);
    size_t n = strlen(token);
    if (strncmp(p->at, token, n) != 0)
        return 0;
    p->at += n;
    return 1;
}

static struct expr *node(struct parser *p, enum expr_op op, int col, struct expr **kids, int nkids)
{
    struct expr *x = arena_alloc(p->arena, sizeof *x);
    if (x && nkids) {
        x->kids = arena_array(p->arena, (size_t)nkids, sizeof(struct expr *));
        if (x->kids)
            memcpy(x->kids, kids, (size_t)nkids * sizeof(struct expr *));
    }
    if (!x || (nkids && !x->kids)) {
        err_set(p->err, ERR_NO_MEMORY, p->where, "the document needs too much memory");
        return NULL;
    }
    x->op = op;
    x->column = col;
    x->nkids = nkids;
    x->where = p->where;
    return x;
}

/* An operator over literals is a literal; errors (division by zero) show at once. */
static struct expr *fold(struct parser *p, struct expr *x)
{
    if (!x || x->op <= X_DECISION)
        return x;
    for (int k = 0; k < x->nkids; k++)
        if (x->kids[k]->op != X_LITERAL)
            return x;
    struct expr_env env = {0};
    struct val v;
    if (expr_eval(x, &env, &v, p->err))
        return NULL;
    x->op = X_LITERAL;
    x->lit = v;
    x->nkids = 0;
    return x;
}

static struct expr *make(struct parser *p, enum expr_op op, int col, struct expr **kids, int nkids)
{
    for (int k = 0; k < nkids; k++)
        if (!kids[k])
            return NULL;
    return fold(p, node(p, op, col, kids, nkids));
}

static struct expr *literal(struct parser *p, int col, struct val v)
{
    struct expr *x = node(p, X_LITERAL, col, NULL, 0);
    if (x)
        x->lit = v;
    return x;
}

static struct expr *number(struct parser *p)
{
    char *end;
    int col = column(p);
    if (p->at[0] == '0' && (p->at[1] == 'x' || p->at[1] == 'X'))
        return fail(p, "numbers are decimal%s%s", "", "");
    double v = strtod(p->at, &end);
    if (end == p->at || !isfinite(v))
        return fail(p, "not a number%s%s", "", "");
    p->at = end;
    return literal(p, col, (struct val){.type = VAL_NUM, .num = v});
}

static struct expr *text(struct parser *p)
{
    int col = column(p);
    const char *start = ++p->at;
    while (*p->at && *p->at != '\'')
        p->at++;
    if (!*p->at)
        return fail(p, "the text has no closing '%s%s", "", "");
    char *s = arena_strndup(p->arena, start, (size_t)(p->at - start));
    p->at++;
    if (!s) {
        err_set(p->err, ERR_NO_MEMORY, p->where, "the document needs too much memory");
        return NULL;
    }
    return literal(p, col, (struct val){.type = VAL_STR, .str = s});
}

/* [a, b, ...] of literals: a constant table; its indices follow as kids. */
static struct table *list(struct parser *p)
{
    struct val items[MAX_KIDS];
    int n = 0;
    p->at++;
    do {
        if (n == MAX_KIDS)
            return (void *)fail(p, "the list is too long: make it a constant%s%s", "", "");
        struct expr *x = parse_cond(p);
        if (!x)
            return NULL;
        if (x->op != X_LITERAL)
            return (void *)fail(p, "a list holds only numbers and texts%s%s", "", "");
        items[n++] = x->lit;
    } while (take(p, ","));
    if (!take(p, "]"))
        return (void *)fail(p, "\"]\" is missing%s%s", "", "");
    struct table *t = arena_alloc(p->arena, sizeof *t), *leaves = arena_array(p->arena, (size_t)n, sizeof *leaves);
    if (!t || !leaves)
        return (void *)fail(p, "the document needs too much memory%s%s", "", "");
    for (int i = 0; i < n; i++)
        leaves[i] = (struct table){.n = -1, .leaf = items[i]};
    *t = (struct table){.n = n, .items = leaves};
    return t;
}

static int indices(struct parser *p, struct expr **kids)
{
    int n = 0;
    while (take(p, "[")) {
        if (n == EXPR_MAX_DIMS) {
            fail(p, "too many indices%s%s", "", "");
            return -1;
        }
        if (!(kids[n++] = parse_cond(p)))
            return -1;
        if (!take(p, "]")) {
            fail(p, "\"]\" is missing%s%s", "", "");
            return -1;
        }
    }
    return n;
}

static struct expr *table_node(struct parser *p, int col, const struct table *t)
{
    struct expr *kids[EXPR_MAX_DIMS];
    int n = t ? indices(p, kids) : -1;
    struct expr *x = n < 0 ? NULL : node(p, X_TABLE, col, kids, n);
    if (!x)
        return NULL;
    x->name.table = t;
    if (n == 0 && t->n < 0)
        return literal(p, col, t->leaf);
    if (n == 0)
        return fail(p, "a list needs an index%s%s", "", "");
    return x;
}

static struct expr *call(struct parser *p, const char *name, int col)
{
    const struct function *f = NULL;
    struct suggest s;
    suggest_init(&s, name);
    for (int i = 0; i < NFUNCTIONS; i++) {
        suggest_offer(&s, functions[i].name);
        if (strcmp(functions[i].name, name) == 0)
            f = &functions[i];
    }
    if (!f)
        return fail(p, "unknown function \"%s\"%s", name, suggest_hint(&s));
    struct expr *kids[2] = {0};
    for (int i = 0; i < f->args; i++) {
        if (i && !take(p, ","))
            return fail(p, "%s() needs two arguments%s", name, "");
        if (!(kids[i] = parse_cond(p)))
            return NULL;
    }
    if (!take(p, ")"))
        return fail(p, "\")\" is missing after the arguments of %s%s", name, "");
    return make(p, f->op, col, kids, f->args);
}

static struct expr *name_node(struct parser *p, const char *name, int col)
{
    struct expr_name n = {0};
    struct suggest s;
    suggest_init(&s, name);
    if (!p->scope || !p->scope->lookup(p->scope->ctx, name, &n, &s)) {
        p->at = p->text + col - 1;
        return fail(p, "unknown name \"%s\"%s", name, suggest_hint(&s));
    }
    if (n.kind == NAME_TABLE)
        return table_node(p, col, n.table);
    struct expr *kids[EXPR_MAX_DIMS];
    int nkids = indices(p, kids);
    if (nkids < 0)
        return NULL;
    if (nkids != n.ndims)
        return fail(
            p, n.ndims ? "\"%s\" is an array: give an index in [] for each of its dimensions%s" : "\"%s\" is no list%s",
            name, "");
    struct expr *x = node(p,
                          n.kind == NAME_SLOT    ? X_SLOT
                          : n.kind == NAME_INPUT ? X_INPUT
                                                 : X_DECISION,
                          col, kids, nkids);
    if (x)
        x->name = n;
    return x;
}

static struct expr *word(struct parser *p)
{
    char name[NAME_SIZE];
    size_t n = 0;
    int col = column(p);
    while (isalnum((unsigned char)p->at[n]) || p->at[n] == '_')
        n++;
    if (n >= sizeof name)
        return fail(p, "the name is too long%s%s", "", "");
    memcpy(name, p->at, n);
    name[n] = '\0';
    p->at += n;
    if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0)
        return literal(p, col, (struct val){.type = VAL_BOOL, .num = name[0] == 't'});
    return take(p, "(") ? call(p, name, col) : name_node(p, name, col);
}

static struct expr *primary(struct parser *p)
{
    space(p);
    int col = column(p);
    if (take(p, "(")) {
        struct expr *x = parse_cond(p);
        if (x && !take(p, ")"))
            return fail(p, "\")\" is missing%s%s", "", "");
        return x;
    }
    if (*p->at == '[')
        return table_node(p, col, list(p));
    if (*p->at == '\'')
        return text(p);
    if (isdigit((unsigned char)*p->at) || *p->at == '.')
        return number(p);
    if (isalpha((unsigned char)*p->at) || *p->at == '_')
        return word(p);
    return fail(p, *p->at ? "unexpected character%s%s" : "the expression ends too early%s%s", "", "");
}

static struct expr *unary(struct parser *p)
{
    if (p->depth >= EXPR_MAX_DEPTH)
        return fail(p, "the expression is nested too deeply%s%s", "", "");
    p->depth++;
    space(p);
    int col = column(p);
    struct expr *x;
    if (take(p, "-")) {
        x = unary(p);
        x = make(p, X_NEG, col, &x, 1);
    } else if (p->at[0] == '!' && p->at[1] != '=') {
        p->at++;
        x = unary(p);
        x = make(p, X_NOT, col, &x, 1);
    } else {
        x = primary(p);
    }
    p->depth--;
    return x;
}

struct level {
    const char *token;
    enum expr_op op;
};
/* One row a level of binding, loosest first; within a row longer tokens come first. */
static const struct level levels[5][8] = {
    {{"||", X_OR}},
    {{"&&", X_AND}},
    {{"==", X_EQ}, {"!=", X_NE}, {"<=", X_LE}, {">=", X_GE}, {"<", X_LT}, {">", X_GT}},
    {{"+", X_ADD}, {"-", X_SUB}},
    {{"*", X_MUL}, {"//", X_FLOORDIV}, {"/", X_DIV}, {"%", X_MOD}},
};

static struct expr *binary(struct parser *p, int level)
{
    if (level == 5)
        return unary(p);
    struct expr *x = binary(p, level + 1);
    while (x) {
        space(p);
        int col = column(p);
        const struct level *l = levels[level];
        while (l->token && !take(p, l->token))
            l++;
        if (!l->token)
            break;
        struct expr *kids[2] = {x, binary(p, level + 1)};
        x = make(p, l->op, col, kids, 2);
    }
    return x;
}

static struct expr *parse_cond(struct parser *p)
{
    if (p->depth >= EXPR_MAX_DEPTH)
        return fail(p, "the expression is nested too deeply%s%s", "", "");
    p->depth++;
    struct expr *x = binary(p, 0);
    int col = column(p);
    if (x && take(p, "?")) {
        struct expr *kids[3] = {x, parse_cond(p), NULL};
        if (kids[1] && !take(p, ":"))
            return fail(p, "\":\" is missing%s%s", "", "");
        if (kids[1])
            kids[2] = parse_cond(p);
        x = make(p, X_COND, col, kids, 3);
    }
    p->depth--;
    return x;
}

struct expr *expr_parse(struct arena *a, const char *s, const struct expr_scope *scope, const char *where,
                        struct err *err)
{
    struct parser p = {.arena = a, .text = s, .at = s, .where = where, .scope = scope, .err = err};
    if (strlen(s) > EXPR_MAX_TEXT) {
        err_set(err, ERR_INVALID, where, "an expression may have %d characters", EXPR_MAX_TEXT);
        return NULL;
    }
    char *copy = arena_strdup(a, s);
    if (!copy)
        return fail(&p, "the document needs too much memory%s%s", "", "");
    p.text = p.at = copy;
    struct expr *x = parse_cond(&p);
    if (!x)
        return NULL;
    space(&p);
    if (*p.at == '=')
        return fail(&p, "a single \"=\": equality is \"==\"%s%s", "", "");
    return *p.at ? fail(&p, "unexpected text after the expression%s%s", "", "") : x;
}

struct expr *expr_literal(struct arena *a, struct val v, const char *where)
{
    struct expr *x = arena_alloc(a, sizeof *x);
    if (x)
        *x = (struct expr){.op = X_LITERAL, .lit = v, .where = where, .column = 1};
    return x;
}
