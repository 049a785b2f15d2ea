/* request: what handlers ask of an exchange. How it opens, takes its body, runs and is answered: request_open.c,
 * request_body.c, request_run.c, request_reply.c. */
#include "server/request_impl.h"

#include "proto/base/clock.h"

#include <stdlib.h>
#include <string.h>

const struct api_operation *request_operation(const struct request *rq)
{
    return rq->route.op;
}

const struct auth_who *request_who(const struct request *rq)
{
    return &rq->who;
}

struct arena *request_arena(struct request *rq)
{
    return &rq->arena;
}

const char *request_text(const struct request *rq, const char *name)
{
    for (int i = 0; i < rq->nparams; i++)
        if (strcmp(rq->params[i].name, name) == 0)
            return rq->params[i].value;
    return NULL;
}

int64_t request_int(const struct request *rq, const char *name, int64_t otherwise)
{
    const char *s = request_text(rq, name);
    return s ? strtoll(s, NULL, 10) : otherwise;
}

double request_number(const struct request *rq, const char *name, double otherwise)
{
    const char *s = request_text(rq, name);
    return s ? strtod(s, NULL) : otherwise;
}

const char *request_header(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

const char *request_cookie(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->conn, MHD_COOKIE_KIND, name);
}

const struct sockaddr *request_address(const struct request *rq)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

void request_identify(struct request *rq, const struct auth_who *who)
{
    rq->who = *who;
}

const json_t *request_body(const struct request *rq)
{
    return rq->json;
}

const char *request_raw(const struct request *rq, size_t *len)
{
    *len = rq->body_len;
    return rq->body;
}

void request_set_state(struct request *rq, void *state, request_gone_fn *gone)
{
    rq->state = state;
    rq->gone = gone;
}

void request_set_body(struct request *rq, request_piece_fn *piece, request_handler *end)
{
    rq->on_piece = piece;
    rq->on_end = end;
}

void *request_state(struct request *rq)
{
    return rq->state;
}

/* A plan is asked for by POST because a code may be long; it changes nothing. */
int request_writes(const struct request *rq)
{
    enum api_method m = rq->route.op->method;
    return m != API_GET && m != API_HEAD && rq->route.op != api_operation(API_OP_planSpace);
}

/* Cheap while it lasts: a commit that fails costs reading everything again. */
int request_disk_full(const struct request *rq, struct err *err)
{
    if (!request_writes(rq) || rq->server->full_ms <= clock_mono_ms())
        return 0;
    err_set(err, ERR_DISK_FULL, "database", "the disk is full: nothing is taken until there is room");
    return 1;
}
