/* sched_table: see sched_table.h. */
#include "server/sched_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for the scheduler's tables");
}

struct sched_search *sched_find_search(const struct sched *s, int64_t id)
{
    return map_get(&s->searches, (uint64_t)id);
}

struct sched_job *sched_find_job(const struct sched *s, int64_t id)
{
    return map_get(&s->jobs, (uint64_t)id);
}

struct sched_worker *sched_find_worker(const struct sched *s, int64_t id)
{
    return map_get(&s->workers, (uint64_t)id);
}

/* ---- searches */

static void activate(struct sched *s, struct sched_search *q)
{
    assert(s->nactive < s->active_cap);
    q->active = s->nactive;
    s->active[s->nactive++] = q;
    if (q->vtime < s->vclock) /* what it did not use while it had nothing to do is not owed to it */
        q->vtime = s->vclock;
}

static void deactivate(struct sched *s, struct sched_search *q)
{
    struct sched_search *last = s->active[--s->nactive];
    s->active[q->active] = last;
    last->active = q->active;
    q->active = UINT32_MAX;
}

void sched_search_update(struct sched *s, struct sched_search *q)
{
    int wanted = !q->spec.paused && (q->head < q->nrows || q->retry_first);
    if (wanted && q->active == UINT32_MAX)
        activate(s, q);
    else if (!wanted && q->active != UINT32_MAX)
        deactivate(s, q);
}

int sched_search_add(struct sched *s, const struct sched_search_spec *spec, struct err *err)
{
    assert(spec->nblobs <= SCHED_BLOBS);
    if (sched_find_search(s, spec->id))
        return err_set(err, ERR_CONFLICT, "", "search %lld is scheduled already", (long long)spec->id);
    if (s->active_cap <= s->searches.count) { /* room for all, so that becoming active cannot fail */
        uint32_t cap = s->active_cap ? 2 * s->active_cap : 16;
        struct sched_search **active = realloc(s->active, cap * sizeof(*active));
        if (!active)
            return no_memory(err);
        s->active = active;
        s->active_cap = cap;
    }
    struct sched_search *q = calloc(1, sizeof *q);
    if (!q || map_put(&s->searches, (uint64_t)spec->id, q)) {
        free(q);
        return no_memory(err);
    }
    q->spec = *spec;
    q->spec.weight = spec->weight ? spec->weight : 1;
    q->active = UINT32_MAX;
    q->start_ms = q->flow_ms = INT64_MIN;
    return 0;
}

void sched_search_pause(struct sched *s, int64_t search, int paused)
{
    struct sched_search *q = sched_find_search(s, search);
    if (q) {
        q->spec.paused = paused;
        sched_search_update(s, q);
    }
}

void sched_search_weight(struct sched *s, int64_t search, uint32_t weight)
{
    struct sched_search *q = sched_find_search(s, search);
    if (q)
        q->spec.weight = weight ? weight : 1;
}

void sched_search_drop(struct sched *s, int64_t search)
{
    struct sched_search *q = sched_find_search(s, search);
    if (!q)
        return;
    while (q->jobs)
        sched_job_end(s, q->jobs);
    s->queued -= q->nrows - q->head;
    q->head = q->nrows;
    sched_search_update(s, q);
    map_take(&s->searches, (uint64_t)search);
    free(q->rows);
    free(q);
}

int sched_rows_append(struct sched *s, struct sched_search *q, const uint32_t *rows, size_t n, struct err *err)
{
    (void)s;
    if (n > UINT32_MAX - q->nrows)
        return err_set(err, ERR_TOO_LARGE, "", "a search holds at most %u candidates", UINT32_MAX);
    if (q->nrows + n > q->cap) {
        size_t cap = q->cap ? q->cap : 64;
        while (cap < q->nrows + n)
            cap = cap * 2 > UINT32_MAX ? UINT32_MAX : cap * 2;
        uint32_t *grown = realloc(q->rows, cap * sizeof *grown);
        if (!grown)
            return no_memory(err);
        q->rows = grown;
        q->cap = (uint32_t)cap;
    }
    if (n)
        memcpy(q->rows + q->nrows, rows, n * sizeof *rows);
    q->nrows += (uint32_t)n;
    return 0;
}

