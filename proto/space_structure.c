/* space_structure: the words that say how layers stand together: sequences, reductions, choices, loops, names for
 * values. */
#include "proto/space_parser.h"

#include <string.h>

static struct expr *member_expr(struct space_parser *p, const json_t *doc, const char *member)
{
    size_t mark = parser_enter(p, member);
    struct expr *x = parser_expr(p, json_object_get(doc, member));
    if (x)
        parser_leave(p, mark);
    return x;
}

static int read_reduce(struct space_parser *p, const json_t *v, enum reduce_kind *out)
{
    static const char *const names[] = {"sum", "mean", "concat", NULL};
    const char *text = json_string_value(v);
    for (int i = 0; text && names[i]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum reduce_kind)i;
            return 0;
        }
    size_t mark = parser_enter(p, "reduce");
    (void)mark;
    return parser_fail(p, "\"sum\", \"mean\" or \"concat\" is needed");
}

static int read_options(struct space_parser *p, struct layer *l, const json_t *doc, const char *head)
{
    l->numbered = 1;
    if (!(l->select = member_expr(p, doc, head)))
        return -1;
    if (l->kind == L_PATHS) {
        l->reduce = REDUCE_SUM;
        if (json_object_get(doc, "reduce") && read_reduce(p, json_object_get(doc, "reduce"), &l->reduce))
            return -1;
    }
    size_t mark = parser_enter(p, "of");
    if (parser_kids(p, l, json_object_get(doc, "of"), 1))
        return -1;
    if (l->kind == L_PATHS && l->nkids > 32)
        return parser_fail(p, "at most 32 paths");
    parser_leave(p, mark);
    return 0;
}

static int read_for(struct space_parser *p, struct layer *l, const json_t *doc)
{
    const char *var = json_string_value(json_object_get(doc, "for"));
    if (!var || !parser_is_name(var))
        return parser_fail(p, "\"for\" names the counter");
    if (!(l->select = member_expr(p, doc, "to")))
        return -1;
    if (json_object_get(doc, "start") && !(l->first = member_expr(p, doc, "start")))
        return -1;
    int slots = p->nslots;
    if ((l->slot = parser_slot(p, var)) < 0 || parser_alloc_kids(p, l, 1))
        return -1;
    size_t mark = parser_enter(p, "body");
    if (!(l->kids[0] = parser_body(p, json_object_get(doc, "body"))))
        return -1;
    parser_leave(p, mark);
    p->nslots = slots;
    return 0;
}

/* Each name of a let is a layer of its own inside a list; the names last to the end of the enclosing body. */
static int read_let(struct space_parser *p, struct layer *l, const json_t *v)
{
    size_t mark = parser_enter(p, "let"), n = 0;
    if (!json_is_object(v))
        return parser_fail(p, "an object of names is needed");
    if (parser_alloc_kids(p, l, json_object_size(v)))
        return -1;
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)v, name, value)
    {
        size_t inner = parser_enter(p, name);
        struct layer *one = parser_new_layer(p, L_LET);
        if (!one || !(one->select = parser_expr(p, value)))
            return -1;
        if (!parser_is_name(name))
            return parser_fail(p, "\"%s\" is no name: letters, digits and _", name);
        if ((one->slot = parser_slot(p, name)) < 0)
            return -1;
        l->kids[n++] = one;
        parser_leave(p, inner);
    }
    parser_leave(p, mark);
    return 0;
}

struct layer *parser_structure(struct space_parser *p, const char *head, const json_t *doc)
{
    static const struct {
        const char *head;
        enum layer_kind kind;
        enum reduce_kind reduce;
    } rows[] = {{"seq", L_LIST, 0},
                {"sum", L_REDUCE, REDUCE_SUM},
                {"mean", L_REDUCE, REDUCE_MEAN},
                {"concat", L_REDUCE, REDUCE_CONCAT},
                {"mul", L_REDUCE, REDUCE_MUL},
                {"max", L_REDUCE, REDUCE_MAX},
                {"choose", L_CHOOSE, 0},
                {"paths", L_PATHS, 0},
                {"for", L_FOR, 0},
                {"let", L_LIST, 0}};
    int r = 0;
    while (strcmp(rows[r].head, head) != 0)
        r++;
    struct layer *l = parser_new_layer(p, rows[r].kind);
    if (!l)
        return NULL;
    l->reduce = rows[r].reduce;
    int rc = 0, slots = p->nslots;
    if (l->kind == L_CHOOSE || l->kind == L_PATHS) {
        rc = read_options(p, l, doc, head);
    } else if (l->kind == L_FOR) {
        rc = read_for(p, l, doc);
    } else if (strcmp(head, "let") == 0) {
        return read_let(p, l, json_object_get(doc, "let")) ? NULL : l; /* keeps its slots */
    } else {
        size_t mark = parser_enter(p, head);
        l->numbered = l->kind == L_LIST;
        rc = parser_kids(p, l, json_object_get(doc, head), l->kind == L_LIST ? 0 : 1);
        if (!rc && l->reduce == REDUCE_MUL && l->kind == L_REDUCE && l->nkids != 2)
            rc = parser_fail(p, "mul takes two branches: the tensor and its gate");
        parser_leave(p, mark);
    }
    p->nslots = slots;
    return rc ? NULL : l;
}
