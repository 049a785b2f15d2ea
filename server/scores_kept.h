/* scores_kept: whole orders of a column, kept for the pages after the first.
 *
 * At most SCORES_ORDERS of them. What came since an order was made is merged in here when it is little; sorting a whole
 * table of a million rows takes a tenth of a second and more, and is done on another thread: begin notes what there is,
 * run sorts it, end keeps the order (s NULL: the table is gone) and frees b. Neither begin nor end looks at rows,
 * unless the column may still change (truth, opinions), which begin copies. */
#ifndef SERVER_SCORES_KEPT_H
#define SERVER_SCORES_KEPT_H

#include "server/scores_order.h"

struct scores_sorted;
struct scores_sorting;

void scores_kept_clear(struct scores *s);
/* The order with all rows, or NULL in *out when it is too far behind to be mended here. */
int scores_kept_refresh(struct scores *s, const struct scores_sorting *as, struct scores_sorted **out, struct err *err);

struct scores_build;
int scores_build_wanted(struct scores *s, enum scores_column by, int descending);
struct scores_build *scores_build_begin(struct scores *s, enum scores_column by, int descending); /* NULL: no memory */
void scores_build_run(struct scores_build *b);                  /* on any thread; without memory, end keeps nothing */
int scores_build_end(struct scores *s, struct scores_build *b); /* 0, or -1: run had no memory */

#endif
