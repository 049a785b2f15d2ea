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
    uint64_t at;    /* the next architecture's number */
    uint16_t *genes;
};

static int exhaustive_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct exhaustive *e = s->state = calloc(1, sizeof *e);
    if (!e || !(e->genes = calloc((size_t)s->space.ngenes + 1, sizeof *e->genes)))
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct exhaustive, name)},
        {"limit", FIELD_INT, FIELD_OPTIONAL, .min = 1, .max = 1e8, FIELD_AT(struct exhaustive, limit)},
    };
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), e, err);
    if (rc == 0 && s->space.architectures > (e->limit ? 0x1p53 : 1e8))
        return err_set(err, ERR_INVALID, "/limit", "the space has %.3g architectures: too many to enumerate%s",
                       s->space.architectures, e->limit ? "" : " without a limit");
    return rc;
}

static void exhaustive_close(struct strategy *s)
{
    free(((struct exhaustive *)s->state)->genes);
}

static int exhaustive_done(const struct strategy *s)
{
    const struct exhaustive *e = s->state;
    return s->ended || (e->limit && s->count >= e->limit);
}

/* After replay: behind the last proposal, which cannot be earlier in the enumeration than in the proposals. */
static int catch_up(struct strategy *s, struct exhaustive *e, struct err *err)
{
    size_t bytes = (size_t)s->space.ngenes * sizeof *e->genes;
    if (e->at > 0 || s->count == 0)
        return 0;
    for (e->at = s->count - 1; (double)e->at < s->space.architectures;) {
        int rc = s->space.nth(s->space.ctx, e->at++, e->genes, err);
        if (rc || memcmp(e->genes, s->last, bytes) == 0)
            return rc;
    }
    return err_set(err, ERR_CORRUPT, "", "the last stored proposal is not in the space's enumeration");
}

static int exhaustive_ask(struct strategy *s, size_t max, struct err *err)
{
    struct exhaustive *e = s->state;
    struct search_cost cost;
    int rc = catch_up(s, e, err);
    if (rc)
        return rc;
    for (int looks = 0; looks < LOOKS && s->batch_n < max && !exhaustive_done(s); looks++) {
        if ((double)e->at >= s->space.architectures) {
            s->ended = 1;
            return s->count ? 0 : search_exhausted(s, (double)e->at, err);
        }
        rc = s->space.nth(s->space.ctx, e->at++, e->genes, err);
        if (rc)
            return rc;
        rc = search_consider(s, e->genes, 0, &cost, err);
        if (rc == 1)
            rc = search_propose(s, e->genes, 0, &cost, err);
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
