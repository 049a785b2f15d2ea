/* rankstat: how well one list of numbers orders another, and the small statistics around it.
 *
 * Decides formulas only; who is compared with whom is the caller's business. A figure that does not exist (fewer than
 * two points, a constant list) is NaN. No function changes its input; NaN in the input is the caller's error
 * (asserted).
 *
 * Kendall's tau-b, (C - D) / sqrt((n0 - n1) (n0 - n2)), counts tied pairs out of each list's own total, so tie groups
 * (two-decimal accuracies, failed cells at 10 %) do not distort it. Counted with a Fenwick tree: O(n log n).
 * Spearman's rho is Pearson's r of average ranks. */
#ifndef PROTO_RANKSTAT_H
#define PROTO_RANKSTAT_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct rankstat_interval {
    double value, lo, hi; /* lo and hi are a 95 % interval */
};

struct rankstat {
    size_t n;
    struct rankstat_interval tau_b, spearman, pearson;
};

/* Plain values. ERR_NO_MEMORY is the only error. */
int rankstat_tau_b(const double *x, const double *y, size_t n, double *out, struct err *err);
int rankstat_spearman(const double *x, const double *y, size_t n, double *out, struct err *err);
double rankstat_pearson(const double *x, const double *y, size_t n);

/* Average ranks, 1 for the smallest: [10, 20, 20] -> [1, 2.5, 2.5]. */
int rankstat_ranks(const double *x, size_t n, double *ranks, struct err *err);

/* The three with analytic intervals, O(n log n). Each estimator's influence function gives its variance (for tau-b the
 * projections of the U-statistic and of its two tie terms; for Pearson the fourth moments; for Spearman those of the
 * ranks with the ranks' own variability), and Fisher's z keeps the interval inside [-1, 1]. No normality assumed. */
int rankstat_correlate(const double *x, const double *y, size_t n, struct rankstat *out, struct err *err);

/* The same by `rounds` bootstrap resamples of the pairs (percentile interval); deterministic in `seed`. For small n and
 * as the check of the analytic intervals: O(rounds n log n). */
int rankstat_bootstrap(const double *x, const double *y, size_t n, int rounds, uint64_t seed, struct rankstat *out,
                       struct err *err);

/* How `score` does among the best: the 1/10 (floor, at least 1) of the items with the highest truth; ties at the border
 * go to the lower index. */
struct rankstat_top {
    size_t n;             /* items in the decile */
    struct rankstat corr; /* score against truth within it */
    double overlap;       /* share of it that the decile by score also contains */
    double best_pick;     /* truth of the item with the highest score (ties: lowest index) */
    double best;          /* the highest truth of all */
};
int rankstat_top_decile(const double *score, const double *truth, size_t n, struct rankstat_top *out, struct err *err);

/* Wilson's score interval for k successes of n (95 %); value is k/n. n = 0: value NaN, interval [0, 1]. */
struct rankstat_interval rankstat_wilson(uint64_t k, uint64_t n);

/* Mean with its t interval (95 %), from the count, the mean and the sum of squared deviations from it. */
struct rankstat_interval rankstat_mean(uint64_t n, double mean, double squares);
double rankstat_t95(double dof); /* two-sided 95 % quantile of Student's t */

/* Pareto front: lowest cost, highest gain. Writes indices by rising cost (and so rising gain), at most n; of equal
 * points the lowest index. Points with NaN are ignored. Returns through *count. */
int rankstat_pareto(const double *cost, const double *gain, size_t n, uint32_t *out, size_t *count, struct err *err);

#endif
