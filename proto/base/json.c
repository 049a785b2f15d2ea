/* json: see json.h. jansson recurses, so the depth is checked before it sees the text. */
#include "proto/base/json.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t failures; /* jansson's allocator belongs to the process, and so does this */

static void *counted(size_t n)
{
    void *p = malloc(n);
    if (!p && n)
        atomic_fetch_add(&failures, 1);
    return p;
}

void json_watch(void)
{
    json_set_alloc_funcs(counted, free);
}

uint64_t json_failures(void)
{
    return failures;
}

/* Index of the bracket that nests too deep, or -1. Strings are skipped; malformed text is left to the parser. */
static ptrdiff_t too_deep(const char *text, size_t len, int max_depth)
{
    int depth = 0, in_string = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '[' || c == '{') {
            if (++depth > max_depth)
                return (ptrdiff_t)i;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return -1;
}

json_t *json_parse_strict(const char *text, size_t len, int max_depth, struct err *err)
{
    char where[64];
    ptrdiff_t deep = too_deep(text, len, max_depth);
    if (deep >= 0) {
        snprintf(where, sizeof where, "byte %td", deep);
        err_set(err, ERR_BAD_REQUEST, where, "JSON is nested deeper than %d levels", max_depth);
        return NULL;
    }
    json_error_t e;
    uint64_t before = json_failures();
    json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!doc && json_failures() != before) { /* not the sender's fault: a worker must keep its result */
        err_set(err, ERR_NO_MEMORY, "", "no memory for a JSON document");
    } else if (!doc) {
        snprintf(where, sizeof where, "line %d, column %d (byte %d)", e.line, e.column, e.position);
        err_set(err, ERR_BAD_REQUEST, where, "not valid JSON: %s", e.text);
    }
    return doc;
}

static void escape(char *out, size_t size, const char *name)
{
    size_t n = 0;
    for (; *name && n + 3 < size; name++) {
        if (*name == '~' || *name == '/') {
            out[n++] = '~';
            out[n++] = *name == '~' ? '0' : '1';
        } else {
            out[n++] = *name;
        }
    }
    out[n] = 0;
}

void json_err_member(struct err *err, const char *name)
{
    char step[256];
    escape(step, sizeof step - 1, name);
    err_prefix(err, "/%s", step);
}

void json_err_index(struct err *err, size_t index)
{
    err_prefix(err, "/%zu", index);
}

const char *json_pointer(char *out, size_t size, const char *base, const char *name)
{
    char step[256];
    escape(step, sizeof step, name);
    snprintf(out, size, "%s/%s", base, step);
    return out;
}

const char *json_kind(const json_t *v)
{
    if (!v)
        return "nothing";
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    default:
        return "null";
    }
}

char *json_canonical(const json_t *v)
{
    return json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}
