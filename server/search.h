/* search: a strategy proposes architectures (ask) and learns their scores (tell). Pure: no SQL, no HTTP, no clock.
 *
 * Determinism is the contract. What ask returns depends only on the settings, the seed, the proposals so far and the
 * results told for them, never on when or in which order the results came: a strategy that learns waits at a barrier
 * until the results it needs are all there. So a restart is a replay: search_restore every stored proposal in index
 * order, search_tell every stored result in any order, go on asking: the proposals are bitwise what they would have
 * been.
 *
 * The caller stores all proposals of one ask in one transaction: a batch exists whole or not at all.
 * No architecture is proposed twice: two codes whose plans are equal (same plan key) are one candidate.
 *
 * Strategies know an architecture only as a vector of genes (option indices, one a decision) and see the space through
 * struct search_space; search_space.c makes one of a space document. */
#ifndef SERVER_SEARCH_H
#define SERVER_SEARCH_H

#include "proto/base/err.h"
#include "proto/base/hash.h"
#include "proto/base/rng.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct search_cost {
    struct hash128 key;       /* plan key: equal keys are one candidate */
    struct hash128 class_key; /* isomorphic candidates share it */
    uint64_t macs, params;
};

/* The space as strategies see it. Every function that makes genes leaves them canonical (inactive decisions at their
 * normal value). Functions return 0 or a negative error; draws use only the rng given. */
struct search_space {
    void *ctx;
    int ngenes;
    double architectures;                                /* how many; may be HUGE_VAL */
    uint64_t macs_min, macs_max, params_min, params_max; /* bounds; 0..UINT64_MAX where unknown */
    int (*sample)(void *ctx, struct rng *rng, uint16_t *genes, struct err *err); /* uniform */
    /* Each gene of `genes` is redrawn uniformly from its options with probability p. */
    int (*mutate)(void *ctx, struct rng *rng, double p, uint16_t *genes, struct err *err);
    /* Each gene from a or b with probability 1/2. */
    int (*crossover)(void *ctx, struct rng *rng, const uint16_t *a, const uint16_t *b, uint16_t *out, struct err *err);
    /* Architecture number `index` < architectures of the enumeration, each once; used only where architectures < 2^53.
     */
    int (*nth)(void *ctx, uint64_t index, uint16_t *genes, struct err *err);
    int (*cost)(void *ctx, const uint16_t *genes, struct search_cost *out, struct err *err);
    int (*parse)(void *ctx, const char *code, uint16_t *genes, struct err *err);
    int (*code)(void *ctx, const uint16_t *genes, char *out, size_t size, struct err *err); /* canonical text */
};

enum { SEARCH_CODE_MAX = 8192 }; /* bytes of a code with its terminator */

struct search_limits { /* max 0: no limit */
    uint64_t macs_min, macs_max, params_min, params_max;
};

struct search_proposal {
    uint32_t index;      /* 0, 1, 2, ... in proposal order */
    uint32_t generation; /* 0 where the strategy has none */
    char *code;          /* canonical; owned by the search and valid until the next ask */
    struct search_cost cost;
};

struct strategy;

/* `strategy` is the search document's member: {"name": "list|random|exhaustive|evolution|nsga2|regularized", ...}.
 * Refuses unknown members, bad values ("/population") and limits no architecture of the space can meet. */
int search_open(const json_t *strategy, const struct search_limits *limits, uint64_t seed,
                const struct search_space *space, struct strategy **out, struct err *err);
void search_close(struct strategy *s); /* NULL is legal */

/* At most `max` new proposals; evolution and nsga2 give one whole generation, whatever `max`. *n = 0: done
 * (search_done) or waiting for results. ERR_INVALID "no architecture found within constraints after N tries (...)" when
 * nothing at all fits. After an error the strategy is good for search_close only. */
int search_ask(struct strategy *s, size_t max, const struct search_proposal **out, size_t *n, struct err *err);

/* One result: fitness (higher is better, accuracy) of proposal `index`, or failed: a failed one is never a parent.
 * A second tell for an index is ignored (exactly once). */
int search_tell(struct strategy *s, uint32_t index, int failed, double fitness, struct err *err);

/* Replay of one stored proposal, in index order, before the first ask. */
int search_reserve(struct strategy *s, uint32_t proposals, struct err *err);  /* so many will be restored */
void search_expect(const struct strategy *s, const struct search_cost *cost); /* will be restored soon: a hint */
int search_restore(struct strategy *s, const struct search_proposal *p, struct err *err);

/* 1: ask would give or look for more right now; 0: done, or waiting for results. An ask that found nothing yet in a
 * long stretch of unfit architectures returns *n = 0 while search_ready stays 1: ask again in the next turn. */
int search_ready(const struct strategy *s);
int search_done(const struct strategy *s); /* nothing more will be proposed */
uint32_t search_proposed(const struct strategy *s);
double search_expected(const struct strategy *s);  /* proposals in all, an upper bound; NaN when unknown */
const char *search_note(const struct strategy *s); /* why it ended early ("space exhausted ..."), or "" */

/* The strategy with every default written out, as stored and shown; new reference. */
json_t *search_document(const struct strategy *s);

#endif
