/* heap: a binary heap in an array. */
#include "tests/fleet/heap.h"

#include <assert.h>
#include <stdlib.h>

void heap_push(struct heap *h, struct alarm a)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 1024;
        h->items = realloc(h->items, h->cap * sizeof *h->items);
        assert(h->items);
    }
    size_t i = h->n++;
    for (; i && h->items[(i - 1) / 2].at_ns > a.at_ns; i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = a;
}

int heap_pop(struct heap *h, int64_t now_ns, struct alarm *out)
{
    if (!h->n || h->items[0].at_ns > now_ns)
        return 0;
    *out = h->items[0];
    struct alarm last = h->items[--h->n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && h->items[child + 1].at_ns < h->items[child].at_ns)
            child++;
        if (h->items[child].at_ns >= last.at_ns)
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = last;
    return 1;
}

int64_t heap_next(const struct heap *h)
{
    return h->n ? h->items[0].at_ns : INT64_MAX;
}
