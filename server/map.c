/* map: see map.h. At most three quarters full; linear probing from a mixed hash. */
#include "server/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t home(const struct map *m, uint64_t key)
{
    key = (key ^ (key >> 32)) * 0x9e3779b97f4a7c15u;
    return (size_t)(key ^ (key >> 29)) & (m->cap - 1);
}

static size_t find(const struct map *m, uint64_t key) /* its slot, or the free one where it belongs */
{
    size_t i = home(m, key);
    while (m->slots[i].value && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

void map_clear(struct map *m)
{
    free(m->slots);
    memset(m, 0, sizeof *m);
}

static int resize(struct map *m, size_t cap)
{
    struct map bigger = {calloc(cap, sizeof *m->slots), m->count, cap};
    if (!bigger.slots)
        return -1;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            bigger.slots[find(&bigger, m->slots[i].key)] = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int map_reserve(struct map *m, size_t more)
{
    size_t cap = m->cap ? m->cap : 16;
    while ((m->count + more) * 4 > cap * 3)
        cap *= 2;
    return cap == m->cap ? 0 : resize(m, cap);
}

int map_put(struct map *m, uint64_t key, void *value)
{
    assert(value);
    if (map_reserve(m, 1))
        return -1;
    size_t i = find(m, key);
    m->count += !m->slots[i].value;
    m->slots[i] = (struct map_slot){key, value};
    return 0;
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->cap ? m->slots[find(m, key)].value : NULL;
}

void map_expect(const struct map *m, uint64_t key)
{
    if (m->cap)
        __builtin_prefetch(&m->slots[home(m, key)]);
}

void *map_take(struct map *m, uint64_t key)
{
    if (!m->cap)
        return NULL;
    size_t hole = find(m, key), mask = m->cap - 1;
    void *value = m->slots[hole].value;
    if (!value)
        return NULL;
    m->count--;
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t at = home(m, m->slots[i].key);
        if (((i - at) & mask) >= ((i - hole) & mask)) { /* the hole lies on its way from home */
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct map_slot){0, NULL};
    return value;
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->cap) {
        void *value = m->slots[(*at)++].value;
        if (value)
            return value;
    }
    return NULL;
}
