/* watchdog: compares the loop's last beat with the clock four times a second. It shares two atomic numbers with the
 * loop and touches nothing else. */
#include "server/watchdog.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct watchdog {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int ending;
    int64_t stall_ms;
    _Atomic int64_t beat_ms;
    int64_t worst_ms, ended_ms; /* the loop's own: the last stall */
    uint64_t stalls;
};

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    int64_t told = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 250000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&w->wake, &w->lock, &until);
        int64_t beat = atomic_load(&w->beat_ms), still = clock_mono_ms() - beat;
        if (still >= w->stall_ms && beat != told) {
            told = beat; /* once for each stall */
            log_error("loop_stalled", "ms=%lld", (long long)still);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int watchdog_new(int64_t stall_ms, struct watchdog **out, struct err *err)
{
    struct watchdog *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;
    sigset_t all, old;
    if (!w)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the watchdog");
    w->stall_ms = stall_ms;
    atomic_store(&w->beat_ms, clock_mono_ms());
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the loop's */
    int rc = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        free(w);
        return err_errno(err, rc, "watchdog", "no thread for the watchdog");
    }
    *out = w;
    return 0;
}

void watchdog_free(struct watchdog *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = 1;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    free(w);
}

void watchdog_beat(struct watchdog *w, int64_t now)
{
    int64_t pause = now - atomic_exchange(&w->beat_ms, now);
    if (pause < w->stall_ms)
        return;
    w->stalls++;
    w->worst_ms = pause;
    w->ended_ms = now;
    log_warn("loop_recovered", "stalled_ms=%lld", (long long)pause);
}

int64_t watchdog_recent(const struct watchdog *w, int64_t now, int64_t window_ms)
{
    int64_t pause = now - atomic_load(&w->beat_ms);
    if (pause >= w->stall_ms)
        return pause;
    return w->stalls && now - w->ended_ms <= window_ms ? w->worst_ms : 0;
}

uint64_t watchdog_stalls(const struct watchdog *w)
{
    return w->stalls;
}
