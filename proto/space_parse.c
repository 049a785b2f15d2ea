/* space_parse: the sections of a space document: input, constants, decisions, modules, network. Layers are read by
 * space_layer.c, codes by space_code.c; space_survey.c checks that every network of the space can be built. */
#include "proto/space_parser.h"

#include "proto/base/json.h"
#include "proto/space_class.h"
#include "proto/space_code.h"
#include "proto/space_require.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t parser_enter(struct space_parser *p, const char *member)
{
    char base[sizeof p->at];
    size_t mark = p->nat;
    memcpy(base, p->at, sizeof base);
    base[p->nat] = '\0';
    json_pointer(p->at, sizeof p->at, base, member);
    p->nat = strlen(p->at);
    return mark;
}

size_t parser_enter_index(struct space_parser *p, size_t index)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", index);
    return parser_enter(p, text);
}

void parser_leave(struct space_parser *p, size_t mark)
{
    p->nat = mark;
    p->at[mark] = '\0';
}

int parser_fail(struct space_parser *p, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(p->err, ERR_INVALID, p->at, "%s", what);
}

int parser_no_memory(struct space_parser *p)
{
    return err_set(p->err, ERR_TOO_LARGE, p->at, "the document needs more than %d MiB", SPACE_MAX_MEMORY >> 20);
}

const char *parser_where(struct space_parser *p)
{
    const char *s = arena_strdup(&p->s->arena, p->at);
    if (!s)
        parser_no_memory(p);
    return s;
}

int parser_tensor(struct space_parser *p, const char *name, size_t len)
{
    struct space *s = p->s;
    for (int i = 0; i < s->ntensors; i++)
        if (strcmp(s->tensors[i], name) == 0)
            return i;
    if (s->ntensors == SPACE_MAX_TENSORS)
        return parser_fail(p, "more than %d names of tensors", SPACE_MAX_TENSORS);
    if (!(s->tensors[s->ntensors] = arena_strndup(&s->arena, name, len)))
        return parser_no_memory(p);
    return s->ntensors++;
}

/* ---- names in expressions ---- */

static int lookup(void *ctx, const char *name, struct expr_name *out, struct suggest *sug)
{
    static const char *const inputs[] = {"in", "height", "width"};
    struct space_parser *p = ctx;
    const struct space *s = p->s;
    for (int i = p->nslots - 1; i >= 0; i--)
        if (strcmp(p->slots[i], name) == 0) {
            *out = (struct expr_name){.kind = NAME_SLOT, .index = i};
            return 1;
        }
    for (int i = 0; i < s->nconstants; i++) /* a document may call a constant "width" */
        if (strcmp(s->constant_names[i], name) == 0) {
            *out = (struct expr_name){.kind = NAME_TABLE, .table = &s->constants[i]};
            return 1;
        }
    for (int i = 0; i < s->narrays; i++)
        if (strcmp(s->arrays[i].name, name) == 0) {
            *out = (struct expr_name){.kind = NAME_DECISION, .index = s->arrays[i].first, .ndims = s->arrays[i].ndims};
            memcpy(out->dims, s->arrays[i].dims, sizeof out->dims);
            return 1;
        }
    for (int i = 0; i < 3; i++)
        if (strcmp(inputs[i], name) == 0) {
            *out = (struct expr_name){.kind = NAME_INPUT, .index = i};
            return 1;
        }
    for (int i = 0; i < p->nslots; i++)
        suggest_offer(sug, p->slots[i]);
    for (int i = 0; i < s->nconstants; i++)
        suggest_offer(sug, s->constant_names[i]);
    for (int i = 0; i < s->narrays; i++)
        suggest_offer(sug, s->arrays[i].name);
    for (int i = 0; i < 3; i++)
        suggest_offer(sug, inputs[i]);
    return 0;
}

