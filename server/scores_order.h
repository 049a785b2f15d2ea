/* scores_order: ranking pages by any column with any filter and keyset cursors.
 *
 * Small tables are sorted on first use, and the order is kept (scores_kept.h); rows that came since are merged in. In
 * large ones a page is picked by a look at all rows, some milliseconds for a million, until somebody has built the
 * order on another thread: from then on a page without filter takes microseconds, and a filter's look at all rows some
 * milliseconds. */
#ifndef SERVER_SCORES_ORDER_H
#define SERVER_SCORES_ORDER_H

#include "server/scores.h"

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
    SCORES_BY_INTERVAL, /* width of the 95 % interval of the accuracy */
    SCORES_BY_OPINIONS, /* results of other workers, then how many of them agreed */
    SCORES_COLUMNS
};
const char *scores_column_name(enum scores_column c); /* "accuracy", ... */
int scores_column_parse(const char *name);            /* -1: unknown */

struct scores_filter { /* scores_filter_init lets everything pass */
    uint64_t macs_min, macs_max, params_min, params_max;
    double accuracy_min, accuracy_max, top5_min, top5_max, loss_min,
        loss_max; /* NaN: no bound; a bound lets only scored rows pass */
    uint32_t generation_min, generation_max;
    int status;            /* -1: any */
    int64_t class_id;      /* -1: any */
    int64_t worker;        /* 0: any */
    const char *prefix;    /* how the code begins; NULL: any */
    const uint64_t *allow; /* [ndecisions], bit o: option o passes, bit 63: inactive does; NULL: any */
};
void scores_filter_init(struct scores_filter *f);

struct scores_cursor { /* keyset: the last item seen; all zero: start */
    uint64_t key;
    uint32_t row, rank; /* rank of that item, from 1; 0: start, but pass over the first `row` items */
};
struct scores_page {
    uint32_t n, total;           /* in this page; that pass the filter at all */
    struct scores_cursor cursor; /* of the last item: the next page starts behind it */
    int more;
};

/* Rows in order (ties by row number), at most `limit` into rows[]; the first one's rank is after->rank + 1. Rows
 * without a value in the column (not scored yet, truth unknown) come last, in either direction. */
int scores_page(struct scores *s, enum scores_column by, int descending, const struct scores_filter *f,
                const struct scores_cursor *after, uint32_t limit, uint32_t *rows, struct scores_page *out,
                struct err *err);

/* A cursor as text for URLs, and back; parse returns -1 for what no cursor is. */
enum { SCORES_CURSOR_TEXT = 40 };
void scores_cursor_text(const struct scores_cursor *c, char out[SCORES_CURSOR_TEXT]);
int scores_cursor_parse(const char *text, struct scores_cursor *out);

#endif
