/* eliminate: a product (or sum) of tables over decisions, from which one decision after the other is removed: exact,
 * and fast as long as few decisions hang together. space_count.c counts with it, space_bounds.c finds minima and
 * maxima. */
#ifndef PROTO_ELIMINATE_H
#define PROTO_ELIMINATE_H

#include "proto/space_tab.h"

#include <gmp.h>

struct eliminate_factor {
    struct dom dom;
    mpz_t *v;      /* [dom.size] */
    int64_t *cost; /* instead of v: minima or maxima */
    int used;      /* its decision has been removed: another table stands for it */
};

struct eliminate {
    const struct space *s;
    struct eliminate_factor *f;
    int nf, capacity;
    int *with; /* tables in use that hold the decision being removed; filled by eliminate_next */
    int nwith;
    struct dom *joint; /* [ndecisions] what hangs together with each decision */
    signed char state[SPACE_MAX_DECISIONS];
    struct err *err;
};

int eliminate_init(struct eliminate *e, const struct space *s, struct err *err); /* 0 or ERR_NO_MEMORY */
void eliminate_clear(struct eliminate *e);
int eliminate_no_memory(struct err *err);

/* A table over the decisions of d, without numbers; NULL without memory. It lasts until the next one is added. */
struct eliminate_factor *eliminate_add(struct eliminate *e, const struct dom *d);
/* [n] zeros, and back; NULL without memory. */
mpz_t *eliminate_numbers(int n);
void eliminate_free_numbers(mpz_t *v, int n);

/* Chooses the decision whose removal makes the smallest table (of equals the last, so that drawing goes from first to
 * last) and marks it removed; *joint: what its tables depend on together. -1 when all that are left hang together in
 * too large a table. */
int eliminate_next(struct eliminate *e, struct dom *joint);
/* The tables with the decision are used; *out: one over the rest of `joint`, in which the caller puts what stands for
 * them. NULL without memory. */
struct eliminate_factor *eliminate_replace(struct eliminate *e, const struct dom *joint, int decision);

#endif
