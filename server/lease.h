/* lease: the table of leases and nothing else: by id, by worker, by job, by deadline. Decides no policy (sched.h does).
 *
 * A lease is fenced by a random 128-bit id. Live: it has a deadline. Lapsed: it expired, was returned or its job went
 * to another worker, but a result under it may still come and is then accepted if no other exists; so lapsed leases
 * stay until their job ends. All times are the caller's monotonic milliseconds. Every operation is O(1) or O(log live
 * leases). */
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
    int64_t granted_ms, deadline_ms;
    uint32_t heap; /* place in the deadline heap, LEASE_LAPSED when not in it */
    uint32_t resent;
    uint64_t mark;                           /* scratch of one held list */
    struct lease *worker_prev, *worker_next; /* live leases of the worker */
    struct lease *job_next;                  /* all leases of the job, newest first */
};

enum { LEASE_LAPSED = UINT32_MAX };

struct lease_table {
    struct map by_id;
    struct lease **heap;
    uint32_t live, cap;
};

void lease_table_init(struct lease_table *t);
void lease_table_clear(struct lease_table *t); /* the caller frees the leases through lease_drop first */

/* Puts a live lease on the worker's list and the job's list. ERR_CONFLICT when the id is in use. */
int lease_add(struct lease_table *t, const struct lease *row, struct lease **worker_list, struct lease **job_list,
              struct lease **out, struct err *err);
struct lease *lease_find(const struct lease_table *t, const struct lease_id *id);
void lease_renew(struct lease_table *t, struct lease *l, int64_t deadline_ms); /* live ones only */
void lease_lapse(struct lease_table *t, struct lease *l, struct lease **worker_list);
int lease_revive(struct lease_table *t, struct lease *l, int64_t deadline_ms, struct lease **worker_list,
                 struct err *err);
/* Removes all leases of a job; live ones leave their worker's list through `lists(ctx, worker)`. */
void lease_drop(struct lease_table *t, struct lease *l, struct lease **worker_list, struct lease **job_list);
struct lease *lease_first(const struct lease_table *t); /* the live one with the earliest deadline, or NULL */
int lease_is_live(const struct lease *l);

#endif
