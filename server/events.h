/* events: what happened, for those who watch. An event is stored with the change it tells of and sent after the COMMIT;
 * a client that comes back with Last-Event-ID gets what it missed, or "reset" when that is no longer kept. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdint.h>

struct events;
struct server;

int events_new(struct server *s, struct events **out, struct err *err);
void events_free(struct events *e); /* after http_close */
int events_emit(struct events *e, const char *kind, int64_t search, json_t *data, struct err *err); /* data is stolen */
void events_settle(struct events *e, int committed);
/* Ends the streams that a token opened: it was revoked. */
void events_revoke(struct events *e, int64_t token);
void events_end(struct events *e); /* closes all streams: the program stops */

#endif
