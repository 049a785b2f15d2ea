/* rankpair: two lists as dense ranks (0 for the smallest value, equal values equal), so ties are integers and no
 * comparison of doubles is left after one sort a list; tau-b, Spearman and Pearson with their influence values. */
#ifndef PROTO_RANKPAIR_H
#define PROTO_RANKPAIR_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct rankpair_list {
    uint32_t *dense; /* [n] */
    uint32_t *count; /* [groups] how many share a dense rank */
    size_t groups;
};

struct rankpair {
    struct rankpair_list x, y;
    size_t n;
    uint32_t *order; /* [n] items by dense rank of x */
    uint32_t *tree;  /* [y.groups + 1] Fenwick counts by dense rank of y */
    double *psi;     /* [n] influence values */
    double *scratch; /* [2 n] */
};

int rankpair_no_memory(struct err *err);

/* For n pairs; ERR_NO_MEMORY. _open ranks x and y (no NaN), _alloc leaves that to the caller. */
int rankpair_alloc(struct rankpair *p, size_t n, struct err *err);
int rankpair_open(struct rankpair *p, const double *x, const double *y, size_t n, struct err *err);
void rankpair_clear(struct rankpair *p);

void rankpair_sort(const double *v, size_t n, uint32_t *index);                          /* index: [n], by rising v */
void rankpair_fill(struct rankpair_list *r, const double *v, size_t n, uint32_t *index); /* index: scratch of n */
void rankpair_mid_ranks(const struct rankpair_list *r, size_t n, double *of_group); /* average ranks in (-1/2, 1/2) */
double rankpair_product_mean(const double *a, const double *b, size_t n);

/* NaN where a list is constant. psi: [n] influence values, of the delta method; Spearman's only when asked for. */
double rankpair_tau_b(struct rankpair *p);
int rankpair_spearman(struct rankpair *p, int influence, double *out, struct err *err);
double rankpair_pearson(const double *x, const double *y, size_t n, double *psi); /* psi may be NULL */

#endif
