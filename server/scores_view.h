/* scores_view: pictures and statistics over a search's scored rows. Results that are cheap to keep are kept until a row
 * changes; the rest is one pass over the columns. */
#ifndef SERVER_SCORES_VIEW_H
#define SERVER_SCORES_VIEW_H

#include "proto/rankstat.h"
#include "server/scores.h"

enum scores_axis {
    SCORES_X_ACCURACY,
    SCORES_X_TOP5,
    SCORES_X_LOSS,
    SCORES_X_MACS,
    SCORES_X_PARAMS,
    SCORES_X_INDEX,
    SCORES_X_TRUTH,
    SCORES_AXES
};
int scores_axis_parse(const char *name); /* -1: unknown */

/* Rows of the front of low `cost` and high accuracy, by rising cost. *rows is valid until the next call. */
int scores_pareto(struct scores *s, enum scores_axis cost, const uint32_t **rows, size_t *n, struct err *err);

struct scores_density {
    double xlo, xhi, ylo, yhi; /* of the scored rows; NaN when there are none */
    uint32_t nx, ny;           /* 1..SCORES_BINS */
    const uint32_t *counts;    /* [ny][nx], y from ylo upwards; valid until the next call */
};
enum { SCORES_BINS = 512 };
struct scores_window { /* NaN: the end of the scored rows */
    double xlo, xhi, ylo, yhi;
};
/* window NULL: all. Rows outside it are not counted. */
int scores_density(struct scores *s, enum scores_axis x, enum scores_axis y, uint32_t nx, uint32_t ny,
                   const struct scores_window *window, struct scores_density *out, struct err *err);
double scores_value(const struct scores *s, enum scores_axis x, uint32_t row); /* of a scored row */
/* counts[bins] over [*lo, *hi], the range of the scored rows. */
void scores_histogram(const struct scores *s, enum scores_axis x, uint32_t bins, double *lo, double *hi,
                      uint32_t *counts);
/* Best accuracy so far in proposal order: the rows that improved on all before them; returns how many there are. */
size_t scores_series(const struct scores *s, uint32_t *rows, size_t room);

struct scores_class {
    uint32_t class_id, n, best; /* scored members; the best one's row */
    double mean, min, max;      /* of their accuracies */
};
/* Groups of isomorphic candidates with at least `least` scored members, best mean first; free(*out). */
int scores_classes(const struct scores *s, uint32_t least, struct scores_class **out, size_t *n, struct err *err);
struct hash128 scores_class_key(const struct scores *s, uint32_t class_id);
int64_t scores_class_find(const struct scores *s, struct hash128 key); /* -1 */
/* Its first scored rows, at most `room`; returns how many. With room for no more than it has, the search ends there. */
size_t scores_class_rows(const struct scores *s, uint32_t class_id, uint32_t *rows, size_t room);

struct scores_correlation { /* over scored rows whose truth is known */
    uint32_t n;
    struct rankstat score, macs, params;
    struct rankstat_top top_score, top_macs, top_params;
};
int scores_correlation(const struct scores *s, struct scores_correlation *out, struct err *err);

#endif
