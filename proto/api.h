/* api: the HTTP contract as tables, made from openapi.yaml by proto/gen.py (api.def).
 *
 * OPERATION(id, METHOD, path, roles, body, limit, schema, first_param, nparams): one route. schema is a TYPE row or -1.
 * PARAM(name, PATH|QUERY, type); TYPE(kind, nullable, min, max, ref, count, text): for strings min and max are bytes,
 * for arrays elements (ref: the element's row), for objects ref and count pick FIELD rows, text lists an enum's words;
 * FIELD(name, required, type). Requests are checked by these rows: what they do not mention is refused. */
#ifndef PROTO_API_H
#define PROTO_API_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stdint.h>

enum { API_PROTOCOL = 1, API_VERSION = 1 };

enum api_role {
    API_ROLE_OPEN = 1,
    API_ROLE_READ = 2,
    API_ROLE_SUBMIT = 4,
    API_ROLE_ADMIN = 8,
    API_ROLE_WORKER = 16,
    API_ROLE_JOIN = 32
};
enum api_method { API_GET, API_HEAD, API_POST, API_PUT, API_PATCH, API_DELETE, API_METHODS };
enum api_body { API_BODY_NONE, API_BODY_JSON, API_BODY_STREAM, API_BODY_TEXT };
enum api_place { API_PATH, API_QUERY };

enum api_op {
#define OPERATION(id, method, path, roles, body, limit, schema, first, count) API_OP_##id,
#include "proto/api.def"
    API_OPS
};

struct api_param {
    const char *name;
    enum api_place place;
    int type;
};

struct api_operation {
    const char *name; /* operationId */
    enum api_method method;
    const char *path; /* with {name} pieces */
    unsigned roles;
    enum api_body body;
    int64_t limit; /* bytes */
    int schema;
    const struct api_param *params;
    int nparams;
};

const struct api_operation *api_operation(enum api_op op);
const char *api_method_name(enum api_method m);
int api_method_parse(const char *name); /* -1 when unknown */
const char *api_role_name(enum api_role role);
int api_role_parse(const char *name); /* 0 when unknown */

/* Checks a document against a TYPE row; ERR_INVALID with the JSON pointer of the first fault. */
int api_check(int type, const json_t *doc, struct err *err);

/* The same for a parameter's text. */
int api_check_param(const struct api_param *p, const char *text, struct err *err);

#endif
