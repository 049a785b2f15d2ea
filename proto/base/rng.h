/* rng: xoshiro256** (Blackman and Vigna 2018, public domain algorithm), seeded by splitmix64. A stream is named by
 * (seed, stream), so draw n of a search does not depend on what was drawn before it: restart = replay. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n), n > 0, without modulo bias */
double rng_uniform(struct rng *r);             /* [0, 1), 53 bits */

#endif
