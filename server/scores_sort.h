/* scores_sort: how rows stand to each other in a column, and sorting many of them. For scores*.c only.
 *
 * Every value maps to a 64-bit key whose order is the column's, turned round for falling order; ties go by row number.
 * A code's key is its first eight characters, and ties go by the rest. */
#ifndef SERVER_SCORES_SORT_H
#define SERVER_SCORES_SORT_H

#include "server/scores_order.h"

#include <stddef.h>
#include <stdint.h>

struct scores_entry {
    uint64_t key;
    uint32_t row;
};

struct scores_codes { /* where the codes lie: a copy of both goes to another thread */
    const char *pool;
    const uint64_t *at; /* [row] */
};

struct scores_sorting { /* a column and a direction */
    enum scores_column by;
    int descending;
    struct scores_codes codes;
};

extern const uint64_t scores_missing; /* key of a row without a value: last in either direction */

int scores_of_result(enum scores_column by); /* has a value only once scored */
struct scores_sorting scores_sorting(const struct scores *s, enum scores_column by, int descending);
/* Keys of n rows. Reads no more than the column and, where it is one of results, the status. */
void scores_keys(const struct scores *s, const struct scores_sorting *o, const uint32_t *rows, size_t n,
                 uint64_t *keys);
struct scores_entry scores_entry_of(const struct scores *s, const struct scores_sorting *o, uint32_t row);
int scores_before(const struct scores_sorting *o, struct scores_entry a, struct scores_entry b); /* a stands before b */

/* v has room for 2 n; entries with equal keys must come by rising row. Touches nothing but v and o->codes. */
void scores_sort(const struct scores_sorting *o, struct scores_entry *v, size_t n);
/* Moves the entries of ranks from .. from + n - 1 to their places v[from ..], in order; the others lie anywhere. */
void scores_select(const struct scores_sorting *o, struct scores_entry *v, size_t all, size_t from, size_t n);

#endif
