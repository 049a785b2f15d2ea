/* backoff: the bounds, the doubling, the jitter and the server's word. */
#include "worker/backoff.h"
#include "tests/unit/test.h"

TEST(backoff_doubles_within_its_jitter_up_to_the_limit)
{
    struct rng r;
    rng_seed(&r, 1, 1);
    struct backoff b = {1000, 60000, 0};
    int64_t cap = 1000;
    for (int i = 0; i < 100; i++) {
        int64_t w = backoff_fail(&b, &r, 0);
        CHECK(w >= cap / 2 && w <= cap);
        cap = cap * 2 > 60000 ? 60000 : cap * 2;
    }
    backoff_reset(&b);
    CHECK(backoff_fail(&b, &r, 0) <= 1000);
}

TEST(backoff_waits_at_least_what_the_server_asks)
{
    struct rng r;
    rng_seed(&r, 2, 1);
    struct backoff b = {1000, 60000, 0};
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t w = backoff_fail(&b, &r, 86400000);
        least = w < least ? w : least;
        most = w > most ? w : most;
    }
    CHECK(least >= 86400000 && most <= 86400000 / 10 * 11);
    CHECK(most - least > 86400000 / 20); /* spread, not one instant */
    CHECK_INT(backoff_stretch(&r, -1), 0);
}
