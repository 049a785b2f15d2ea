/* pace: how fast one client may download. Each client has a time from which on its next byte is due; bytes move that
 * time on, and who is ahead of it waits. A client that paused may catch up a little, not more. Pure: the clock is
 * passed in. */
#ifndef SERVER_PACE_H
#define SERVER_PACE_H

#include <stddef.h>
#include <stdint.h>

struct pace;
struct pace *pace_new(void); /* NULL: no memory */
void pace_free(struct pace *p);

/* The client is about to get n more bytes: how many milliseconds it must wait for them. Memory out: none. */
int64_t pace_wait(struct pace *p, int64_t client, size_t n, double bytes_per_s, int64_t now_ms);

#endif
