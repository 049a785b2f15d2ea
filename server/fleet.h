/* fleet: the workers as they are now: who they are (stored), what they do and when they were last heard of (memory
 * only). */
#ifndef SERVER_FLEET_H
#define SERVER_FLEET_H

#include "proto/base/err.h"

#include "server/trust.h"

#include <jansson.h>
#include <stdint.h>

struct fleet;
struct server;

enum { FLEET_HELD = 16 };

struct worker {
    int64_t id;
    char *name, *host, *backend, *build;
    int64_t threads, memory_bytes;
    int active, revoked; /* neither: it left */
    int64_t scored, failed;
    double rate; /* candidates per second, 0 unknown */
    struct trust trust;
    int64_t quarantined;  /* wall; 0: it may work */
    int64_t joined, seen; /* wall */
    int64_t seen_ms;      /* monotonic; 0: not since the start */
    int lost, busy;       /* what was last told of it */
    double images_per_s;  /* as it says; 0 unknown */
    int nheld;
    struct {
        int64_t job, done, of;
    } held[FLEET_HELD];
};

int fleet_load(struct server *s, struct fleet **out, struct err *err); /* also tells the scheduler of the active ones */
void fleet_free(struct fleet *f);
struct worker *fleet_find(struct fleet *f, int64_t id);   /* NULL when unknown */
struct worker *fleet_at(const struct fleet *f, size_t i); /* by rising id; NULL behind the last */
int fleet_adopt(struct server *s, struct fleet *f, struct worker *w, struct err *err); /* the fleet owns w */
int fleet_sweep(struct server *s, struct err *err);                        /* tells of workers that fell silent */
const char *fleet_state(const struct worker *w);                           /* as the contract names it */
int fleet_tell(struct server *s, const struct worker *w, struct err *err); /* an event: its state changed */

/* Workers that can be asked, but for two; 0: nobody. */
size_t fleet_others(const struct fleet *f, int64_t but, int64_t and_but);

/* Heard of: lost workers come back. */
int fleet_seen(struct server *s, struct worker *w, struct err *err);
/* A result was stored: counts, and the measured rate. */
int fleet_scored(struct server *s, struct worker *w, int64_t scored, int64_t failed, struct err *err);

#endif
