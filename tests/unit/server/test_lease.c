/* map and lease against plain arrays. */
#include "proto/base/rng.h"
#include "server/lease.h"
#include "tests/unit/test.h"

#include <stdlib.h>

TEST(map_model)
{
    enum { KEYS = 3000 };
    static char value[KEYS];
    static int there[KEYS];
    struct map m = {0};
    struct rng rng;
    rng_seed(&rng, 1, 0);
    size_t count = 0;
    for (int step = 0; step < 200000; step++) {
        size_t k = (size_t)rng_below(&rng, step < 100000 ? KEYS : KEYS / 20);
        uint64_t key = (uint64_t)k << 40 | (uint64_t)(k % 7);
        if (rng_below(&rng, 2)) {
            CHECK_INT(map_put(&m, key, &value[k]), 0);
            count += !there[k];
            there[k] = 1;
        } else {
            CHECK(map_take(&m, key) == (there[k] ? &value[k] : NULL));
            count -= (size_t)there[k];
            there[k] = 0;
        }
        CHECK_INT(m.count, count);
    }
    for (size_t k = 0; k < KEYS; k++)
        CHECK(map_get(&m, (uint64_t)k << 40 | (uint64_t)(k % 7)) == (there[k] ? &value[k] : NULL));
    size_t seen = 0, at = 0;
    while (map_next(&m, &at))
        seen++;
    CHECK_INT(seen, count);
    map_clear(&m);
}

static struct lease_id id_of(uint64_t n)
{
    struct lease_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    return id;
}

TEST(lease_deadlines_in_order)
{
    enum { N = 2000 };
    struct lease_table t = {0};
    struct lease *of_worker[10] = {0}, *of_job = NULL, *l;
    struct rng rng;
    rng_seed(&rng, 2, 0);
    for (uint64_t i = 0; i < N; i++) {
        struct lease like = {.id = id_of(i), .worker = (int64_t)(i % 10), .deadline_ms = (int64_t)rng_below(&rng, 500)};
        CHECK_INT(lease_add(&t, &like, 1, &of_worker[i % 10], &of_job, &l, NULL), 0);
    }
    struct lease again = {.id = id_of(5)};
    CHECK_INT(lease_add(&t, &again, 1, &of_worker[0], &of_job, &l, NULL), -ERR_CONFLICT);
    struct lease_id other = id_of(5);
    other.bytes[15] = 1;
    CHECK(lease_find(&t, &other) == NULL); /* all of the id counts */
    for (int step = 0; step < 20000; step++) {
        struct lease_id id = id_of(rng_below(&rng, N));
        l = lease_find(&t, &id);
        CHECK(l != NULL);
        int64_t deadline = (int64_t)rng_below(&rng, 100000);
        if (!lease_live(l))
            lease_revive(&t, l, deadline, &of_worker[l->worker]);
        else if (step % 3)
            lease_renew(&t, l, deadline);
        else
            lease_lapse(&t, l, &of_worker[l->worker]);
        int64_t least = INT64_MAX;
        for (struct lease *k = of_job; k && step % 100 == 0; k = k->job_next)
            least = lease_live(k) && k->deadline_ms < least ? k->deadline_ms : least;
        if (step % 100 == 0)
            CHECK_INT(lease_first(&t)->deadline_ms, least);
    }
    uint32_t live = 0;
    for (int w = 0; w < 10; w++)
        for (l = of_worker[w]; l; l = l->worker_next, live++)
            CHECK(lease_live(l) && l->worker == w);
    CHECK_INT(live, t.live);
    int64_t last = -1;
    while ((l = lease_first(&t)) != NULL) {
        CHECK(l->deadline_ms >= last);
        last = l->deadline_ms;
        lease_lapse(&t, l, &of_worker[l->worker]);
    }
    for (size_t n = 0; of_job; n++) {
        l = of_job;
        of_job = l->job_next;
        lease_free(&t, l);
    }
    lease_table_clear(&t);
}
