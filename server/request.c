/* request: from the first line to the handler: routing, identity, permission, parameters, body, savepoint; and what
 * handlers call to answer. */
#include "server/request_impl.h"

#include "proto/base/clock.h"
#include "proto/base/json.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/http.h"
#include "server/session.h"
#include "server/static.h"
#include "server/text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SMALL_BODY = 64 << 10, ALL_BODIES = 256 << 20 };
enum { ARENA_LIMIT = 8 << 20, DRAIN_LIMIT = 1 << 20 };

/* ---- what handlers ask */

const struct api_operation *request_operation(const struct request *rq)
{
    return rq->route.op;
}

const struct auth_who *request_who(const struct request *rq)
{
    return &rq->who;
}

struct arena *request_arena(struct request *rq)
{
    return &rq->arena;
}

const char *request_text(const struct request *rq, const char *name)
{
    for (int i = 0; i < rq->nparams; i++)
        if (strcmp(rq->params[i].name, name) == 0)
            return rq->params[i].value;
    return NULL;
}

int64_t request_int(const struct request *rq, const char *name, int64_t otherwise)
{
    const char *s = request_text(rq, name);
    return s ? strtoll(s, NULL, 10) : otherwise;
}

double request_number(const struct request *rq, const char *name, double otherwise)
{
    const char *s = request_text(rq, name);
    return s ? strtod(s, NULL) : otherwise;
}

const char *request_header(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

const char *request_cookie(const struct request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->conn, MHD_COOKIE_KIND, name);
}

const struct sockaddr *request_address(const struct request *rq)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(rq->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : NULL;
}

void request_identify(struct request *rq, const struct auth_who *who)
{
    rq->who = *who;
}

const json_t *request_body(const struct request *rq)
{
    return rq->json;
}

const char *request_raw(const struct request *rq, size_t *len)
{
    *len = rq->body_len;
    return rq->body;
}

void request_set_state(struct request *rq, void *state, request_gone_fn *gone)
{
    rq->state = state;
    rq->gone = gone;
}

void request_set_body(struct request *rq, request_piece_fn *piece, request_handler *end)
{
    rq->on_piece = piece;
    rq->on_end = end;
}

void *request_state(struct request *rq)
{
    return rq->state;
}

/* ---- answers */

int request_bytes(struct request *rq, int status, const char *type, char *bytes, size_t len)
{
    rq->answer = ANSWER_BYTES;
    rq->status = status;
    rq->type = type;
    rq->bytes = bytes;
    rq->len = len;
    return 0;
}

int request_empty(struct request *rq, int status)
{
    return request_bytes(rq, status, NULL, NULL, 0);
}

int request_json(struct request *rq, int status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(json);
    if (!text) {
        struct err err;
        err_set(&err, ERR_NO_MEMORY, "", "no memory for the answer");
        request_fail(rq, &err);
        return 0;
    }
    return request_bytes(rq, status, "application/json", text, strlen(text));
}

int request_written(struct request *rq, int status, struct text *json)
{
    if (!json->broken)
        return request_bytes(rq, status, "application/json", json->p, json->len);
    text_clear(json);
    return request_json(rq, status, NULL);
}

void request_set_header(struct request *rq, const char *name, const char *value)
{
    char *copy = arena_strdup(&rq->arena, value);
    if (copy && rq->nheaders < REQUEST_HEADERS) {
        rq->headers[rq->nheaders].name = name;
        rq->headers[rq->nheaders++].value = copy;
    }
}

void request_problems(struct request *rq, json_t *list)
{
    json_decref(rq->problems);
    rq->problems = list;
}

int request_stream(struct request *rq, int status, const char *type, int64_t size, const struct request_source *src)
{
    rq->answer = ANSWER_SOURCE;
    rq->status = status;
    rq->type = type;
    rq->source = *src;
    rq->source_size = size;
    return 0;
}

int request_open_stream(struct request *rq, const char *type)
{
    rq->answer = ANSWER_PUSH;
    rq->status = 200;
    rq->type = type;
    return 0;
}

size_t request_push(struct request *rq, const char *data, size_t n)
{
    if (rq->push_len + n > rq->push_cap) {
        size_t cap = (rq->push_len + n) * 2;
        char *p = realloc(rq->push, cap);
        if (!p) {
            rq->ended = 1;
            return SIZE_MAX;
        }
        rq->push = p;
        rq->push_cap = cap;
    }
    memcpy(rq->push + rq->push_len, data, n);
    rq->push_len += n;
    http_resume(rq);
    return rq->push_len;
}

void request_end(struct request *rq)
{
    rq->ended = 1;
    http_resume(rq);
}

static const char *title_of(enum err_code code)
{
    switch (err_status(code)) {
    case 400:
        return "The request cannot be read";
    case 401:
        return "A valid token is needed";
    case 403:
        return "This token may not do that";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 409:
        return "Conflict with what is stored";
    case 413:
        return "Too large";
    case 416:
        return "Range not satisfiable";
    case 422:
        return "Something in the request is wrong";
    case 426:
        return "Another protocol version is needed";
    case 429:
        return "Too many requests";
    case 503:
        return "Try again later";
    case 507:
        return "The disk is full";
    default:
        return "The server failed";
    }
}

