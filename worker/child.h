/* child: the compute process, a second copy of this program started as `subrank-worker --compute`. Lines of JSON go in
 * and come out over pipes. It may crash, hang or be killed at any time without harm to the agent; what that means for a
 * job is the agent's decision. */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include "proto/base/err.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none */
    int in, out;
    char *send, *recv;
    size_t send_len, send_at, recv_len;
    int64_t heard_ms;  /* when it last said something, or started */
    char end[64];      /* how the last one ended: "signal 11", "exit 1" */
};

typedef void child_line(void *arg, const char *line, size_t n);

void child_init(struct child *c);
/* program: what to execute; argv[1] is --compute. */
int child_start(struct child *c, const char *program, struct err *err);
int child_send(struct child *c, const char *line, struct err *err); /* queued; a newline is added */
/* Fills up to two entries for poll; the count. */
size_t child_poll(const struct child *c, struct pollfd fds[2]);
/* Writes and reads what it can and calls back per line. 0 while it lives, 1 once it is gone (c->end says how). */
int child_pump(struct child *c, child_line *on_line, void *arg);
void child_kill(struct child *c); /* SIGKILL and wait; c->end says so */

#endif
