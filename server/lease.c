/* lease: see lease.h. The heap has room for every lease there is, lapsed ones too, so a revival cannot fail. */
#include "server/lease.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t key_of(const struct lease_id *id)
{
    uint64_t key;
    memcpy(&key, id->bytes, sizeof key);
    return key;
}

int lease_live(const struct lease *l)
{
    return l->heap != LEASE_LAPSED;
}

static void place(struct lease_table *t, struct lease *l, uint32_t at)
{
    t->heap[at] = l;
    l->heap = at;
}

static void sift(struct lease_table *t, uint32_t at)
{
    struct lease *l = t->heap[at];
    while (at > 0 && t->heap[(at - 1) / 2]->deadline_ms > l->deadline_ms) {
        place(t, t->heap[(at - 1) / 2], at);
        at = (at - 1) / 2;
    }
    for (uint32_t child; (child = 2 * at + 1) < t->live; at = child) {
        if (child + 1 < t->live && t->heap[child + 1]->deadline_ms < t->heap[child]->deadline_ms)
            child++;
        if (t->heap[child]->deadline_ms >= l->deadline_ms)
            break;
        place(t, t->heap[child], at);
    }
    place(t, l, at);
}

static void heap_add(struct lease_table *t, struct lease *l)
{
    assert(t->live < t->cap);
    place(t, l, t->live++);
    sift(t, l->heap);
}

static void heap_remove(struct lease_table *t, struct lease *l)
{
    uint32_t at = l->heap;
    struct lease *last = t->heap[--t->live];
    l->heap = LEASE_LAPSED;
    if (last != l) {
        place(t, last, at);
        sift(t, at);
    }
}

static void link_worker(struct lease *l, struct lease **list)
{
    l->worker_prev = NULL;
    l->worker_next = *list;
    if (*list)
        (*list)->worker_prev = l;
    *list = l;
}

static void unlink_worker(struct lease *l, struct lease **list)
{
    if (l->worker_prev)
        l->worker_prev->worker_next = l->worker_next;
    else
        *list = l->worker_next;
    if (l->worker_next)
        l->worker_next->worker_prev = l->worker_prev;
    l->worker_prev = l->worker_next = NULL;
}

void lease_table_clear(struct lease_table *t)
{
    assert(t->by_id.count == 0 && t->live == 0);
    map_clear(&t->by_id);
    free(t->heap);
    memset(t, 0, sizeof *t);
}

static int reserve(struct lease_table *t, struct err *err)
{
    if (map_reserve(&t->by_id, 1))
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for another lease");
    if (t->by_id.count < t->cap)
        return 0;
    uint32_t cap = t->cap ? 2 * t->cap : 64;
    struct lease **heap = realloc(t->heap, cap * sizeof(*heap));
    if (!heap)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for another lease");
    t->heap = heap;
    t->cap = cap;
    return 0;
}

int lease_add(struct lease_table *t, const struct lease *like, int live, struct lease **worker_list,
              struct lease **job_list, struct lease **out, struct err *err)
{
    int rc = reserve(t, err);
    if (rc)
        return rc;
    if (map_get(&t->by_id, key_of(&like->id))) /* half the id alike is as good as all of it: 1 in 2^64 */
        return err_set(err, ERR_CONFLICT, "", "a lease with this id exists already");
    struct lease *l = malloc(sizeof *l);
    if (!l)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for another lease");
    *l = *like;
    l->heap = LEASE_LAPSED;
    l->worker_prev = l->worker_next = NULL;
    l->job_next = *job_list;
    *job_list = l;
    rc = map_put(&t->by_id, key_of(&l->id), l);
    assert(rc == 0);
    if (live) {
        heap_add(t, l);
        link_worker(l, worker_list);
    }
    *out = l;
    return 0;
}

struct lease *lease_find(const struct lease_table *t, const struct lease_id *id)
{
    struct lease *l = map_get(&t->by_id, key_of(id));
    return l && memcmp(l->id.bytes, id->bytes, sizeof id->bytes) == 0 ? l : NULL;
}

void lease_renew(struct lease_table *t, struct lease *l, int64_t deadline_ms)
{
    assert(lease_live(l));
    l->deadline_ms = deadline_ms;
    sift(t, l->heap);
}

void lease_lapse(struct lease_table *t, struct lease *l, struct lease **worker_list)
{
    assert(lease_live(l));
    heap_remove(t, l);
    unlink_worker(l, worker_list);
}

void lease_revive(struct lease_table *t, struct lease *l, int64_t deadline_ms, struct lease **worker_list)
{
    assert(!lease_live(l));
    l->deadline_ms = deadline_ms;
    heap_add(t, l);
    link_worker(l, worker_list);
}

void lease_free(struct lease_table *t, struct lease *l)
{
    assert(!lease_live(l));
    struct lease *taken = map_take(&t->by_id, key_of(&l->id));
    assert(taken == l);
    (void)taken;
    free(l);
}

struct lease *lease_first(const struct lease_table *t)
{
    return t->live ? t->heap[0] : NULL;
}
