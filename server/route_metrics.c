/* route_metrics: the state of the program and what it counted, as Prometheus text. */
#include "server/metrics.h"

#include "proto/base/clock.h"
#include "server/db.h"
#include "server/http.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/sched.h"
#include "server/server.h"
#include "server/watchdog.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static double resident_bytes(void)
{
    long pages = 0, ignored;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%ld %ld", &ignored, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return (double)pages * 4096;
}

static double database_bytes(const struct db *db)
{
    struct stat st;
    return stat(db_path(db), &st) == 0 ? (double)st.st_size : NAN;
}

static double disk_free_bytes(const struct db *db)
{
    struct statvfs v;
    return statvfs(db_path(db), &v) == 0 ? (double)v.f_bavail * (double)v.f_frsize : NAN;
}

static void put_gauges(const struct server *s, FILE *f)
{
    struct sched_stats stats;
    sched_stats(s->sched, clock_mono_ms(), &stats);
    metrics_value(f, "queue_candidates", "gauge", "Candidates in no job yet.", (double)stats.queued);
    metrics_value(f, "jobs_open", "gauge", "Jobs without a result.", (double)stats.open_jobs);
    metrics_value(f, "leases_live", "gauge", "Leases that have not expired.", (double)stats.live_leases);
    metrics_value(f, "workers_live", "gauge", "Workers heard of lately.", (double)stats.live_workers);
    metrics_value(f, "connections", "gauge", "Open HTTP connections.", (double)http_connections(s->http));
    metrics_value(f, "body_bytes", "gauge", "Request bodies held in memory.", (double)s->body_bytes);
    metrics_value(f, "wal_bytes", "gauge", "Size of the write-ahead log.", (double)db_wal_bytes(s->db));
    metrics_value(f, "database_bytes", "gauge", "Size of the database file.", database_bytes(s->db));
    metrics_value(f, "disk_free_bytes", "gauge", "Room left on the database's disk.", disk_free_bytes(s->db));
    metrics_value(f, "loop_lag_seconds", "gauge", "How late the last sweep was.", (double)s->lag_ms / 1000);
    metrics_value(f, "resident_bytes", "gauge", "Memory of the process.", resident_bytes());
    metrics_value(f, "uptime_seconds", "gauge", "Since the start.", (double)(clock_mono_ms() - s->started_ms) / 1000);
    metrics_value(f, "loop_stalls_total", "counter", "Pauses of the loop that were too long.",
                  (double)watchdog_stalls(s->watchdog));
}

int route_getMetrics(struct server *s, struct request *rq, struct err *err)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    put_gauges(s, f);
    metrics_write(s->metrics, f);
    fclose(f);
    return text ? request_bytes(rq, 200, "text/plain; version=0.0.4", text, len)
                : err_set(err, ERR_NO_MEMORY, "", "no memory");
}
