/* api: walks the generated tables. It knows shapes and ranges; what a value means is the handlers' business. */
#include "proto/api.h"

#include "proto/base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum type_kind {
    TYPE_ANY,
    TYPE_FREE,
    TYPE_OBJECT,
    TYPE_ARRAY,
    TYPE_STRING,
    TYPE_ENUM,
    TYPE_HEX64,
    TYPE_HEX32,
    TYPE_DIGITS,
    TYPE_INTEGER,
    TYPE_NUMBER,
    TYPE_BOOLEAN
};

struct type {
    enum type_kind kind;
    int nullable;
    double min, max;
    int ref, count;
    const char *text;
};

struct member {
    const char *name;
    int required, type;
};

static const struct api_param params[] = {
#define PARAM(name, place, type) {name, API_##place, type},
#include "proto/api.def"
};

static const struct type types[] = {
#define TYPE(kind, nullable, min, max, ref, count, text)                                                               \
    {TYPE_##kind, nullable, (double)(min), (double)(max), ref, count, text},
#include "proto/api.def"
};

static const struct member members[] = {
#define FIELD(name, required, type) {name, required, type},
#include "proto/api.def"
};

static const struct api_operation operations[API_OPS] = {
#define OPERATION(id, method, path, roles, body, limit, schema, first, count)                                          \
    {#id, API_##method, path, roles, API_BODY_##body, limit, schema, params + (first), count},
#include "proto/api.def"
};

static const char *const methods[API_METHODS] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
static const struct {
    enum api_role role;
    const char *name;
} roles[] = {{API_ROLE_OPEN, "open"},   {API_ROLE_READ, "read"},     {API_ROLE_SUBMIT, "submit"},
             {API_ROLE_ADMIN, "admin"}, {API_ROLE_WORKER, "worker"}, {API_ROLE_JOIN, "join"}};

const struct api_operation *api_operation(enum api_op op)
{
    return &operations[op];
}

const char *api_method_name(enum api_method m)
{
    return methods[m];
}

int api_method_parse(const char *name)
{
    for (int i = 0; i < API_METHODS; i++)
        if (strcmp(name, methods[i]) == 0)
            return i;
    return -1;
}

const char *api_role_name(enum api_role role)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (roles[i].role == role)
            return roles[i].name;
    return "none";
}

int api_role_parse(const char *name)
{
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(name, roles[i].name) == 0)
            return (int)roles[i].role;
    return 0;
}

static int wrong(const json_t *v, const char *want, struct err *err)
{
    return err_set(err, ERR_INVALID, "", "must be %s, not %s", want, json_kind(v));
}

static int in_words(const char *words, const char *s, size_t n)
{
    for (const char *p = words; *p;) {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, s, n) == 0)
            return 1;
        p += len + (p[len] == '|');
    }
    return 0;
}

static int only(const char *s, size_t n, const char *set)
{
    return strspn(s, set) == n;
}

static int check_text(const struct type *t, const char *s, size_t n, struct err *err)
{
    if (t->kind == TYPE_ENUM)
        return in_words(t->text, s, n) ? 0 : err_set(err, ERR_INVALID, "", "must be one of %s", t->text);
    if (t->kind == TYPE_HEX64)
        return n == 64 && only(s, n, "0123456789abcdef")
                   ? 0
                   : err_set(err, ERR_INVALID, "", "must be a SHA-256 in lower-case hex");
    if (t->kind == TYPE_HEX32)
        return n == 32 && only(s, n, "0123456789abcdef")
                   ? 0
                   : err_set(err, ERR_INVALID, "", "must be 32 lower-case hex digits");
    if (t->kind == TYPE_DIGITS)
        return n >= 1 && n <= 18 && only(s, n, "0123456789") ? 0 : err_set(err, ERR_INVALID, "", "must be digits");
    if ((double)n < t->min)
        return err_set(err, ERR_INVALID, "", n ? "must have at least %.0f bytes" : "must not be empty", t->min);
    if ((double)n > t->max)
        return err_set(err, ERR_INVALID, "", "must have at most %.0f bytes, not %zu", t->max, n);
    return 0;
}

