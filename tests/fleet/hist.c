/* hist: log-linear buckets: the highest set bit chooses the octave, the next seven bits the step. */
#include "tests/fleet/hist.h"

static unsigned bucket_of(uint64_t v)
{
    if (v < HIST_STEPS)
        return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - 7u;
    unsigned b = (shift + 1) * HIST_STEPS + (unsigned)((v >> shift) - HIST_STEPS);
    return b < HIST_BUCKETS ? b : HIST_BUCKETS - 1;
}

static uint64_t top_of(unsigned b)
{
    if (b < HIST_STEPS)
        return b;
    unsigned shift = b / HIST_STEPS - 1;
    return ((uint64_t)(b % HIST_STEPS + HIST_STEPS + 1) << shift) - 1;
}

void hist_add(struct hist *h, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    h->count[bucket_of((uint64_t)ns)]++;
    h->n++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

double hist_ms(const struct hist *h, double share)
{
    uint64_t want = (uint64_t)((double)h->n * share), seen = 0;
    if (!h->n)
        return 0;
    if (want >= h->n)
        return (double)h->max_ns / 1e6;
    for (unsigned b = 0; b < HIST_BUCKETS; b++)
        if ((seen += h->count[b]) > want)
            return (double)(top_of(b) < (uint64_t)h->max_ns ? top_of(b) : (uint64_t)h->max_ns) / 1e6;
    return (double)h->max_ns / 1e6;
}
