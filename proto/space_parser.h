/* space_parser: what the readers of a document share: space_parser.c has the means, space_parse.c reads the document,
 * space_decision.c its constants and decisions, space_layer.c the layers of a body with space_prim.c and
 * space_structure.c. */
#ifndef PROTO_SPACE_PARSER_H
#define PROTO_SPACE_PARSER_H

#include "proto/space_node.h"

struct space_parser {
    struct space *s;
    struct err *err;
    char at[256]; /* JSON pointer of the value being read */
    size_t nat;
    const json_t *defaults;
    const json_t *module_docs;          /* bodies are parsed when they are first called */
    const char *slots[SPACE_MAX_SLOTS]; /* names in scope in the body being read; later ones hide earlier ones */
    int nslots, most_slots;
    int nlayers, depth;
};

size_t parser_enter(struct space_parser *p, const char *member); /* returns what parser_leave takes */
size_t parser_enter_index(struct space_parser *p, size_t index);
void parser_leave(struct space_parser *p, size_t mark);
int parser_fail(struct space_parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int parser_no_memory(struct space_parser *p);
const char *parser_where(struct space_parser *p); /* a copy that lives as long as the space; NULL without memory */

/* ERR_INVALID when doc has a member that is not one of names. */
int parser_members(struct space_parser *p, const json_t *doc, const char *const *names);

int parser_val(struct space_parser *p, const json_t *v, struct val *out); /* a number, boolean or text */
struct expr *parser_expr(struct space_parser *p, const json_t *v);
struct tmpl *parser_tmpl(struct space_parser *p, const json_t *v);

/* The sections of these names, into the space; NULL: absent. */
int parser_constants(struct space_parser *p, const json_t *doc);
int parser_decisions(struct space_parser *p, const json_t *doc);

int parser_reserved(const char *name); /* a word of the language that no module may be called */

/* A layer (object, text or array) into the arena; NULL with the error set. */
struct layer *parser_layer(struct space_parser *p, const json_t *v);
struct layer *parser_body(struct space_parser *p, const json_t *v); /* an array of layers, with a scope of its own */
struct layer *parser_prim(struct space_parser *p, const struct prim_def *def,
                          const json_t *v); /* v NULL: no attributes */
struct layer *parser_structure(struct space_parser *p, const char *head,
                               const json_t *doc); /* head: "seq", "for" ... */

/* An empty layer; space for n kids; an array of at least `min` layers as the kids of l. */
struct layer *parser_new_layer(struct space_parser *p, enum layer_kind kind);
int parser_alloc_kids(struct space_parser *p, struct layer *l, size_t n);
int parser_kids(struct space_parser *p, struct layer *l, const json_t *v, size_t min);

int parser_is_name(const char *s);                         /* letters, digits and _ */
int parser_slot(struct space_parser *p, const char *name); /* a name from here on; its number or -1 */

struct module *parser_module(struct space_parser *p, const char *name);  /* compiled; NULL: error set */
int parser_tensor(struct space_parser *p, const char *name, size_t len); /* interned number or -1 */

#endif
