/* space_prim: operators of a document: attributes to expressions and templates, from the layer or the document's
 * "defaults". */
#include "proto/space_parser.h"

#include <stdio.h>
#include <string.h>

static int read_attr(struct space_parser *p, struct layer *l, enum attr_id id, const json_t *v)
{
    size_t mark = parser_enter(p, attr_text(id));
    if (id == A_TRANSFORM) { /* its template may use the two kernel sizes: {from} and {to} */
        int slots = p->nslots;
        if ((l->slot = parser_slot(p, "from")) < 0 || parser_slot(p, "to") < 0 || !(l->text[id] = parser_tmpl(p, v)))
            return -1;
        p->nslots = slots;
    } else if (attr_is_text(id)) {
        if (!(l->text[id] = parser_tmpl(p, v)))
            return -1;
    } else if (!(l->attr[id] = parser_expr(p, v))) {
        return -1;
    }
    parser_leave(p, mark);
    return 0;
}

static int attr_find(const struct prim_def *def, const char *name, struct suggest *s)
{
    for (const unsigned char *a = def->attrs; *a; a++) {
        suggest_offer(s, attr_text(*a - 1));
        if (strcmp(attr_text(*a - 1), name) == 0)
            return *a - 1;
    }
    return -1;
}

/* Nothing like the word is there: what there is. */
static int no_attribute(struct space_parser *p, const struct prim_def *def, const char *name, struct suggest *s)
{
    char list[200];
    size_t n = 0;
    list[0] = '\0';
    for (const unsigned char *a = def->attrs; *a && !s->best && n < sizeof list - 24; a++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : ": it has ", attr_text(*a - 1));
    return parser_fail(p, "%s has no attribute \"%s\"%s%s", def->name, name, list, suggest_hint(s));
}

static int read_attrs(struct space_parser *p, struct layer *l, const json_t *doc)
{
    const char *name;
    const json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, name, v)
    {
        struct suggest s;
        suggest_init(&s, name);
        int id = attr_find(l->def, name, &s);
        if (id < 0)
            return no_attribute(p, l->def, name, &s);
        if (!l->attr[id] && !l->text[id] && read_attr(p, l, (enum attr_id)id, v))
            return -1;
    }
    return 0;
}

static int read_defaults(struct space_parser *p, struct layer *l)
{
    const json_t *doc = json_object_get(p->defaults, l->def->name);
    if (!doc)
        return 0;
    char saved[sizeof p->at];
    size_t n = p->nat;
    memcpy(saved, p->at, sizeof saved);
    p->nat = 0;
    parser_enter(p, "defaults");
    parser_enter(p, l->def->name);
    if (!json_is_object(doc))
        return parser_fail(p, "an object of attributes is needed");
    int rc = read_attrs(p, l, doc);
    if (rc)
        return rc;
    memcpy(p->at, saved, sizeof saved);
    p->nat = n;
    return 0;
}

struct layer *parser_prim(struct space_parser *p, const struct prim_def *def, const json_t *v)
{
    struct layer *l = parser_new_layer(p, L_PRIM);
    if (!l)
        return NULL;
    l->def = def;
    l->attr = arena_array(&p->s->arena, A_COUNT_OF, sizeof(struct expr *));
    l->text = arena_array(&p->s->arena, A_COUNT_OF, sizeof(struct tmpl *));
    if (!l->attr || !l->text) {
        parser_no_memory(p);
        return NULL;
    }
    size_t mark = v ? parser_enter(p, def->name) : p->nat;
    if (json_is_object(v)) {
        if (read_attrs(p, l, v))
            return NULL;
    } else if (v) { /* a bare value is the first attribute */
        if (!def->attrs[0]) {
            parser_fail(p, "%s has no attributes: write {}", def->name);
            return NULL;
        }
        if (attr_is_text(def->attrs[0] - 1) ? !(l->text[def->attrs[0] - 1] = parser_tmpl(p, v))
                                            : !(l->attr[def->attrs[0] - 1] = parser_expr(p, v)))
            return NULL;
    }
    if (read_defaults(p, l))
        return NULL;
    for (int i = 0; i < def->required; i++)
        if (!l->attr[def->attrs[i] - 1] && !l->text[def->attrs[i] - 1]) {
            parser_fail(p, "%s needs \"%s\"", def->name, attr_text(def->attrs[i] - 1));
            return NULL;
        }
    parser_leave(p, mark);
    return l;
}
