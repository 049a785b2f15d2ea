/* lease: the table of leases and nothing else: by id, by worker, by job, by deadline. Decides no policy (sched.h does).
 *
 * A lease is fenced by a random 128-bit id. Live: it has a deadline and stands on its worker's list. Lapsed: it
 * expired, was returned or failed; a result under it may still come and is accepted if no other exists, so lapsed
 * leases stay on their job's list until the job ends. Times are the caller's monotonic milliseconds. Every operation is
 * O(1) or O(log live leases); the list heads belong to the caller. */
#ifndef SERVER_LEASE_H
#define SERVER_LEASE_H

#include "proto/base/err.h"
#include "server/map.h"

#include <stddef.h>
#include <stdint.h>

struct lease_id {
    unsigned char bytes[16];
};

struct lease {
    struct lease_id id;
    int64_t job, worker;
    int64_t granted_ms;  /* when it was last handed out */
    int64_t deadline_ms; /* live only */
    uint32_t heap;       /* place in the deadline heap, LEASE_LAPSED when not in it */
    uint32_t resent;     /* how often it was sent again because the worker forgot it */
    int failed;          /* returned or reported broken: never revived */
    uint64_t mark;       /* number of the held list that named it last */
    struct lease *worker_prev, *worker_next;
    struct lease *job_next;
};

enum { LEASE_LAPSED = UINT32_MAX };

struct lease_table { /* zeroed: empty */
    struct map by_id;
    struct lease **heap;
    uint32_t live, cap;
};

void lease_table_clear(struct lease_table *t); /* after every lease was dropped */

/* A new lease on the job's list; live ones on the worker's list too. ERR_CONFLICT when the id is in use. */
int lease_add(struct lease_table *t, const struct lease *like, int live, struct lease **worker_list,
              struct lease **job_list, struct lease **out, struct err *err);
struct lease *lease_find(const struct lease_table *t, const struct lease_id *id); /* NULL when there is none */
int lease_live(const struct lease *l);
void lease_renew(struct lease_table *t, struct lease *l, int64_t deadline_ms); /* of a live one */
void lease_lapse(struct lease_table *t, struct lease *l, struct lease **worker_list);
void lease_revive(struct lease_table *t, struct lease *l, int64_t deadline_ms, struct lease **worker_list);
void lease_free(struct lease_table *t, struct lease *l); /* a lapsed one, taken off its job's list by the caller */
struct lease *lease_first(const struct lease_table *t);  /* the live one with the earliest deadline, or NULL */

#endif
