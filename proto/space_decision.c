/* space_decision: the sections "constants" and "decisions" of a space document: lists of values, options and subsets.
 */
#include "proto/space_parser.h"

#include "proto/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- constants ---- */

static int read_table(struct space_parser *p, const json_t *v, struct table *out, int depth)
{
    if (!json_is_array(v)) {
        out->n = -1;
        return parser_val(p, v, &out->leaf);
    }
    if (depth == EXPR_MAX_DIMS)
        return parser_fail(p, "lists may be nested %d deep", EXPR_MAX_DIMS);
    size_t n = json_array_size(v);
    struct table *items = arena_array(&p->s->arena, n + 1, sizeof *items);
    if (!items)
        return parser_no_memory(p);
    out->n = (int)n;
    out->items = items;
    for (size_t i = 0; i < n; i++) {
        size_t mark = parser_enter_index(p, i);
        if (read_table(p, json_array_get(v, i), &items[i], depth + 1))
            return -1;
        parser_leave(p, mark);
    }
    return 0;
}

int parser_constants(struct space_parser *p, const json_t *doc)
{
    struct space *s = p->s;
    size_t n = json_object_size(doc);
    s->constants = arena_array(&s->arena, n + 1, sizeof *s->constants);
    s->constant_names = arena_array(&s->arena, n + 1, sizeof *s->constant_names);
    if (!s->constants || !s->constant_names)
        return parser_no_memory(p);
    const char *name;
    const json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, name, v)
    {
        size_t mark = parser_enter(p, name);
        int i = s->nconstants;
        if (!(s->constant_names[i] = arena_strdup(&s->arena, name)))
            return parser_no_memory(p);
        if (read_table(p, v, &s->constants[i], 0))
            return -1;
        s->nconstants++;
        parser_leave(p, mark);
    }
    return 0;
}

/* ---- decisions ---- */

static int alloc_options(struct space_parser *p, struct decision *d, size_t n)
{
    if (n < 1 || n > SPACE_MAX_OPTIONS)
        return parser_fail(p, "a decision has 1 to %d options, not %zu", SPACE_MAX_OPTIONS, n);
    d->noptions = (int)n;
    d->values = arena_array(&p->s->arena, n, sizeof *d->values);
    d->labels = arena_array(&p->s->arena, n, sizeof *d->labels);
    return d->values && d->labels ? 0 : parser_no_memory(p);
}

static const char *label_of(struct space_parser *p, struct val v)
{
    if (v.type == VAL_STR)
        return v.str;
    return v.num == floor(v.num) ? arena_printf(&p->s->arena, "%.0f", v.num)
                                 : arena_printf(&p->s->arena, "%.6g", v.num);
}

static int check_label(struct space_parser *p, const struct decision *d, int i)
{
    if (!d->labels[i])
        return parser_no_memory(p);
    if (!d->labels[i][0] || strlen(d->labels[i]) > 128)
        return parser_fail(p, "an option's text has 1 to 128 characters");
    for (int k = 0; k < i; k++)
        if (strcmp(d->labels[k], d->labels[i]) == 0)
            return parser_fail(p, "option \"%s\" is there twice", d->labels[i]);
    return 0;
}

static int read_of(struct space_parser *p, const json_t *of, struct decision *d)
{
    if (!json_is_array(of))
        return parser_fail(p, "a list of options is needed, not %s", json_kind(of));
    if (alloc_options(p, d, json_array_size(of)))
        return -1;
    for (int i = 0; i < d->noptions; i++) {
        size_t mark = parser_enter_index(p, (size_t)i);
        struct val v = {0};
        if (parser_val(p, json_array_get(of, (size_t)i), &v))
            return -1;
        d->symbols |= v.type == VAL_STR;
        d->labels[i] = label_of(p, v);
        d->values[i] = v.type == VAL_STR ? (struct val){.type = VAL_NUM, .num = i} : v;
        if (check_label(p, d, i))
            return -1;
        if (i == 0 || d->values[i].num > d->full.num)
            d->full = d->values[i];
        parser_leave(p, mark);
    }
    return 0;
}

static const char *subset_label(struct space_parser *p, const json_t *names, unsigned bits)
{
    char text[129] = "";
    size_t n = 0;
    for (unsigned b = 0; bits >> b; b++)
        if (bits >> b & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "+" : "",
                                  json_string_value(json_array_get(names, b)));
    return n < sizeof text ? arena_strdup(&p->s->arena, n ? text : "none") : "";
}

static int int_member(struct space_parser *p, const json_t *doc, const char *member, int lo, int hi, int *out)
{
    const json_t *v = json_object_get(doc, member);
    if (!v)
        return 0;
    if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi) {
        parser_enter(p, member);
        return parser_fail(p, "an integer between %d and %d is needed", lo, hi);
    }
    *out = (int)json_integer_value(v);
    return 0;
}

