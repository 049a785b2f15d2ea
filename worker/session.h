/* session: who this worker is to the coordinator. It joins once with the join token and keeps its own key in the state
 * directory (mode 0600), holds the lock that lets only one agent use that directory, and judges the refusals that
 * concern the worker as a whole: a revoked key ends the process, another protocol version means a long silence. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "worker/backoff.h"
#include "worker/client.h"
#include "worker/config.h"
#include "worker/wire.h"

enum session_exit { EXIT_GOES_ON = -1, EXIT_OK = 0, EXIT_TROUBLE = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

struct session {
    const struct config *config;
    const char *backend;
    struct client *client;
    int dirfd, lockfd;
    struct wire_joined me; /* me.id 0: not joined */
    struct rng rng;
    struct backoff backoff;
    int64_t next_ms; /* when to try to join; also the end of a long silence */
    int joining;
    enum session_exit exit;
};

/* ERR_CONFLICT when another agent uses the directory. The caller closes it in every case. */
int session_open(struct session *s, const struct config *c, const char *backend, struct client *client,
                 struct err *err);
void session_close(struct session *s);

void session_step(struct session *s, int64_t now); /* joins when it is time */
int session_ready(const struct session *s, int64_t now); /* joined, and not told to be silent */
void session_forget(struct session *s); /* the coordinator let this worker go: removes the identity */

/* For every answer, whatever it was about: logs a refusal that concerns the worker and acts on it. The wait before the
 * next attempt, in ms, when the answer says "later" (b counts); 0 otherwise. */
int64_t session_judge(struct session *s, const char *what, const struct client_answer *a, struct backoff *b,
                      int64_t now);

int64_t session_threads(const struct config *c);
int64_t session_memory(const struct config *c);

#endif