static int read_val(struct space_parser *p, const json_t *v, struct val *out)
{
    if (json_is_string(v)) {
        out->type = VAL_STR;
        out->str = arena_strdup(&p->s->arena, json_string_value(v));
        return out->str ? 0 : parser_no_memory(p);
    }
    if (json_is_boolean(v)) {
        *out = (struct val){.type = VAL_BOOL, .num = json_is_true(v)};
        return 0;
    }
    if (!json_is_number(v) || !isfinite(json_number_value(v)))
        return parser_fail(p, "a number or a text is needed, not %s", json_kind(v));
    *out = (struct val){.type = VAL_NUM, .num = json_number_value(v)};
    return 0;
}

struct expr *parser_expr(struct space_parser *p, const json_t *v)
{
    const char *where = parser_where(p);
    if (!where)
        return NULL;
    if (json_is_string(v)) {
        struct expr_scope scope = {lookup, p};
        return expr_parse(&p->s->arena, json_string_value(v), &scope, where, p->err);
    }
    struct val lit = {0};
    if (!v) {
        parser_fail(p, "a number or an expression is missing");
        return NULL;
    }
    if (read_val(p, v, &lit))
        return NULL;
    struct expr *x = expr_literal(&p->s->arena, lit, where);
    if (!x)
        parser_no_memory(p);
    return x;
}

/* "features.{i}.conv": text pieces and expressions. */
struct tmpl *parser_tmpl(struct space_parser *p, const json_t *v)
{
    const char *text = json_string_value(v);
    if (!text) {
        parser_fail(p, "a text is needed, not %s", json_kind(v));
        return NULL;
    }
    size_t most = 1;
    for (const char *c = text; *c; c++)
        most += *c == '{' ? 2 : 0;
    struct tmpl *t = arena_alloc(&p->s->arena, sizeof *t);
    struct tmpl_piece *pieces = arena_array(&p->s->arena, most, sizeof *pieces);
    if (!t || !pieces || !(t->where = parser_where(p))) {
        parser_no_memory(p);
        return NULL;
    }
    t->pieces = pieces;
    while (*text) {
        struct tmpl_piece *piece = &pieces[t->n++];
        size_t n = strcspn(text, "{");
        if (n == 0) {
            n = strcspn(text, "}");
            if (!text[n]) {
                parser_fail(p, "\"}\" is missing");
                return NULL;
            }
            json_t *inner = json_stringn(text + 1, n - 1);
            piece->expr = inner ? parser_expr(p, inner) : NULL;
            json_decref(inner);
            if (!piece->expr)
                return NULL;
            text += n + 1;
            continue;
        }
        piece->len = n;
        if (!(piece->text = arena_strndup(&p->s->arena, text, n))) {
            parser_no_memory(p);
            return NULL;
        }
        text += n;
    }
    return t;
}

/* ---- constants ---- */

