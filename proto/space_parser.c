/* space_parser: what reading any part of a document needs: where in it the reader is, errors that say so, expressions
 * and texts with the names that are in scope. */
#include "proto/space_parser.h"

#include "proto/base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
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

int parser_val(struct space_parser *p, const json_t *v, struct val *out)
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
    if (parser_val(p, v, &lit))
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
