/* routes: prototypes of all handlers, one for each operation of the contract. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "server/request.h"

#define OPERATION(id, method, path, roles, body, limit, schema, first, count) request_handler route_##id;
#include "proto/api.def"

#endif
