/* scores: one search's candidates as columns in memory; every question the dashboard asks is answered from here.
 *
 * The store stays the truth: rows are added when proposed (scores_add, row = proposal index) and set once when the
 * result is stored (scores_set); a start reads them back. Row numbers never change. Pure: no SQL, no HTTP. A million
 * rows: a page by any column with any filter in milliseconds (sort orders are built on first use, kept, and new rows
 * merged in), Pareto and density cached until a row changes (version). */
#ifndef SERVER_SCORES_H
#define SERVER_SCORES_H

#include "proto/base/err.h"
#include "proto/base/hash.h"
#include "proto/rankstat.h"

#include <stddef.h>
#include <stdint.h>

enum scores_status { SCORES_PROPOSED, SCORES_SCORED, SCORES_FAILED };

struct scores_new { /* a proposal */
    const char *code;
    struct hash128 class_key;
    uint64_t macs, params;
    uint32_t generation;
    const uint16_t
        *genes; /* option index of each decision, SCORES_INACTIVE for one that is not active; ndecisions of them */
};
enum { SCORES_INACTIVE = 0xffff };

struct scores_result {
    enum scores_status status; /* SCORED or FAILED */
    uint32_t n_images, n_correct, n_correct_top5;
    double loss; /* mean */
    int64_t worker, scored_at_ms;
};

struct scores_row {
    uint32_t row, generation, class_id;
    const char *code;
    enum scores_status status;
    uint32_t n_images, n_correct, n_correct_top5;
    double accuracy, loss; /* NaN unless scored */
    uint64_t macs, params;
    struct hash128 class_key;
    int64_t worker, scored_at_ms;
    double truth; /* NaN when unknown */
};

struct scores;
struct scores *scores_new(int ndecisions); /* NULL: no memory */
void scores_free(struct scores *s);
int scores_add(struct scores *s, const struct scores_new *row,
               struct err *err); /* its number is the old scores_count() */
int scores_set(struct scores *s, uint32_t row, const struct scores_result *r,
               struct err *err); /* a second set: ERR_CONFLICT */

uint32_t scores_count(const struct scores *s);
uint32_t scores_scored(const struct scores *s);
uint32_t scores_failed(const struct scores *s);
uint64_t scores_version(const struct scores *s);               /* changes with every change */
int64_t scores_find(const struct scores *s, const char *code); /* row, or -1 */
void scores_get(const struct scores *s, uint32_t row, struct scores_row *out);
int64_t scores_best(const struct scores *s); /* row of the highest accuracy (then lower loss, then lower row), or -1 */

/* ---- ranking pages */
enum scores_column {
    SCORES_BY_ACCURACY,
    SCORES_BY_LOSS,
    SCORES_BY_MACS,
    SCORES_BY_PARAMS,
    SCORES_BY_GENERATION,
    SCORES_BY_CODE,
    SCORES_BY_CLASS,
    SCORES_BY_INDEX,
    SCORES_BY_SCORED_AT,
    SCORES_BY_WORKER,
    SCORES_BY_TOP5,
    SCORES_BY_TRUTH,
    SCORES_COLUMNS
};
const char *scores_column_name(enum scores_column c); /* "accuracy", ... */
int scores_column_parse(const char *name);            /* -1 */

struct scores_filter { /* a zero-initialised one passed through scores_filter_init lets everything pass */
    uint64_t macs_min, macs_max, params_min, params_max;
    double accuracy_min, accuracy_max;
    uint32_t generation_min, generation_max;
    int status;       /* -1: any */
    int64_t class_id; /* -1: any */
    int64_t worker;   /* 0: any */
};
void scores_filter_init(struct scores_filter *f);

struct scores_cursor { /* keyset: the last item seen; `rank` 0: start */
    uint64_t key;
    uint32_t row, rank;
};
struct scores_page {
    uint32_t n;
    uint32_t total;              /* rows that pass the filter */
    struct scores_cursor cursor; /* of the last item: ask on from here */
    int more;
};
/* Rows in order (ties by row number), at most `limit` into rows[]; the first one's rank is after->rank + 1.
 * Rows without a value in the column (not scored yet) come last. */
int scores_page(struct scores *s, enum scores_column by, int descending, const struct scores_filter *f,
                const struct scores_cursor *after, uint32_t limit, uint32_t *rows, struct scores_page *out,
                struct err *err);

/* ---- pictures */
enum scores_axis { SCORES_X_MACS, SCORES_X_PARAMS, SCORES_X_LOSS, SCORES_X_ACCURACY, SCORES_X_INDEX, SCORES_X_TRUTH };
int scores_axis_parse(const char *name); /* -1 */
int scores_pareto(struct scores *s, enum scores_axis cost, const uint32_t **rows, size_t *n, struct err *err);
struct scores_density {
    double xlo, xhi, ylo, yhi;
    uint32_t nx, ny;
    const uint32_t *counts; /* [ny][nx] */
};
int scores_density(struct scores *s, enum scores_axis x, enum scores_axis y, uint32_t nx, uint32_t ny,
                   struct scores_density *out, struct err *err);
/* Best accuracy so far over proposals in row order: at each improvement one (row, accuracy). */
int scores_series(struct scores *s, uint32_t *rows, size_t room, size_t *n, struct err *err);

/* ---- what matters */
struct scores_option {
    uint32_t n;
    struct rankstat_interval mean; /* accuracy of the scored rows with this option */
    double top_share;              /* its share among the `top` best */
};
struct scores_importance {
    uint32_t n;  /* scored rows with the decision active */
    double eta2; /* between-option sum of squares / total: the part of the variance this decision explains alone */
    uint16_t noptions; /* highest option seen + 1 */
    struct scores_option *options;
};
/* out[ndecisions]; freed by scores_importance_free. First-order effects of the scored sample: decisions that the
 * strategy made depend on each other share their effect. */
int scores_importance(struct scores *s, uint32_t top, struct scores_importance **out, struct err *err);
void scores_importance_free(struct scores_importance *im, int ndecisions);

struct scores_class {
    uint32_t class_id, n, first; /* scored members; first row */
    double mean, min, max;
    uint32_t best; /* row */
};
/* Groups of isomorphic candidates with at least `least` scored members, by falling mean; page by offset (few). */
int scores_classes(struct scores *s, uint32_t least, struct scores_class **out, size_t *n, struct err *err);
size_t scores_class_rows(const struct scores *s, uint32_t class_id, uint32_t *rows, size_t room);

/* ---- truth */
int scores_set_truth(struct scores *s, const char *code, double accuracy); /* 1 matched, 0 no such candidate */
void scores_clear_truth(struct scores *s);
struct scores_correlation {
    uint32_t n;
    struct rankstat score, macs, params;
    struct rankstat_top top_score, top_macs, top_params;
};
int scores_correlation(struct scores *s, struct scores_correlation *out, struct err *err);

#endif
