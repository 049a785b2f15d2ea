/* search_random: uniform architectures without replacement. Proposal i comes from the random stream (seed, i), so it
 * does not depend on how many were asked for at a time. */
#include "server/search_core.h"

#include "proto/base/fields.h"

#include <math.h>
#include <stdlib.h>

struct random_state {
    const char *name;
    uint32_t count;
};

static int random_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct random_state *r = s->state = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a strategy");
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct random_state, name)},
        {"count", FIELD_INT, FIELD_REQUIRED, .min = 1, .max = 1e8, FIELD_AT(struct random_state, count)},
    };
    return fields_read(doc, rows, FIELDS_COUNT(rows), r, err);
}

static int random_ask(struct strategy *s, size_t max, struct err *err)
{
    const struct random_state *r = s->state;
    while (s->count < r->count && s->batch_n < max) {
        struct rng rng;
        rng_seed(&rng, s->seed, s->count);
        int rc = search_draw(s, &rng, 0, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return search_exhausted(s, search_tries(s), err);
    }
    return 0;
}

static int random_ready(const struct strategy *s)
{
    return s->count < ((const struct random_state *)s->state)->count;
}

static int random_done(const struct strategy *s)
{
    return !random_ready(s);
}

static double random_expected(const struct strategy *s)
{
    return fmin(((const struct random_state *)s->state)->count, s->space.architectures);
}

static void random_document(const struct strategy *s, json_t *doc)
{
    json_object_set_new(doc, "count", json_integer(((const struct random_state *)s->state)->count));
}

const struct search_method search_random = {.name = "random",
                                            .open = random_open,
                                            .ask = random_ask,
                                            .ready = random_ready,
                                            .done = random_done,
                                            .expected = random_expected,
                                            .document = random_document};
