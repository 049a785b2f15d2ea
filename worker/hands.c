/* hands: see hands.h. */
#include "worker/hands.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CRASHES_MAX = 2, /* a job that ends the compute process so often has failed */
    STREAK_MAX = 3   /* so many jobs in a row failed by crash: perhaps it is this machine */
};

static size_t job_index(const struct hands *h, const char *lease)
{
    size_t i = 0;
    while (i < h->njobs && strcmp(h->jobs[i]->lease, lease) != 0)
        i++;
    return i;
}

static struct job *in_phase(const struct hands *h, enum job_phase phase)
{
    for (size_t i = 0; i < h->njobs; i++)
        if (h->jobs[i]->phase == phase)
            return h->jobs[i];
    return NULL;
}

static void forget_job(struct hands *h, struct job *j)
{
    size_t i = job_index(h, j->lease);
    if (h->fetch.job == j)
        fetch_drop(&h->fetch);
    if (j->phase == JOB_RUNNING)
        child_kill(&h->child);
    memmove(h->jobs + i, h->jobs + i + 1, (h->njobs - i - 1) * sizeof *h->jobs);
    h->njobs--;
    job_clear(j);
    free(j);
}

static void lease_returned(void *arg, const struct client_answer *answer)
{
    struct hands *h = arg;
    if (answer->verdict == CLIENT_DENIED) /* everything else: the lease expires by itself */
        session_judge(h->session, "return", answer, NULL, clock_mono_ms());
}

static void return_lease(struct hands *h, const char *lease)
{
    char path[128];
    struct err err;
    snprintf(path, sizeof path, "/api/v1/leases/%s", lease);
    struct client_request r = {
        .method = "DELETE", .path = path, .token = h->session->me.key, .done = lease_returned, .arg = h};
    client_send(h->session->client, &r, &err);
    log_info("lease_returned", "lease=%s", lease);
}

/* This machine cannot work for now: ask for nothing, for longer each time. */
static void be_unfit(struct hands *h, const char *why)
{
    int64_t wait = backoff_fail(&h->unfit, &h->session->rng, 0);
    h->unfit_ms = clock_mono_ms() + wait;
    log_warn("unfit", "reason=%s wait_ms=%lld", why, (long long)wait);
}

/* Hands a result (or a failure) over for delivery and lets the job go; phase must not be RUNNING any more. */
static void conclude(struct hands *h, struct job *j, const struct err *failed)
{
    struct err err;
    char text[600];
    char *result = job_result(j, failed);
    if (failed)
        log_error("job_failed", "job=%lld lease=%s type=%s where=%s detail=%s", (long long)j->id, j->lease,
                  err_type(failed->code), failed->where, log_quote(text, sizeof text, failed->text));
    if (!result || deliver_add(h->deliver, j->id, j->lease, result, &err)) {
        log_error("result_lost", "job=%lld detail=\"no memory\"", (long long)j->id);
        return_lease(h, j->lease);
    }
    j->phase = JOB_READY;
    forget_job(h, j);
}

static void accept_job(struct hands *h, struct wire_lease *lease)
{
    struct err err;
    struct job *j = calloc(1, sizeof *j);
    if (!j || h->njobs >= HANDS_MAX) {
        free(j);
        return_lease(h, lease->lease);
        return;
    }
    int rc = job_init(j, lease, &err);
    h->jobs[h->njobs++] = j;
    log_info("job_leased", "job=%lld lease=%s kind=%s candidates=%lld blobs=%zu", (long long)j->id, j->lease, j->kind,
             (long long)j->of, j->nblobs);
    if (rc)
        conclude(h, j, &err);
}

int hands_room(const struct hands *h)
{
    return 1 + (int)h->config->prefetch - (int)h->njobs;
}

void hands_accept(struct hands *h, struct wire_answer *answer, int refuse)
{
    for (size_t i = 0; i < answer->nleases; i++) {
        struct wire_lease *l = &answer->leases[i];
        if (job_index(h, l->lease) < h->njobs || deliver_holds(h->deliver, l->lease))
            continue;
        if (refuse || hands_room(h) <= 0)
            return_lease(h, l->lease);
        else
            accept_job(h, l);
    }
}

static void fetch_lane(struct hands *h, int64_t now)
{
    struct err err;
    struct job *j = h->fetch.job;
    if (!j && (j = in_phase(h, JOB_FETCH)) != NULL)
        fetch_start(&h->fetch, j);
    if (fetch_step(&h->fetch, now, &err) >= 0)
        return;
    if (err.code == ERR_DISK_FULL || err.code == ERR_IO) { /* no fault of the job: somebody else may have it */
        char text[600];
        log_error("cache_failed", "detail=%s", log_quote(text, sizeof text, err.text));
        return_lease(h, j->lease);
        forget_job(h, j);
        be_unfit(h, "cache");
        return;
    }
    if (err.code == ERR_TOO_LARGE) /* this cache is too small for the job: others may have a larger one */
        err.code = ERR_DISK_FULL;
    conclude(h, j, &err);
    if (err.code == ERR_DISK_FULL)
        be_unfit(h, "cache"); /* or this worker alone would use up a job's attempts in a second */
}

