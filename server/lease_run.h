/* lease_run: makes what the scheduler decides true: in the store, in the searches, in the answers to workers. */
#ifndef SERVER_LEASE_RUN_H
#define SERVER_LEASE_RUN_H

#include "proto/base/err.h"

#include <stdint.h>

struct server;

int lease_run_load(struct server *s, struct err *err); /* open jobs and leases, after searches and workers */
int lease_run_sweep(struct server *s, struct err *err);
int64_t lease_run_search_of(struct server *s, int64_t job); /* 0 when there is no such job */

#endif
