/* request_reply: what handlers call to answer. Nothing is sent here: answer.c does that when the commit is over. */
#include "server/request_impl.h"

#include "proto/base/log.h"
#include "server/turn.h"
#include "server/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    turn_resume(rq);
    return rq->push_len;
}

void request_end(struct request *rq)
{
    rq->ended = 1;
    turn_resume(rq);
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
