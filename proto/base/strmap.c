/* strmap: see strmap.h. */
#include "proto/base/strmap.h"

#include "proto/base/hash.h"

#include <stdlib.h>
#include <string.h>

static struct strmap_slot *probe(const struct strmap *m, const char *key)
{
    size_t i = (size_t)hash128(key, strlen(key)).lo & (m->size - 1);
    while (m->slots[i].key && strcmp(m->slots[i].key, key) != 0)
        i = (i + 1) & (m->size - 1);
    return &m->slots[i];
}

static int grow(struct strmap *m)
{
    struct strmap bigger = {.used = m->used, .size = m->size ? m->size * 2 : 16};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots)
        return -1;
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].key)
            *probe(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int strmap_put(struct strmap *m, const char *key, size_t value)
{
    if (m->used * 2 >= m->size && grow(m) != 0)
        return -1;
    struct strmap_slot *s = probe(m, key);
    if (s->key)
        return 1;
    *s = (struct strmap_slot){key, value};
    m->used++;
    return 0;
}

int strmap_get(const struct strmap *m, const char *key, size_t *value)
{
    const struct strmap_slot *s = m->size ? probe(m, key) : NULL;
    if (!s || !s->key)
        return 0;
    *value = s->value;
    return 1;
}

void strmap_clear(struct strmap *m)
{
    free(m->slots);
    *m = (struct strmap){0};
}
