/* request_open: from the first line to what is known before the body: route, identity, permission, parameters. */
#include "server/request_impl.h"

#include "proto/base/clock.h"
#include "proto/base/json.h"
#include "server/session.h"
#include "server/static.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_LIMIT = 8 << 20, DRAIN_LIMIT = 1 << 20 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* NULL when an escape is broken, decodes to NUL, or memory is out. */
static const char *decode(struct arena *a, const char *s, size_t n, int plus)
{
    char *out = arena_alloc(a, n + 1), *p = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '%') {
            int hi = i + 2 < n ? hex(s[i + 1]) : -1, lo = i + 2 < n ? hex(s[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi | lo) == 0)
                return NULL;
            *p++ = (char)(hi << 4 | lo);
            i += 2;
        } else {
            *p++ = plus && s[i] == '+' ? ' ' : s[i];
        }
    }
    *p = 0;
    return out;
}

static int add_param(struct request *rq, const char *name, size_t len, const char *value, size_t value_len,
                     enum api_place place, struct err *err)
{
    const struct api_operation *op = rq->route.op;
    for (int i = 0; i < op->nparams; i++) {
        const struct api_param *p = &op->params[i];
        if (p->place != place || strlen(p->name) != len || memcmp(p->name, name, len) != 0)
            continue;
        const char *text = decode(&rq->arena, value, value_len, place == API_QUERY);
        if (!text)
            return err_set(err, ERR_BAD_REQUEST, p->name, "has a broken escape");
        if (request_text(rq, p->name) || rq->nparams == REQUEST_PARAMS)
            return err_set(err, ERR_INVALID, p->name, "is given twice");
        rq->params[rq->nparams].name = p->name;
        rq->params[rq->nparams++].value = text;
        return api_check_param(p, text, err);
    }
    return err_set(err, ERR_INVALID, "query", "unknown parameter \"%.*s\"", (int)(len < 60 ? len : 60), name);
}

struct query_walk {
    struct request *rq;
    struct err *err;
    int rc;
};

static enum MHD_Result each_query(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct query_walk *w = cls;
    (void)kind;
    w->rc = add_param(w->rq, key, strlen(key), value ? value : "", value ? strlen(value) : 0, API_QUERY, w->err);
    return w->rc < 0 ? MHD_NO : MHD_YES;
}

static int read_params(struct request *rq, struct err *err)
{
    for (int i = 0; i < rq->route.nargs; i++) {
        int rc = add_param(rq, rq->route.args[i].name, rq->route.args[i].name_len, rq->route.args[i].value,
                           rq->route.args[i].value_len, API_PATH, err);
        if (rc < 0)
            return rc;
    }
    struct query_walk w = {rq, err, 0};
    MHD_get_connection_values(rq->conn, MHD_GET_ARGUMENT_KIND, each_query, &w);
    return w.rc;
}

static int permit(struct request *rq, struct err *err)
{
    const char *header = request_header(rq, "Authorization");
    unsigned roles = rq->route.op->roles;
    int rc = auth_check(rq->server->auth, header, request_address(rq), clock_mono_ms(), &rq->who, err);
    if (rc >= 0 && !header)
        rc = session_check(rq->server, rq, &rq->who, err);
    if (roles & API_ROLE_OPEN)
        return 0;
    if (rc < 0)
        return rc;
    if (rq->who.role == API_ROLE_OPEN && rq->server->config->open_reading > 0 && (roles & API_ROLE_READ))
        return 0;
    if (rq->who.role == API_ROLE_OPEN)
        return err_set(err, ERR_UNAUTHORIZED, "header Authorization", "this needs a token");
    if (!(roles & rq->who.role))
        return err_set(err, ERR_FORBIDDEN, "header Authorization", "a token of role %s may not do this",
                       api_role_name(rq->who.role));
    return 0;
}

static int64_t content_length(const struct request *rq)
{
    const char *s = request_header(rq, "Content-Length");
    return s ? strtoll(s, NULL, 10) : -1;
}

static int open_request(struct request *rq, const char *url, const char *method, struct err *err)
{
    char allow[80];
    int rc = router_find(method, url, &rq->route, allow, sizeof allow, err);
    if (rc == -ERR_METHOD)
        request_set_header(rq, "Allow", allow);
    if (rc == -ERR_NOT_FOUND && static_serve(rq, method, url))
        return 0;
    if (rc < 0 || (rc = permit(rq, err)) < 0 || (rc = read_params(rq, err)) < 0)
        return rc;
    const struct api_operation *op = rq->route.op;
    if (!rq->route.handler)
        return err_set(err, ERR_UNSUPPORTED, "path", "this build does not answer %s", op->name);
    if (op->body != API_BODY_STREAM && content_length(rq) > op->limit)
        return err_set(err, ERR_TOO_LARGE, "body", "at most %lld bytes are taken here", (long long)op->limit);
    if (op->body == API_BODY_STREAM && request_disk_full(rq, err))
        return -(int)err->code;
    return op->body == API_BODY_STREAM ? rq->route.handler(rq->server, rq, err) : 0;
}

struct request *request_new(struct server *s, struct MHD_Connection *conn, const char *url, const char *method)
{
    struct request *rq = calloc(1, sizeof *rq);
    if (!rq)
        return NULL;
    rq->server = s;
    rq->conn = conn;
    rq->started_ns = clock_mono_ns();
    rq->json_failures = json_failures();
    arena_init(&rq->arena, ARENA_LIMIT);
    rq->path = arena_strdup(&rq->arena, url);
    struct err err = {0};
    int rc = rq->path ? open_request(rq, rq->path, method, &err)
                      : err_set(&err, ERR_NO_MEMORY, "", "no memory for the request");
    if (rc < 0)
        request_fail(rq, &err);
    /* A short body is read to its end before an early answer, so that the client surely sees the answer. Without any
     * body the answer waits for the end all the same: MHD closes a connection that is answered before. */
    int64_t length = content_length(rq);
    int none = length <= 0 && !request_header(rq, "Transfer-Encoding");
    rq->drain = rq->answer && (none || (length > 0 && length <= DRAIN_LIMIT));
    return rq;
}

void request_free(struct request *rq)
{
    answer_clear(rq);
    json_decref(rq->problems);
    json_decref(rq->json);
    request_drop_body(rq);
    arena_clear(&rq->arena);
    free(rq);
}