static int check_number(const struct type *t, double v, struct err *err)
{
    if (!isfinite(v))
        return err_set(err, ERR_INVALID, "", "must be finite");
    if (v < t->min)
        return err_set(err, ERR_INVALID, "", "must be at least %.17g", t->min);
    if (v > t->max)
        return err_set(err, ERR_INVALID, "", "must be at most %.17g", t->max);
    return 0;
}

static int check_object(const struct type *t, const json_t *doc, struct err *err)
{
    if (!json_is_object(doc))
        return wrong(doc, "an object", err);
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, key, v)
    {
        int found = -1;
        for (int i = 0; i < t->count && found < 0; i++)
            if (strcmp(members[t->ref + i].name, key) == 0)
                found = t->ref + i;
        int rc = found < 0 ? err_set(err, ERR_INVALID, "", "unknown member") : api_check(members[found].type, v, err);
        if (rc < 0) {
            json_err_member(err, key);
            return rc;
        }
    }
    for (int i = 0; i < t->count; i++) {
        const struct member *m = &members[t->ref + i];
        if (m->required && !json_object_get(doc, m->name)) {
            err_set(err, ERR_INVALID, "", "is missing");
            json_err_member(err, m->name);
            return -ERR_INVALID;
        }
    }
    return 0;
}

static int check_array(const struct type *t, const json_t *doc, struct err *err)
{
    if (!json_is_array(doc))
        return wrong(doc, "an array", err);
    double n = (double)json_array_size(doc);
    if (n < t->min || n > t->max)
        return err_set(err, ERR_INVALID, "", "must have %.0f to %.0f elements, not %.0f", t->min, t->max, n);
    size_t i;
    json_t *v;
    json_array_foreach(doc, i, v)
    {
        int rc = api_check(t->ref, v, err);
        if (rc < 0) {
            json_err_index(err, i);
            return rc;
        }
    }
    return 0;
}

int api_check(int type, const json_t *doc, struct err *err)
{
    const struct type *t = &types[type];
    if (t->kind == TYPE_ANY || (t->nullable && json_is_null(doc)))
        return 0;
    switch (t->kind) {
    case TYPE_FREE:
        return json_is_object(doc) ? 0 : wrong(doc, "an object", err);
    case TYPE_OBJECT:
        return check_object(t, doc, err);
    case TYPE_ARRAY:
        return check_array(t, doc, err);
    case TYPE_INTEGER:
        return json_is_integer(doc) ? check_number(t, (double)json_integer_value(doc), err)
                                    : wrong(doc, "an integer", err);
    case TYPE_NUMBER:
        return json_is_number(doc) ? check_number(t, json_number_value(doc), err) : wrong(doc, "a number", err);
    case TYPE_BOOLEAN:
        return json_is_boolean(doc) ? 0 : wrong(doc, "true or false", err);
    default:
        if (!json_is_string(doc))
            return wrong(doc, "a string", err);
        return check_text(t, json_string_value(doc), json_string_length(doc), err);
    }
}

static int check_param_number(const struct type *t, const char *text, struct err *err)
{
    /* As in JSON: no sign but a minus, no blanks, no hexadecimal, no words. */
    const char *digits = t->kind == TYPE_INTEGER ? "-0123456789" : "-+.eE0123456789";
    char *end = NULL;
    errno = 0;
    double v = t->kind == TYPE_INTEGER ? (double)strtoll(text, &end, 10) : strtod(text, &end);
    if (end == text || *end || errno == ERANGE || *text == '+' || text[strspn(text, digits)])
        return err_set(err, ERR_INVALID, "", t->kind == TYPE_INTEGER ? "must be an integer" : "must be a number");
    return check_number(t, v, err);
}

int api_check_param(const struct api_param *p, const char *text, struct err *err)
{
    const struct type *t = &types[p->type];
    int rc = t->kind == TYPE_INTEGER || t->kind == TYPE_NUMBER ? check_param_number(t, text, err)
                                                               : check_text(t, text, strlen(text), err);
    if (rc < 0)
        err_prefix(err, "%s %s", p->place == API_PATH ? "path" : "query", p->name);
    return rc;
}
