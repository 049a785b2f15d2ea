/* Everything of a request that strangers write, without sockets: method and path through the router, the query and the
 * path's pieces through their types, the body through strict JSON and the field table of its operation, the id that a
 * stream goes on from. Input: lines "METHOD", "/path?query" and then the body. */
#include "proto/api.h"
#include "proto/base/json.h"
#include "server/router.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Next line of *at as a string of its own, so that a byte read beyond it is seen. */
static char *line(const char **at, const char *end)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = stop ? (size_t)(stop - *at) : (size_t)(end - *at);
    char *copy = malloc(len + 1);
    assert(copy);
    memcpy(copy, *at, len);
    copy[len] = 0;
    *at += len + (stop != NULL);
    return copy;
}

static void says_where(int rc, const struct err *err)
{
    assert((rc < 0) == (err->code != ERR_NONE));
    assert(rc >= 0 || (*err->where && *err->text && err_status(err->code) < 500));
}

static void check_value(const struct api_operation *op, const char *name, size_t len, const char *value)
{
    for (int i = 0; i < op->nparams; i++) {
        struct err err = {0};
        if (strlen(op->params[i].name) == len && memcmp(op->params[i].name, name, len) == 0)
            says_where(api_check_param(&op->params[i], value, &err), &err);
    }
}

static void check_path(const struct route_match *m)
{
    for (int i = 0; i < m->nargs; i++) {
        char *value = strndup(m->args[i].value, m->args[i].value_len);
        assert(value && *value && !strchr(value, '/'));
        check_value(m->op, m->args[i].name, m->args[i].name_len, value);
        free(value);
    }
}

static void check_query(const struct api_operation *op, char *query)
{
    for (char *pair; (pair = strsep(&query, "&")) != NULL;) {
        size_t len = strcspn(pair, "=");
        check_value(op, pair, len, pair[len] ? pair + len + 1 : "");
    }
}

static void check_body(const struct api_operation *op, const char *body, size_t n)
{
    struct err err = {0};
    json_t *doc = json_parse_strict(body, n, JSON_DEPTH, &err);
    assert(doc || err.code == ERR_BAD_REQUEST);
    if (doc && op->schema >= 0) {
        int rc = api_check(op->schema, doc, &err);
        assert((rc < 0) == (err.code != ERR_NONE) && (rc == 0 || err.code == ERR_INVALID));
    }
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *at = (const char *)data, *end = at + n;
    char *method = line(&at, end), *path = line(&at, end), *query = strchr(path, '?'), allow[80];
    struct route_match m = {0};
    struct err err = {0};
    if (query)
        *query++ = 0;
    int rc = router_find(method, path, &m, allow, sizeof allow, &err);
    assert(rc == 0 || rc == -ERR_NOT_FOUND || (rc == -ERR_METHOD && *allow));
    assert((rc == 0) == (m.op != NULL));
    if (m.op) {
        check_path(&m);
        check_query(m.op, query);
        check_body(m.op, at, (size_t)(end - at));
    }
    free(method);
    free(path);
    return 0;
}
