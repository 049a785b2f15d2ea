/* space_class: formulas of cells as texts. See space_class.h. */
#include "proto/space_class.h"

#include "proto/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 8, TERM_SIZE = 704, NODE_SIZE = 512, FORMULA_SIZE = MAX_NODES * TERM_SIZE };

static int option_of(struct space_parser *p, const json_t *doc, const char *member, const struct decision *d)
{
    const char *text = json_string_value(json_object_get(doc, member));
    struct suggest sug;
    size_t mark = parser_enter(p, member);
    suggest_init(&sug, text ? text : "");
    for (int i = 0; i < d->noptions; i++) {
        suggest_offer(&sug, d->labels[i]);
        if (text && strcmp(d->labels[i], text) == 0) {
            parser_leave(p, mark);
            return i;
        }
    }
    return parser_fail(p, "an option of \"%s\" is needed%s", d->name, suggest_hint(&sug));
}

static const struct decision_array *find_array(const struct space *s, const char *name)
{
    for (int i = 0; name && i < s->narrays; i++)
        if (strcmp(s->arrays[i].name, name) == 0)
            return &s->arrays[i];
    return NULL;
}

/* The number of nodes whose edges these are; 0: of none. */
static int nodes_of(const struct decision_array *a)
{
    for (int n = 2; n <= MAX_NODES; n++)
        if (a->ndims == 1 && a->dims[0] == n * (n - 1) / 2)
            return n;
    return 0;
}

int space_class_read(struct space_parser *p, const json_t *doc)
{
    static const char *const members[] = {"dag", "zero", "identity", NULL};
    struct space *s = p->s;
    if (!doc)
        return 0;
    size_t mark = parser_enter(p, "classes");
    if (!json_is_object(doc))
        return parser_fail(p, "an object is needed, not %s", json_kind(doc));
    if (parser_members(p, doc, members))
        return -1;
    size_t inner = parser_enter(p, "dag");
    const struct decision_array *a = find_array(s, json_string_value(json_object_get(doc, "dag")));
    if (!a || !nodes_of(a))
        return parser_fail(p, "a list of 1, 3, 6, ... 28 decisions is needed: the edges between 2, 3, 4, ... 8 nodes");
    parser_leave(p, inner);
    struct space_dag *dag = arena_alloc(&s->arena, sizeof *dag);
    if (!dag)
        return parser_no_memory(p);
    *dag = (struct space_dag){.first = a->first, .nodes = nodes_of(a)};
    for (int i = 1; i < a->dims[0]; i++)
        if (s->decisions[a->first + i].labels != s->decisions[a->first].labels)
            return parser_fail(p, "every edge must have the same options");
    if ((dag->zero = option_of(p, doc, "zero", &s->decisions[a->first])) < 0 ||
        (dag->identity = option_of(p, doc, "identity", &s->decisions[a->first])) < 0)
        return -1;
    s->dag = dag;
    parser_leave(p, mark);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Terms in order, joined. A long text is replaced by its hash: equal ones stay equal. */
static void join(char terms[][TERM_SIZE], int n, char out[NODE_SIZE])
{
    char all[FORMULA_SIZE];
    size_t len = 0;
    qsort(terms, (size_t)n, TERM_SIZE, by_text);
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? "+" : "", terms[i]);
    if (len < NODE_SIZE) {
        memcpy(out, all, len + 1);
        return;
    }
    struct hash128 h = hash128(all, len);
    snprintf(out, NODE_SIZE, "%016llx%016llx", (unsigned long long)h.hi, (unsigned long long)h.lo);
}

struct hash128 space_class_key(const struct space *s, const int *choice, struct shape input)
{
    char nodes[MAX_NODES][NODE_SIZE] = {"0"}, terms[MAX_NODES][TERM_SIZE], text[NODE_SIZE + 256];
    int edge = s->dag->first;
    for (int j = 1; j < s->dag->nodes; j++) {
        for (int i = 0; i < j; i++, edge++) {
            int option = choice[edge];
            const char *from = nodes[i], *label = s->decisions[edge].labels[option];
            if (option == s->dag->zero || strcmp(from, "#") == 0)
                snprintf(terms[i], TERM_SIZE, "#");
            else if (option == s->dag->identity)
                snprintf(terms[i], TERM_SIZE, "%.*s", NODE_SIZE, from);
            else /* labels have at most 128 bytes, space_parse.c */
                snprintf(terms[i], TERM_SIZE, "(%.*s)@%.128s", NODE_SIZE, from, label);
        }
        join(terms, j, nodes[j]);
    }
    int n = snprintf(text, sizeof text, "%s %d %d %d %s", s->name, input.c, input.h, input.w,
                     nodes[s->dag->nodes - 1]);
    return hash128(text, (size_t)n);
}
