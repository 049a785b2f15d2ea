/* agent: see agent.h. The lanes (join, beat, lease, jobs in hand, delivery) are independent: each has its own due time
 * and back-off, so that one that fails does not hold up the others. */
#include "worker/agent.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "worker/hands.h"
#include "worker/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LEAVE_MS = 10000, /* how long to try to say goodbye */
    IDLE_MS = 5000,   /* between questions for work when the server names no delay */
    BLOBS_TOLD = 256,
    LOOP_MS = 10000 /* the loop turns at least so often: systemd's watchdog wants to hear */
};

struct agent {
    const struct config *config;
    struct client *client;
    struct session session;
    struct cache cache;
    struct spool spool;
    struct deliver deliver;
    struct hands hands;
    int signals; /* reads the numbers of signals that came */
    struct backoff beat, lease;
    int64_t beat_ms, lease_ms, idle_ms, stop_ms;
    int beating, leasing, stopping, left;
    int greeted; /* a beat was answered: the coordinator has told us what it thinks we hold */
};

/* --- lease lane --- */

static void leased(void *arg, const struct client_answer *answer)
{
    struct agent *a = arg;
    int64_t now = clock_mono_ms();
    struct wire_answer w;
    struct err err;
    char text[600];
    a->leasing = 0;
    a->lease_ms = now + session_judge(&a->session, "lease", answer, &a->lease, now);
    if (answer->verdict == CLIENT_LATER || answer->verdict == CLIENT_DENIED)
        return;
    if (answer->verdict != CLIENT_OK) {
        log_quote(text, sizeof text, answer->err.text);
        log_warn("lease_refused", "status=%d detail=%s", answer->status, text);
        a->lease_ms = now + backoff_fail(&a->lease, &a->session.rng, answer->retry_ms);
        return;
    }
    if (wire_read_leases(answer->body, answer->len, &w, &err)) {
        log_warn("answer_unclear", "what=lease detail=%s", log_quote(text, sizeof text, err.text));
        a->lease_ms = now + backoff_fail(&a->lease, &a->session.rng, 0);
        return;
    }
    double delay_ms = w.delay_s * 1000 < 86400000 ? w.delay_s * 1000 : 86400000;
    int64_t wait = delay_ms > 0 ? (int64_t)delay_ms : w.nleases ? 0 : IDLE_MS;
    a->lease_ms = now + backoff_stretch(&a->session.rng, wait);
    hands_accept(&a->hands, &w, a->stopping);
    wire_answer_clear(&w);
}

static json_t *held_ids(struct agent *a)
{
    json_t *held = json_array();
    for (size_t i = 0; i < a->hands.njobs; i++)
        json_array_append_new(held, json_string(a->hands.jobs[i]->lease));
    for (size_t i = 0; i < deliver_count(&a->deliver) && i < 900; i++) {
        int64_t job;
        const char *lease;
        deliver_at(&a->deliver, i, &job, &lease);
        json_array_append_new(held, json_string(lease));
    }
    return held;
}

static json_t *blobs_told(struct agent *a)
{
    json_t *list = json_array();
    char(*names)[HASH256_HEX] = malloc(BLOBS_TOLD * sizeof *names);
    size_t n = names ? cache_list(&a->cache, names, BLOBS_TOLD) : 0;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(names[i]));
    free(names);
    return list;
}

static int post(struct agent *a, const char *path, json_t *doc, client_done *done)
{
    struct err err;
    char *body = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    struct client_request r = {.method = "POST", .path = path, .token = a->session.me.key, .body = body, .done = done,
                               .arg = a};
    int rc = body ? client_send(a->client, &r, &err) : -1;
    json_decref(doc);
    free(body);
    return rc == 0;
}

static int wants_work(const struct agent *a)
{
    return a->greeted && !a->leasing && !a->stopping && hands_room(&a->hands) > 0 && !deliver_blocked(&a->deliver);
}

static void lease_step(struct agent *a, int64_t now)
{
    if (!wants_work(a) || now < a->lease_ms || now < a->hands.unfit_ms || !session_ready(&a->session, now))
        return;
    json_t *doc = json_pack("{s:i, s:o, s:o, s:i}", "protocol", WIRE_PROTOCOL, "held", held_ids(a), "blobs",
                            blobs_told(a), "max_jobs", hands_room(&a->hands));
    if (doc && a->hands.candidates_per_s > 0)
        json_object_set_new(doc, "speed", json_pack("{s:f}", "candidates_per_s", a->hands.candidates_per_s));
    a->leasing = post(a, "/api/v1/leases", doc, leased);
    if (!a->leasing)
        a->lease_ms = now + backoff_fail(&a->lease, &a->session.rng, 0);
}

/* --- beat lane --- */

