/* space_parse: a space document: its head, modules and network. Constants and decisions are read by space_decision.c,
 * layers by space_layer.c, codes by space_code.c; space_survey.c checks that every network of the space can be built.
 */
#include "proto/space_parser.h"

#include "proto/base/json.h"
#include "proto/space_class.h"
#include "proto/space_code.h"
#include "proto/space_require.h"

#include <stdlib.h>
#include <string.h>

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
    if (read_head(p, doc) || read_object_section(p, doc, "constants", parser_constants) ||
        read_object_section(p, doc, "decisions", parser_decisions) ||
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
