/* session: a browser's login. The cookie's value is a fresh secret that stands for a token; the database keeps its
 * hash. A session ends with its token's revocation, by itself after twelve hours, or at logout. It also decides whether
 * a request that relies on a cookie was really made by our own page. */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "proto/base/err.h"
#include "server/auth.h"

struct request;
struct server;

/* Who the request's cookie stands for; *who is left alone when there is none, or none that is valid. ERR_FORBIDDEN when
 * the cookie is good but the request may come from another site. */
int session_check(struct server *s, const struct request *rq, struct auth_who *who, struct err *err);

#endif