void request_fail(struct request *rq, const struct err *err)
{
    json_t *problems = rq->problems;
    rq->problems = NULL;
    answer_clear(rq);
    int status = err_status(err->code);
    json_t *j = json_pack("{ss ss si ss}", "type", err_type(err->code), "title", title_of(err->code), "status", status,
                          "detail", err->text);
    if (*err->where)
        json_object_set_new(j, "where", json_string(err->where));
    double retry = err->code == ERR_VERSION ? 86400 : err->code == ERR_RATE ? 60 : err_retry(err->code) ? 5 : 0;
    if (retry > 0) {
        char text[16];
        snprintf(text, sizeof text, "%.0f", retry);
        json_object_set_new(j, "retry_s", json_real(retry));
        request_set_header(rq, "Retry-After", text);
    }
    if (problems)
        json_object_set_new(j, "problems", problems);
    if (err->code == ERR_UNAUTHORIZED)
        request_set_header(rq, "WWW-Authenticate", "Bearer");
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    request_bytes(rq, status, "application/problem+json", text, text ? strlen(text) : 0);
    if (status >= 500)
        log_error("request_failed", "op=%s type=%s where=\"%s\" detail=\"%s\"", rq->route.op ? rq->route.op->name : "-",
                  err_type(err->code), err->where, err->text);
}

int request_refuse(struct request *rq, const struct err *err)
{
    request_fail(rq, err);
    return 0;
}

/* ---- opening a request */

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

/* A plan is asked for by POST because a code may be long; it changes nothing. */
static int writes(const struct request *rq)
{
    enum api_method m = rq->route.op->method;
    return m != API_GET && m != API_HEAD && rq->route.op != api_operation(API_OP_planSpace);
}

