/* weights: the BatchNorm statistics that a worker measured for one candidate, accepted only when they are those that
 * its score was made with. */
#ifndef SERVER_WEIGHTS_H
#define SERVER_WEIGHTS_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdint.h>

struct search_run;
struct server;

/* *result (a new reference): what the errand keeps. -ERR_INVALID: not to be believed, somebody else should try. */
int weights_accept(struct server *s, const struct search_run *r, uint32_t row, const json_t *score, const json_t *body,
                   json_t **result, struct err *err);

#endif
