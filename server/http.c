/* http: the daemon and its turns. What a request means is request.c's business. */
#include "server/http.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/commit.h"
#include "server/listen.h"
#include "server/request_impl.h"
#include "server/turn.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_TIMEOUT_S = 75, POOL = 8 * 1024, PACE_MS = 10 };
enum { SLOWEST = 1024 }; /* bytes a second of an upload */

/* A connection, to end the one that sends its request drop by drop: MHD's own limit counts silence only. */
struct peer {
    struct peer *prev, *next;
    int fd;
    int64_t since_ms;   /* open, or free again for the next request */
    struct request *rq; /* NULL: between requests */
    int64_t seen_bytes; /* of rq's body, when looked at last */
};

struct http {
    struct server *server;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    struct request *requests; /* all */
    struct peer *peers;
    int64_t looked_ms;
    int quiet;
    char *cert, *key;
};

/* ---- turns */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t run_turn(void *arg)
{
    struct http *h = arg;
    struct server *s = h->server;
    MHD_UNSIGNED_LONG_LONG ms;
    int64_t began = clock_mono_ms();
    answer_tick(s);
    MHD_run(h->daemon);
    int again = commit_turn(s);
    s->turn_ms = clock_mono_ms() - began;
    int64_t wait = again ? 0 : MHD_get_timeout(h->daemon, &ms) == MHD_YES && ms < INT32_MAX ? (int64_t)ms : INT64_MAX;
    if (s->lazy_bytes)
        wait = sooner(wait, TURN_LAZY_MS);
    return s->paced ? sooner(wait, PACE_MS) : wait;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct http *h = poll->data;
    if (!turn_is_soon(h->server->turn))
        turn_now(h->server->turn);
}

/* ---- slow senders */

static void on_connection(void *cls, struct MHD_Connection *conn, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = cls;
    struct peer *p = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        p = *socket_context = calloc(1, sizeof *p);
        if (!p)
            return; /* it lives without a deadline */
        *p = (struct peer){.next = h->peers, .fd = info ? info->connect_fd : -1, .since_ms = clock_mono_ms()};
        if (h->peers)
            h->peers->prev = p;
        h->peers = p;
    } else if (p) {
        if (p->prev)
            p->prev->next = p->next;
        else
            h->peers = p->next;
        if (p->next)
            p->next->prev = p->prev;
        free(p);
        *socket_context = NULL;
    }
}

static struct peer *peer_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* A request must be there whole within the patience; an upload may take longer while it moves. */
static int is_slow(struct peer *p, int64_t now, int64_t patience, int64_t interval)
{
    if (!p->rq)
        return now - p->since_ms > patience;
    if (p->rq->dispatched || p->rq->suspended || p->rq->in_work || (p->rq->answer && !p->rq->drain))
        return 0;
    if (!p->rq->on_piece)
        return now - p->since_ms > patience;
    int64_t got = p->rq->got - p->seen_bytes, least = SLOWEST * interval / 1000;
    p->seen_bytes = p->rq->got;
    return now - p->since_ms > patience && got < least;
}

void http_sweep(struct http *h)
{
    int64_t now = clock_mono_ms(), patience = (int64_t)(h->server->config->patience_s * 1000);
    int64_t interval = now - h->looked_ms;
    if (interval < patience / 4)
        return;
    h->looked_ms = now;
    for (struct peer *p = h->peers; p; p = p->next)
        if (p->fd >= 0 && is_slow(p, now, patience, interval)) {
            log_debug("slow_sender", "since_ms=%lld", (long long)(now - p->since_ms));
            shutdown(p->fd, SHUT_RDWR);
        }
}

/* ---- MHD's callbacks */

