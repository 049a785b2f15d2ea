/* space_layer: layers of a document into the compact form: what a layer is, the members any layer may have, calls of
 * modules. Attributes of operators are space_prim.c's, the words of the structure space_structure.c's. Shapes are not
 * looked at here. */
#include "proto/space_parser.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const heads[] = {"seq",    "sum",   "mean", "concat", "mul", "max",
                                    "choose", "paths", "for",  "let",    NULL};
static const char *const commons[] = {"name", "when", "from", "as", "block", NULL};
static const char *const companions[] = {"of", "reduce", "to", "start", "body", NULL};

static int in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return 1;
    return 0;
}

static void offer_list(struct suggest *s, const char *const *list)
{
    for (; *list; list++)
        suggest_offer(s, *list);
}

int parser_reserved(const char *name)
{
    return prim_find(name) || in_list(heads, name) || in_list(commons, name) || in_list(companions, name);
}

struct layer *parser_new_layer(struct space_parser *p, enum layer_kind kind)
{
    if (++p->nlayers > SPACE_MAX_LAYERS) {
        parser_fail(p, "a document may have %d layers", SPACE_MAX_LAYERS);
        return NULL;
    }
    struct layer *l = arena_alloc(&p->s->arena, sizeof *l);
    if (!l || !(l->where = parser_where(p))) {
        parser_no_memory(p);
        return NULL;
    }
    l->kind = kind;
    return l;
}

int parser_alloc_kids(struct space_parser *p, struct layer *l, size_t n)
{
    l->kids = arena_array(&p->s->arena, n ? n : 1, sizeof(struct layer *));
    l->nkids = (int)n;
    return l->kids ? 0 : parser_no_memory(p);
}

/* An array of layers as the kids of l. */
int parser_kids(struct space_parser *p, struct layer *l, const json_t *v, size_t min)
{
    if (!json_is_array(v))
        return parser_fail(p, "an array of layers is needed");
    size_t n = json_array_size(v);
    if (n < min)
        return parser_fail(p, "at least %zu layer%s needed", min, min == 1 ? " is" : "s are");
    if (parser_alloc_kids(p, l, n))
        return -1;
    for (size_t i = 0; i < n; i++) {
        size_t mark = parser_enter_index(p, i);
        if (!(l->kids[i] = parser_layer(p, json_array_get(v, i))))
            return -1;
        parser_leave(p, mark);
    }
    return 0;
}

struct layer *parser_body(struct space_parser *p, const json_t *v)
{
    int slots = p->nslots;
    struct layer *l = parser_new_layer(p, L_LIST);
    if (!l || parser_kids(p, l, v, 0))
        return NULL;
    p->nslots = slots;
    return l;
}

int parser_slot(struct space_parser *p, const char *name)
{
    if (p->nslots == SPACE_MAX_SLOTS)
        return parser_fail(p, "more than %d names in one body", SPACE_MAX_SLOTS);
    char *copy = arena_strdup(&p->s->arena, name);
    if (!copy)
        return parser_no_memory(p);
    p->slots[p->nslots] = copy;
    if (p->nslots >= p->most_slots)
        p->most_slots = p->nslots + 1;
    return p->nslots++;
}

int parser_is_name(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return 0;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return 0;
    return 1;
}

/* "x" or "x[i]" */
static int read_ref(struct space_parser *p, const json_t *v, struct tensor_ref *out)
{
    const char *text = json_string_value(v);
    if (!text)
        return parser_fail(p, "the name of a tensor is needed");
    const char *bracket = strchr(text, '[');
    size_t len = bracket ? (size_t)(bracket - text) : strlen(text);
    char name[64];
    if (len == 0 || len >= sizeof name)
        return parser_fail(p, "a tensor's name has 1 to %zu characters", sizeof name - 1);
    memcpy(name, text, len);
    name[len] = '\0';
    if (!parser_is_name(name))
        return parser_fail(p, "\"%s\" is no name: letters, digits and _", name);
    if ((out->name = parser_tensor(p, name, len)) < 0 || !(out->where = parser_where(p)))
        return -1;
    if (!bracket)
        return 0;
    size_t inside = strlen(bracket);
    if (bracket[inside - 1] != ']')
        return parser_fail(p, "\"]\" is missing");
    json_t *index = json_stringn(bracket + 1, inside - 2);
    out->index = index ? parser_expr(p, index) : NULL;
    json_decref(index);
    return out->index ? 0 : -1;
}