int sched_push(struct sched *s, int64_t search, const uint32_t *rows, size_t n, struct err *err)
{
    struct sched_search *q = sched_find_search(s, search);
    if (!q)
        return err_set(err, ERR_NOT_FOUND, "", "search %lld is not scheduled", (long long)search);
    int rc = sched_rows_append(s, q, rows, n, err);
    if (rc)
        return rc;
    s->queued += n;
    sched_search_update(s, q);
    return 0;
}

/* ---- jobs */

int sched_job_add(struct sched *s, struct sched_search *q, int64_t id, uint32_t first, uint32_t count,
                  struct sched_job **out, struct err *err)
{
    if (sched_find_job(s, id))
        return err_set(err, ERR_CONFLICT, "", "job %lld exists already", (long long)id);
    struct sched_job *j = calloc(1, sizeof *j);
    if (!j || map_put(&s->jobs, (uint64_t)id, j)) {
        free(j);
        return no_memory(err);
    }
    j->id = id;
    j->search = q;
    j->first = first;
    j->count = count;
    j->next = q->jobs;
    if (q->jobs)
        q->jobs->prev = j;
    q->jobs = j;
    q->open_jobs++;
    *out = j;
    return 0;
}

void sched_job_queue(struct sched *s, struct sched_job *j, int front)
{
    struct sched_search *q = j->search;
    assert(!j->live && !j->retry_prev && !j->retry_next && q->retry_first != j);
    if (front) {
        j->retry_next = q->retry_first;
        *(q->retry_first ? &q->retry_first->retry_prev : &q->retry_last) = j;
        q->retry_first = j;
    } else {
        j->retry_prev = q->retry_last;
        *(q->retry_last ? &q->retry_last->retry_next : &q->retry_first) = j;
        q->retry_last = j;
    }
    sched_search_update(s, q);
}

void sched_job_unqueue(struct sched *s, struct sched_job *j)
{
    struct sched_search *q = j->search;
    *(j->retry_prev ? &j->retry_prev->retry_next : &q->retry_first) = j->retry_next;
    *(j->retry_next ? &j->retry_next->retry_prev : &q->retry_last) = j->retry_prev;
    j->retry_prev = j->retry_next = NULL;
    sched_search_update(s, q);
}

void sched_job_lapse(struct sched *s, struct sched_job *j)
{
    struct sched_worker *w = sched_find_worker(s, j->live->worker);
    assert(w);
    lease_lapse(&s->leases, j->live, &w->leases);
    if (--w->nlive == 0)
        s->nbusy--;
    j->live = NULL;
}

void sched_job_end(struct sched *s, struct sched_job *j)
{
    struct sched_search *q = j->search;
    if (j->live)
        sched_job_lapse(s, j);
    else
        sched_job_unqueue(s, j);
    while (j->leases) {
        struct lease *l = j->leases;
        j->leases = l->job_next;
        lease_free(&s->leases, l);
    }
    *(j->prev ? &j->prev->next : &q->jobs) = j->next;
    if (j->next)
        j->next->prev = j->prev;
    q->open_jobs--;
    map_take(&s->jobs, (uint64_t)j->id);
    free(j);
}

void sched_job_shun(struct sched_job *j, int64_t worker)
{
    for (uint32_t i = 0; i < j->navoid; i++)
        if (j->avoid[i] == worker)
            return;
    if (j->navoid == SCHED_AVOID) {
        memmove(j->avoid, j->avoid + 1, (SCHED_AVOID - 1) * sizeof *j->avoid);
        j->navoid--;
    }
    j->avoid[j->navoid++] = worker;
}

