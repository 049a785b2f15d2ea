/* scores: one search's candidates as columns in memory; what the dashboard asks is answered from here (pages:
 * scores_order.h; pictures and statistics: scores_view.h).
 *
 * The store stays the truth: a row is added when it is proposed (its number is the proposal's index) and set once when
 * its result is stored; a start reads both back. Row numbers never change. Pure: no SQL, no HTTP. */
#ifndef SERVER_SCORES_H
#define SERVER_SCORES_H

#include "proto/base/err.h"
#include "proto/base/hash.h"

#include <stddef.h>
#include <stdint.h>

enum scores_status { SCORES_PROPOSED, SCORES_SCORED, SCORES_FAILED };

struct scores_new { /* a proposal */
    const char *code;
    struct hash128 class_key;
    uint64_t macs, params;
    uint32_t generation;
};

struct scores_result {
    enum scores_status status; /* SCORES_SCORED or SCORES_FAILED; a failed one has only worker and time */
    uint32_t n_images, n_correct, n_correct_top5;
    double loss; /* mean: loss_sum / n_images */
    int64_t worker, scored_at_ms;
};

struct scores_row {
    uint32_t row, generation, class_id;
    const char *code; /* valid until the next scores_add */
    enum scores_status status;
    uint32_t n_images, n_correct, n_correct_top5;
    double accuracy, top5, loss; /* NaN unless scored */
    uint64_t macs, params;
    struct hash128 class_key;
    int64_t worker, scored_at_ms;
    uint32_t repeats, agreed; /* results of other workers for it, and how many of them agreed */
    double truth;             /* NaN when unknown */
};

/* Option index of each decision of a code into genes[ndecisions], SCORES_INACTIVE for one without effect; 0 or -1. */
typedef int scores_decode_fn(void *ctx, const char *code, uint16_t *genes);
enum { SCORES_INACTIVE = 0xffff };

struct scores;
struct scores *scores_new(int ndecisions, scores_decode_fn *decode, void *ctx); /* NULL: no memory */
void scores_free(struct scores *s);
int scores_reserve(struct scores *s, uint32_t rows, struct err *err); /* so many will be added: no growing meanwhile */
void scores_expect(const struct scores *s, const char *code, struct hash128 class_key); /* will be added soon: a hint */
int scores_add(struct scores *s, const struct scores_new *row, struct err *err); /* row number: scores_count() before */
int scores_set(struct scores *s, uint32_t row, const struct scores_result *r,
               struct err *err); /* twice: ERR_CONFLICT */

/* So many more results of other workers for what was set, and how many of them agreed; shown up to 255. */
void scores_repeated(struct scores *s, uint32_t row, uint32_t repeats, uint32_t agreed);

uint32_t scores_count(const struct scores *s);
uint32_t scores_scored(const struct scores *s);
uint32_t scores_failed(const struct scores *s);
uint64_t scores_version(const struct scores *s);               /* grows with every change */
int64_t scores_find(const struct scores *s, const char *code); /* row, or -1 */
int scores_is_scored(const struct scores *s, uint32_t row);
void scores_get(const struct scores *s, uint32_t row, struct scores_row *out);
int64_t scores_best(const struct scores *s); /* highest accuracy, then lower loss, then lower row; -1 when none */

int scores_set_truth(struct scores *s, const char *code, double accuracy); /* 1 matched, 0 no such candidate */
void scores_set_truth_at(struct scores *s, uint32_t row, double accuracy);
void scores_clear_truth(struct scores *s, uint32_t rows); /* of the first so many */

#endif