static int read_from(struct space_parser *p, struct layer *l, const json_t *v)
{
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n == 0 || n > SPACE_MAX_BRANCHES)
        return parser_fail(p, "1 to %d tensors", SPACE_MAX_BRANCHES);
    if (!(l->from = arena_array(&p->s->arena, n, sizeof *l->from)))
        return parser_no_memory(p);
    l->nfrom = (int)n;
    if (!json_is_array(v))
        return read_ref(p, v, &l->from[0]);
    for (size_t i = 0; i < n; i++) {
        size_t mark = parser_enter_index(p, i);
        if (read_ref(p, json_array_get(v, i), &l->from[i]))
            return -1;
        parser_leave(p, mark);
    }
    return 0;
}

/* Members any layer may have. The order matters to nobody: none of them defines a name. */
static int read_common(struct space_parser *p, struct layer *l, const json_t *doc)
{
    for (const char *const *m = commons; *m; m++) {
        const json_t *v = json_object_get(doc, *m);
        if (!v)
            continue;
        size_t mark = parser_enter(p, *m);
        int rc = 0;
        if (m == commons)
            rc = (l->name = parser_tmpl(p, v)) ? 0 : -1;
        else if (m == commons + 1)
            rc = (l->when = parser_expr(p, v)) ? 0 : -1;
        else if (m == commons + 2)
            rc = read_from(p, l, v);
        else if (m == commons + 3)
            rc = (l->as = arena_alloc(&p->s->arena, sizeof *l->as)) ? read_ref(p, v, l->as) : parser_no_memory(p);
        else
            rc = (l->block = parser_tmpl(p, v)) ? 0 : -1;
        if (rc)
            return rc;
        parser_leave(p, mark);
    }
    return 0;
}

static int read_args(struct space_parser *p, struct layer *l, const json_t *v)
{
    const struct module *m = l->module;
    if (!json_is_object(v))
        return parser_fail(p, "an object of arguments is needed (write {} for none)");
    if (!(l->args = arena_array(&p->s->arena, (size_t)m->nargs + 1, sizeof(struct expr *))))
        return parser_no_memory(p);
    const char *name;
    const json_t *arg;
    json_object_foreach((json_t *)(uintptr_t)v, name, arg)
    {
        struct suggest s;
        suggest_init(&s, name);
        int i = 0;
        while (i < m->nargs && strcmp(m->arg_names[i], name) != 0)
            suggest_offer(&s, m->arg_names[i++]);
        if (i == m->nargs)
            return parser_fail(p, "module \"%s\" has no argument \"%s\"%s", m->name, name, suggest_hint(&s));
        size_t mark = parser_enter(p, name);
        if (!(l->args[i] = parser_expr(p, arg)))
            return -1;
        parser_leave(p, mark);
    }
    for (int i = 0; i < m->nargs; i++)
        if (!l->args[i] && !(l->args[i] = m->defaults[i]))
            return parser_fail(p, "module \"%s\" needs \"%s\"", m->name, m->arg_names[i]);
    return 0;
}

static struct layer *read_call(struct space_parser *p, const char *name, const json_t *v)
{
    struct layer *l = parser_new_layer(p, L_CALL);
    if (!l || !(l->module = parser_module(p, name)))
        return NULL;
    size_t mark = parser_enter(p, name);
    json_t *empty = v ? NULL : json_object();
    int rc = read_args(p, l, v ? v : empty);
    json_decref(empty);
    if (rc)
        return NULL;
    parser_leave(p, mark);
    return l;
}

static int is_module(const struct space_parser *p, const char *name)
{
    return json_object_get(p->module_docs, name) != NULL;
}

