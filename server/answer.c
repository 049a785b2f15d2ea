/* answer: what leaves: headers that every answer carries, whole bodies, bodies from a worker thread, event streams. */
#include "server/request_impl.h"

#include "proto/base/clock.h"
#include "server/metrics.h"
#include "server/pace.h"
#include "server/turn.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char policy[] =
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; worker-src 'self'; "
    "connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

enum { FILLS = 2 };

/* ---- bodies made on a worker thread: one chunk is read ahead while the connection sleeps */

static void fill_chunk(uv_work_t *work)
{
    struct request *rq = work->data;
    rq->chunk_len = rq->source.fill(rq->source.arg, rq->chunk, REQUEST_CHUNK);
}

static void chunk_filled(uv_work_t *work, int status);

/* Few at a time and first come first served: two hundred downloads leave threads for everything else. */
static void start_fills(struct server *s)
{
    while (s->fill_first && s->fills < FILLS) {
        struct request *rq = s->fill_first;
        s->fill_first = rq->fill_next;
        rq->fill_next = NULL;
        rq->work.data = rq;
        s->fills++;
        int rc = uv_queue_work(s->loop, &rq->work, fill_chunk, chunk_filled);
        assert(rc == 0); /* it fails only without a function */
    }
}

static void line_up(struct request *rq)
{
    struct server *s = rq->server;
    if (s->fill_first)
        s->fill_last->fill_next = rq;
    else
        s->fill_first = rq;
    s->fill_last = rq;
    start_fills(s);
}

static void queue_fill(struct request *rq)
{
    struct server *s = rq->server;
    int64_t now = clock_mono_ms(), left = rq->source_size < 0 ? REQUEST_CHUNK : rq->source_size - rq->source_sent;
    size_t n = left < REQUEST_CHUNK ? (size_t)left : REQUEST_CHUNK;
    int64_t wait = rq->source.paced ? pace_wait(s->pace, rq->who.token, n, s->config->download_mb_s * 1e6, now) : 0;
    turn_work_began(rq);
    if (wait == 0) {
        line_up(rq);
        return;
    }
    rq->due_ms = now + wait;
    rq->fill_next = s->paced;
    s->paced = rq;
}

void answer_tick(struct server *s)
{
    int64_t now = s->paced ? clock_mono_ms() : 0;
    for (struct request **at = &s->paced, *rq; (rq = *at) != NULL;) {
        if (rq->due_ms > now && !s->stopping) {
            at = &rq->fill_next;
            continue;
        }
        *at = rq->fill_next;
        rq->fill_next = NULL;
        line_up(rq);
    }
}

static void chunk_filled(uv_work_t *work, int status)
{
    struct request *rq = work->data;
    if (status != 0)
        rq->chunk_len = -1;
    rq->chunk_at = 0;
    rq->chunk_ready = 1;
    rq->server->fills--;
    start_fills(rq->server);
    turn_work_ended(rq);
    turn_resume(rq);
}

static ssize_t read_source(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct request *rq = cls;
    (void)pos;
    if (rq->ended || rq->server->stopping)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (rq->chunk_ready && rq->chunk_len < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (rq->chunk_ready && rq->chunk_len == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (rq->chunk_ready && rq->chunk_at < rq->chunk_len) {
        size_t n = (size_t)(rq->chunk_len - rq->chunk_at);
        n = n < max ? n : max;
        memcpy(buf, rq->chunk + rq->chunk_at, n);
        rq->chunk_at += (int64_t)n;
        rq->source_sent += (int64_t)n;
        return (ssize_t)n;
    }
    rq->chunk_ready = 0;
    queue_fill(rq);
    return 0;
}

/* ---- event streams */

static ssize_t read_push(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct request *rq = cls;
    (void)pos;
    if (rq->push_len) {
        size_t n = rq->push_len < max ? rq->push_len : max;
        memcpy(buf, rq->push, n);
        memmove(rq->push, rq->push + n, rq->push_len - n);
        rq->push_len -= n;
        return (ssize_t)n;
    }
    if (rq->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    turn_suspend(rq);
    return 0;
}

/* ---- sending */

static struct MHD_Response *make(struct request *rq)
{
    if (rq->answer == ANSWER_SOURCE) {
        rq->chunk = malloc(REQUEST_CHUNK);
        if (!rq->chunk)
            return NULL;
        uint64_t size = rq->source_size < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)rq->source_size;
        return MHD_create_response_from_callback(size, 64 * 1024, read_source, rq, NULL);
    }
    if (rq->answer == ANSWER_PUSH)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8 * 1024, read_push, rq, NULL);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(rq->len, rq->bytes ? rq->bytes : (void *)(uintptr_t) "",
                                        rq->bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (r)
        rq->bytes = NULL;
    return r;
}

static void common_headers(const struct request *rq, struct MHD_Response *r)
{
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(r, "Content-Security-Policy", policy);
    if (*rq->server->config->tls_cert)
        MHD_add_response_header(r, "Strict-Transport-Security", "max-age=31536000");
    if (rq->type)
        MHD_add_response_header(r, "Content-Type", rq->type);
    int cached = 0;
    for (int i = 0; i < rq->nheaders; i++) {
        MHD_add_response_header(r, rq->headers[i].name, rq->headers[i].value);
        cached |= strcmp(rq->headers[i].name, "Cache-Control") == 0;
    }
    if (!cached)
        MHD_add_response_header(r, "Cache-Control", "no-store");
}

enum MHD_Result answer_send(struct request *rq)
{
    struct MHD_Response *r = make(rq);
    if (!r)
        return MHD_NO;
    common_headers(rq, r);
    enum MHD_Result ok = MHD_queue_response(rq->conn, (unsigned)rq->status, r);
    MHD_destroy_response(r);
    if (rq->route.op) /* from here on it is the client's pace, and a stream of events has no end */
        metrics_request(rq->server->metrics, rq->route.op, rq->status, clock_mono_ns() - rq->started_ns);
    return ok;
}

void answer_clear(struct request *rq)
{
    free(rq->bytes);
    rq->bytes = NULL;
    rq->len = 0;
    if (rq->source.release)
        rq->source.release(rq->source.arg);
    rq->source = (struct request_source){0};
    free(rq->chunk);
    rq->chunk = NULL;
    free(rq->push);
    rq->push = NULL;
    rq->push_len = rq->push_cap = 0;
    rq->answer = ANSWER_NONE;
}
