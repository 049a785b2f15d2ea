/* deliver: see deliver.h. What each answer means is the protocol's rule: stored, duplicate, superseded, cancelled and
 * every definite refusal end the matter; no answer, 429 and 5xx keep the result. */
#include "worker/deliver.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void deliver_init(struct deliver *d, struct session *session, struct spool *spool)
{
    memset(d, 0, sizeof *d);
    d->session = session;
    d->spool = spool;
    d->backoff = (struct backoff){1000, 120000, 0};
    d->probe = (struct backoff){2000, 60000, 0};
}

void deliver_clear(struct deliver *d)
{
    for (size_t i = 0; i < d->nloose; i++)
        free(d->loose[i].text);
    free(d->loose);
    d->loose = NULL;
    d->nloose = 0;
}

size_t deliver_count(const struct deliver *d)
{
    return d->spool->n + d->nloose;
}

void deliver_at(const struct deliver *d, size_t i, int64_t *job, const char **lease)
{
    int spooled = i < d->spool->n;
    *job = spooled ? d->spool->items[i].job : d->loose[i - d->spool->n].job;
    *lease = spooled ? d->spool->items[i].lease : d->loose[i - d->spool->n].lease;
}

static int find_loose(const struct deliver *d, const char *lease)
{
    for (size_t i = 0; i < d->nloose; i++)
        if (strcmp(d->loose[i].lease, lease) == 0)
            return (int)i;
    return -1;
}

int deliver_holds(const struct deliver *d, const char *lease)
{
    return spool_find(d->spool, lease) >= 0 || find_loose(d, lease) >= 0;
}

int deliver_blocked(const struct deliver *d)
{
    return d->sick || spool_full(d->spool);
}

static void drop_loose(struct deliver *d, size_t i)
{
    free(d->loose[i].text);
    memmove(d->loose + i, d->loose + i + 1, (d->nloose - i - 1) * sizeof *d->loose);
    d->nloose--;
}

static void spool_failed(struct deliver *d, const struct err *err, int64_t now)
{
    char text[600];
    d->sick = 1;
    d->probe_ms = now + backoff_fail(&d->probe, &d->session->rng, 0);
    log_error("spool_failed", "detail=%s hint=\"no new jobs until the state directory can be written\"",
              log_quote(text, sizeof text, err->text));
}

int deliver_add(struct deliver *d, int64_t job, const char *lease, char *text, struct err *err)
{
    int rc = spool_put(d->spool, job, lease, text, strlen(text), err);
    if (rc == 0) {
        free(text);
        return 0;
    }
    spool_failed(d, err, clock_mono_ms());
    struct deliver_loose *p = realloc(d->loose, (d->nloose + 1) * sizeof *p);
    if (!p) {
        free(text);
        return err_set(err, ERR_NO_MEMORY, "result", "no disk and no memory for a result: it will be computed again");
    }
    d->loose = p;
    p[d->nloose] = (struct deliver_loose){.job = job, .text = text};
    snprintf(p[d->nloose++].lease, WIRE_LEASE, "%s", lease);
    return 0;
}

/* Is the disk well again? Then what waited in memory goes there. */
static void probe(struct deliver *d, int64_t now)
{
    struct err err;
    int rc = spool_probe(d->spool, &err);
    while (!rc && d->nloose && !(d->busy && strcmp(d->loose[0].lease, d->lease) == 0)) {
        rc = spool_put(d->spool, d->loose[0].job, d->loose[0].lease, d->loose[0].text, strlen(d->loose[0].text), &err);
        if (!rc)
            drop_loose(d, 0);
    }
    if (rc) {
        spool_failed(d, &err, now);
        return;
    }
    d->sick = 0;
    backoff_reset(&d->probe);
    log_info("spool_recovered", "results=%zu", deliver_count(d));
}

static void settle(struct deliver *d, const char *status)
{
    struct err err;
    char text[600];
    int i = spool_find(d->spool, d->lease), l = find_loose(d, d->lease);
    log_info("result_delivered", "lease=%s status=%s left=%zu", d->lease, status, deliver_count(d) - 1);
    if (l >= 0)
        drop_loose(d, (size_t)l);
    if (i >= 0 && spool_drop(d->spool, (size_t)i, &err))
        log_error("spool_failed", "detail=%s", log_quote(text, sizeof text, err.text));
}

static void answered(void *arg, const struct client_answer *a)
{
    struct deliver *d = arg;
    int64_t now = clock_mono_ms();
    struct err err;
    char status[16], text[600];
    d->busy = 0;
    d->next_ms = now + session_judge(d->session, "result", a, &d->backoff, now);
    if (a->verdict == CLIENT_OK && wire_read_status(a->body, a->len, status, &err) == 0) {
        settle(d, status);
    } else if (a->verdict == CLIENT_OK) { /* not our coordinator, it seems: keep the result */
        log_warn("answer_unclear", "what=result detail=%s", log_quote(text, sizeof text, err.text));
        d->next_ms = now + backoff_fail(&d->backoff, &d->session->rng, 0);
    } else if (a->verdict == CLIENT_FINAL && a->status >= 400 && strcmp(a->err.where, "http") != 0) {
        log_error("result_refused", "lease=%s status=%d type=%s detail=%s", d->lease, a->status, a->err.where,
                  log_quote(text, sizeof text, a->err.text));
        settle(d, "refused");
    } else if (a->verdict == CLIENT_FINAL) { /* no problem document of ours: perhaps a portal or a proxy */
        log_warn("answer_unclear", "what=result detail=%s", log_quote(text, sizeof text, a->err.text));
        d->next_ms = now + backoff_fail(&d->backoff, &d->session->rng, 0);
    } else {
        d->turn++;
    }
}

/* The text of the next result, malloc'ed, and whose it is; NULL when the one picked turned out unreadable. */
static char *pick(struct deliver *d, int64_t *job)
{
    struct err err;
    char text[600];
    const char *lease;
    deliver_at(d, d->turn % deliver_count(d), job, &lease);
    snprintf(d->lease, sizeof d->lease, "%s", lease);
    int i = spool_find(d->spool, d->lease);
    if (i < 0)
        return strdup(d->loose[find_loose(d, d->lease)].text);
    char *body = spool_read(d->spool, (size_t)i, NULL, &err);
    if (body)
        return body;
    log_error("spool_unreadable", "lease=%s detail=%s", d->lease, log_quote(text, sizeof text, err.text));
    if (err.code != ERR_NO_MEMORY)
        spool_set_aside(d->spool, (size_t)i, &err);
    return NULL;
}

void deliver_step(struct deliver *d, int64_t now)
{
    struct err err;
    char path[128];
    int64_t job;
    if (d->sick && now >= d->probe_ms)
        probe(d, now);
    if (d->busy || !deliver_count(d) || now < d->next_ms || !session_ready(d->session, now))
        return;
    char *body = pick(d, &job);
    if (!body)
        return;
    snprintf(path, sizeof path, "/api/v1/results/%lld/%s", (long long)job, d->lease);
    struct client_request r = {
        .method = "PUT", .path = path, .token = d->session->me.key, .body = body, .done = answered, .arg = d};
    d->busy = client_send(d->session->client, &r, &err) == 0;
    if (!d->busy)
        d->next_ms = now + backoff_fail(&d->backoff, &d->session->rng, 0);
    free(body);
}

int64_t deliver_due(const struct deliver *d)
{
    int64_t due = d->sick ? d->probe_ms : INT64_MAX;
    if (!d->busy && deliver_count(d) && d->next_ms < due)
        due = d->next_ms;
    return due;
}
