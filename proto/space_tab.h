/* space_tab: a value that depends on a few decisions, as a table over their options. The survey of a space computes
 * with such tables instead of plain values, so that what it finds holds for every architecture. */
#ifndef PROTO_SPACE_TAB_H
#define PROTO_SPACE_TAB_H

#include "proto/space_node.h"

enum { TAB_MAX_DIMS = 16, TAB_MAX_SIZE = 1 << 16 };

struct dom { /* decisions in ascending order; the last one varies fastest */
    int n, dec[TAB_MAX_DIMS], options[TAB_MAX_DIMS], size;
};

struct tab {
    struct dom dom;
    size_t elem;
    unsigned char *data; /* [dom.size * elem] */
};

/* Adds a decision; 0 or ERR_UNSUPPORTED when the table would be too large. */
int dom_add(struct dom *d, const struct space *s, int decision, struct err *err);
int dom_join(struct dom *d, const struct dom *other, const struct space *s, struct err *err);
int dom_has(const struct dom *d, int decision);
void dom_choose(const struct dom *d, int world, int *choice); /* writes the options of one entry */
int dom_index(const struct dom *d, const int *choice);

int tab_alloc(struct tab *t, struct arena *a, const struct dom *d, size_t elem, struct err *err); /* zeroed */
int tab_const(struct tab *t, struct arena *a, const void *value, size_t elem, struct err *err);
const void *tab_at(const struct tab *t, const int *choice);
/* Forgets decisions that make no difference. Entries whose care is 0 may take any value; care (NULL: all matter) has
 * one byte an entry and is overwritten. */
void tab_minimise(struct tab *t, unsigned char *care);
int tab_any(const struct tab *t); /* of bytes: is one of them not 0? */
int tab_all(const struct tab *t);

#endif
