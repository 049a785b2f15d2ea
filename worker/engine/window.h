/* window: a job's codes as candidates, a limited number at a time, so that memory does not grow with their number.
 *
 * Decides the order of the codes and which of them are planned together, and refuses codes that give no network for
 * this data set. Knows nothing of scoring. */
#ifndef ENGINE_WINDOW_H
#define ENGINE_WINDOW_H

#include "proto/space.h"
#include "worker/engine/evaluate.h"

#include <jansson.h>

enum { WINDOW_MOST = 128 }; /* candidates whose plans exist at a time */

struct window {
    const struct space *space;
    struct shape input; /* of an image */
    int32_t label_max;  /* a network has more outputs */
    void *ctx;
    /* A code that cannot be planned, once for each; not 0 stops the job. */
    int (*refused)(void *ctx, const char *code, const struct err *why);

    const char **codes; /* [of] sorted, the document's strings: neighbours share prefixes */
    int64_t of;
    int64_t first, end;                    /* the codes looked at now */
    struct evaluate_candidate *candidates; /* [n] those of them that have a plan */
    int n;
    int64_t *place;     /* [n] in codes */
    int64_t told;       /* whether the first so many have a plan has been said */
    struct arena arena; /* plans and what is above of them */
};

/* With the fields above `codes` set; the list of codes outlives the window. Nothing is planned yet. */
int window_open(struct window *w, const json_t *codes, struct err *err);
void window_close(struct window *w);

/* Plans the codes from w->first on. ERR_CANCELLED when `refused` says so. */
int window_fill(struct window *w, struct err *err);
/* Goes on behind the codes looked at, or with the last `waiting` of the candidates. */
void window_move(struct window *w, int waiting);

const char *window_code(const struct window *w, int candidate);

#endif
