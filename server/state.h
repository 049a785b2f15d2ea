/* state: what the coordinator keeps in memory of the database: the scheduler, workers, searches, errands, leases. */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include "proto/base/err.h"

struct server;

int state_load(struct server *s, struct err *err);
void state_unload(struct server *s);

/* Throws away what is in memory and reads the database again: after a transaction failed, memory may be ahead of it. */
void state_reload(struct server *s);

#endif
