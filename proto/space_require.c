/* space_require: requirements as tables. See space_require.h. */
#include "proto/space_require.h"

#include "proto/base/json.h"

#include <stdio.h>
#include <string.h>

/* Evaluates one expression for one entry; a decision that is not in the table yet stops it. */
struct evaluation {
    const struct space *s;
    const struct dom *dom;
    const int *choice;
    int missing;
};

static int decide(void *ctx, int decision, struct val *out, struct err *err)
{
    struct evaluation *e = ctx;
    if (!dom_has(e->dom, decision)) {
        e->missing = decision;
        return err_set(err, ERR_INTERNAL, "", "decision %d is not in the table yet", decision);
    }
    *out = e->s->decisions[decision].values[e->choice[decision]];
    return 0;
}

/* 0 with every entry filled, 1 when *d has grown, < 0 on failure. */
static int fill(struct space_parser *p, const struct expr *x, const struct val *slots, struct dom *d, struct tab *t)
{
    int choice[SPACE_MAX_DECISIONS] = {0};
    struct dom tried = *d;
    struct evaluation e = {.s = p->s, .dom = &tried, .choice = choice, .missing = -1};
    struct expr_env env = {.slots = slots, .decide = decide, .ctx = &e};
    for (int w = 0; w < tried.size; w++) {
        int allowed = 0;
        dom_choose(&tried, w, choice);
        int rc = expr_bool(x, &env, &allowed, p->err);
        if (rc && e.missing >= 0) {
            rc = dom_add(d, p->s, e.missing, p->err);
            return rc ? parser_fail(p, "a requirement may read few decisions: %d combinations", TAB_MAX_SIZE) : 1;
        }
        if (rc)
            return rc;
        t->data[w] = (unsigned char)allowed;
    }
    return 0;
}

static int add(struct space_parser *p, const struct expr *x, const struct val *slots, const char *text)
{
    struct space *s = p->s;
    struct dom d = {.size = 1};
    struct tab t;
    int again = 1;
    if (s->nrequirements == SPACE_MAX_REQUIREMENTS)
        return parser_fail(p, "more than %d requirements", SPACE_MAX_REQUIREMENTS);
    while (again) {
        if (tab_alloc(&t, &s->arena, &d, 1, p->err))
            return parser_no_memory(p);
        if ((again = fill(p, x, slots, &d, &t)) < 0)
            return again;
    }
    if (!text)
        return parser_no_memory(p);
    if (!tab_any(&t))
        return parser_fail(p, "no combination makes this true");
    s->requirements[s->nrequirements++] = (struct space_requirement){t, text};
    return 0;
}

static void find_input(void *ctx, const struct expr *node, const struct expr_name *name)
{
    (void)node;
    if (name->kind == NAME_INPUT)
        *(int *)ctx = 1;
}

static struct expr *condition(struct space_parser *p, const json_t *v)
{
    int input = 0;
    struct expr *x = parser_expr(p, v);
    if (x)
        expr_walk(x, find_input, &input);
    if (!input)
        return x;
    parser_fail(p, "a requirement is about decisions: there is no tensor here");
    return NULL;
}

static int bound(struct space_parser *p, const json_t *doc, const char *member, int64_t *out)
{
    struct expr_env none = {.ctx = NULL};
    const json_t *v = json_object_get(doc, member);
    size_t mark = parser_enter(p, member);
    if (!v || !json_is_integer(v)) {
        struct expr *x = v ? condition(p, v) : NULL;
        if (!x || !expr_is_const(x))
            return x ? parser_fail(p, "a number is needed") : parser_fail(p, "the end of the loop is missing");
        if (expr_int(x, &none, -SPACE_MAX_DECISIONS, SPACE_MAX_DECISIONS, out, p->err))
            return -1;
    } else {
        *out = json_integer_value(v);
    }
    parser_leave(p, mark);
    return 0;
}

