/* agent: the worker's main loop. One thread, one poll: beats go on while blobs arrive and while the compute process
 * works. It decides when to ask for jobs, what a crash, a hang or a cancellation means for a job, and how to leave. */
#ifndef WORKER_AGENT_H
#define WORKER_AGENT_H

#include "worker/config.h"

/* Runs until SIGTERM, SIGINT or a reason to end; the exit status (enum session_exit of session.h). `backend` names the
 * compute backend for the coordinator; `program` is the executable that serves --compute. */
int agent_run(const struct config *c, const char *backend, const char *program);

#endif
