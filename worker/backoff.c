/* backoff: see backoff.h; pure, the caller adds the wait to his clock. */
#include "worker/backoff.h"

int64_t backoff_stretch(struct rng *r, int64_t server_ms)
{
    return server_ms <= 0 ? 0 : server_ms + (int64_t)((double)server_ms * 0.1 * rng_uniform(r));
}

int64_t backoff_fail(struct backoff *b, struct rng *r, int64_t server_ms)
{
    int64_t cap = b->base_ms;
    for (int i = 0; i < b->failures && cap < b->max_ms; i++)
        cap *= 2;
    if (cap > b->max_ms)
        cap = b->max_ms;
    if (b->failures < 62)
        b->failures++;
    int64_t own = (int64_t)((double)cap * (0.5 + 0.5 * rng_uniform(r)));
    int64_t asked = backoff_stretch(r, server_ms);
    return own > asked ? own : asked;
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
