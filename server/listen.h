/* listen: the door, as --listen names it. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "proto/base/err.h"

#include <stddef.h>

struct config;

/* A listening socket, and where it is reached: "http://127.0.0.1:8420", with the port that a 0 became. */
int listen_open(const struct config *c, char *url, size_t size, int *out, struct err *err);

#endif
