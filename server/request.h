/* request: one HTTP exchange as handlers see it. Parameters and body were checked against the contract before a handler
 * runs. A handler returns 0 after answering (or after handing the answer to request_work), what request_hold gave, or a
 * negative error that becomes problem+json; a refused request leaves nothing in the database. Answers to requests that
 * wrote leave after COMMIT. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "proto/api.h"
#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "server/auth.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct request;
struct server;
struct text;

typedef int request_handler(struct server *s, struct request *rq, struct err *err);

const struct api_operation *request_operation(const struct request *rq);
const struct auth_who *request_who(const struct request *rq);
struct arena *request_arena(struct request *rq);

/* Path and query parameters by name; header fields by name. */
const char *request_text(const struct request *rq, const char *name); /* NULL when absent */
int64_t request_int(const struct request *rq, const char *name, int64_t otherwise);
double request_number(const struct request *rq, const char *name, double otherwise);
const char *request_header(const struct request *rq, const char *name);
const char *request_cookie(const struct request *rq, const char *name);
const struct sockaddr *request_address(const struct request *rq);      /* the client's; NULL when unknown */
void request_identify(struct request *rq, const struct auth_who *who); /* who it is, when the handler finds out */

const json_t *request_body(const struct request *rq); /* NULL: none, or not JSON */
const char *request_raw(const struct request *rq, size_t *len);

/* Answers. json is stolen; bytes must be malloc'd and are stolen. */
int request_json(struct request *rq, int status, json_t *json);
int request_bytes(struct request *rq, int status, const char *type, char *bytes, size_t len);
int request_written(struct request *rq, int status, struct text *json); /* stolen */
int request_empty(struct request *rq, int status);
void request_set_header(struct request *rq, const char *name, const char *value); /* at most 6 */
int request_refuse(struct request *rq, const struct err *err); /* answers with the error and keeps what was written */
void request_problems(struct request *rq, json_t *list); /* stolen: shown as "problems" when the handler then fails */

/* A body made piece by piece on a worker thread: fill writes up to max bytes and returns how many, 0 at the end, -1 to
 * cut the connection. It may touch only arg. size -1: unknown. release runs once, on the loop. */
struct request_source {
    int64_t (*fill)(void *arg, char *buf, size_t max);
    void (*release)(void *arg);
    void *arg;
    int paced; /* no faster than a client may download */
};
int request_stream(struct request *rq, int status, const char *type, int64_t size, const struct request_source *src);

/* work runs on a worker thread and touches only arg; done runs on the loop like a handler (inside a savepoint when the
 * operation writes). release always runs, last. */
struct request_job {
    void (*work)(void *arg);
    int (*done)(struct server *s, struct request *rq, void *arg, struct err *err);
    void (*release)(void *arg);
    void *arg;
};
int request_work(struct request *rq, const struct request_job *job);
int request_work_committed(struct request *rq,
                           const struct request_job *job); /* work begins after this turn's commit */

/* rq sleeps until request_again: then its handler runs once more, or it fails with err. Returns 1, which the handler
 * returns. */
int request_hold(struct request *rq);
void request_again(struct request *rq, const struct err *err);
/* The same after whatever else the loop has to do: for what is long, and done in pieces. */
int request_soon(struct request *rq);

/* Operations with a streamed body (x-body: stream): their handler runs before the body and calls request_set_body;
 * piece then gets every piece as it arrives, end answers. A state hangs on the exchange; gone runs when it ends,
 * however. */
typedef int request_piece_fn(struct server *s, struct request *rq, const char *data, size_t n, struct err *err);
typedef void request_gone_fn(struct server *s, struct request *rq);
void request_set_body(struct request *rq, request_piece_fn *piece, request_handler *end);
void request_set_state(struct request *rq, void *state, request_gone_fn *gone);
void *request_state(struct request *rq);

/* Server-sent events: the exchange stays open; request_push queues bytes (copied), request_end closes. */
int request_open_stream(struct request *rq, const char *type);
size_t request_push(struct request *rq, const char *data, size_t n); /* bytes now waiting to be sent */
void request_end(struct request *rq);

#endif
