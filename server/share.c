/* share: see share.h. */
#include "server/share.h"

#include <math.h>
#include <string.h>

enum { RETRY_LOOK = 16 };
static const double flow_tau_s = 300; /* several jobs of a minute each: the time left must not jump with every result */

static int holds(const struct sched_ask *ask, const unsigned char *blob)
{
    for (size_t i = 0; i < ask->nblobs; i++)
        if (memcmp(ask->blobs[i], blob, HASH256_SIZE) == 0)
            return 1;
    return 0;
}

static int warm(const struct sched_search *q, const struct sched_ask *ask)
{
    for (size_t i = 0; i < q->spec.nblobs; i++)
        if (!holds(ask, q->spec.blobs[i]))
            return 0;
    return 1;
}

struct sched_search *share_choose(struct sched *s, const struct sched_worker *w, const struct sched_ask *ask,
                                  const unsigned char *skip)
{
    struct sched_search *first = NULL, *near = NULL;
    for (uint32_t i = 0; i < s->nactive; i++) {
        struct sched_search *q = s->active[i];
        if (skip[i])
            continue;
        if (!first || q->vtime < first->vtime || (q->vtime == first->vtime && q->spec.id < first->spec.id))
            first = q;
    }
    if (first && first->vtime > s->vclock)
        s->vclock = first->vtime;
    if (!first || ask->nblobs == 0 || warm(first, ask))
        return first;
    double round = (double)s->config.target_ms / 1000 * w->threads * (1 + .25 * s->nseen);
    for (uint32_t i = 0; i < s->nactive; i++) {
        struct sched_search *q = s->active[i];
        if (skip[i] || q->vtime > first->vtime + round / q->spec.weight || !warm(q, ask))
            continue;
        if (!near || q->vtime < near->vtime || (q->vtime == near->vtime && q->spec.id < near->spec.id))
            near = q;
    }
    return near ? near : first;
}

static int shunned(const struct sched_job *j, int64_t worker)
{
    for (uint32_t i = 0; i < j->navoid; i++)
        if (j->avoid[i] == worker)
            return 1;
    return 0;
}

struct sched_job *share_retry(const struct sched *s, const struct sched_search *q, const struct sched_worker *w)
{
    struct sched_job *j = q->retry_first;
    for (int i = 0; j && i < RETRY_LOOK; i++, j = j->retry_next)
        if (!shunned(j, w->id) || s->nseen <= j->navoid)
            return j;
    return NULL;
}

static const struct sched_rate *rate_of(const struct sched_worker *w, int64_t search)
{
    for (int i = 0; i < SCHED_RATES; i++)
        if (w->rate[i].search == search && w->rate[i].per_s > 0)
            return &w->rate[i];
    return NULL;
}

static double even_share(const struct sched *s, const struct sched_search *q)
{
    double weights = 0;
    for (uint32_t i = 0; i < s->nactive; i++)
        weights += s->active[i]->spec.weight;
    double workers = s->nseen > 0 ? s->nseen : 1, part = weights > 0 ? q->spec.weight / weights : 1;
    return fmax(1, workers * part);
}

uint32_t share_size(const struct sched *s, const struct sched_search *q, const struct sched_worker *w, double told)
{
    const struct sched_rate *known = rate_of(w, q->spec.id);
    double target_s = (double)s->config.target_ms / 1000, per_s = 0, size = s->config.probe, left = q->nrows - q->head;
    if (known) {
        per_s = known->per_s;
        size = fmin(per_s * target_s, 4.0 * known->last_job);
    } else if (told > 0 || w->told_per_s > 0 || q->per_s > 0) {
        per_s = told > 0 ? told : w->told_per_s > 0 ? w->told_per_s : q->per_s;
        size = per_s * target_s / 2; /* of another search, or of other workers: be careful */
    }
    /* Half an even share, but no crumbs below a thirtieth of the target unless an even share is one. */
    double share = left / even_share(s, q), tail = fmax(share / 2, fmin(per_s * target_s / 30, share));
    size = ceil(fmin(fmin(size, tail), fmin(left, s->config.max_job)));
    return size > 1 ? (uint32_t)size : 1;
}

void share_charge(const struct sched *s, struct sched_job *j, const struct sched_worker *w)
{
    const struct sched_rate *known = rate_of(w, j->search->spec.id);
    double per_s = known ? known->per_s : j->search->per_s, target_s = (double)s->config.target_ms / 1000;
    double seconds = per_s > 0 ? fmin(j->count / per_s, 10 * target_s) : target_s;
    j->charged = seconds * w->threads / j->search->spec.weight;
    j->search->vtime += j->charged;
}

void share_settle(struct sched_job *j, const struct sched_worker *w, int64_t elapsed_ms)
{
    if (elapsed_ms >= 0)
        j->search->vtime += (double)elapsed_ms / 1000 * w->threads / j->search->spec.weight - j->charged;
    j->charged = 0;
}

static void learn_rate(struct sched_worker *w, int64_t search, uint32_t count, double per_s)
{
    struct sched_rate now = {search, per_s, count};
    int at = 0;
    while (at < SCHED_RATES - 1 && w->rate[at].search != search)
        at++;
    if (w->rate[at].search == search && w->rate[at].per_s > 0)
        now.per_s = .5 * w->rate[at].per_s + .5 * per_s;
    memmove(w->rate + 1, w->rate, (size_t)at * sizeof *w->rate);
    w->rate[0] = now;
}

void share_learn(struct sched_job *j, struct sched_worker *w, int64_t granted_ms, int64_t now)
{
    struct sched_search *q = j->search;
    int64_t from = w->done_ms > granted_ms ? w->done_ms : granted_ms; /* a worker does one job at a time */
    double seconds = fmax(1, (double)(now - from)) / 1000, per_s = j->count / seconds;
    learn_rate(w, q->spec.id, j->count, per_s);
    q->per_s = q->per_s > 0 ? .8 * q->per_s + .2 * per_s : per_s;
    w->done_ms = now;
    if (q->start_ms == INT64_MIN)
        q->start_ms = q->flow_ms = granted_ms;
    q->flow = q->flow * exp(-(double)(now - q->flow_ms) / 1000 / flow_tau_s) + j->count / flow_tau_s;
    q->flow_ms = now;
}

double share_flow(const struct sched_search *q, int64_t now)
{
    if (q->start_ms == INT64_MIN)
        return 0;
    double age = (double)(now - q->start_ms) / 1000, since = (double)(now - q->flow_ms) / 1000;
    double seen = 1 - exp(-fmax(age, 1) / flow_tau_s); /* a young search has filled only part of the window */
    return since > 3 * flow_tau_s ? 0 : q->flow * exp(-since / flow_tau_s) / seen; /* nobody works on it any more */
}
