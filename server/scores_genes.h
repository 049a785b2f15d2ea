/* scores_genes: which option each decision of a candidate has, and what is asked about that: the neighbours of a
 * candidate by one change, the generations of an evolution, an even selection of the ranking. */
#ifndef SERVER_SCORES_GENES_H
#define SERVER_SCORES_GENES_H

#include "server/scores.h"

/* Decodes at most so many of the codes that came since the last time; 1: there are more. The others here decode all. */
int scores_decode(struct scores *s, uint32_t most, struct err *err);
/* [ndecisions] of a decoded row, SCORES_INACTIVE for a decision without effect. */
const uint16_t *scores_genes(const struct scores *s, uint32_t row);

struct scores_neighbour {
    uint32_t row;
    int decision; /* the one that differs */
};
/* Scored rows that differ from `row` in exactly one active decision, best accuracy first; returns how many there are
 * (at most `room` are filled in), or <0. */
int64_t scores_neighbours(struct scores *s, uint32_t row, struct scores_neighbour *out, size_t room, struct err *err);

struct scores_generation {
    uint32_t n; /* scored rows */
    double worst, q1, median, q3, best, mean;
};
/* *out[generation], free(); *n: highest generation + 1. */
int scores_generations(const struct scores *s, struct scores_generation **out, size_t *n, struct err *err);

/* At most `room` scored rows, evenly spaced over the ranking by accuracy, best first; returns how many, or <0. Of many
 * rows the order must have been made (scores_build_wanted says 0): a page for each would take seconds. */
int64_t scores_spread(struct scores *s, uint32_t *rows, uint32_t room, struct err *err);

#endif
