/* stored: what is uploaded once and then named by searches: spaces, checkpoints and data sets have the same list, the
 * same answer to their id and the same rule for deleting. */
#ifndef SERVER_STORED_H
#define SERVER_STORED_H

#include "server/db.h"
#include "server/request.h"

struct stored_kind {
    const char *name;                 /* "space", as errors say it */
    const char *used;                 /* "a search uses this space" */
    enum sql page, get, in_use, del;  /* in_use: a row when it cannot go */
    json_t *(*brief)(sqlite3_stmt *); /* of the list; NULL: no memory */
    json_t *(*full)(sqlite3_stmt *);  /* by its id */
};

int stored_list(struct server *s, struct request *rq, const struct stored_kind *k, struct err *err);
int stored_get(struct server *s, struct request *rq, const struct stored_kind *k, struct err *err);
int stored_delete(struct server *s, struct request *rq, const struct stored_kind *k, struct err *err);

/* Answers with the one just stored, as the list has it. */
int stored_created(struct server *s, struct request *rq, const struct stored_kind *k, int64_t id, struct err *err);

/* A row of id, name, what was found in it, its document or NULL, and when it was made. */
json_t *stored_row(sqlite3_stmt *st);

#endif
