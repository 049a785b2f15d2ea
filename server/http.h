/* http: libmicrohttpd inside the libuv loop, in external epoll mode.
 *
 * A turn runs MHD until it has nothing ready, commits what the handlers wrote (one transaction for all of them), and
 * only then lets their answers go. Connections that wait for the commit, for a worker thread or for events are
 * suspended; every one is resumed before the daemon stops, because MHD aborts otherwise. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "proto/base/err.h"

#include <stddef.h>

struct http;
struct server;

int http_open(struct server *s, struct http **out, struct err *err);
const char *http_url(const struct http *h); /* "http://127.0.0.1:8420" */

/* Runs MHD and commits; what is then left to do is done in the next round of the loop. Call after anything outside a
 * request wrote or answered. */
void http_turn(struct http *h);
void http_turn_later(struct http *h); /* for what nobody waits for: with the next requests, or after a moment */
void http_turn_soon(struct http *h); /* the same from inside a turn or a callback: at the next round of the loop */

/* Stops listening; then http_close once http_idle. */
void http_quiesce(struct http *h);
int http_idle(const struct http *h); /* no worker thread holds a request */
void http_close(struct http *h);
void http_sweep(struct http *h); /* ends connections whose requests never get complete */
size_t http_connections(const struct http *h);

#endif