static int read_table(struct space_parser *p, const json_t *v, struct table *out, int depth)
{
    if (!json_is_array(v)) {
        out->n = -1;
        return read_val(p, v, &out->leaf);
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

static int read_constants(struct space_parser *p, const json_t *doc)
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
        if (read_val(p, json_array_get(of, (size_t)i), &v))
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

int parser_members(struct space_parser *p, const json_t *doc, const char *const *names)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, name, v)
    {
        struct suggest s;
        suggest_init(&s, name);
        int known = 0;
        for (const char *const *n = names; *n; n++) {
            suggest_offer(&s, *n);
            known |= strcmp(*n, name) == 0;
        }
        if (!known) {
            parser_enter(p, name);
            return parser_fail(p, "unknown member%s", suggest_hint(&s));
        }
    }
    return 0;
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

static int read_decisions(struct space_parser *p, const json_t *doc)
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

/* ---- modules ---- */

static int read_module_args(struct space_parser *p, struct module *m, const json_t *doc)
{
    const json_t *args = json_object_get(doc, "args");
    if (args && !json_is_array(args))
        return parser_fail(p, "\"args\" is a list of names, \"name\" or \"name=default\"");
    size_t n = json_array_size(args);
    if (n > SPACE_MAX_SLOTS)
        return parser_fail(p, "at most %d arguments", SPACE_MAX_SLOTS);
    m->arg_names = arena_array(&p->s->arena, n + 1, sizeof *m->arg_names);
    m->defaults = arena_array(&p->s->arena, n + 1, sizeof *m->defaults);
    if (!m->arg_names || !m->defaults)
        return parser_no_memory(p);
    size_t mark = parser_enter(p, "args");
    for (size_t i = 0; i < n; i++) {
        size_t inner = parser_enter_index(p, i);
        const char *text = json_string_value(json_array_get(args, i));
        size_t len = text ? strcspn(text, "=") : 0;
        if (!text || len == 0 || len > 63 ||
            strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") < len)
            return parser_fail(p, "a name of letters, digits and _ is needed");
        if (!(m->arg_names[i] = arena_strndup(&p->s->arena, text, len)))
            return parser_no_memory(p);
        if (text[len] == '=') { /* read before any slot exists: a default sees constants only */
            json_t *value = json_string(text + len + 1);
            m->defaults[i] = value ? parser_expr(p, value) : NULL;
            json_decref(value);
            if (!m->defaults[i])
                return -1;
        }
        parser_leave(p, inner);
    }
    parser_leave(p, mark);
    m->nargs = (int)n;
    return 0;
}

static int read_module_inputs(struct space_parser *p, struct module *m, const json_t *doc)
{
    const json_t *inputs = json_object_get(doc, "inputs");
    size_t n = json_array_size(inputs);
    if (!inputs)
        return 0;
    size_t mark = parser_enter(p, "inputs");
    if (!json_is_array(inputs) || n == 0 || n > SPACE_MAX_BRANCHES)
        return parser_fail(p, "a list of tensor names is needed");
    if (!(m->inputs = arena_array(&p->s->arena, n, sizeof *m->inputs)))
        return parser_no_memory(p);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(inputs, i));
        if (!name)
            return parser_fail(p, "a list of tensor names is needed");
        if ((m->inputs[i] = parser_tensor(p, name, strlen(name))) < 0)
            return -1;
    }
    m->ninputs = (int)n;
    parser_leave(p, mark);
    return 0;
}

static int read_module(struct space_parser *p, struct module *m, const json_t *doc)
{
    static const char *const members[] = {"args", "inputs", "body", "about", NULL};
    if (!json_is_object(doc))
        return parser_fail(p, "{\"args\": [...], \"body\": [...]} is needed");
    if (parser_members(p, doc, members))
        return -1;
    p->nslots = p->most_slots = 0;
    if (read_module_args(p, m, doc) || read_module_inputs(p, m, doc))
        return -1;
    for (int i = 0; i < m->nargs; i++)
        p->slots[p->nslots++] = m->arg_names[i];
    p->most_slots = p->nslots;
    size_t mark = parser_enter(p, "body");
    if (!(m->body = parser_body(p, json_object_get(doc, "body"))))
        return -1;
    parser_leave(p, mark);
    m->nslots = p->most_slots;
    return 0;
}

struct module *parser_module(struct space_parser *p, const char *name)
{
    struct module *m = p->s->modules;
    while (strcmp(m->name, name) != 0)
        m++;
    if (m->state == 2)
        return m;
    if (m->state == 1) {
        parser_fail(p, "module \"%s\" contains itself", name);
        return NULL;
    }
    struct space_parser *saved = malloc(sizeof *saved);
    if (!saved) {
        parser_no_memory(p);
        return NULL;
    }
    *saved = *p;
    m->state = 1;
    p->nat = 0;
    p->at[0] = '\0';
    parser_enter(p, "modules");
    parser_enter(p, name);
    int rc = read_module(p, m, json_object_get(p->module_docs, name));
    if (rc == 0) {
        int nlayers = p->nlayers;
        *p = *saved;
        p->nlayers = nlayers;
        m->state = 2;
    }
    free(saved);
    return rc ? NULL : m;
}

