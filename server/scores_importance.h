/* scores_importance: what the options of each decision do to accuracy. Sums are kept and grow with the log of scored
 * rows, so that only the first look at a large search has much to do; that can be done in pieces. */
#ifndef SERVER_SCORES_IMPORTANCE_H
#define SERVER_SCORES_IMPORTANCE_H

#include "proto/rankstat.h"
#include "server/scores.h"

struct scores_option {
    uint32_t n;                    /* scored rows with this option */
    struct rankstat_interval mean; /* of their accuracies */
    double top_share;              /* share of the `top` best rows that have it */
};
struct scores_importance {
    uint32_t n;        /* scored rows in which the decision is active */
    double eta2;       /* between-option sum of squares / total: what this decision explains of the variance alone */
    uint32_t noptions; /* highest option seen + 1 */
    struct scores_option *options;
};
/* What follows needs every code decoded and every score added up: a million take a tenth of a second, once. This does
 * at most so many of each; 1: there are more. */
int scores_fold(struct scores *s, uint32_t most, struct err *err);
/* *out: [ndecisions], freed by scores_importance_free. First-order effects of the rows that were scored: in a sample
 * that a strategy steered, decisions that go together share their effect. */
int scores_importance(struct scores *s, uint32_t top, struct scores_importance **out, struct err *err);
void scores_importance_free(struct scores_importance *im, int ndecisions);

void scores_importance_clear(struct scores *s); /* the sums; for scores_free */

#endif
