/* page: lists of rows by id, cut into pages; the cursor is the last id shown. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "server/db.h"
#include "server/request.h"

struct page {
    int64_t after, limit;
};

int page_open(struct request *rq, struct page *out, int64_t start,
              struct err *err); /* start: the cursor of the first page */

/* The statement gives limit + 1 rows, each with its id in column 0; row makes one item (NULL: no memory). */
int page_answer(struct request *rq, const struct page *p, sqlite3_stmt *st, json_t *(*row)(sqlite3_stmt *),
                struct err *err);

/* {"items": items, "next": next or null}; items is stolen. */
int page_send(struct request *rq, json_t *items, int64_t next);

#endif
