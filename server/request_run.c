/* request_run: runs a handler inside a savepoint, on the loop or after work on another thread, and lets its answer go
 * when what it wrote is committed. */
#include "server/request_impl.h"

#include "proto/base/clock.h"
#include "proto/base/json.h"
#include "server/db.h"
#include "server/turn.h"

#include <assert.h>
#include <stdio.h>

/* Runs fn inside a savepoint when the operation writes and turns its error into the answer. */
static void run_step(struct request *rq, int (*fn)(struct request *, struct err *))
{
    struct err err = {0};
    struct db *db = rq->server->db;
    int rc = 0, saved = 0;
    if (request_disk_full(rq, &err))
        rc = -(int)err.code;
    if (rc >= 0 && request_writes(rq) && (rc = db_savepoint(db, &err)) >= 0)
        saved = 1;
    if (rc >= 0)
        rc = fn(rq, &err);
    if (json_failures() != rq->json_failures) {
        rc = err_set(&err, ERR_NO_MEMORY, "", "no memory for the request");
        rq->server->reload |= saved; /* what it changed in memory goes with the savepoint */
    }
    if (saved)
        db_savepoint_end(db, rc >= 0);
    if (rc < 0)
        request_fail(rq, &err);
}

/* One line for each change that a person or program made; workers' traffic is in the tables of jobs. */
static int audit(struct request *rq, struct err *err)
{
    if (!request_writes(rq) || !rq->answer || rq->status >= 400 || rq->who.role == API_ROLE_WORKER ||
        rq->who.role == API_ROLE_OPEN)
        return 0;
    const char *name = json_string_value(json_object_get(rq->json, "name"));
    char what[700];
    snprintf(what, sizeof what, "%s%s%s", rq->path, name ? " " : "", name ? name : "");
    return db_exec(rq->server->db, err, SQL_AUDIT_INSERT, "ittt", clock_wall_ms(), rq->who.name, rq->route.op->name,
                   what);
}

static int call_again(struct request *rq, struct err *err)
{
    int rc = rq->on_end ? rq->on_end(rq->server, rq, err) : rq->route.handler(rq->server, rq, err);
    return rc < 0 ? rc : audit(rq, err);
}

static int call_handler(struct request *rq, struct err *err)
{
    int rc = request_parse_body(rq, err);
    return rc < 0 ? rc : call_again(rq, err);
}

static int call_done(struct request *rq, struct err *err)
{
    int rc = rq->job.done(rq->server, rq, rq->job.arg, err);
    return rc < 0 ? rc : audit(rq, err);
}

/* A request whose turn wrote something waits for the commit, whether it wrote itself or may only have seen it. */
static int after_step(struct request *rq)
{
    if (rq->in_work)
        return 1;
    if ((rq->answer || rq->job_waits) && db_in_write(rq->server->db)) {
        turn_wait_commit(rq);
        return 1;
    }
    if (rq->job_waits) {
        rq->job_waits = 0;
        struct request_job job = rq->job;
        request_work(rq, &job);
        return 1;
    }
    return 0;
}

void request_dispatch(struct request *rq)
{
    rq->dispatched = 1;
    run_step(rq, call_handler);
    after_step(rq);
}

void request_settled(struct request *rq, const struct err *err)
{
    if (err->code) {
        if (rq->job_waits && rq->job.release)
            rq->job.release(rq->job.arg);
        rq->job_waits = 0;
        request_fail(rq, err);
    }
    if (rq->job_waits) {
        rq->job_waits = 0;
        struct request_job job = rq->job;
        request_work(rq, &job);
        return;
    }
    turn_resume(rq);
}

static void work(uv_work_t *w)
{
    struct request *rq = w->data;
    rq->job.work(rq->job.arg);
}

static void worked(uv_work_t *w, int status)
{
    struct request *rq = w->data;
    (void)status;
    struct request_job job = rq->job;
    turn_work_ended(rq);
    run_step(rq, call_done);
    if (job.release)
        job.release(job.arg);
    if (!after_step(rq))
        turn_resume(rq);
    turn_soon(rq->server->turn);
}

int request_hold(struct request *rq)
{
    turn_work_began(rq);
    return 1;
}

void request_again(struct request *rq, const struct err *err)
{
    turn_work_ended(rq);
    if (err->code)
        request_fail(rq, err);
    else
        run_step(rq, call_again);
    if (!after_step(rq))
        turn_resume(rq);
    turn_soon(rq->server->turn);
}

static void nothing(uv_work_t *w)
{
    (void)w;
}

static void soon(uv_work_t *w, int status)
{
    struct err none = {0};
    (void)status;
    request_again(w->data, &none);
}

int request_soon(struct request *rq)
{
    rq->work.data = rq;
    int rc = uv_queue_work(rq->server->loop, &rq->work, nothing, soon);
    assert(rc == 0); /* it fails only without a function */
    return request_hold(rq);
}

int request_work_committed(struct request *rq, const struct request_job *job)
{
    rq->job = *job;
    rq->job_waits = 1;
    return 0;
}

int request_work(struct request *rq, const struct request_job *job)
{
    rq->job = *job;
    rq->work.data = rq;
    int rc = uv_queue_work(rq->server->loop, &rq->work, work, worked);
    assert(rc == 0); /* it fails only without a function */
    turn_work_began(rq);
    return 0;
}
