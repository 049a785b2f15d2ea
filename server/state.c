/* state: see state.h. */
#include "server/state.h"

#include "proto/base/log.h"
#include "server/auth.h"
#include "server/errands.h"
#include "server/fleet.h"
#include "server/lease_run.h"
#include "server/sched.h"
#include "server/searches.h"
#include "server/server.h"

#include <signal.h>

static struct sched *make_sched(const struct config *c)
{
    struct sched_config sc = {
        .beat_ms = (int64_t)(c->beat_s * 1000),
        .expiry_ms = (int64_t)(c->expiry_s * 1000),
        .target_ms = (int64_t)(c->job_s * 1000),
        .probe = (uint32_t)c->first_job,
        .max_job = (uint32_t)c->max_job,
        .max_failed = (uint32_t)c->max_failed,
        .max_expired = (uint32_t)c->max_expired,
    };
    return sched_new(&sc);
}

int state_load(struct server *s, struct err *err)
{
    s->sched = make_sched(s->config);
    if (!s->sched)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the scheduler");
    int rc = fleet_load(s, &s->fleet, err);
    if (rc >= 0)
        rc = searches_load(s, &s->searches, err);
    if (rc >= 0)
        rc = errands_load(s, &s->errands, err);
    return rc < 0 ? rc : lease_run_load(s, err);
}

void state_unload(struct server *s)
{
    errands_free(s->errands);
    searches_free(s->searches);
    fleet_free(s->fleet);
    sched_free(s->sched);
    s->errands = NULL;
    s->searches = NULL;
    s->fleet = NULL;
    s->sched = NULL;
}

void state_reload(struct server *s)
{
    struct err err = {0};
    s->reload = 0;
    log_warn("reload", "reason=commit");
    state_unload(s);
    if (auth_reload(s->auth, &err) < 0 || state_load(s, &err) < 0) {
        /* Nothing sound to go on with: stop, so that the supervisor starts us from the database. */
        log_error("reload_failed", "type=%s detail=\"%s\"", err_type(err.code), err.text);
        raise(SIGKILL);
    }
}
