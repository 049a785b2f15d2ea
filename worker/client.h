/* client: HTTP to one coordinator, several requests at a time in one thread (libcurl's multi interface). It decides how
 * patient a request is and what an answer means for the caller (done, later, refused); not when to ask again. It
 * follows no redirect: a key must not travel to a host that nobody configured. */
#ifndef WORKER_CLIENT_H
#define WORKER_CLIENT_H

#include "proto/base/err.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

enum client_verdict {
    CLIENT_OK,      /* 2xx */
    CLIENT_LATER,   /* no answer, 408, 429 or 5xx: the same request may succeed later */
    CLIENT_DENIED,  /* 401 with a problem document: the token or key is not valid (any more) */
    CLIENT_VERSION, /* 426 likewise: the coordinator speaks another protocol */
    CLIENT_FINAL    /* any other refusal: asking again gives the same answer */
};

struct client_answer {
    enum client_verdict verdict;
    int status; /* HTTP status; 0 when there was no answer */
    const char *body;
    size_t len;
    int64_t retry_ms; /* delay the server asked for; 0 for none */
    struct err err;   /* set unless OK; where = problem type or "network" */
};

/* A piece of a blob. from: offset of data in the blob; total: its size, -1 if unknown. Negative (with err) aborts. */
typedef int client_sink(void *arg, int64_t from, int64_t total, const void *data, size_t n, struct err *err);
typedef void client_done(void *arg, const struct client_answer *answer);

struct client_request {
    const char *method, *path; /* path below the server's address, e.g. "/api/v1/beats" */
    const char *token;         /* bearer token or NULL */
    const char *body;          /* JSON, copied; NULL for none */
    int64_t from;              /* with a sink: start of the range */
    client_sink *sink;         /* for blobs; otherwise the body is collected, up to 64 MiB */
    client_done *done;         /* called once from client_poll, never after client_cancel */
    void *arg;
};

struct client;
struct client *client_new(const char *server, const char *tls_ca, struct err *err);
void client_free(struct client *c); /* drops what is under way */
int client_send(struct client *c, const struct client_request *r, struct err *err);
void client_cancel(struct client *c, void *arg); /* every request with this arg */
size_t client_pending(const struct client *c);

/* Waits up to timeout_ms for the network or one of fds (revents is filled), then runs callbacks. */
int client_poll(struct client *c, struct pollfd *fds, size_t n, int timeout_ms, struct err *err);

/* What an HTTP answer means; body may be a problem document. Pure; the fuzz target of the reply parser calls it. */
void client_judge(int status, const char *body, size_t len, struct client_answer *out);

#endif
