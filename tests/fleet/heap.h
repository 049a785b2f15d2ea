/* heap: what is due when. */
#ifndef FLEET_HEAP_H
#define FLEET_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct alarm {
    int64_t at_ns;
    int what;
    void *whom, *with;
};

struct heap {
    struct alarm *items;
    size_t n, cap;
};

void heap_push(struct heap *h, struct alarm a);
int heap_pop(struct heap *h, int64_t now_ns, struct alarm *out); /* 1: something was due */
int64_t heap_next(const struct heap *h);                         /* INT64_MAX when empty */

#endif