/* {"for": "i", "to": 15, "that": "..."}: one requirement a round. */
static int read_loop(struct space_parser *p, const json_t *doc)
{
    static const char *const members[] = {"for", "start", "to", "that", NULL};
    const char *name = json_string_value(json_object_get(doc, "for")), *where = parser_where(p);
    int64_t first = 0, end = 0;
    if (!name || !*name || parser_members(p, doc, members))
        return name ? -1 : parser_fail(p, "\"for\" names the counter");
    if ((json_object_get(doc, "start") && bound(p, doc, "start", &first)) || bound(p, doc, "to", &end))
        return -1;
    if (end - first > SPACE_MAX_REQUIREMENTS)
        return parser_fail(p, "more than %d requirements", SPACE_MAX_REQUIREMENTS);
    if (!(p->slots[0] = arena_strdup(&p->s->arena, name)) || !where)
        return parser_no_memory(p);
    p->nslots = 1;
    size_t mark = parser_enter(p, "that");
    struct expr *x = condition(p, json_object_get(doc, "that"));
    int rc = x ? 0 : -1;
    for (int64_t i = first; i < end && !rc; i++) {
        struct val slot = {.type = VAL_NUM, .num = (double)i};
        rc = add(p, x, &slot, arena_printf(&p->s->arena, "%s (%s = %lld)", where, name, (long long)i));
    }
    p->nslots = 0;
    if (!rc)
        parser_leave(p, mark);
    return rc;
}

static int read_one(struct space_parser *p, const json_t *v)
{
    if (json_is_object(v))
        return read_loop(p, v);
    if (!json_is_string(v))
        return parser_fail(p, "an expression or {\"for\", \"to\", \"that\"} is needed, not %s", json_kind(v));
    struct expr *x = condition(p, v);
    return x ? add(p, x, NULL, parser_where(p)) : -1;
}

int space_require_read(struct space_parser *p, const json_t *doc)
{
    struct space *s = p->s;
    size_t mark = parser_enter(p, "require");
    if (!doc)
        return parser_leave(p, mark), 0;
    if (!json_is_array(doc))
        return parser_fail(p, "a list of expressions is needed, not %s", json_kind(doc));
    if (!(s->requirements = arena_array(&s->arena, SPACE_MAX_REQUIREMENTS, sizeof *s->requirements)))
        return parser_no_memory(p);
    p->nslots = p->most_slots = 0;
    for (size_t i = 0; i < json_array_size(doc); i++) {
        size_t inner = parser_enter_index(p, i);
        int rc = read_one(p, json_array_get(doc, i));
        if (rc)
            return rc;
        parser_leave(p, inner);
    }
    parser_leave(p, mark);
    return 0;
}

int space_require_check(const struct space *s, struct err *err)
{
    for (int i = 0; i < s->nrequirements; i++) {
        const struct space_requirement *r = &s->requirements[i];
        for (int k = 0; k < r->tab.dom.n; k++)
            if (!tab_all(&s->facts.activity[r->tab.dom.dec[k]])) {
                char where[64];
                snprintf(where, sizeof where, "%.*s", (int)strcspn(r->text, " "), r->text);
                return err_set(err, ERR_INVALID, where, "some networks do not read decision \"%s\": require it of all",
                               s->decisions[r->tab.dom.dec[k]].name);
            }
    }
    return 0;
}

void space_require_mark(const struct space *s, const struct dom *d, unsigned char *care)
{
    int choice[SPACE_MAX_DECISIONS];
    memset(care, 1, (size_t)d->size);
    for (int i = 0; i < s->nrequirements; i++) {
        const struct tab *t = &s->requirements[i].tab;
        int inside = 1;
        for (int k = 0; k < t->dom.n && inside; k++)
            inside = dom_has(d, t->dom.dec[k]);
        for (int w = 0; inside && w < d->size; w++) {
            dom_choose(d, w, choice);
            care[w] &= *(const unsigned char *)tab_at(t, choice);
        }
    }
}

int space_allowed(const struct space *s, const int *choice, struct err *err)
{
    for (int i = 0; i < s->nrequirements; i++)
        if (!*(const unsigned char *)tab_at(&s->requirements[i].tab, choice)) {
            err_set(err, ERR_INVALID, "code", "the space leaves this combination out: %s", s->requirements[i].text);
            return 0;
        }
    return 1;
}
