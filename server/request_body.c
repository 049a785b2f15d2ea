/* request_body: a body as it arrives: bounded by its operation and by what all bodies may hold together, then parsed
 * and checked against the contract. */
#include "server/request_impl.h"

#include "proto/base/json.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_BODY = 64 << 10, ALL_BODIES = 256 << 20 };

void request_drop_body(struct request *rq)
{
    rq->server->body_bytes -= rq->body_cap;
    free(rq->body);
    rq->body = NULL;
    rq->body_cap = 0;
}

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
        request_drop_body(rq);
        request_fail(rq, &err);
        rq->drain = 1;
    }
}

int request_parse_body(struct request *rq, struct err *err)
{
    const struct api_operation *op = rq->route.op;
    if (op->body != API_BODY_JSON) /* a text is its handler's to read, and may be long */
        return 0;
    if (!rq->body_len)
        return err_set(err, ERR_BAD_REQUEST, "body", "a JSON document is needed");
    rq->json = json_parse_strict(rq->body, rq->body_len, JSON_DEPTH, err);
    if (!rq->json)
        return -(int)err->code;
    request_drop_body(rq);
    return op->schema >= 0 ? api_check(op->schema, rq->json, err) : 0;
}