/* ---- workers */

void sched_worker_unlink(struct sched *s, struct sched_worker *w)
{
    if (!w->seen)
        return;
    *(w->seen_prev ? &w->seen_prev->seen_next : &s->seen_first) = w->seen_next;
    *(w->seen_next ? &w->seen_next->seen_prev : &s->seen_last) = w->seen_prev;
    w->seen_prev = w->seen_next = NULL;
    w->seen = 0;
    s->nseen--;
}

void sched_worker_seen(struct sched *s, struct sched_worker *w, int64_t now)
{
    sched_worker_unlink(s, w);
    w->seen_ms = now;
    w->seen = 1;
    w->seen_prev = s->seen_last;
    *(s->seen_last ? &s->seen_last->seen_next : &s->seen_first) = w;
    s->seen_last = w;
    s->nseen++;
}

void sched_forget_silent(struct sched *s, int64_t now)
{
    while (s->seen_first && s->seen_first->seen_ms + s->config.expiry_ms <= now)
        sched_worker_unlink(s, s->seen_first);
}

int sched_worker_add(struct sched *s, int64_t worker, uint32_t threads, double candidates_per_s, struct err *err)
{
    if (sched_find_worker(s, worker))
        return err_set(err, ERR_CONFLICT, "", "worker %lld is known already", (long long)worker);
    struct sched_worker *w = calloc(1, sizeof *w);
    if (!w || map_put(&s->workers, (uint64_t)worker, w)) {
        free(w);
        return no_memory(err);
    }
    w->id = worker;
    w->threads = threads ? threads : 1;
    w->told_per_s = candidates_per_s;
    return 0;
}

/* ---- figures */

uint64_t sched_queued(const struct sched *s, int64_t search)
{
    const struct sched_search *q = sched_find_search(s, search);
    return q ? q->nrows - q->head : 0;
}

uint64_t sched_jobs_open(const struct sched *s, int64_t search)
{
    const struct sched_search *q = sched_find_search(s, search);
    return q ? q->open_jobs : 0;
}

void sched_stats(const struct sched *s, int64_t now, struct sched_stats *out)
{
    uint64_t live = 0;
    for (const struct sched_worker *w = s->seen_last; w && w->seen_ms + s->config.expiry_ms > now; w = w->seen_prev)
        live++;
    *out = (struct sched_stats){s->queued, s->jobs.count, s->leases.live, s->workers.count, live};
}

/* ---- the whole */

struct sched *sched_new(const struct sched_config *config)
{
    struct sched *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    struct sched_config *c = &s->config;
    *c = *config;
    c->beat_ms = c->beat_ms ? c->beat_ms : 30000;
    c->expiry_ms = c->expiry_ms ? c->expiry_ms : 3 * c->beat_ms;
    c->target_ms = c->target_ms ? c->target_ms : 60000;
    c->probe = c->probe ? c->probe : 4;
    c->max_job = c->max_job ? c->max_job : 512;
    c->max_failed = c->max_failed ? c->max_failed : 3;
    c->max_expired = c->max_expired ? c->max_expired : 8;
    c->max_held = c->max_held ? c->max_held : 8;
    c->polls_per_s = c->polls_per_s ? c->polls_per_s : 200;
    s->next_job = 1;
    return s;
}

void sched_free(struct sched *s)
{
    if (!s)
        return;
    for (size_t at = 0; s->searches.count > 0; at = 0) {
        struct sched_search *q = map_next(&s->searches, &at);
        sched_search_drop(s, q->spec.id);
    }
    size_t at = 0;
    for (struct sched_worker *w; (w = map_next(&s->workers, &at)) != NULL;)
        free(w);
    map_clear(&s->workers);
    map_clear(&s->searches);
    map_clear(&s->jobs);
    lease_table_clear(&s->leases);
    free(s->active);
    free(s);
}
