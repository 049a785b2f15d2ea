/* router: method and path to a row of the contract and its handler. Pure but for the handler table. */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "proto/api.h"
#include "proto/base/err.h"
#include "server/request.h"

enum { ROUTER_ARGS = 4 };

struct route_match {
    const struct api_operation *op;
    request_handler *handler;
    int nargs;
    struct {
        const char *name, *value; /* not yet URL-decoded */
        size_t name_len, value_len;
    } args[ROUTER_ARGS];
};

/* ERR_NOT_FOUND when no path fits, ERR_METHOD with `allow` filled ("GET, HEAD") when only the method does not. */
int router_find(const char *method, const char *path, struct route_match *out, char *allow, size_t allow_size,
                struct err *err);

#endif
