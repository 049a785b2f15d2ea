/* route_backup: copies through the connection that writes, a quarter of a megabyte a millisecond between the turns of
 * the loop. So the copy follows every commit, never starts again, and the log need not grow while it lasts. What waits
 * for the disk (flushing, the final check) runs on a worker thread. */
#include "server/route_backup.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "server/backup.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { STEP = 64, FLUSH = 256, TICK_MS = 1 };

struct backup_run {
    struct server *server;
    uv_timer_t timer;
    uv_work_t work;
    struct backup *copy;
    char file[4096];
    int64_t started, finished, bytes, flushed, pages, done;
    int busy, all; /* a worker thread has the copy; every page is there */
    int over, stopping;
    struct err err;
};

static void end(struct backup_run *r)
{
    backup_free(r->copy);
    r->copy = NULL;
    r->over = 1;
    r->finished = clock_wall_ms();
    uv_timer_stop(&r->timer);
    if (r->err.code)
        log_error("backup_failed", "file=\"%s\" type=%s detail=\"%s\"", r->file, err_type(r->err.code), r->err.text);
    else
        log_info("backup_done", "file=\"%s\" bytes=%lld ms=%lld", r->file, (long long)r->bytes,
                 (long long)(r->finished - r->started));
}

static void work(uv_work_t *w)
{
    struct backup_run *r = w->data;
    if (r->all)
        r->bytes = backup_seal(r->copy, &r->err);
    else
        backup_flush(r->copy, &r->err);
}

static void worked(uv_work_t *w, int status)
{
    struct backup_run *r = w->data;
    (void)status;
    r->busy = 0;
    if (r->all || r->err.code || r->stopping)
        end(r);
}

static void hand_over(struct backup_run *r)
{
    r->work.data = r;
    r->busy = 1;
    uv_queue_work(r->server->loop, &r->work, work, worked);
}

static void on_tick(uv_timer_t *timer)
{
    struct backup_run *r = timer->data;
    if (r->busy)
        return;
    int rc = backup_step(r->copy, STEP, &r->err);
    r->done = backup_pages_done(r->copy);
    r->pages = backup_pages(r->copy);
    if (rc == 0 && (rc = backup_copied(r->copy, &r->err)) == 0) {
        r->all = 1;
        uv_timer_stop(timer);
        hand_over(r);
    } else if (rc < 0) {
        end(r);
    } else if (r->done - r->flushed >= FLUSH) {
        r->flushed = r->done;
        hand_over(r);
    }
}

static int name_file(const struct server *s, char *out, size_t size, struct err *err)
{
    char dir[2048], stamp[40];
    snprintf(dir, sizeof dir, "%s", s->config->backup);
    if (!*dir)
        snprintf(dir, sizeof dir, "%.2000s/backup", s->config->data);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_errno(err, errno, dir, "cannot make the backup directory");
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &tm);
    snprintf(out, size, "%s/subrank-%s.%03dZ.db", dir, stamp, (int)(now % 1000));
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void drop(struct server *s)
{
    struct backup_run *r = s->backup;
    s->backup = NULL;
    if (r)
        uv_close((uv_handle_t *)&r->timer, on_closed);
}

void route_backup_stop(struct server *s)
{
    struct backup_run *r = s->backup;
    if (!r)
        return;
    r->stopping = 1;
    while (r->busy)
        uv_run(s->loop, UV_RUN_ONCE);
    if (!r->over)
        end(r);
    drop(s);
}

static json_t *describe(const struct backup_run *r)
{
    json_t *j = json_pack("{ss ss sI sI sI so sI}", "state",
                          !r->over      ? "running"
                          : r->err.code ? "failed"
                                        : "done",
                          "file", r->file, "pages", (json_int_t)r->pages, "pages_done", (json_int_t)r->done, "started",
                          (json_int_t)r->started, "finished", r->over ? json_integer(r->finished) : json_null(),
                          "bytes", (json_int_t)(r->bytes > 0 ? r->bytes : 0));
    if (j && r->err.code)
        json_object_set_new(
            j, "error",
            json_pack("{ss ss ss}", "type", err_type(r->err.code), "where", r->err.where, "detail", r->err.text));
    return j;
}

int route_createBackup(struct server *s, struct request *rq, struct err *err)
{
    if (s->backup && !s->backup->over)
        return err_set(err, ERR_CONFLICT, "backup", "a backup is being made: %s", s->backup->file);
    struct backup_run *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a backup");
    int rc = name_file(s, r->file, sizeof r->file, err);
    if (rc >= 0)
        rc = backup_begin(db_handle(s->db), r->file, &r->copy, err);
    if (rc < 0) {
        free(r);
        return rc;
    }
    drop(s);
    s->backup = r;
    r->server = s;
    r->started = clock_wall_ms();
    uv_timer_init(s->loop, &r->timer);
    r->timer.data = r;
    uv_timer_start(&r->timer, on_tick, TICK_MS, TICK_MS);
    return request_json(rq, 202, describe(r));
}

int route_getBackup(struct server *s, struct request *rq, struct err *err)
{
    if (!s->backup)
        return err_set(err, ERR_NOT_FOUND, "backup", "none was made since the start");
    return request_json(rq, 200, describe(s->backup));
}
