/* reaper: takes away what nobody refers to any more, a piece at a time, so that no turn of the loop waits for it:
 * searches that were deleted, blobs that were replaced or dropped, blobs that nothing has used for the grace time. */
#ifndef SERVER_REAPER_H
#define SERVER_REAPER_H

#include "proto/base/err.h"

#include <stdint.h>

struct reaper;
struct server;

int reaper_new(struct server *s, struct reaper **out, struct err *err);
void reaper_free(struct reaper *r);
void reaper_wake(struct server *s);  /* something was doomed */
void reaper_sweep(struct server *s); /* now and then: unused blobs */

/* Deletes the search's rows: at once when they are few, else marked and later. Inside the caller's transaction. */
int reaper_doom_search(struct server *s, int64_t search, struct err *err);

#endif
