/* fields: see fields.h. The table is ours and trusted (asserted); the document is not. */
#include "proto/base/fields.h"

#include "proto/base/json.h"
#include "proto/base/suggest.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static const struct field *find(const struct field *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static int bad(struct err *err, const struct field *f, const json_t *v, const char *want)
{
    return err_set(err, ERR_INVALID, "", "\"%s\" must be %s, not %s", f->name, want, json_kind(v));
}

static int refuse_unknown(const json_t *doc, const struct field *rows, size_t count, struct err *err)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)doc, name, v)
    {
        if (find(rows, count, name))
            continue;
        struct suggest s;
        suggest_init(&s, name);
        for (size_t i = 0; i < count; i++)
            suggest_offer(&s, rows[i].name);
        int rc = err_set(err, ERR_INVALID, "", "unknown member%s", suggest_hint(&s));
        json_err_member(err, name);
        return rc;
    }
    return 0;
}

static int in_range(const struct field *f, double x)
{
    return (f->min == 0 && f->max == 0) || (x >= f->min && x <= f->max);
}

static int store_int(const struct field *f, json_int_t x, char *at)
{
    if (f->size == sizeof(int64_t)) { /* uint64_t shares the path: rows for it have min = 0 */
        int64_t v = x;
        memcpy(at, &v, sizeof v);
        return 0;
    }
    assert(f->size == sizeof(int));
    if (x < INT32_MIN || x > INT32_MAX)
        return -1;
    int v = (int)x;
    memcpy(at, &v, sizeof v);
    return 0;
}

static int read_int(const struct field *f, const json_t *v, char *at, struct err *err)
{
    if (!json_is_integer(v))
        return bad(err, f, v, "an integer");
    json_int_t x = json_integer_value(v);
    if (!in_range(f, (double)x))
        return err_set(err, ERR_INVALID, "", "%" JSON_INTEGER_FORMAT " is outside %.15g to %.15g", x, f->min, f->max);
    if (store_int(f, x, at) != 0)
        return err_set(err, ERR_INVALID, "", "%" JSON_INTEGER_FORMAT " does not fit 32 bits", x);
    return 0;
}

static int read_number(const struct field *f, const json_t *v, char *at, struct err *err)
{
    assert(f->size == sizeof(double));
    if (!json_is_number(v))
        return bad(err, f, v, "a number");
    double x = json_number_value(v);
    if (!isfinite(x) || !in_range(f, x))
        return err_set(err, ERR_INVALID, "", "%.15g is outside %.15g to %.15g", x, f->min, f->max);
    memcpy(at, &x, sizeof x);
    return 0;
}

static int read_string(const struct field *f, const json_t *v, char *at, struct err *err)
{
    if (!json_is_string(v))
        return bad(err, f, v, "a string");
    const char *s = json_string_value(v);
    size_t n = json_string_length(v), max = f->type == FIELD_TEXT ? f->size - 1 : f->max_len;
    if (n == 0 && (f->flags & FIELD_NONEMPTY))
        return err_set(err, ERR_INVALID, "", "must not be empty");
    if (max && n > max)
        return err_set(err, ERR_INVALID, "", "%zu bytes are more than the %zu allowed", n, max);
    if (f->type == FIELD_TEXT) {
        memcpy(at, s, n + 1);
    } else {
        assert(f->size == sizeof s);
        memcpy(at, &s, sizeof s);
    }
    return 0;
}

static int read_enum(const struct field *f, const json_t *v, char *at, struct err *err)
{
    assert(f->size == sizeof(int));
    if (!json_is_string(v))
        return bad(err, f, v, "a string");
    struct suggest s;
    suggest_init(&s, json_string_value(v));
    for (int i = 0; f->choices[i]; i++) {
        if (strcmp(f->choices[i], s.word) == 0) {
            memcpy(at, &i, sizeof i);
            return 0;
        }
        suggest_offer(&s, f->choices[i]);
    }
    char list[256] = "";
    for (int i = 0; f->choices[i]; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, f->choices[i], sizeof list - strlen(list) - 1);
    }
    return err_set(err, ERR_INVALID, "", "\"%.64s\" is none of %s%s", s.word, list, suggest_hint(&s));
}

static int read_json(const struct field *f, const json_t *v, char *at, struct err *err)
{
    assert(f->size == sizeof v);
    if (f->type == FIELD_OBJECT && !json_is_object(v))
        return bad(err, f, v, "an object");
    if (f->type == FIELD_ARRAY) {
        if (!json_is_array(v))
            return bad(err, f, v, "an array");
        size_t n = json_array_size(v);
        if (n == 0 && (f->flags & FIELD_NONEMPTY))
            return err_set(err, ERR_INVALID, "", "must not be empty");
        if (f->max_len && n > f->max_len)
            return err_set(err, ERR_INVALID, "", "%zu elements are more than the %zu allowed", n, f->max_len);
    }
    memcpy(at, &v, sizeof v);
    return 0;
}

static int read_one(const struct field *f, const json_t *v, char *at, struct err *err)
{
    switch (f->type) {
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            return bad(err, f, v, "true or false");
        assert(f->size == sizeof(int));
        memcpy(at, &(int){json_is_true(v)}, sizeof(int));
        return 0;
    case FIELD_INT:
        return read_int(f, v, at, err);
    case FIELD_NUMBER:
        return read_number(f, v, at, err);
    case FIELD_STRING:
    case FIELD_TEXT:
        return read_string(f, v, at, err);
    case FIELD_ENUM:
        return read_enum(f, v, at, err);
    default:
        return read_json(f, v, at, err);
    }
}

int fields_read(const json_t *doc, const struct field *rows, size_t count, void *out, struct err *err)
{
    if (!json_is_object(doc))
        return err_set(err, ERR_INVALID, "", "must be an object, not %s", json_kind(doc));
    int rc = refuse_unknown(doc, rows, count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct field *f = &rows[i];
        const json_t *v = json_object_get(doc, f->name);
        if (json_is_null(v) && (f->flags & FIELD_NULL))
            v = NULL;
        if (v)
            rc = read_one(f, v, (char *)out + f->offset, err);
        else if (f->flags & FIELD_REQUIRED)
            rc = err_set(err, ERR_INVALID, "", "is required");
        if (rc != 0)
            json_err_member(err, f->name);
    }
    return rc;
}
