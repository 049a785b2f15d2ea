/* fetch: see fetch.h. Range requests continue what an earlier try left; the hash decides in the end. */
#include "worker/fetch.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#include <stdio.h>
#include <string.h>

enum { CORRUPT_MAX = 3, SHARED_MS = 1000 };

void fetch_init(struct fetch *f, struct session *session, struct cache *cache)
{
    memset(f, 0, sizeof *f);
    f->session = session;
    f->cache = cache;
    f->backoff = (struct backoff){1000, 120000, 0};
}

void fetch_start(struct fetch *f, struct job *job)
{
    f->job = job;
    f->failed.code = ERR_NONE;
    f->busy = 0;
}

void fetch_drop(struct fetch *f)
{
    client_cancel(f->session->client, f);
    f->job = NULL;
    f->busy = 0;
}

static struct cache_item *current(struct fetch *f)
{
    return &f->job->blobs[f->job->at];
}

static int take_bytes(void *arg, int64_t from, int64_t total, const void *data, size_t n, struct err *err)
{
    struct fetch *f = arg;
    return cache_write(f->cache, current(f), from, total, data, n, err);
}

static void later(struct fetch *f, const struct err *err, int64_t wait)
{
    char text[600];
    log_warn("fetch_failed", "job=%lld blob=%s wait_ms=%lld detail=%s", (long long)f->job->id, current(f)->sha,
             (long long)wait, log_quote(text, sizeof text, err->text));
    cache_release(current(f)); /* another worker may have more luck; we resume where the file ends */
    f->next_ms = clock_mono_ms() + wait;
}

static void verify(struct fetch *f)
{
    struct err err;
    struct cache_item *it = current(f);
    int rc = cache_finish(f->cache, it, &err);
    if (rc == 0) {
        log_info("blob_fetched", "job=%lld blob=%s bytes=%lld", (long long)f->job->id, it->sha, (long long)it->have);
        backoff_reset(&f->backoff);
    } else if (rc == -ERR_CORRUPT && ++f->job->corrupt >= CORRUPT_MAX) {
        err_set(&f->failed, ERR_NETWORK, it->sha, "the blob arrived damaged %d times", CORRUPT_MAX);
    } else if (rc == -ERR_CORRUPT) {
        later(f, &err, backoff_fail(&f->backoff, &f->session->rng, 0));
    } else {
        f->failed = err;
    }
}

static void fetched(void *arg, const struct client_answer *a)
{
    struct fetch *f = arg;
    int64_t now = clock_mono_ms(), wait = session_judge(f->session, "blob", a, &f->backoff, now);
    f->busy = 0;
    if (a->verdict == CLIENT_OK || (a->status == 416 && current(f)->have > 0))
        verify(f); /* 416: nothing follows what we have */
    else if (a->status == 0 && (a->err.code == ERR_DISK_FULL || a->err.code == ERR_TOO_LARGE || a->err.code == ERR_IO))
        f->failed = a->err; /* our own cache refused the bytes */
    else if (a->verdict == CLIENT_LATER)
        later(f, &a->err, wait);
    else if (a->status == 404)
        err_set(&f->failed, ERR_NOT_FOUND, current(f)->sha, "the coordinator has no such blob");
    else
        later(f, &a->err, backoff_fail(&f->backoff, &f->session->rng, 0));
}

static void ask(struct fetch *f, int64_t now)
{
    char path[128];
    struct err err;
    snprintf(path, sizeof path, "/api/v1/blobs/%s", current(f)->sha);
    struct client_request r = {.method = "GET", .path = path, .token = f->session->me.key, .from = current(f)->have,
                               .sink = take_bytes, .done = fetched, .arg = f};
    f->busy = client_send(f->session->client, &r, &err) == 0;
    if (!f->busy)
        f->next_ms = now + backoff_fail(&f->backoff, &f->session->rng, 0);
}

int fetch_step(struct fetch *f, int64_t now, struct err *err)
{
    if (!f->job || f->busy || (now < f->next_ms && !f->failed.code))
        return 0;
    int rc = f->failed.code ? -(int)f->failed.code : cache_step(f->cache, current(f), &f->failed);
    if (rc < 0) {
        *err = f->failed;
        cache_release(current(f));
        f->job = NULL;
        return rc;
    }
    if (rc == CACHE_WAITING)
        f->next_ms = now + SHARED_MS;
    if (rc == CACHE_MISSING && session_ready(f->session, now))
        ask(f, now);
    if (rc != CACHE_READY || ++f->job->at < f->job->nblobs)
        return 0;
    f->job->phase = JOB_READY;
    f->job = NULL;
    return 1;
}

int64_t fetch_due(const struct fetch *f)
{
    return !f->job || f->busy ? INT64_MAX : f->next_ms;
}
