/* session: see session.h. The key is written before it is used: a key that only memory knows would leave a ghost. */
#include "worker/session.h"
#include "proto/base/clock.h"
#include "proto/base/hash.h"
#include "proto/base/json.h"
#include "proto/base/log.h"
#include "proto/base/version.h"
#include "worker/disk.h"
#include "worker/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char *const IDENTITY = "worker.json";
enum { REFUSED_LEAST_MS = 3600 * 1000 };

static int lock_state(struct session *s, const char *dir, struct err *err)
{
    s->lockfd = openat(s->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lockfd < 0)
        return err_errno(err, errno, dir, "cannot create the lock file");
    if (flock(s->lockfd, LOCK_EX | LOCK_NB))
        return err_set(err, ERR_CONFLICT, dir,
                       "another worker uses this state directory; give each worker its own --state-dir");
    return 0;
}

static int load_identity(struct session *s, struct err *err)
{
    size_t n;
    struct err own;
    char *text = disk_read(s->dirfd, IDENTITY, 1 << 16, &n, &own);
    if (!text && own.code == ERR_NOT_FOUND)
        return 0;
    if (!text) {
        *err = own;
        return -(int)own.code;
    }
    int rc = wire_read_joined(text, n, &s->me, err);
    explicit_bzero(text, n);
    free(text);
    if (rc)
        err_set(err, ERR_CORRUPT, IDENTITY, "unreadable; remove it to join again as a new worker");
    return rc;
}

int session_open(struct session *s, const struct config *c, const char *backend, struct client *client, struct err *err)
{
    uint64_t seed = 0;
    memset(s, 0, sizeof *s);
    s->config = c;
    s->backend = backend;
    s->client = client;
    s->lockfd = -1;
    s->exit = EXIT_GOES_ON;
    s->backoff = (struct backoff){1000, 300000, 0};
    hash_random(&seed, sizeof seed);
    rng_seed(&s->rng, seed, 0);
    s->dirfd = disk_open_dir(c->state_dir, err);
    if (s->dirfd < 0)
        return s->dirfd;
    int rc = lock_state(s, c->state_dir, err);
    if (!rc)
        rc = load_identity(s, err);
    if (!rc && !s->me.id && !*c->join_token)
        rc = err_set(err, ERR_INVALID, "join-token",
                     "this worker has not joined yet: give SUBRANK_JOIN_TOKEN or --join-token-file");
    return rc;
}

void session_close(struct session *s)
{
    if (s->lockfd >= 0)
        close(s->lockfd);
    if (s->dirfd >= 0)
        close(s->dirfd);
    explicit_bzero(&s->me, sizeof s->me);
    s->lockfd = s->dirfd = -1;
}

void session_forget(struct session *s)
{
    unlinkat(s->dirfd, IDENTITY, 0);
    s->me.id = 0;
}

int session_ready(const struct session *s, int64_t now)
{
    return s->me.id > 0 && now >= s->next_ms;
}

int64_t session_threads(const struct config *c)
{
    return c->threads > 0 ? c->threads : limits_here().threads;
}

int64_t session_memory(const struct config *c)
{
    return c->memory_bytes > 0 ? c->memory_bytes : limits_here().memory / 4 * 3;
}

int64_t session_judge(struct session *s, const char *what, const struct client_answer *a, struct backoff *b,
                      int64_t now)
{
    char text[600];
    log_quote(text, sizeof text, a->err.text);
    if (a->verdict == CLIENT_OK) {
        if (b && b->failures)
            log_info("contact_again", "what=%s after=%d", what, b->failures);
        if (b)
            backoff_reset(b);
        return 0;
    }
    if (a->verdict == CLIENT_LATER) {
        int64_t wait = backoff_fail(b, &s->rng, a->retry_ms);
        log_line(b->failures == 1 ? LOG_WARN : LOG_INFO, "contact_failed", "what=%s wait_ms=%lld detail=%s", what,
                 (long long)wait, text);
        return wait;
    }
    if (a->verdict == CLIENT_VERSION) {
        int64_t asked = a->retry_ms > REFUSED_LEAST_MS ? a->retry_ms : REFUSED_LEAST_MS;
        s->next_ms = now + backoff_stretch(&s->rng, asked);
        log_error("version_refused", "protocol=%d wait_s=%lld detail=%s hint=\"update this worker\"", WIRE_PROTOCOL,
                  (long long)(asked / 1000), text);
    } else if (a->verdict == CLIENT_DENIED) {
        log_error("key_refused", "what=%s worker=%lld detail=%s hint=\"the %s; finished results stay in %s/spool\"",
                  what, (long long)s->me.id, text,
                  s->me.id ? "coordinator revoked this worker's key or lost it: remove worker.json from the state "
                             "directory and join again with a new join token"
                           : "join token is wrong, used up or revoked",
                  s->config->state_dir);
        s->exit = EXIT_REFUSED;
    }
    return 0;
}

static int keep_identity(struct session *s, const struct wire_joined *j, struct err *err)
{
    json_t *doc = json_pack("{s:I, s:s, s:f, s:f, s:s}", "id", (json_int_t)j->id, "key", j->key, "beat_s", j->beat_s,
                            "expiry_s", j->expiry_s, "server", s->config->server);
    char *text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
    json_decref(doc);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, IDENTITY, "no memory for the identity");
    int rc = disk_write(s->dirfd, IDENTITY, text, strlen(text), 0600, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

static void joined(void *arg, const struct client_answer *a)
{
    struct session *s = arg;
    int64_t now = clock_mono_ms();
    struct wire_joined me;
    struct err err;
    char text[600];
    s->joining = 0;
    int64_t wait = session_judge(s, "join", a, &s->backoff, now);
    if (a->verdict == CLIENT_LATER)
        s->next_ms = now + wait;
    if (a->verdict == CLIENT_FINAL) {
        log_error("join_refused", "status=%d detail=%s", a->status, log_quote(text, sizeof text, a->err.text));
        s->exit = EXIT_REFUSED;
    }
    if (a->verdict != CLIENT_OK)
        return;
    int rc = wire_read_joined(a->body, a->len, &me, &err);
    if (!rc)
        rc = keep_identity(s, &me, &err);
    if (rc) {
        log_error("join_failed", "detail=%s", log_quote(text, sizeof text, err.text));
        s->exit = EXIT_TROUBLE;
        return;
    }
    s->me = me;
    log_info("joined", "worker=%lld beat_s=%g expiry_s=%g", (long long)me.id, me.beat_s, me.expiry_s);
}

void session_step(struct session *s, int64_t now)
{
    char host[256] = "";
    struct err err;
    if (s->me.id || s->joining || now < s->next_ms || s->exit != EXIT_GOES_ON)
        return;
    gethostname(host, sizeof host - 1);
    const struct config *c = s->config;
    json_t *doc =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I}", "protocol", WIRE_PROTOCOL, "name", *c->name ? c->name : host,
                  "host", host, "backend", s->backend, "build", VERSION_TEXT "-" VERSION_BUILD, "threads",
                  (json_int_t)session_threads(c), "memory_bytes", (json_int_t)session_memory(c));
    char *body = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    struct client_request r = {
        .method = "POST", .path = "/api/v1/workers", .token = c->join_token, .body = body, .done = joined, .arg = s};
    s->joining = body && client_send(s->client, &r, &err) == 0;
    if (!s->joining)
        s->next_ms = now + backoff_fail(&s->backoff, &s->rng, 0);
    json_decref(doc);
    free(body);
}
