/* turn: when the loop's next turn comes, and who sleeps until then.
 *
 * A turn answers requests and commits what they wrote; what it does is http.c's. Connections that wait for the commit,
 * for a worker thread or for events are suspended; every one is resumed before the daemon stops, because MHD aborts
 * otherwise. */
#ifndef SERVER_TURN_H
#define SERVER_TURN_H

#include <stdint.h>
#include <uv.h>

enum { TURN_LAZY_MS = 50 };

struct request;
struct turn;

/* Does the turn; returns in how many milliseconds the next is due at the latest, 0 at once, INT64_MAX when nothing is.
 */
typedef int64_t turn_fn(void *arg);

struct turn *turn_new(uv_loop_t *loop, turn_fn *run, void *arg); /* NULL: no memory */
void turn_stop(struct turn *t);                                  /* no more turns */
void turn_free(struct turn *t);                                  /* in the loop's next round; NULL is nothing */

void turn_now(struct turn *t);
void turn_soon(struct turn *t);  /* from inside a turn or a callback: at the next round of the loop */
void turn_later(struct turn *t); /* for what nobody waits for: with the next requests, or after a moment */
int turn_is_soon(const struct turn *t);

void turn_suspend(struct request *rq);
void turn_resume(struct request *rq);
void turn_wait_commit(struct request *rq);         /* suspends; turn_take_waiting's caller resumes it */
struct request *turn_take_waiting(struct turn *t); /* the list of those, by ->waiting; the list is empty then */
int turn_awaited(const struct turn *t);            /* somebody waits for the commit */
void turn_work_began(struct request *rq);          /* suspends: a worker thread has it */
void turn_work_ended(struct request *rq);
int turn_works(const struct turn *t); /* how many requests worker threads have */

#endif
