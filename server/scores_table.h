/* scores_table: the columns themselves, for scores*.c only. */
#ifndef SERVER_SCORES_TABLE_H
#define SERVER_SCORES_TABLE_H

#include "server/map.h"
#include "server/scores.h"
#include "server/scores_order.h"
#include "server/scores_view.h"

/* X(type, name) */
#define SCORES_TABLE(X)                                                                                                \
    X(uint64_t, code)                                                                                                  \
    X(uint64_t, macs)                                                                                                  \
    X(uint64_t, params)                                                                                                \
    X(uint32_t, generation)                                                                                            \
    X(uint32_t, class_id)                                                                                              \
    X(uint32_t, n_images)                                                                                              \
    X(uint32_t, n_correct)                                                                                             \
    X(uint32_t, n_top5)                                                                                                \
    X(uint32_t, log)                                                                                                   \
    X(double, loss)                                                                                                    \
    X(double, truth)                                                                                                   \
    X(int64_t, worker)                                                                                                 \
    X(int64_t, scored_at)                                                                                              \
    X(uint8_t, status)                                                                                                 \
    X(uint8_t, repeats)                                                                                                \
    X(uint8_t, agreed)

struct scores_sorted { /* rows that have a value in the column, in order */
    uint32_t *rows, n, cap;
    uint32_t upto;    /* how much of its source (all rows, or the log of scored rows) went in */
    uint64_t edition; /* which truth or opinions it was made from, in these columns */
    uint64_t used;    /* for throwing out the one not asked for longest */
};

enum { SCORES_ORDERS = 8 };

struct scores_sums {
    uint32_t n;
    double mean, squares; /* running mean and squared deviations from it (Welford) */
};
struct scores_effect { /* of a decision */
    struct scores_sums all, *options;
    uint32_t noptions; /* highest option seen + 1 */
};

struct scores {
#define SCORES_DECLARE(type, name) type *name;
    SCORES_TABLE(SCORES_DECLARE)
#undef SCORES_DECLARE
    uint32_t count, cap, scored, failed;
    uint64_t version, truth_version, opinions_version;
    int64_t best;
    char *pool; /* codes, each with its terminator; column code holds offsets */
    size_t pool_n, pool_cap;
    uint64_t *by_code; /* half of the code's hash, then row + 1; open addressing by the other half */
    size_t by_code_cap;
    struct map classes; /* class key -> &class_key[id] + 1 as a number */
    struct hash128 *class_key;
    uint32_t nclasses, class_cap;
    int ndecisions;
    scores_decode_fn *decode;
    void *decode_ctx;
    uint16_t *genes; /* [decoded][ndecisions], filled when importance is first asked for */
    uint32_t decoded, genes_cap;
    struct scores_effect *effects; /* [ndecisions], of the first `folded` rows of the log */
    uint32_t folded;

    struct scores_sorted orders[SCORES_COLUMNS][2];
    uint64_t clock;
    uint32_t readers; /* other threads that read rows which no longer change, where they lie now */
    void **worn;      /* columns that grew meanwhile, as they were */
    size_t nworn;
    int unwanted; /* to be freed after the last reader */
    struct {
        uint64_t version;
        uint32_t *rows;
        size_t n;
    } front[SCORES_AXES];
    struct {
        uint64_t version;
        struct scores_density d;
        enum scores_axis x, y;
        struct scores_window window;
        uint32_t *counts;
    } density;
};

static inline const char *scores_code(const struct scores *s, uint32_t row)
{
    return s->pool + s->code[row];
}

static inline double scores_accuracy(const struct scores *s, uint32_t row)
{
    return (double)s->n_correct[row] / (double)s->n_images[row];
}

static inline double scores_top5(const struct scores *s, uint32_t row)
{
    return (double)s->n_top5[row] / (double)s->n_images[row];
}

int scores_lets_all_pass(const struct scores_filter *f);
/* Those of the rows from .. end - 1 that pass, in order, into rows[end - from]; how many. Genes must be decoded. */
uint32_t scores_passing(const struct scores *s, const struct scores_filter *f, uint32_t from, uint32_t end,
                        uint32_t *rows);
void scores_view_clear(struct scores *s);

/* Between the two, what another thread may read stays where it is, and is freed by the last of them: a copy of *s by
 * value then shows what cannot change any more (values of rows that were there, results of rows in the log). */
void scores_hold(struct scores *s);
void scores_let_go(struct scores *s);

#endif
