/* map: 64-bit key -> pointer, open addressing, no order. The key's owner is the value; NULL is no value.
 * Lookups are O(1); a removal leaves no tombstone (backward shift), so a table that churns for months stays fast. */
#ifndef SERVER_MAP_H
#define SERVER_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key;
    void *value;
};
struct map {
    struct map_slot *slots;
    size_t count, cap; /* cap is 0 or a power of two */
};

void map_clear(struct map *m);                         /* frees the table, not the values */
int map_reserve(struct map *m, size_t more);           /* 0, or -1 without memory: then `more` puts cannot fail */
int map_put(struct map *m, uint64_t key, void *value); /* 0, or -1 without memory; replaces */
void *map_get(const struct map *m, uint64_t key);
void map_expect(const struct map *m, uint64_t key); /* will be asked for soon: a hint to the processor */
void *map_take(struct map *m, uint64_t key);        /* removes; returns what was there */
void *map_next(const struct map *m, size_t *at); /* iterate from *at = 0; NULL at the end; do not change it meanwhile */

#endif