/* All subsets with min to max members, in the order of their bit masks. */
static int read_subset(struct space_parser *p, const json_t *doc, struct decision *d)
{
    const json_t *names = json_object_get(doc, "subset");
    int n = (int)json_array_size(names), min = 1, max = n;
    size_t mark = parser_enter(p, "subset");
    if (n < 1 || n > 10)
        return parser_fail(p, "a list of 1 to 10 names is needed");
    for (int i = 0; i < n; i++)
        if (!json_is_string(json_array_get(names, (size_t)i)))
            return parser_fail(p, "a list of texts is needed");
    parser_leave(p, mark);
    if (int_member(p, doc, "min", 0, n, &min) || int_member(p, doc, "max", min, n, &max))
        return -1;
    size_t count = 0;
    for (unsigned m = 0; m < 1U << n; m++)
        count += __builtin_popcount(m) >= min && __builtin_popcount(m) <= max;
    if (alloc_options(p, d, count))
        return -1;
    int i = 0;
    for (unsigned m = 0; m < 1U << n; m++) {
        if (__builtin_popcount(m) < min || __builtin_popcount(m) > max)
            continue;
        d->values[i] = (struct val){.type = VAL_NUM, .num = m};
        d->labels[i] = subset_label(p, names, m);
        if (check_label(p, d, i++))
            return -1;
    }
    d->full = (struct val){.type = VAL_NUM, .num = (1U << n) - 1};
    return 0;
}

static int read_count(struct space_parser *p, const json_t *v, struct decision_array *a, int *total)
{
    *total = 1;
    if (!v)
        return 0;
    size_t mark = parser_enter(p, "count"), n = json_is_array(v) ? json_array_size(v) : 1;
    if (n < 1 || n > EXPR_MAX_DIMS)
        return parser_fail(p, "one to %d counts", EXPR_MAX_DIMS);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_integer(one) || json_integer_value(one) < 1 || json_integer_value(one) > SPACE_MAX_DECISIONS)
            return parser_fail(p, "a count between 1 and %d is needed", SPACE_MAX_DECISIONS);
        a->dims[a->ndims++] = (int)json_integer_value(one);
        *total *= (int)json_integer_value(one);
        if (*total > SPACE_MAX_DECISIONS)
            return parser_fail(p, "a space may have %d decisions", SPACE_MAX_DECISIONS);
    }
    parser_leave(p, mark);
    return 0;
}

static const char *element_name(struct space_parser *p, const struct decision_array *a, int i)
{
    char text[160];
    int n = snprintf(text, sizeof text, "%.96s", a->name), stride = 1;
    for (int k = 0; k < a->ndims; k++)
        stride *= a->dims[k];
    for (int k = 0; k < a->ndims && n < (int)sizeof text; k++) {
        stride /= a->dims[k];
        n += snprintf(text + n, sizeof text - (size_t)n, "[%d]", i / stride % a->dims[k]);
    }
    return arena_strdup(&p->s->arena, text);
}

static int read_elements(struct space_parser *p, const json_t *doc, const struct decision_array *a, int total)
{
    const json_t *of = json_is_object(doc) ? json_object_get(doc, "of") : doc;
    int subset = json_is_object(doc) && json_object_get(doc, "subset") != NULL;
    int each = !subset && a->ndims && json_is_array(json_array_get(of, 0)); /* a list of options for every element */
    size_t mark = json_is_object(doc) && !subset ? parser_enter(p, "of") : p->nat;
    if (each && json_array_size(of) != (size_t)total)
        return parser_fail(p, "%d lists of options are needed, not %zu", total, json_array_size(of));
    for (int i = 0; i < total; i++) {
        struct decision *d = &p->s->decisions[a->first + i];
        if (!(d->name = element_name(p, a, i)))
            return parser_no_memory(p);
        if (i && !each) { /* the same options as the first element's */
            const char *name = d->name;
            *d = p->s->decisions[a->first];
            d->name = name;
            continue;
        }
        size_t inner = each ? parser_enter_index(p, (size_t)i) : p->nat;
        if (subset ? read_subset(p, doc, d) : read_of(p, each ? json_array_get(of, (size_t)i) : of, d))
            return -1;
        parser_leave(p, inner);
    }
    parser_leave(p, mark);
    return 0;
}

static int read_array(struct space_parser *p, const char *name, const json_t *doc)
{
    static const char *const members[] = {"of", "count", "subset", "min", "max", NULL};
    struct space *s = p->s;
    struct decision_array *a = &s->arrays[s->narrays];
    int total = 1;
    if (!json_is_object(doc) && !json_is_array(doc))
        return parser_fail(p, "a list of options or {\"of\": [...], \"count\": n} is needed");
    if (parser_members(p, json_is_object(doc) ? doc : NULL, members))
        return -1;
    if (json_is_object(doc) && (!json_object_get(doc, "of")) == (!json_object_get(doc, "subset")))
        return parser_fail(p, "either \"of\" or \"subset\" is needed");
    a->first = s->ndecisions;
    if (!(a->name = arena_strdup(&s->arena, name)))
        return parser_no_memory(p);
    if (read_count(p, json_is_object(doc) ? json_object_get(doc, "count") : NULL, a, &total))
        return -1;
    if (s->ndecisions + total > SPACE_MAX_DECISIONS)
        return parser_fail(p, "a space may have %d decisions", SPACE_MAX_DECISIONS);
    if (read_elements(p, doc, a, total))
        return -1;
    s->ndecisions += total;
    s->narrays++;
    return 0;
}

int parser_decisions(struct space_parser *p, const json_t *doc)
{
    struct space *s = p->s;
    size_t n = json_object_size(doc);
    s->arrays = arena_array(&s->arena, n + 1, sizeof *s->arrays);
    s->decisions = arena_array(&s->arena, SPACE_MAX_DECISIONS, sizeof *s->decisions);
    if (!s->arrays || !s->decisions)
        return parser_no_memory(p);
    const char *name;
    const json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, name, v)
    {
        size_t mark = parser_enter(p, name);
        if (read_array(p, name, v))
            return -1;
        parser_leave(p, mark);
    }
    return 0;
}
