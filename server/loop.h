/* loop: puts the rooms together, turns the loop, stops it. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "proto/base/err.h"

struct config;

/* Runs until SIGTERM or SIGINT. Prints "ready URL" on stdout once requests are answered. 0, or why it did not start. */
int loop_run(const struct config *config, struct err *err);

#endif
