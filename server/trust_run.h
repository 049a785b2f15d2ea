/* trust_run: asks for second opinions on stored scores, and acts on what they say. The rule is trust.h's. */
#ifndef SERVER_TRUST_RUN_H
#define SERVER_TRUST_RUN_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct errand;
struct search_run;
struct server;

/* A job's scores were stored: perhaps another worker repeats some of them. */
int trust_run_scored(struct server *s, const struct search_run *r, int64_t worker, const uint32_t *rows, size_t n,
                     struct err *err);

/* An opinion came in: scores[i] belongs to e->rows[i]. *result (new reference or NULL) is for the errand. Sets
 * s->reload when scores were taken back: memory is read again after the commit. */
int trust_run_checked(struct server *s, struct search_run *r, const struct errand *e, int64_t worker,
                      const json_t *const *scores, const json_t *body, json_t **result, struct err *err);

/* An administrator distrusts a worker for reasons of its own: as if its scores had been shown to be wrong. Sets
 * s->reload. ERR_CONFLICT when it is gone; a quarantined one stays as it is. */
int trust_run_quarantine(struct server *s, int64_t worker, struct err *err);

/* An administrator lets a quarantined worker work again, from the beginning. */
int trust_run_release(struct server *s, int64_t worker, struct err *err);

#endif