static void learn_speed(struct hands *h, const struct job *j)
{
    const json_t *s;
    size_t i;
    double seconds = (double)(clock_mono_ms() - j->started_ms) / 1000, images = 0;
    json_array_foreach(j->scores, i, s) images += json_number_value(json_object_get(s, "n_images"));
    size_t n = json_array_size(j->scores);
    if (seconds <= 0 || n == 0)
        return;
    double rate = (double)n / seconds;
    h->candidates_per_s = h->candidates_per_s > 0 ? 0.5 * (h->candidates_per_s + rate) : rate;
    h->images_per_s = images / seconds;
}

static void on_line(void *arg, const char *line, size_t n)
{
    struct hands *h = arg;
    struct err err;
    char text[600];
    struct job *j = in_phase(h, JOB_RUNNING);
    if (!j)
        return; /* the end of something cancelled */
    int rc = job_take_line(j, line, n, &err);
    if (rc < 0)
        log_warn("compute_nonsense", "detail=%s", log_quote(text, sizeof text, err.text));
    if (rc != JOB_ENDED)
        return;
    learn_speed(h, j);
    h->crash_streak = 0;
    backoff_reset(&h->unfit);
    log_info("job_computed", "job=%lld lease=%s scores=%zu ms=%lld", (long long)j->id, j->lease,
             json_array_size(j->scores), (long long)(clock_mono_ms() - j->started_ms));
    j->phase = JOB_READY;
    conclude(h, j, NULL);
}

static void crashed(struct hands *h)
{
    struct job *j = in_phase(h, JOB_RUNNING);
    log_error("compute_ended", "how=\"%s\" job=%lld", h->child.end, j ? (long long)j->id : 0LL);
    if (!j)
        return;
    job_again(j);
    if (++j->crashes < CRASHES_MAX)
        return;
    struct err err;
    err_set(&err, ERR_INTERNAL, "compute", "the compute process ended %d times on this job (%s)", j->crashes,
            h->child.end);
    conclude(h, j, &err);
    if (++h->crash_streak >= STREAK_MAX)
        be_unfit(h, "crashes");
}

static void compute_start(struct hands *h)
{
    struct err err;
    char text[600];
    struct job *j = in_phase(h, JOB_READY);
    if (!j || in_phase(h, JOB_RUNNING))
        return;
    int rc = h->child.pid > 0 ? 0 : child_start(&h->child, h->program, &err);
    char *line = rc ? NULL
                    : job_compute_line(j, h->cache, session_threads(h->config), session_memory(h->config),
                                       h->config->profile != 0);
    if (!rc)
        rc = line ? child_send(&h->child, line, &err) : err_set(&err, ERR_NO_MEMORY, "compute", "no memory");
    free(line);
    if (rc) {
        log_error("compute_failed", "detail=%s", log_quote(text, sizeof text, err.text));
        return_lease(h, j->lease);
        forget_job(h, j);
        be_unfit(h, "compute");
        return;
    }
    j->phase = JOB_RUNNING;
    j->started_ms = clock_mono_ms();
}

static void compute_lane(struct hands *h, int64_t now)
{
    if (h->child.pid > 0 && child_pump(&h->child, on_line, h))
        crashed(h);
    if (in_phase(h, JOB_RUNNING) && now - h->child.heard_ms > h->config->hang_s * 1000) {
        log_error("compute_hangs", "silent_s=%lld", (long long)(now - h->child.heard_ms) / 1000);
        child_kill(&h->child);
        crashed(h);
    }
    compute_start(h);
}

void hands_step(struct hands *h, int64_t now)
{
    compute_lane(h, now);
    fetch_lane(h, now);
    compute_start(h); /* blobs may just have become complete */
}

void hands_gone(struct hands *h, const char *lease)
{
    size_t at = job_index(h, lease);
    if (at == h->njobs)
        return;
    log_info("lease_gone", "job=%lld lease=%s", (long long)h->jobs[at]->id, lease);
    forget_job(h, h->jobs[at]);
}

void hands_return_all(struct hands *h)
{
    child_kill(&h->child);
    while (h->njobs) {
        struct job *j = h->jobs[0];
        j->phase = JOB_READY;
        return_lease(h, j->lease);
        forget_job(h, j);
    }
}

int64_t hands_due(const struct hands *h, int64_t now)
{
    int running = in_phase(h, JOB_RUNNING) != NULL;
    if ((in_phase(h, JOB_FETCH) && !h->fetch.job) || (in_phase(h, JOB_READY) && !running))
        return now;
    int64_t due = fetch_due(&h->fetch), silent = h->child.heard_ms + h->config->hang_s * 1000;
    return running && silent < due ? silent + 1 : due;
}

void hands_init(struct hands *h, const struct config *c, const char *program, struct session *session,
                struct cache *cache, struct deliver *deliver)
{
    memset(h, 0, sizeof *h);
    h->config = c;
    h->program = program;
    h->session = session;
    h->cache = cache;
    h->deliver = deliver;
    h->unfit = (struct backoff){10000, 600000, 0};
    fetch_init(&h->fetch, session, cache);
    child_init(&h->child);
}

void hands_clear(struct hands *h)
{
    child_kill(&h->child);
    while (h->njobs) {
        h->jobs[0]->phase = JOB_READY;
        forget_job(h, h->jobs[0]);
    }
}