static int read_modules(struct space_parser *p)
{
    struct space *s = p->s;
    size_t n = json_object_size(p->module_docs);
    if (!(s->modules = arena_array(&s->arena, n + 1, sizeof *s->modules)))
        return parser_no_memory(p);
    const char *name;
    json_t *v;
    size_t mark = parser_enter(p, "modules");
    json_object_foreach((json_t *)(uintptr_t)p->module_docs, name, v)
    {
        if (parser_reserved(name)) {
            parser_enter(p, name);
            return parser_fail(p, "\"%s\" is a word of the language: take another name", name);
        }
        if (!(s->modules[s->nmodules++].name = arena_strdup(&s->arena, name)))
            return parser_no_memory(p);
    }
    parser_leave(p, mark);
    for (int i = 0; i < s->nmodules; i++) /* also those that nobody calls: their errors count */
        if (!parser_module(p, s->modules[i].name))
            return -1;
    return 0;
}

/* ---- the document ---- */

static int read_input(struct space_parser *p, const json_t *v)
{
    int32_t dims[3];
    size_t mark = parser_enter(p, "input");
    if (!json_is_array(v) || json_array_size(v) != 3)
        return parser_fail(p, "[channels, height, width] is needed");
    for (size_t i = 0; i < 3; i++) {
        const json_t *one = json_array_get(v, i);
        if (!json_is_integer(one) || json_integer_value(one) < 1 || json_integer_value(one) > 65536)
            return parser_fail(p, "three integers from 1 to 65536 are needed");
        dims[i] = (int32_t)json_integer_value(one);
    }
    p->s->input = (struct shape){dims[0], dims[1], dims[2]};
    parser_leave(p, mark);
    return 0;
}

static int read_object_section(struct space_parser *p, const json_t *doc, const char *name,
                               int (*read)(struct space_parser *, const json_t *))
{
    const json_t *v = json_object_get(doc, name);
    if (v && !json_is_object(v)) {
        parser_enter(p, name);
        return parser_fail(p, "an object is needed, not %s", json_kind(v));
    }
    size_t mark = parser_enter(p, name);
    if (read && read(p, v))
        return -1;
    parser_leave(p, mark);
    return 0;
}

static int read_head(struct space_parser *p, const json_t *doc)
{
    static const char *const members[] = {"space",   "name",     "about",   "input",   "constants", "decisions", "code",
                                          "classes", "defaults", "modules", "network", "require",   NULL};
    if (!json_is_object(doc))
        return parser_fail(p, "a space document is an object");
    if (parser_members(p, doc, members))
        return -1;
    const json_t *version = json_object_get(doc, "space"), *name = json_object_get(doc, "name");
    if (!json_is_integer(version) || json_integer_value(version) != SPACE_VERSION) {
        parser_enter(p, "space");
        return parser_fail(p, "the version of the language is needed: %d", SPACE_VERSION);
    }
    if (!json_is_string(name) || json_string_length(name) < 1 || json_string_length(name) > 128) {
        parser_enter(p, "name");
        return parser_fail(p, "a text of 1 to 128 characters is needed");
    }
    if (!(p->s->name = arena_strdup(&p->s->arena, json_string_value(name))))
        return parser_no_memory(p);
    return read_input(p, json_object_get(doc, "input"));
}

static int check_defaults(struct space_parser *p, const json_t *doc)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, name, v) if (!prim_find(name))
    {
        parser_enter(p, name);
        return parser_fail(p, "there is no primitive layer of this name");
    }
    return 0;
}

