/* search_rows: all candidates of a search, read back from the database in the order they were proposed. */
#ifndef SERVER_SEARCH_ROWS_H
#define SERVER_SEARCH_ROWS_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct db;
struct scores;
struct strategy;

struct search_rows {
    int64_t search;
    struct scores *scores;  /* empty before; all rows, their results and known accuracies after */
    struct strategy *asker; /* at its beginning before, told everything after; NULL: of a search that ended */
    uint32_t *loose;        /* rows in no job, free(), also after an error; none without an asker */
    size_t nloose;
};

/* A thread of its own reads the rows of db while the caller's thread takes them in. */
int search_rows_read(struct db *db, struct search_rows *r, struct err *err);

#endif
