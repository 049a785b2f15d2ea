/* router: rows of api.def to the functions route_<operationId>; a missing one is a link error. */
#include "server/router.h"

#include "server/routes.h"

#include <stdio.h>
#include <string.h>

static request_handler *const handlers[API_OPS] = {
#define OPERATION(id, method, path, roles, body, limit, schema, first, count) route_##id,
#include "proto/api.def"
};

static int match(const char *pattern, const char *path, struct route_match *m)
{
    m->nargs = 0;
    while (*pattern && *path) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return 0;
            continue;
        }
        size_t name = strcspn(pattern, "}"), value = strcspn(path, "/");
        if (value == 0 || m->nargs == ROUTER_ARGS)
            return 0;
        m->args[m->nargs].name = pattern + 1;
        m->args[m->nargs].name_len = name - 1;
        m->args[m->nargs].value = path;
        m->args[m->nargs++].value_len = value;
        pattern += name + 1;
        path += value;
    }
    return !*pattern && !*path;
}

/* Adds a method to the list of those allowed; where GET is, HEAD is too. */
static void add_allowed(char *allow, size_t size, enum api_method m)
{
    size_t n = strlen(allow);
    if (m != API_HEAD || !strstr(allow, "HEAD"))
        snprintf(allow + n, size - n, "%s%s%s", n ? ", " : "", api_method_name(m),
                 m == API_GET && !strstr(allow, "HEAD") ? ", HEAD" : "");
}

static int find(const char *method, const char *path, struct route_match *out, char *allow, size_t allow_size,
                struct err *err)
{
    allow[0] = 0;
    int literal = 0; /* /workers/me before /workers/{id} */
    out->op = NULL;
    for (int i = 0; i < API_OPS; i++) {
        const struct api_operation *op = api_operation((enum api_op)i);
        struct route_match m = {0};
        if (!match(op->path, path, &m))
            continue;
        add_allowed(allow, allow_size, op->method);
        if (strcmp(api_method_name(op->method), method) != 0 || literal)
            continue;
        literal = m.nargs == 0;
        m.op = op;
        m.handler = handlers[i];
        *out = m;
    }
    if (out->op)
        return 0;
    if (!*allow)
        return err_set(err, ERR_NOT_FOUND, "path", "no such path");
    return err_set(err, ERR_METHOD, "method", "%.20s is not allowed here, only %s", method, allow);
}

int router_find(const char *method, const char *path, struct route_match *out, char *allow, size_t allow_size,
                struct err *err)
{
    int rc = find(method, path, out, allow, allow_size, err);
    if (rc == -ERR_METHOD && strcmp(method, "HEAD") == 0 && strstr(allow, "GET")) {
        *err = (struct err){0};
        rc = find("GET", path, out, allow, allow_size, err); /* MHD leaves the body out */
    }
    return rc;
}
