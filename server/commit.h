/* commit: ends a turn. What its handlers wrote becomes one transaction; only then their answers and events leave. */
#ifndef SERVER_COMMIT_H
#define SERVER_COMMIT_H

struct server;

/* 1: something was written or let go, so another turn has something to do. A transaction that holds only what nobody
 * waits for may stay open for TURN_LAZY_MS. */
int commit_turn(struct server *s);

#endif