static int read_network(struct space_parser *p, const json_t *v)
{
    struct module *m = arena_alloc(&p->s->arena, sizeof *m);
    if (!m)
        return parser_no_memory(p);
    m->name = "network";
    size_t mark = parser_enter(p, "network");
    p->nslots = p->most_slots = 0;
    if (!(m->body = parser_body(p, v)))
        return -1;
    parser_leave(p, mark);
    m->nslots = p->most_slots;
    p->s->network = m;
    return 0;
}

static int read_document(struct space_parser *p, const json_t *doc)
{
    p->defaults = json_object_get(doc, "defaults");
    p->module_docs = json_object_get(doc, "modules");
    if (read_head(p, doc) || read_object_section(p, doc, "constants", read_constants) ||
        read_object_section(p, doc, "decisions", read_decisions) ||
        read_object_section(p, doc, "defaults", check_defaults) || read_object_section(p, doc, "modules", NULL) ||
        read_modules(p) || read_network(p, json_object_get(doc, "network")))
        return -1;
    int rc = space_require_read(p, json_object_get(doc, "require"));
    if (!rc)
        rc = space_code_read(p, json_object_get(doc, "code"));
    return rc ? rc : space_class_read(p, json_object_get(doc, "classes"));
}

int space_parse_json(const json_t *doc, struct space **out, struct err *err)
{
    *out = NULL;
    struct err local = {0};
    struct space *s = calloc(1, sizeof *s);
    struct space_parser *p = calloc(1, sizeof *p);
    if (!s || !p) {
        free(s);
        free(p);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a space document");
    }
    arena_init(&s->arena, SPACE_MAX_MEMORY);
    p->s = s;
    p->err = &local;
    int rc = read_document(p, doc);
    free(p);
    if (!rc)
        rc = space_survey(s, &local);
    if (!rc)
        rc = space_require_check(s, &local);
    if (!rc)
        rc = space_count_prepare(s, &local);
    if (rc == 0) {
        if ((s->doc = json_deep_copy(doc))) {
            *out = s;
            return 0;
        }
        err_set(&local, ERR_NO_MEMORY, "", "no memory for a space document");
    }
    space_free(s);
    if (err)
        *err = local;
    return -(int)local.code;
}

int space_parse(const char *text, size_t len, struct space **out, struct err *err)
{
    *out = NULL;
    if (len > SPACE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "", "a space document may have %d bytes", SPACE_MAX_BYTES);
    struct err local = {0};
    json_t *doc = json_parse_strict(text, len, JSON_DEPTH, &local);
    if (!doc) {
        if (err)
            *err = local;
        return -(int)local.code;
    }
    int rc = space_parse_json(doc, out, err);
    json_decref(doc);
    return rc;
}

void space_free(struct space *s)
{
    if (!s)
        return;
    space_count_clear(s);
    free(s->facts.tensors);
    free(s->facts.terms);
    json_decref(s->doc);
    arena_clear(&s->arena);
    free(s);
}

/* ---- simple questions ---- */

const char *space_name(const struct space *s)
{
    return s->name;
}

struct shape space_input(const struct space *s)
{
    return s->input;
}

int space_ndecisions(const struct space *s)
{
    return s->ndecisions;
}

const char *space_decision_name(const struct space *s, int decision)
{
    return s->decisions[decision].name;
}

int space_noptions(const struct space *s, int decision)
{
    return s->decisions[decision].noptions;
}

const char *space_option(const struct space *s, int decision, int option)
{
    return s->decisions[decision].labels[option];
}

int space_nblocks(const struct space *s)
{
    return s->nblocks;
}

const char *space_block(const struct space *s, int block)
{
    return s->blocks[block];
}

int space_ntensors(const struct space *s)
{
    return s->facts.ntensors;
}

const char *space_tensor(const struct space *s, int i, int *ndim, const int32_t **dims)
{
    *ndim = s->facts.tensors[i].ndim;
    *dims = s->facts.tensors[i].dims;
    return s->facts.tensors[i].name;
}