/* Cheap while it lasts: a commit that fails costs reading everything again. */
static int disk_full(const struct request *rq, struct err *err)
{
    if (!writes(rq) || rq->server->full_ms <= clock_mono_ms())
        return 0;
    err_set(err, ERR_DISK_FULL, "database", "the disk is full: nothing is taken until there is room");
    return 1;
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
    if (op->body == API_BODY_STREAM && disk_full(rq, err))
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

static void drop_body(struct request *rq)
{
    rq->server->body_bytes -= rq->body_cap;
    free(rq->body);
    rq->body = NULL;
    rq->body_cap = 0;
}

void request_free(struct request *rq)
{
    answer_clear(rq);
    json_decref(rq->problems);
    json_decref(rq->json);
    drop_body(rq);
    arena_clear(&rq->arena);
    free(rq);
}

/* ---- body */

static int append(struct request *rq, const char *data, size_t n, struct err *err)
{
    size_t limit = (size_t)rq->route.op->limit;
    if (n > limit || rq->body_len > limit - n)
        return err_set(err, ERR_TOO_LARGE, "body", "at most %zu bytes are taken here", limit);
    if (rq->body_len + n > rq->body_cap) {
        size_t cap = rq->body_cap ? rq->body_cap * 2 : 4096;
        while (cap < rq->body_len + n)
            cap *= 2;
        size_t *all = &rq->server->body_bytes, more = cap - rq->body_cap;
        if (cap > SMALL_BODY && *all + more > ALL_BODIES)
            return err_set(err, ERR_BUSY, "body", "too many large requests at once; send it again a little later");
        char *p = realloc(rq->body, cap);
        if (!p)
            return err_set(err, ERR_NO_MEMORY, "body", "no memory for the body");
        *all += more;
        rq->body = p;
        rq->body_cap = cap;
    }
    memcpy(rq->body + rq->body_len, data, n);
    rq->body_len += n;
    return 0;
}

void request_feed(struct request *rq, const char *data, size_t n)
{
    struct err err = {0};
    int rc = rq->on_piece ? rq->on_piece(rq->server, rq, data, n, &err) : append(rq, data, n, &err);
    if (rc < 0) {
        drop_body(rq);
        request_fail(rq, &err);
        rq->drain = 1;
    }
}

static int parse_body(struct request *rq, struct err *err)
{
    const struct api_operation *op = rq->route.op;
    const char *type = request_header(rq, "Content-Type");
    if (op->body == API_BODY_NONE || op->body == API_BODY_STREAM)
        return 0;
    if (op->body == API_BODY_TEXT && type && strncasecmp(type, "text/csv", 8) == 0)
        return 0;
    if (!rq->body_len)
        return err_set(err, ERR_BAD_REQUEST, "body", "a JSON document is needed");
    rq->json = json_parse_strict(rq->body, rq->body_len, JSON_DEPTH, err);
    if (!rq->json)
        return -(int)err->code;
    drop_body(rq);
    return op->schema >= 0 ? api_check(op->schema, rq->json, err) : 0;
}

/* ---- running the handler */

/* Runs fn inside a savepoint when the operation writes and turns its error into the answer. */
static void run_step(struct request *rq, int (*fn)(struct request *, struct err *))
{
    struct err err = {0};
    struct db *db = rq->server->db;
    int rc = 0, saved = 0;
    if (disk_full(rq, &err))
        rc = -(int)err.code;
    if (rc >= 0 && writes(rq) && (rc = db_savepoint(db, &err)) >= 0)
        saved = 1;
    if (rc >= 0)
        rc = fn(rq, &err);
    if (json_failures() != rq->json_failures) {
        rc = err_set(&err, ERR_NO_MEMORY, "", "no memory for the request");
        rq->server->reload |= saved; /* what it changed in memory goes with the savepoint */
    }
    if (saved)
        db_savepoint_end(db, rc >= 0);
    if (rc < 0)
        request_fail(rq, &err);
}

/* One line for each change that a person or program made; workers' traffic is in the tables of jobs. */
static int audit(struct request *rq, struct err *err)
{
    if (!writes(rq) || !rq->answer || rq->status >= 400 || rq->who.role == API_ROLE_WORKER ||
        rq->who.role == API_ROLE_OPEN)
        return 0;
    const char *name = json_string_value(json_object_get(rq->json, "name"));
    char what[700];
    snprintf(what, sizeof what, "%s%s%s", rq->path, name ? " " : "", name ? name : "");
    return db_exec(rq->server->db, err, SQL_AUDIT_INSERT, "ittt", clock_wall_ms(), rq->who.name, rq->route.op->name,
                   what);
}

static int call_again(struct request *rq, struct err *err)
{
    int rc = rq->on_end ? rq->on_end(rq->server, rq, err) : rq->route.handler(rq->server, rq, err);
    return rc < 0 ? rc : audit(rq, err);
}

static int call_handler(struct request *rq, struct err *err)
{
    int rc = parse_body(rq, err);
    return rc < 0 ? rc : call_again(rq, err);
}

static int call_done(struct request *rq, struct err *err)
{
    int rc = rq->job.done(rq->server, rq, rq->job.arg, err);
    return rc < 0 ? rc : audit(rq, err);
}

/* A request whose turn wrote something waits for the commit, whether it wrote itself or may only have seen it. */
static int after_step(struct request *rq)
{
    if (rq->in_work)
        return 1;
    if ((rq->answer || rq->job_waits) && db_in_write(rq->server->db)) {
        http_wait_commit(rq);
        return 1;
    }
    if (rq->job_waits) {
        rq->job_waits = 0;
        struct request_job job = rq->job;
        request_work(rq, &job);
        return 1;
    }
    return 0;
}

void request_dispatch(struct request *rq)
{
    rq->dispatched = 1;
    run_step(rq, call_handler);
    after_step(rq);
}

void request_settled(struct request *rq, const struct err *err)
{
    if (err->code) {
        if (rq->job_waits && rq->job.release)
            rq->job.release(rq->job.arg);
        rq->job_waits = 0;
        request_fail(rq, err);
    }
    if (rq->job_waits) {
        rq->job_waits = 0;
        struct request_job job = rq->job;
        request_work(rq, &job);
        return;
    }
    http_resume(rq);
}

static void work(uv_work_t *w)
{
    struct request *rq = w->data;
    rq->job.work(rq->job.arg);
}

static void worked(uv_work_t *w, int status)
{
    struct request *rq = w->data;
    (void)status;
    struct request_job job = rq->job;
    http_work_ended(rq);
    run_step(rq, call_done);
    if (job.release)
        job.release(job.arg);
    if (!after_step(rq))
        http_resume(rq);
    http_turn_soon(rq->server->http);
}

int request_hold(struct request *rq)
{
    http_work_began(rq);
    return 1;
}

void request_again(struct request *rq, const struct err *err)
{
    http_work_ended(rq);
    if (err->code)
        request_fail(rq, err);
    else
        run_step(rq, call_again);
    if (!after_step(rq))
        http_resume(rq);
    http_turn_soon(rq->server->http);
}

static void nothing(uv_work_t *w)
{
    (void)w;
}

static void soon(uv_work_t *w, int status)
{
    struct err none = {0};
    (void)status;
    request_again(w->data, &none);
}

int request_soon(struct request *rq)
{
    rq->work.data = rq;
    int rc = uv_queue_work(rq->server->loop, &rq->work, nothing, soon);
    assert(rc == 0); /* it fails only without a function */
    return request_hold(rq);
}

int request_work_committed(struct request *rq, const struct request_job *job)
{
    rq->job = *job;
    rq->job_waits = 1;
    return 0;
}

int request_work(struct request *rq, const struct request_job *job)
{
    rq->job = *job;
    rq->work.data = rq;
    int rc = uv_queue_work(rq->server->loop, &rq->work, work, worked);
    assert(rc == 0); /* it fails only without a function */
    http_work_began(rq);
    return 0;
}
