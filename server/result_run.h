/* result_run: what a delivered result means: checked against its job, then stored once. */
#ifndef SERVER_RESULT_RUN_H
#define SERVER_RESULT_RUN_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct search_run;
struct server;

/* The job is over without a result: its candidates count as failed. */
int result_run_give_up(struct server *s, int64_t search, int64_t job, const uint32_t *rows, uint32_t n, int64_t worker,
                       const struct err *why, struct err *err);
/* Its candidates, by code where the search's rows are in memory, as they were handed out; *rows malloc'd. */
int result_run_rows(struct server *s, const struct search_run *r, int64_t job, uint32_t **rows, size_t *n,
                    struct err *err);

#endif
