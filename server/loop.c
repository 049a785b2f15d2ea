/* loop: start, sweep, stop. The order of opening is the order of trust: database, tokens, what runs, then the door. */
#include "server/loop.h"

#include "proto/base/clock.h"
#include "proto/base/json.h"
#include "proto/base/log.h"
#include "server/auth.h"
#include "server/db.h"
#include "server/events.h"
#include "server/fleet.h"
#include "server/http.h"
#include "server/lease_run.h"
#include "server/metrics.h"
#include "server/pace.h"
#include "server/reaper.h"
#include "server/route_backup.h"
#include "server/server.h"
#include "server/state.h"
#include "server/turn.h"
#include "server/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DRAIN_MS = 5000, BEAT_MS = 250 };

struct loop {
    struct server server;
    uv_loop_t uv;
    uv_signal_t term, interrupt;
    uv_timer_t sweep, drain, beat;
    int64_t stop_ms; /* 0: running */
    int lock;
};

static void raise_limit(double connections)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return;
    rlim_t want = (rlim_t)connections + 256;
    lim.rlim_cur = lim.rlim_max == RLIM_INFINITY || lim.rlim_max > want ? want : lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur < want)
        log_warn("few_descriptors", "limit=%llu wanted=%llu", (unsigned long long)lim.rlim_cur,
                 (unsigned long long)want);
}

static int make_dir(struct loop *l, const char *dir, struct err *err)
{
    char path[4096];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, dir, "cannot make the data directory");
    snprintf(path, sizeof path, "%s/lock", dir);
    l->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock < 0)
        return err_errno(err, errno, path, "cannot open the lock");
    if (flock(l->lock, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_CONFLICT, dir, "another subrankd works in this directory");
    return 0;
}

static void on_sweep(uv_timer_t *timer)
{
    struct server *s = timer->data;
    int64_t now = clock_mono_ms(), due = s->swept_ms + (int64_t)(s->config->sweep_s * 1000);
    s->lag_ms = now > due ? now - due : 0;
    s->swept_ms = now;
    struct err err = {0};
    if (lease_run_sweep(s, &err) < 0 || fleet_sweep(s, &err) < 0)
        s->reload = 1;
    http_sweep(s->http);
    reaper_sweep(s);
    turn_now(s->turn);
}

static void on_beat(uv_timer_t *timer)
{
    struct server *s = timer->data;
    watchdog_beat(s->watchdog, clock_mono_ms());
}

static void on_drain(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    int idle = turn_works(l->server.turn) == 0;
    if (!idle && clock_mono_ms() - l->stop_ms <= DRAIN_MS)
        return;
    if (!idle) { /* a worker thread has a request, and MHD cannot stop without it; what was acknowledged is committed */
        log_warn("stop_forced", "after_ms=%d", DRAIN_MS);
        _exit(0);
    }
    uv_stop(&l->uv);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *l = handle->data;
    if (l->stop_ms)
        return;
    log_info("stopping", "signal=%d", number);
    l->stop_ms = clock_mono_ms();
    l->server.stopping = 1;
    http_quiesce(l->server.http);
    events_end(l->server.events);
    uv_timer_start(&l->drain, on_drain, 50, 20);
}

static void start_timers(struct loop *l)
{
    struct server *s = &l->server;
    uint64_t sweep = (uint64_t)(s->config->sweep_s * 1000);
    uv_signal_init(&l->uv, &l->term);
    uv_signal_init(&l->uv, &l->interrupt);
    uv_timer_init(&l->uv, &l->sweep);
    uv_timer_init(&l->uv, &l->drain);
    uv_timer_init(&l->uv, &l->beat);
    l->beat.data = s;
    watchdog_beat(s->watchdog, clock_mono_ms());
    uv_timer_start(&l->beat, on_beat, BEAT_MS, BEAT_MS);
    l->term.data = l->interrupt.data = l->drain.data = l;
    l->sweep.data = s;
    uv_signal_start(&l->term, on_signal, SIGTERM);
    uv_signal_start(&l->interrupt, on_signal, SIGINT);
    s->swept_ms = clock_mono_ms();
    uv_timer_start(&l->sweep, on_sweep, sweep, sweep);
}

