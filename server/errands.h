/* errands: jobs beside the one score that every candidate gets: the statistics of a candidate whose weights somebody
 * wants, and second opinions on candidates of a job. To the scheduler each is a search of its own with the id
 * -errand.id and one job, so leases, retries and expiry are the same as for scores. */
#ifndef SERVER_ERRANDS_H
#define SERVER_ERRANDS_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct errands;
struct request;
struct sched_job_row;
struct search_run;
struct server;

enum errand_kind { ERRAND_WEIGHTS, ERRAND_CHECK };

struct errand { /* an open one */
    struct errand *next;
    int64_t id, search, job, worker; /* worker: must not do it; 0: anybody may */
    enum errand_kind kind;
    uint32_t *rows;
    size_t nrows;
    json_t *second; /* a check: the opinion that a third has to decide about; NULL: there is none yet */
};

int errands_load(struct server *s, struct errands **out,
                 struct err *err); /* then lease_run_load schedules their jobs */
void errands_free(struct errands *x);
struct errand *errands_find(const struct errands *x, int64_t id); /* NULL: none */
const char *errand_kind_name(enum errand_kind kind);              /* as stored */
const char *errand_job_kind(enum errand_kind kind);               /* as a worker sees it: a check looks like a score */

int errands_start(struct server *s, enum errand_kind kind, const struct search_run *r, const uint32_t *rows, size_t n,
                  int64_t worker, const json_t *second, struct err *err);
int errands_schedule(struct server *s, const struct errand *e, struct sched_job_row *row, struct err *err);

/* It is over: result as the table keeps it, or NULL. Frees e. */
int errands_done(struct server *s, struct errand *e, const json_t *result, struct err *err);
int errands_fail(struct server *s, struct errand *e, const struct err *why, struct err *err);
void errands_drop_search(struct server *s, int64_t search); /* deleted: its rows are gone already */

#endif