static void beaten(void *arg, const struct client_answer *answer)
{
    struct agent *a = arg;
    int64_t now = clock_mono_ms(), wait = session_judge(&a->session, "beat", answer, &a->beat, now);
    struct wire_answer w;
    struct err err;
    char text[600];
    a->beating = 0;
    a->beat_ms = now + (answer->verdict == CLIENT_LATER ? wait : (int64_t)(a->session.me.beat_s * 1000));
    if (answer->verdict == CLIENT_FINAL) { /* it may be repaired there: go on, ever less often */
        a->beat_ms += backoff_fail(&a->beat, &a->session.rng, answer->retry_ms);
        log_warn("beat_refused", "status=%d detail=%s", answer->status, log_quote(text, sizeof text, answer->err.text));
    }
    if (answer->verdict != CLIENT_OK)
        return;
    if (wire_read_beat(answer->body, answer->len, &w, &err)) {
        log_warn("answer_unclear", "what=beat detail=%s", log_quote(text, sizeof text, err.text));
        return;
    }
    if (w.delay_s >= 0.1 && w.delay_s < 3600)
        a->beat_ms = now + (int64_t)(w.delay_s * 1000);
    for (size_t i = 0; i < w.ngone; i++)
        hands_gone(&a->hands, w.gone[i]);
    /* what the coordinator thinks we hold: the answer that granted it was lost, or we were restarted */
    hands_accept(&a->hands, &w, a->stopping);
    a->greeted = 1;
    wire_answer_clear(&w);
}

static json_t *held_jobs(struct agent *a)
{
    json_t *held = json_array();
    for (size_t i = 0; i < a->hands.njobs; i++) {
        const struct job *j = a->hands.jobs[i];
        json_array_append_new(held, json_pack("{s:I, s:s, s:I, s:I}", "job", (json_int_t)j->id, "lease", j->lease,
                                              "done", (json_int_t)j->done, "of", (json_int_t)j->of));
    }
    for (size_t i = 0; i < deliver_count(&a->deliver) && i < 900; i++) {
        int64_t job;
        const char *lease;
        deliver_at(&a->deliver, i, &job, &lease);
        json_array_append_new(held, json_pack("{s:I, s:s}", "job", (json_int_t)job, "lease", lease));
    }
    return held;
}

static void beat_step(struct agent *a, int64_t now)
{
    if (a->beating || a->stopping || now < a->beat_ms || !session_ready(&a->session, now))
        return;
    json_t *doc = json_pack("{s:i, s:o, s:s}", "protocol", WIRE_PROTOCOL, "held", held_jobs(a), "state",
                            a->hands.njobs ? "busy" : "idle");
    if (doc && a->hands.images_per_s > 0)
        json_object_set_new(doc, "stats", json_pack("{s:f}", "images_per_s", a->hands.images_per_s));
    a->beating = post(a, "/api/v1/beats", doc, beaten);
    if (!a->beating)
        a->beat_ms = now + backoff_fail(&a->beat, &a->session.rng, 0);
}

/* --- the loop --- */

static void stop(struct agent *a, const char *why)
{
    log_info("stopping", "reason=%s jobs=%zu results=%zu", why, a->hands.njobs, deliver_count(&a->deliver));
    notify_send("STOPPING=1");
    a->stopping = 1;
    a->stop_ms = clock_mono_ms() + LEAVE_MS;
    hands_return_all(&a->hands);
}

static void take_signals(struct agent *a)
{
    unsigned char number;
    while (read(a->signals, &number, 1) == 1) {
        if (a->stopping)
            a->stop_ms = 0; /* asked twice: at once */
        else
            stop(a, number == SIGTERM ? "SIGTERM" : number == SIGHUP ? "SIGHUP" : "SIGINT");
    }
}

static void left(void *arg, const struct client_answer *answer)
{
    struct agent *a = arg;
    if (answer->verdict == CLIENT_OK || answer->verdict == CLIENT_DENIED)
        session_forget(&a->session);
    a->stop_ms = 0;
}

/* 1 when there is nothing more to say. */
static int farewell(struct agent *a, int64_t now)
{
    struct err err;
    if (now >= a->stop_ms)
        return 1;
    if (client_pending(a->client) || (deliver_count(&a->deliver) && session_ready(&a->session, now)))
        return 0;
    if (!a->config->leave || a->left || !a->session.me.id || deliver_count(&a->deliver))
        return 1;
    struct client_request r = {.method = "DELETE", .path = "/api/v1/workers/me", .token = a->session.me.key,
                               .done = left, .arg = a};
    a->left = 1;
    return client_send(a->client, &r, &err) != 0;
}

