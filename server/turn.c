/* turn: see turn.h. */
#include "server/turn.h"

#include "server/request_impl.h"

#include <assert.h>
#include <stdlib.h>

struct turn {
    uv_timer_t timer;
    uv_idle_t again; /* active: a turn is due in the next round of the loop */
    turn_fn *run;
    void *arg;
    struct request *waiting; /* for the commit */
    int in_turn;             /* or stopped: no other begins */
    int works;
    int open; /* handles that are not closed yet */
};

struct turn *turn_new(uv_loop_t *loop, turn_fn *run, void *arg)
{
    struct turn *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->run = run;
    t->arg = arg;
    t->open = 2;
    uv_timer_init(loop, &t->timer);
    uv_idle_init(loop, &t->again);
    t->timer.data = t->again.data = t;
    return t;
}

static void on_closed(uv_handle_t *handle)
{
    struct turn *t = handle->data;
    if (--t->open == 0)
        free(t);
}

void turn_stop(struct turn *t)
{
    t->in_turn = 1;
    uv_timer_stop(&t->timer);
    uv_idle_stop(&t->again);
}

void turn_free(struct turn *t)
{
    if (!t)
        return;
    uv_close((uv_handle_t *)&t->timer, on_closed);
    uv_close((uv_handle_t *)&t->again, on_closed);
}

/* ---- when */

static void on_timer(uv_timer_t *timer)
{
    turn_now(timer->data);
}

/* Not a timer of no time: libuv runs one that is started again in its callback at once, and nothing else any more. */
static void on_again(uv_idle_t *idle)
{
    turn_now(idle->data);
}

void turn_now(struct turn *t)
{
    assert(!t->in_turn);
    t->in_turn = 1;
    int64_t wait = t->run(t->arg);
    t->in_turn = 0;
    if (wait <= 0)
        uv_idle_start(&t->again, on_again);
    else
        uv_idle_stop(&t->again);
    if (wait > 0 && wait < INT64_MAX)
        uv_timer_start(&t->timer, on_timer, (uint64_t)wait, 0);
    else
        uv_timer_stop(&t->timer);
}

void turn_soon(struct turn *t)
{
    if (!t->in_turn)
        uv_idle_start(&t->again, on_again);
}

void turn_later(struct turn *t)
{
    if (!uv_is_active((uv_handle_t *)&t->timer) || uv_timer_get_due_in(&t->timer) > TURN_LAZY_MS)
        uv_timer_start(&t->timer, on_timer, TURN_LAZY_MS, 0);
}

int turn_is_soon(const struct turn *t)
{
    return uv_is_active((const uv_handle_t *)&t->again);
}

/* ---- who sleeps */

void turn_suspend(struct request *rq)
{
    if (rq->suspended)
        return;
    rq->suspended = 1;
    MHD_suspend_connection(rq->conn);
}

void turn_resume(struct request *rq)
{
    if (!rq->suspended)
        return;
    rq->suspended = 0;
    MHD_resume_connection(rq->conn);
    turn_soon(rq->server->turn);
}

void turn_wait_commit(struct request *rq)
{
    struct turn *t = rq->server->turn;
    turn_suspend(rq);
    rq->waiting = t->waiting;
    t->waiting = rq;
}

struct request *turn_take_waiting(struct turn *t)
{
    struct request *first = t->waiting;
    t->waiting = NULL;
    return first;
}

int turn_awaited(const struct turn *t)
{
    return t->waiting != NULL;
}

void turn_work_began(struct request *rq)
{
    rq->in_work = 1;
    rq->server->turn->works++;
    turn_suspend(rq);
}

void turn_work_ended(struct request *rq)
{
    rq->in_work = 0;
    rq->server->turn->works--;
}

int turn_works(const struct turn *t)
{
    return t->works;
}
