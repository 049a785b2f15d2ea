/* arena: a chain of growing blocks, newest first. */
#include "proto/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    max_align_t data[];
};

enum { FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20 };

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

void arena_clear(struct arena *a)
{
    while (a->head) {
        struct arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->used = 0;
}

static struct arena_block *grow(struct arena *a, size_t size)
{
    size_t want = a->head ? a->head->size * 2 : FIRST_BLOCK;
    if (want > LARGEST_STEP)
        want = LARGEST_STEP;
    if (want < size)
        want = size;
    struct arena_block *b = malloc(sizeof *b + want);
    if (!b)
        return NULL;
    b->size = want;
    b->used = 0;
    b->next = a->head;
    a->head = b;
    return b;
}

void *arena_raw(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (a->limit && (size > a->limit || a->used > a->limit - size))
        return NULL;
    struct arena_block *b = a->head;
    if (!b || b->size - b->used < size)
        b = grow(a, size);
    if (!b)
        return NULL;
    void *p = (char *)b->data + b->used;
    b->used += size;
    a->used += size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *p = arena_raw(a, size);
    return p ? memset(p, 0, size) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_alloc(a, total);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (p)
        memcpy(p, s, n);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    char *p = arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
