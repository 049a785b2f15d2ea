/* static: the dashboard's files, served from disk to anyone: they hold no data. */
#ifndef SERVER_STATIC_H
#define SERVER_STATIC_H

#include "server/request.h"

int static_serve(struct request *rq, const char *method, const char *path); /* 1: answered; 0: not ours */

#endif