static void idle_lane(struct agent *a, int64_t now)
{
    if (a->hands.njobs || deliver_count(&a->deliver) || !a->greeted || a->stopping || !a->config->idle_exit_s)
        a->idle_ms = 0;
    else if (!a->idle_ms)
        a->idle_ms = now;
    else if (now - a->idle_ms >= a->config->idle_exit_s * 1000)
        stop(a, "idle");
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static int next_wait(struct agent *a, int64_t now)
{
    int64_t due = now + LOOP_MS;
    if (!a->session.me.id && !a->session.joining)
        due = least(due, a->session.next_ms);
    if (session_ready(&a->session, now)) {
        if (!a->beating && !a->stopping)
            due = least(due, a->beat_ms);
        if (wants_work(a))
            due = least(due, a->lease_ms > a->hands.unfit_ms ? a->lease_ms : a->hands.unfit_ms);
        due = least(due, hands_due(&a->hands, now));
        due = least(due, deliver_due(&a->deliver));
    } else if (a->session.me.id) {
        due = least(due, a->session.next_ms);
    }
    if (a->stopping || a->config->idle_exit_s)
        due = least(due, now + 500);
    return due <= now ? 0 : (int)(due - now);
}

static void turn(struct agent *a)
{
    struct pollfd fds[3] = {{a->signals, POLLIN, 0}};
    struct err err;
    size_t n = 1 + child_poll(&a->hands.child, fds + 1);
    if (client_poll(a->client, fds, n, next_wait(a, clock_mono_ms()), &err)) {
        log_error("poll_failed", "detail=\"%s\"", err.text);
        a->session.exit = EXIT_TROUBLE;
    }
    int64_t now = clock_mono_ms();
    take_signals(a);
    session_step(&a->session, now);
    if (!a->stopping)
        hands_step(&a->hands, now);
    deliver_step(&a->deliver, now);
    lease_step(a, now);
    beat_step(a, now);
    idle_lane(a, now);
    notify_send("WATCHDOG=1");
}

static volatile sig_atomic_t signal_pipe = -1;

static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    ssize_t ignored = write(signal_pipe, &byte, 1);
    (void)ignored;
    errno = saved;
}

/* Handlers and not a blocked mask: OpenBLAS starts its threads before main, with every signal open, and one of them
 * would take the signal and end the process. */
static int watch_signals(struct agent *a, struct err *err)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return err_errno(err, errno, "signals", "cannot watch signals");
    a->signals = ends[0];
    signal_pipe = ends[1];
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like a full disk */
    return 0;
}

static void forget_signals(struct agent *a)
{
    if (a->signals < 0)
        return;
    int end = signal_pipe;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal_pipe = -1;
    close(end);
    close(a->signals);
}

static int open_all(struct agent *a, const char *backend, struct err *err)
{
    const struct config *c = a->config;
    char path[4096];
    int rc = watch_signals(a, err);
    if (rc)
        return rc;
    if (!(a->client = client_new(c->server, c->tls_ca, err)))
        return -(int)err->code;
    rc = session_open(&a->session, c, backend, a->client, err);
    if (!rc && snprintf(path, sizeof path, "%s/spool", c->state_dir) >= (int)sizeof path)
        rc = err_set(err, ERR_INVALID, "state-dir", "the path is too long");
    if (!rc)
        rc = spool_open(&a->spool, path, c->spool_bytes, err);
    if (!rc)
        rc = cache_open(&a->cache, c->cache_dir, c->cache_bytes, err);
    return rc;
}

static void close_all(struct agent *a)
{
    hands_clear(&a->hands);
    client_free(a->client);
    deliver_clear(&a->deliver);
    spool_close(&a->spool);
    cache_close(&a->cache);
    session_close(&a->session);
    forget_signals(a);
}

int agent_run(const struct config *c, const char *backend, const char *program)
{
    struct agent a = {.config = c, .signals = -1, .beat = {500, 30000, 0}, .lease = {1000, 300000, 0}};
    struct err err;
    char text[600];
    a.session.dirfd = a.session.lockfd = a.spool.dirfd = a.cache.dirfd = -1;
    deliver_init(&a.deliver, &a.session, &a.spool);
    hands_init(&a.hands, c, program, &a.session, &a.cache, &a.deliver);
    int rc = open_all(&a, backend, &err);
    if (rc) {
        log_error("start_failed", "where=%s detail=%s", err.where, log_quote(text, sizeof text, err.text));
    } else {
        log_info("started", "server=%s state=%s cache=%s worker=%lld results=%zu", c->server, c->state_dir,
                 c->cache_dir, (long long)a.session.me.id, a.spool.n);
        notify_send("READY=1");
        while (a.session.exit == EXIT_GOES_ON && !(a.stopping && farewell(&a, clock_mono_ms())))
            turn(&a);
        rc = a.session.exit == EXIT_GOES_ON ? EXIT_OK : (int)a.session.exit;
        log_info("ended", "status=%d results=%zu", rc, deliver_count(&a.deliver));
    }
    int usage = rc < 0 && err.code == ERR_INVALID;
    if (rc < 0)
        rc = usage ? EXIT_USAGE : EXIT_TROUBLE;
    if (a.client)
        close_all(&a);
    return rc;
}
