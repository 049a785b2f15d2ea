/* request_impl: the inside of a request, shared by http.c (the daemon), the files request*.c and answer.c (what MHD
 * sends). Nobody else includes it. */
#ifndef SERVER_REQUEST_IMPL_H
#define SERVER_REQUEST_IMPL_H

#include "server/request.h"
#include "server/router.h"
#include "server/server.h"

#include <microhttpd.h>
#include <uv.h>

enum { REQUEST_PARAMS = 24, REQUEST_HEADERS = 6, REQUEST_CHUNK = 256 * 1024 };

enum answer_kind { ANSWER_NONE, ANSWER_BYTES, ANSWER_SOURCE, ANSWER_PUSH };

struct request {
    struct server *server;
    struct MHD_Connection *conn;
    struct request *prev, *next; /* all requests */
    struct request *waiting;     /* next of those that wait for the commit */
    struct route_match route;
    struct auth_who who;
    struct arena arena;
    int64_t started_ns;
    uint64_t json_failures; /* when the request came: a rise means that a document may be in pieces */
    struct {
        const char *name, *value;
    } params[REQUEST_PARAMS];
    int nparams;

    char *body;
    size_t body_len, body_cap;
    int64_t got; /* bytes of the body, kept or thrown away */
    json_t *json;
    int dispatched; /* the handler ran */
    int drain;      /* the answer is known, the rest of the body is thrown away */
    int suspended, in_work, ended;

    enum answer_kind answer;
    int status;
    const char *type;
    char *bytes;
    size_t len;
    struct {
        const char *name, *value;
    } headers[REQUEST_HEADERS];
    int nheaders;
    json_t *problems;

    struct request_source source;
    int64_t source_size, source_sent;
    int64_t due_ms; /* when its next chunk may be read */
    char *chunk;
    int64_t chunk_len, chunk_at; /* chunk_len <= 0: as fill answered */
    int chunk_ready;
    struct request *fill_next; /* in the line for a worker thread */

    char *push;
    size_t push_len, push_cap;

    const char *path;
    void *state;
    request_gone_fn *gone;
    request_piece_fn *on_piece;
    request_handler *on_end;
    struct request_job job;
    int job_waits; /* for the commit */
    uv_work_t work;
};

/* request.c */
int request_writes(const struct request *rq);                     /* its operation changes something */
int request_disk_full(const struct request *rq, struct err *err); /* 1 and err: what writes is refused for now */

/* request_open.c */
struct request *request_new(struct server *s, struct MHD_Connection *conn, const char *url, const char *method);
void request_free(struct request *rq);

/* request_body.c */
void request_feed(struct request *rq, const char *data, size_t n);
int request_parse_body(struct request *rq, struct err *err);
void request_drop_body(struct request *rq);

/* request_run.c */
void request_dispatch(struct request *rq);
void request_settled(struct request *rq, const struct err *err); /* the commit is over; err->code: it failed */

/* request_reply.c */
void request_fail(struct request *rq, const struct err *err); /* the answer becomes problem+json, whatever it was */

/* answer.c */
void answer_tick(struct server *s); /* chunks that are due */
enum MHD_Result answer_send(struct request *rq);
void answer_clear(struct request *rq);

#endif
