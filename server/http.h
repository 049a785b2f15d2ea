/* http: libmicrohttpd inside the libuv loop, in external epoll mode.
 *
 * A turn (turn.h) runs MHD until it has nothing ready, commits what the handlers wrote (commit.h), and only then lets
 * their answers go. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "proto/base/err.h"

#include <stddef.h>

struct http;
struct server;

int http_open(struct server *s, struct http **out, struct err *err);

/* Stops listening; then http_close once no worker thread holds a request. */
void http_quiesce(struct http *h);
void http_close(struct http *h);
void http_sweep(struct http *h); /* ends connections whose requests never get complete */
size_t http_connections(const struct http *h);

#endif
