/* conn: one keep-alive HTTP/1.1 connection on a non-blocking socket in an epoll set: one request, then its answer.
 * It knows nothing of what is asked. Answers need a Content-Length (or status 204). */
#ifndef FLEET_CONN_H
#define FLEET_CONN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum conn_state { CONN_CLOSED, CONN_CONNECTING, CONN_IDLE, CONN_SENDING, CONN_WAITING };
enum conn_news { CONN_NOTHING, CONN_READY, CONN_ANSWER, CONN_LOST };

struct conn {
    int fd, epoll;
    enum conn_state state;
    char *out;
    size_t out_len, out_at, cut; /* cut: close after this many bytes went out; 0 never */
    int leave;                   /* close once all went out, without waiting for the answer */
    char *in;
    size_t in_len, in_cap, head; /* head: where the body begins, 0 before it is known */
    size_t body_len;
    int status, ends; /* ends: the peer closes after this answer */
    double retry_s;   /* of Retry-After, 0 without */
    void *owner;      /* what epoll answers */
};

void conn_init(struct conn *c, int epoll, void *owner);
int conn_open(struct conn *c, const struct sockaddr *to, socklen_t len); /* 0, or -1 at once */
void conn_close(struct conn *c);
void conn_send(struct conn *c, char *request, size_t len); /* owns request; needs CONN_IDLE */
/* What an epoll event brought. CONN_ANSWER: status and body are valid until conn_next or conn_close. CONN_LOST: the
 * socket is closed. */
enum conn_news conn_event(struct conn *c, uint32_t events);
const char *conn_body(const struct conn *c);
void conn_next(struct conn *c); /* forgets the answer: idle again, or closed when the peer ends */

#endif