static enum MHD_Result on_access(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                                 const char *version, const char *data, size_t *size, void **state)
{
    struct http *h = cls;
    struct request *rq = *state;
    (void)version;
    if (!rq) {
        rq = request_new(h->server, conn, url, method);
        if (!rq)
            return MHD_NO;
        *state = rq;
        struct peer *p = peer_of(conn);
        if (p) {
            p->rq = rq;
            p->since_ms = clock_mono_ms();
            p->seen_bytes = 0;
        }
        rq->next = h->requests;
        if (h->requests)
            h->requests->prev = rq;
        h->requests = rq;
        return rq->answer && !rq->drain ? answer_send(rq) : MHD_YES;
    }
    if (*size) {
        rq->got += (int64_t)*size;
        if (!rq->drain && !rq->answer)
            request_feed(rq, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (!rq->dispatched && !rq->answer)
        request_dispatch(rq);
    if (rq->suspended)
        return MHD_YES;
    return rq->answer ? answer_send(rq) : MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
    struct http *h = cls;
    struct request *rq = *state;
    (void)why;
    if (!rq)
        return;
    struct peer *p = peer_of(conn);
    if (p) {
        p->rq = NULL;
        p->since_ms = clock_mono_ms();
    }
    assert(!rq->in_work && !rq->waiting);
    *state = NULL;
    if (rq->prev)
        rq->prev->next = rq->next;
    else
        h->requests = rq->next;
    if (rq->next)
        rq->next->prev = rq->prev;
    if (rq->gone)
        rq->gone(rq->server, rq);
    request_free(rq);
}

/* Paths and queries stay as they came: the router splits at '/' before anything is decoded. */
static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *s)
{
    (void)cls;
    (void)conn;
    return strlen(s);
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
    char line[400], quoted[420];
    (void)cls;
    vsnprintf(line, sizeof line, fmt, ap);
    log_debug("mhd", "text=%s", log_quote(quoted, sizeof quoted, line));
}

/* ---- opening */

static int read_file(const char *path, char **out, struct err *err)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0 || st.st_size > 1 << 20) {
        int rc = err_errno(err, f ? EFBIG : errno, path, "cannot read the TLS file");
        if (f)
            fclose(f);
        return rc;
    }
    *out = calloc(1, (size_t)st.st_size + 1);
    size_t got = *out ? fread(*out, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    return got == (size_t)st.st_size ? 0 : err_set(err, ERR_IO, path, "cannot read the TLS file");
}

static int start(struct http *h, int fd, struct err *err)
{
    const struct config *c = h->server->config;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
    if (*c->tls_cert || *c->tls_key) {
        int rc = read_file(c->tls_cert, &h->cert, err);
        if (rc < 0 || (rc = read_file(c->tls_key, &h->key, err)) < 0)
            return rc;
        flags |= MHD_USE_TLS;
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, h->cert};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, h->key};
    }
    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    return h->daemon ? 0
                     : err_set(err, ERR_INTERNAL, "--listen",
                               "the HTTP daemon did not start; run with --log-level debug to see why");
}

int http_open(struct server *s, struct http **out, struct err *err)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the HTTP daemon");
    h->server = s;
    s->turn = turn_new(s->loop, run_turn, h);
    if (!s->turn) {
        free(h);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the HTTP daemon");
    }
    int fd, rc = listen_open(s->config, s->url, sizeof s->url, &fd, err);
    if (rc == 0 && (rc = start(h, fd, err)) < 0)
        close(fd);
    if (rc < 0) {
        turn_free(s->turn);
        free(h->cert);
        free(h->key);
        free(h);
        return rc;
    }
    uv_poll_init(s->loop, &h->poll, MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    h->poll.data = h;
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
    turn_soon(s->turn);
    *out = h;
    return 0;
}

size_t http_connections(const struct http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* ---- closing */

void http_quiesce(struct http *h)
{
    if (h->quiet)
        return;
    h->quiet = 1;
    MHD_socket fd = MHD_quiesce_daemon(h->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

void http_close(struct http *h)
{
    if (!h)
        return;
    http_quiesce(h);
    commit_turn(h->server);
    for (struct request *rq = h->requests; rq; rq = rq->next) {
        rq->ended = 1;
        turn_resume(rq);
    }
    MHD_run(h->daemon);
    uv_poll_stop(&h->poll);
    uv_close((uv_handle_t *)&h->poll, on_closed);
    turn_stop(h->server->turn);
    uv_run(h->server->loop, UV_RUN_NOWAIT);
    for (struct request *rq = h->requests; rq; rq = rq->next)
        turn_resume(rq);
    MHD_stop_daemon(h->daemon);
    turn_free(h->server->turn);
    free(h->cert);
    free(h->key);
    free(h);
}
