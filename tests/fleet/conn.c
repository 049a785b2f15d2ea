/* conn: sockets and the little of HTTP/1.1 that the coordinator answers with. */
#include "tests/fleet/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

void conn_init(struct conn *c, int epoll, void *owner)
{
    *c = (struct conn){.fd = -1, .epoll = epoll, .owner = owner};
}

static void want(struct conn *c, uint32_t events)
{
    struct epoll_event e = {.events = events | EPOLLRDHUP, .data.ptr = c->owner};
    epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

int conn_open(struct conn *c, const struct sockaddr *to, socklen_t len)
{
    int one = 1;
    c->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLOUT | EPOLLRDHUP, .data.ptr = c->owner};
    c->state = CONN_CONNECTING;
    if ((connect(c->fd, to, len) == 0 || errno == EINPROGRESS) && epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0)
        return 0;
    conn_close(c);
    return -1;
}

void conn_close(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    free(c->out);
    free(c->in);
    conn_init(c, c->epoll, c->owner);
}

static enum conn_news lost(struct conn *c)
{
    conn_close(c);
    return CONN_LOST;
}

static enum conn_news push(struct conn *c)
{
    size_t end = c->cut && c->cut < c->out_len ? c->cut : c->out_len;
    while (c->out_at < end) {
        ssize_t n = send(c->fd, c->out + c->out_at, end - c->out_at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            want(c, EPOLLOUT);
            return CONN_NOTHING;
        }
        if (n < 0)
            return lost(c);
        c->out_at += (size_t)n;
    }
    if (end < c->out_len || c->leave)
        return lost(c);
    free(c->out);
    c->out = NULL;
    c->state = CONN_WAITING;
    want(c, EPOLLIN);
    return CONN_NOTHING;
}

void conn_send(struct conn *c, char *request, size_t len)
{
    c->out = request;
    c->out_len = len;
    c->out_at = 0;
    c->state = CONN_SENDING;
    want(c, EPOLLOUT);
}

static const char *header(const struct conn *c, const char *name)
{
    size_t n = strlen(name);
    for (char *p = strstr(c->in, "\r\n"); p && p + 2 < c->in + c->head; p = strstr(p + 2, "\r\n"))
        if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':')
            return p + 3 + n + strspn(p + 3 + n, " ");
    return NULL;
}

/* 1 when the whole answer is there. */
static int complete(struct conn *c)
{
    if (!c->head) {
        char *end = c->in_len ? strstr(c->in, "\r\n\r\n") : NULL;
        if (!end || c->in_len < 13)
            return 0;
        c->head = (size_t)(end - c->in) + 4;
        c->status = (int)strtol(c->in + 9, NULL, 10);
        const char *length = header(c, "Content-Length"), *link = header(c, "Connection"),
                   *retry = header(c, "Retry-After");
        c->body_len = length ? strtoul(length, NULL, 10) : 0;
        c->ends = link && strncasecmp(link, "close", 5) == 0;
        c->retry_s = retry ? strtod(retry, NULL) : 0;
    }
    return c->in_len >= c->head + c->body_len;
}

static enum conn_news pull(struct conn *c)
{
    for (;;) {
        if (c->in_cap - c->in_len < 2048) {
            size_t cap = c->in_cap ? c->in_cap * 2 : 8192;
            char *p = realloc(c->in, cap);
            if (!p)
                return lost(c);
            c->in = p;
            c->in_cap = cap;
        }
        ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len - 1, 0);
        if (n < 0 && errno == EAGAIN)
            return CONN_NOTHING;
        if (n <= 0)
            return lost(c);
        c->in_len += (size_t)n;
        c->in[c->in_len] = 0;
        if (c->state != CONN_WAITING)
            return lost(c); /* an answer that nobody asked for */
        if (complete(c))
            return CONN_ANSWER;
    }
}

enum conn_news conn_event(struct conn *c, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (c->state == CONN_CONNECTING) {
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)
            return lost(c);
        if (!(events & EPOLLOUT))
            return CONN_NOTHING;
        c->state = CONN_IDLE;
        want(c, EPOLLIN);
        return CONN_READY;
    }
    if (c->state == CONN_SENDING)
        return push(c);
    return pull(c);
}

const char *conn_body(const struct conn *c)
{
    return c->in + c->head;
}

void conn_next(struct conn *c)
{
    if (c->ends || c->in_len > c->head + c->body_len) {
        conn_close(c);
        return;
    }
    free(c->in); /* ten thousand idle connections keep no buffer */
    c->in = NULL;
    c->in_len = c->in_cap = c->head = c->body_len = 0;
    c->state = CONN_IDLE;
}
