/* trust: how far a worker's scores are believed. Pure: no SQL, no clock, the random draw is passed in.
 *
 * Adaptive replication as BOINC does it: a second worker repeats a job's sample; as long as a worker has fewer than
 * TRUST_PROBATION agreeing opinions in a row, every job is repeated, after n of them one with probability
 * sqrt(TRUST_PROBATION / n), never less than TRUST_LEAST. One wrong score starts the count anew; TRUST_BAD of them
 * quarantine the worker, and what it scored is scored again. Two opinions that differ say only that one is wrong: a
 * third decides. */
#ifndef SERVER_TRUST_H
#define SERVER_TRUST_H

#include <stddef.h>
#include <stdint.h>

enum { TRUST_PROBATION = 10, TRUST_BAD = 3, TRUST_SAMPLE = 2 };
#define TRUST_LEAST 0.02

struct trust {
    uint32_t good; /* agreeing opinions since the last wrong score */
    uint32_t bad;  /* wrong scores shown */
};

double trust_check_probability(const struct trust *t);
/* draw: uniform in [0, 1) and unknown to the worker. */
int trust_wants_check(const struct trust *t, double draw);

void trust_agreed(struct trust *t);
int trust_was_wrong(struct trust *t); /* 1: quarantine it */

struct trust_opinion { /* of one candidate */
    int64_t worker;
    const char *backend, *build;
    uint32_t n_images, n_correct, n_correct_top5;
    double loss_sum;
    int failed; /* the worker reported an error for the candidate */
};
/* One program on one back end gives the same bits; others agree within max(1, 0.05 %) images and 1e-3 of the loss. */
int trust_agree(const struct trust_opinion *a, const struct trust_opinion *b);

enum trust_verdict { TRUST_OPEN, TRUST_FIRST_WRONG, TRUST_SECOND_WRONG, TRUST_FINE };
/* first: whose score counts; second: who repeated it; third: NULL while nobody else has. Opinions of a worker on its
 * own score decide nothing. TRUST_OPEN: another opinion is needed. */
enum trust_verdict trust_judge(const struct trust_opinion *first, const struct trust_opinion *second,
                               const struct trust_opinion *third);

/* Which of a job's n candidates are repeated: min(n, TRUST_SAMPLE) different numbers below n, in order, from a random
 * word. */
size_t trust_sample(size_t n, uint64_t random, uint32_t out[TRUST_SAMPLE]);

#endif
