/* commit: see commit.h. */
#include "server/commit.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/db.h"
#include "server/events.h"
#include "server/metrics.h"
#include "server/request_impl.h"
#include "server/state.h"
#include "server/turn.h"

enum { RETRY_MS = 5000, FULL_MS = 2000, LAZY_BYTES = 4 << 20 };

static void write_out(struct server *s, struct err *err)
{
    int64_t t = clock_mono_ns();
    if (db_commit(s->db, err) < 0) {
        log_error("commit_failed", "type=%s detail=\"%s\"", err_type(err->code), err->text);
        s->reload = 1;
        s->lost++;
        s->ask_after_ms = clock_mono_ms() + RETRY_MS; /* a full disk does not need proposals */
        if (err->code == ERR_DISK_FULL)
            s->full_ms = clock_mono_ms() + FULL_MS;
    }
    metrics_commit(s->metrics, clock_mono_ns() - t, err->code != 0);
}

int commit_turn(struct server *s)
{
    struct err err = {0};
    int wrote = db_in_write(s->db);
    if (wrote && !turn_awaited(s->turn) && !s->reload && s->lazy_bytes && s->lazy_bytes < LAZY_BYTES &&
        clock_mono_ms() - s->lazy_ms < TURN_LAZY_MS)
        return 0; /* only pieces of uploads or proposals: nobody waits, so many share one fsync */
    s->lazy_bytes = 0;
    if (wrote)
        write_out(s, &err);
    if (s->reload)
        state_reload(s);
    events_settle(s->events, err.code == 0);
    struct request *rq = turn_take_waiting(s->turn);
    int any = rq != NULL;
    while (rq) {
        struct request *next = rq->waiting;
        rq->waiting = NULL;
        request_settled(rq, &err);
        rq = next;
    }
    return any || wrote;
}
