/* notify: tells systemd how we are, by its datagram protocol; without systemd it does nothing. */
#ifndef WORKER_NOTIFY_H
#define WORKER_NOTIFY_H

void notify_send(const char *text); /* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=..." */

#endif
