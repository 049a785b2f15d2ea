/* search_ask: proposals are made ahead of the workers, a few milliseconds of planning a time, and queued. */
#ifndef SERVER_SEARCH_ASK_H
#define SERVER_SEARCH_ASK_H

#include "proto/base/err.h"

#include <uv.h>

struct search_run;
struct server;

/* For a timer with the server as data: asks for a while, ends searches that are done, and comes again when there is
 * more to propose. */
void search_ask_slice(uv_timer_t *timer);
/* At the start: rows in no job go to the scheduler. */
int search_ask_queue_rest(struct server *s, struct search_run *r, struct err *err);

#endif
