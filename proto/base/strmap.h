/* strmap: names to numbers. Open addressing, at most half full; keys are borrowed and must outlive the map. */
#ifndef BASE_STRMAP_H
#define BASE_STRMAP_H

#include <stddef.h>

struct strmap_slot {
    const char *key;
    size_t value;
};
struct strmap {
    struct strmap_slot *slots;
    size_t used, size; /* size: 0 or a power of two */
};

/* 0; 1 when the key is there already (its value stays); -1 without memory. A zeroed map is empty. */
int strmap_put(struct strmap *m, const char *key, size_t value);
int strmap_get(const struct strmap *m, const char *key, size_t *value); /* 1 when found */
void strmap_clear(struct strmap *m);

#endif
