/* pace: bytes a second per client, whatever the order and size of its requests. */
#include "server/pace.h"

#include "tests/unit/test.h"

/* Milliseconds a client needs for `n` chunks when it waits as told, `late` ms longer each time. */
static int64_t fetch(struct pace *p, int64_t client, int n, int64_t late, int64_t now)
{
    int64_t began = now;
    for (int i = 0; i < n; i++) {
        int64_t wait = pace_wait(p, client, 100000, 1e6, now);
        now += wait ? wait + late : 0;
    }
    return now - began;
}

TEST(pace_holds_the_rate_of_each_client)
{
    struct pace *p = pace_new();
    CHECK(p != NULL);
    int64_t ms = fetch(p, 1, 100, 0, 5000); /* ten megabytes at one a second, the last chunk not waited for */
    CHECK(ms >= 9700 && ms <= 10100);
    ms = fetch(p, 2, 100, 9, 5000); /* a coarse timer costs nothing in the long run */
    CHECK(ms >= 9700 && ms <= 10100);
    CHECK_INT(pace_wait(p, 3, 100000, 1e6, 5000), 0); /* a client of its own */
    CHECK_INT(pace_wait(p, 4, 1, 1e6, 0), 0);
    ms = fetch(p, 4, 30, 0, 3600000); /* an hour's silence is no credit */
    CHECK(ms >= 2700);
    for (int64_t c = 100; c < 10000; c++)
        CHECK_INT(pace_wait(p, c, 10, 1e6, 0), 0);
    pace_free(p);
}