/* What other frameworks call our layers: no spelling leads from there to here. */
static const char *foreign_word(const char *name)
{
    static const char *const words[][2] = {
        {"batchnorm", "bn"},         {"batchnorm2d", "bn"},   {"conv2d", "conv"},
        {"depthwise", "dwconv"},     {"dense", "linear"},     {"fc", "linear"},
        {"flatten", "gap"},          {"silu", "swish"},       {"hardswish", "hswish"},
        {"hardsigmoid", "hsigmoid"}, {"skip", "identity"},    {"none", "zero"},
        {"sequential", "seq"},       {"repeat", "for"},       {"add", "sum"},
        {"cat", "concat"},           {"upsample", "resize"},  {"embedding", "embed"},
        {"switch", "choose"},        {"globalavgpool", "gap"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(words[i][0], name) == 0)
            return words[i][1];
    return NULL;
}

static void offer_layers(struct space_parser *p, struct suggest *s)
{
    const char *name = foreign_word(s->word);
    json_t *v;
    if (name) {
        s->best = name;
        s->distance = 0;
        return;
    }
    offer_list(s, heads);
    for (int i = 0; prim_at(i); i++)
        suggest_offer(s, prim_at(i)->name);
    json_object_foreach((json_t *)(uintptr_t)p->module_docs, name, v) suggest_offer(s, name);
}

/* The one member that says what the layer is. */
static const char *find_head(struct space_parser *p, const json_t *doc)
{
    const char *head = NULL, *name;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, name, v)
    {
        if (in_list(commons, name) || in_list(companions, name))
            continue;
        if (!in_list(heads, name) && !prim_find(name) && !is_module(p, name)) {
            struct suggest s;
            suggest_init(&s, name);
            offer_layers(p, &s);
            offer_list(&s, commons);
            parser_fail(p, "unknown layer or member \"%s\"%s", name, suggest_hint(&s));
            return NULL;
        }
        if (head) {
            parser_fail(p, "this layer is both \"%s\" and \"%s\": it can be only one", head, name);
            return NULL;
        }
        head = name;
    }
    if (!head)
        parser_fail(p, "the layer does not say what it is (\"conv\", \"seq\", \"choose\", a module ...)");
    return head;
}

static int check_companions(struct space_parser *p, const char *head, const json_t *doc)
{
    static const char *const choose[] = {"of", NULL}, *const paths[] = {"of", "reduce", NULL},
                             *const loop[] = {"to", "start", "body", NULL}, *const nothing[] = {NULL};
    const char *const *legal = strcmp(head, "choose") == 0  ? choose
                               : strcmp(head, "paths") == 0 ? paths
                               : strcmp(head, "for") == 0   ? loop
                                                            : nothing;
    for (const char *const *c = companions; *c; c++)
        if (json_object_get(doc, *c) && !in_list(legal, *c))
            return parser_fail(p, "\"%s\" does not belong to \"%s\"", *c, head);
    for (const char *const *c = legal; *c; c++)
        if (!json_object_get(doc, *c) && strcmp(*c, "start") != 0 && strcmp(*c, "reduce") != 0)
            return parser_fail(p, "\"%s\" needs \"%s\"", head, *c);
    return 0;
}

static struct layer *read_object(struct space_parser *p, const json_t *doc)
{
    const char *head = find_head(p, doc);
    if (!head || check_companions(p, head, doc))
        return NULL;
    const struct prim_def *def = prim_find(head);
    const json_t *v = json_object_get(doc, head);
    struct layer *l = in_list(heads, head) ? parser_structure(p, head, doc)
                      : def                ? parser_prim(p, def, v)
                                           : read_call(p, head, v);
    if (!l || read_common(p, l, doc))
        return NULL;
    if (l->nfrom > 1 && (l->kind != L_CALL || l->module->ninputs != l->nfrom)) {
        parser_fail(p, "only a module that names as many inputs takes several tensors");
        return NULL;
    }
    if (l->kind == L_CALL && l->module->ninputs && l->module->ninputs != l->nfrom) {
        parser_fail(p, "module \"%s\" needs \"from\" with its %d input tensors", l->module->name, l->module->ninputs);
        return NULL;
    }
    return l;
}

static struct layer *read_word(struct space_parser *p, const char *name)
{
    const struct prim_def *def = prim_find(name);
    if (def)
        return parser_prim(p, def, NULL);
    if (is_module(p, name))
        return read_call(p, name, NULL);
    struct suggest s;
    suggest_init(&s, name);
    offer_layers(p, &s);
    parser_fail(p, "unknown layer \"%s\"%s", name, suggest_hint(&s));
    return NULL;
}

struct layer *parser_layer(struct space_parser *p, const json_t *v)
{
    if (p->depth >= SPACE_MAX_DEPTH) {
        parser_fail(p, "layers are nested more than %d deep", SPACE_MAX_DEPTH);
        return NULL;
    }
    p->depth++;
    struct layer *l = NULL;
    if (json_is_object(v))
        l = read_object(p, v);
    else if (json_is_array(v))
        l = parser_body(p, v);
    else if (json_is_string(v))
        l = read_word(p, json_string_value(v));
    else
        parser_fail(p, "a layer is an object, a name or an array of layers");
    p->depth--;
    return l;
}