static void stop_timers(struct loop *l)
{
    uv_close((uv_handle_t *)&l->term, NULL);
    uv_close((uv_handle_t *)&l->interrupt, NULL);
    uv_close((uv_handle_t *)&l->sweep, NULL);
    uv_close((uv_handle_t *)&l->drain, NULL);
    uv_close((uv_handle_t *)&l->beat, NULL);
}

/* Reads everything while another thread looks through the file; a damaged file is refused, and left as it was. */
static int read_database(struct server *s, const char *path, struct err *err)
{
    struct db_check *check;
    struct err damage = {0};
    int rc = db_open(path, &s->db, err);
    if (rc < 0 || (rc = db_check_begin(path, &check, err)) < 0)
        return rc;
    if ((rc = auth_new(s->db, &s->auth, err)) >= 0 && (rc = events_new(s, &s->events, err)) >= 0 &&
        (rc = reaper_new(s, &s->reaper, err)) >= 0)
        rc = state_load(s, err);
    if (db_check_end(check, &damage) >= 0)
        return rc;
    *err = damage;
    s->damaged = 1;
    return -(int)err->code;
}

static int open_rooms(struct loop *l, struct err *err)
{
    struct server *s = &l->server;
    char path[4096];
    int rc = make_dir(l, s->config->data, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%s/subrank.db", s->config->data);
    s->metrics = metrics_new();
    s->pace = pace_new();
    if (!s->metrics || !s->pace)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for metrics");
    if ((rc = read_database(s, path, err)) < 0 || (rc = auth_bootstrap(s->auth, s->config->data, err)) < 0 ||
        (rc = db_commit(s->db, err)) < 0)
        return rc;
    rc = watchdog_new((int64_t)(s->config->stall_s * 1000), &s->watchdog, err);
    return rc < 0 ? rc : http_open(s, &s->http, err);
}

static void close_rooms(struct loop *l)
{
    struct server *s = &l->server;
    watchdog_free(s->watchdog);
    http_close(s->http);
    route_backup_stop(s);
    events_free(s->events);
    reaper_free(s->reaper);
    state_unload(s);
    auth_free(s->auth);
    if (s->damaged)
        db_abandon(s->db);
    else
        db_close(s->db);
    metrics_free(s->metrics);
    pace_free(s->pace);
    if (l->lock >= 0)
        close(l->lock);
}

static void no_work(uv_work_t *work)
{
    (void)work;
}

static void threads_started(uv_work_t *work, int status)
{
    (void)status;
    free(work);
}

/* libuv starts its threads with the first work and aborts when it cannot: better now than in the middle of a day. */
static void start_threads(uv_loop_t *uv)
{
    uv_work_t *work = calloc(1, sizeof *work);
    if (work && uv_queue_work(uv, work, no_work, threads_started) != 0)
        free(work);
}

int loop_run(const struct config *config, struct err *err)
{
    struct loop l = {.lock = -1};
    l.server.config = config;
    l.server.loop = &l.uv;
    l.server.started_ms = clock_mono_ms();
    signal(SIGPIPE, SIG_IGN);
    setenv("UV_THREADPOOL_SIZE", "8", 0); /* two read bodies, the rest is for what requests compute */
    json_watch();
    umask(077);
    raise_limit(config->max_connections);
    if (uv_loop_init(&l.uv) != 0)
        return err_set(err, ERR_INTERNAL, "", "the event loop did not start");
    start_threads(&l.uv);
    int rc = open_rooms(&l, err);
    if (rc >= 0) {
        start_timers(&l);
        log_info("ready", "url=%s data=\"%s\" start_ms=%lld", l.server.url, config->data,
                 (long long)(clock_mono_ms() - l.server.started_ms));
        printf("ready %s\n", l.server.url);
        fflush(stdout);
        uv_run(&l.uv, UV_RUN_DEFAULT);
        stop_timers(&l);
    }
    close_rooms(&l);
    uv_run(&l.uv, UV_RUN_DEFAULT);
    uv_loop_close(&l.uv);
    log_info("stopped", "rc=%d", rc);
    return rc;
}
