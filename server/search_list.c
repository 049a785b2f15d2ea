/* search_list: proposes the codes it was given, in their order. Codes that are the same architecture are proposed once;
 * codes outside the limits are passed over (the note counts both). Decides nothing else. */
#include "server/search_core.h"

#include "proto/base/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
    json_t *codes;
    size_t at, passed;
};

static int list_open(struct strategy *s, const json_t *doc, struct err *err)
{
    struct list *l = s->state = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the list of codes");
    struct settings {
        const char *name;
        const json_t *codes;
    } in = {0};
    static const struct field rows[] = {
        {"name", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct settings, name)},
        {"codes", FIELD_ARRAY, FIELD_REQUIRED | FIELD_NONEMPTY, FIELD_AT(struct settings, codes)},
    };
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), &in, err);
    size_t i;
    const json_t *code;
    if (rc == 0)
        json_array_foreach(in.codes, i, code)
        {
            if (!json_is_string(code))
                return err_set(err, ERR_INVALID, "", "a code must be a string"), err_prefix(err, "/codes/%zu", i),
                       -ERR_INVALID;
            rc = s->space.parse(s->space.ctx, json_string_value(code), s->scratch, err);
            if (rc) {
                err_prefix(err, "/codes/%zu", i);
                return rc;
            }
        }
    if (rc == 0 && !(l->codes = json_deep_copy(in.codes)))
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the list of codes");
    return rc;
}

static void list_close(struct strategy *s)
{
    json_decref(((struct list *)s->state)->codes);
}

static int list_ask(struct strategy *s, size_t max, struct err *err)
{
    struct list *l = s->state;
    struct search_cost cost;
    size_t all = json_array_size(l->codes);
    for (; s->batch_n < max && l->at < all; l->at++) {
        int rc = s->space.parse(s->space.ctx, json_string_value(json_array_get(l->codes, l->at)), s->scratch, err);
        if (rc == 0)
            rc = search_consider(s, s->scratch, 0, &cost, err);
        if (rc == 1)
            rc = search_propose(s, s->scratch, 0, &cost, err);
        else if (rc == 0)
            l->passed++;
        if (rc)
            return rc;
    }
    if (l->at < all)
        return 0;
    if (s->count == 0)
        return search_exhausted(s, (double)all, err);
    if (s->count < all)
        snprintf(s->note, sizeof s->note, "%zu of %zu codes are outside the limits or the same architecture as another",
                 all - s->count, all);
    s->ended = 1;
    return 0;
}

static int list_ready(const struct strategy *s)
{
    return !s->ended;
}

static int list_done(const struct strategy *s)
{
    return s->ended;
}

static double list_expected(const struct strategy *s)
{
    return (double)json_array_size(((struct list *)s->state)->codes);
}

static void list_document(const struct strategy *s, json_t *doc)
{
    json_object_set(doc, "codes", ((struct list *)s->state)->codes);
}

const struct search_method search_list = {.name = "list",
                                          .open = list_open,
                                          .close = list_close,
                                          .ask = list_ask,
                                          .ready = list_ready,
                                          .done = list_done,
                                          .expected = list_expected,
                                          .document = list_document};
