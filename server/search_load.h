/* search_load: a search's rows, read back from the database: on the loop at the start, where nothing else can begin
 * without them; on another thread when somebody looks at a search that ended. Orders of many rows are sorted there too.
 */
#ifndef SERVER_SEARCH_LOAD_H
#define SERVER_SEARCH_LOAD_H

#include "proto/base/err.h"
#include "server/scores_order.h"

struct request;
struct search_run;
struct server;

int search_load_space(struct server *s, struct search_run *r, struct err *err); /* r->space and what goes with it */
int search_load_asker(struct server *s, struct search_run *r, struct err *err); /* r->asker, at its beginning */
struct scores *search_load_empty(struct search_run *r);                         /* without rows; NULL: no memory */

/* All rows into r->scores, r->asker and r->loose. */
int search_load_rows(struct server *s, struct search_run *r, struct err *err);
/* Reads r->scores on another thread; rq is held until then. 1, or a negative error. */
int search_load_begin(struct server *s, struct request *rq, struct search_run *r, struct err *err);

/* Makes the order of a column on another thread when pages want it. */
void search_load_order(struct server *s, struct search_run *r, enum scores_column by, int descending);
/* The same for what cannot do without: 0: it is there; 1: rq is held until it is; or a negative error. */
int search_load_order_first(struct server *s, struct request *rq, struct search_run *r, enum scores_column by,
                            int descending, struct err *err);

void search_load_drop(struct search_run *r); /* the run goes away: what other threads do for it comes to nothing */

#endif
