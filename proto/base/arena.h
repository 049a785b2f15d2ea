/* arena: allocations that die together. A request, a document, a plan owns one; nobody frees a single piece.
 * Every piece is aligned to 16 bytes and, but for arena_raw's, zeroed. An arena has a byte limit: a document cannot use
 * unbounded memory. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used;  /* bytes handed out */
    size_t limit; /* 0: none */
};

void arena_init(struct arena *a, size_t limit);
void arena_clear(struct arena *a); /* frees everything; the arena can be used again */

/* NULL when memory or the limit is exhausted: callers turn that into ERR_NO_MEMORY. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t count, size_t size); /* overflow-checked */
void *arena_raw(struct arena *a, size_t size);                 /* not zeroed: for what the caller fills at once */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
