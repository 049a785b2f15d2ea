/* search_core: what every strategy shares: the proposals so far, what was seen, and the settings' limits. Only
 * search*.c include it. A method (one file each) decides which genes come next; the core decides whether they may be
 * proposed. */
#ifndef SERVER_SEARCH_CORE_H
#define SERVER_SEARCH_CORE_H

#include "server/map.h"
#include "server/search.h"

struct search_method {
    const char *name;
    int learns; /* keeps genes and fitness of every proposal, and waits for results */
    int (*open)(struct strategy *s, const json_t *doc, struct err *err); /* sets s->state */
    void (*close)(struct strategy *s);
    int (*ask)(struct strategy *s, size_t max, struct err *err); /* calls search_propose */
    int (*ready)(const struct strategy *s);
    int (*done)(const struct strategy *s);
    double (*expected)(const struct strategy *s);
    void (*document)(const struct strategy *s, json_t *doc);
};

enum search_told { SEARCH_UNTOLD, SEARCH_OK, SEARCH_FAILED };

struct search_item { /* one proposal of a learning method */
    double fitness;
    uint64_t macs, params;
    uint32_t generation;
    uint8_t told;
};

struct strategy {
    const struct search_method *method;
    struct search_limits limits;
    struct search_space space;
    uint64_t seed;
    void *state; /* the method's */
    uint32_t count, told, cap;
    struct search_item *items; /* [count], learning methods */
    uint16_t *genes;           /* [count][ngenes], learning methods */
    uint16_t *last;            /* [ngenes] genes of the latest proposal */
    uint32_t last_generation;
    int last_code;    /* `last` is still to be read from `code` */
    struct map plans; /* plan keys that were proposed */
    struct map drawn; /* hashes of genes that were looked at: a cache that spares planning them again */
    struct search_proposal *batch;
    size_t batch_n, batch_cap;
    char *code;        /* [SEARCH_CODE_MAX] */
    uint16_t *scratch; /* [2][ngenes]: one for search_draw, one for the method */
    int ended;
    char note[200];
};

extern const struct search_method search_list, search_random, search_exhaustive, search_evolution, search_nsga2,
    search_regularized;

/* 1: new and within the limits (cost filled); 0: not; or an error. cache: remember what was looked at (for methods that
 * draw the same genes again and again). */
int search_consider(struct strategy *s, const uint16_t *genes, int cache, struct search_cost *cost, struct err *err);
int search_propose(struct strategy *s, const uint16_t *genes, uint32_t generation, const struct search_cost *cost,
                   struct err *err);
/* Draws uniformly until something may be proposed, and proposes it: 1; 0: none within the bound on tries. */
int search_draw(struct strategy *s, struct rng *rng, uint32_t generation, struct err *err);
/* Nothing came: an error when nothing was ever proposed, else the search ends here with a note. */
int search_exhausted(struct strategy *s, double tries, struct err *err);
double search_tries(const struct strategy *s); /* the bound of search_draw */

const uint16_t *search_genes(const struct strategy *s, uint32_t index); /* valid until the next proposal */
/* 1 when a is the better parent: told and not failed, higher fitness, then proposed earlier. */
int search_better(const struct strategy *s, uint32_t a, uint32_t b);

#endif
