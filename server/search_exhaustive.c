/* search_exhaustive: every architecture of the space once, in the space's order, up to an optional limit. Replay needs
 * only the last proposal: the enumeration goes on behind it. */
#include "server/search_core.h"

#include "proto/base/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS = 20000 }; /* architectures looked at in one ask, fit or not */

struct exhaustive {
    const char *name;
    uint32_t limit; /* 0: none */
    int begun;      /* at holds the latest architecture looked at */
    double looked;
    uint16_t *at;
};

static int exhaustive_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct exhaustive *e = s->state = calloc(1, sizeof *e);
    if (!e || !(e->at = calloc((size_t)s->space.ngenes + 1, sizeof *e->at)))
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct exhaustive, name)},
        {"limit", FIELD_INT, FIELD_OPTIONAL, .min = 1, .max = 1e8, FIELD_AT(struct exhaustive, limit)},
    };
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), e, err);
    if (rc == 0 && !e->limit && s->space.architectures > 1e8)
        return err_set(err, ERR_INVALID, "/limit",
                       "the space has %.3g architectures: an exhaustive search needs a limit", s->space.architectures);
    return rc;
}

static void exhaustive_close(struct strategy *s)
{
    free(((struct exhaustive *)s->state)->at);
}

static int exhaustive_done(const struct strategy *s)
{
    const struct exhaustive *e = s->state;
    return s->ended || (e->limit && s->count >= e->limit);
}

/* 1: e->at is the next one; 0: there is none. */
static int step(struct strategy *s, struct exhaustive *e, struct err *err)
{
    if (!e->begun && s->count == 0) {
        e->begun = 1;
        int rc = s->space.first(s->space.ctx, e->at, err);
        return rc ? rc : 1;
    }
    if (!e->begun)
        memcpy(e->at, s->last, (size_t)s->space.ngenes * sizeof *e->at);
    e->begun = 1;
    return s->space.next(s->space.ctx, e->at, err);
}

static int exhaustive_ask(struct strategy *s, size_t max, struct err *err)
{
    struct exhaustive *e = s->state;
    struct search_cost cost;
    for (int looks = 0; looks < LOOKS && s->batch_n < max && !exhaustive_done(s); looks++) {
        int rc = step(s, e, err);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            s->ended = 1;
            return s->count ? 0 : search_exhausted(s, e->looked, err);
        }
        e->looked++;
        rc = search_consider(s, e->at, 0, &cost, err);
        if (rc == 1)
            rc = search_propose(s, e->at, 0, &cost, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int exhaustive_ready(const struct strategy *s)
{
    return !exhaustive_done(s);
}

static double exhaustive_expected(const struct strategy *s)
{
    const struct exhaustive *e = s->state;
    return e->limit ? fmin(e->limit, s->space.architectures) : s->space.architectures;
}

static void exhaustive_document(const struct strategy *s, json_t *doc)
{
    const struct exhaustive *e = s->state;
    if (e->limit)
        json_object_set_new(doc, "limit", json_integer(e->limit));
}

const struct search_method search_exhaustive = {.name = "exhaustive",
                                                .open = exhaustive_open,
                                                .close = exhaustive_close,
                                                .ask = exhaustive_ask,
                                                .ready = exhaustive_ready,
                                                .done = exhaustive_done,
                                                .expected = exhaustive_expected,
                                                .document = exhaustive_document};
