/* server: what the rooms of the coordinator share. One loop thread owns all of it; worker threads see only what a
 * request hands them. Handlers reach each other's rooms through this struct and the rooms' own headers. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/config.h"

#include <stdint.h>
#include <uv.h>

struct auth;
struct backup_run;
struct db;
struct errands;
struct events;
struct fleet;
struct http;
struct metrics;
struct pace;
struct reaper;
struct request;
struct sched;
struct searches;
struct turn;
struct watchdog;

struct server {
    const struct config *config;
    uv_loop_t *loop;
    struct db *db;
    struct auth *auth;
    struct http *http;
    struct turn *turn;
    char url[300]; /* where it listens */
    struct events *events;
    struct metrics *metrics;
    struct fleet *fleet;       /* workers as they are now */
    struct searches *searches; /* searches that can run or be looked at */
    struct errands *errands;   /* jobs beside the scores */
    struct watchdog *watchdog;
    struct reaper *reaper;                  /* deletes what was given up */
    struct sched *sched;                    /* who gets what */
    struct backup_run *backup;              /* the last one since the start, or NULL */
    struct request *fill_first, *fill_last; /* bodies that wait for their next piece, and how many are being read */
    int fills;
    struct pace *pace;     /* of downloads */
    struct request *paced; /* those that wait for their time */
    size_t body_bytes;     /* bodies held in memory, of all requests */
    int64_t started_ms;    /* monotonic */
    int64_t lag_ms;        /* how late the last sweep was: overload stretches delays */
    int64_t swept_ms;
    int64_t ask_after_ms;        /* no proposals before this: the last could not be stored */
    int64_t turn_ms;             /* what the last turn took */
    int64_t lazy_bytes, lazy_ms; /* pieces of uploads in the open transaction, and since when */
    int64_t full_ms;             /* the disk was full: writes are refused unseen until then */
    int truth_busy;              /* a list of known accuracies is being stored */
    uint64_t lost;               /* transactions that could not be committed */
    int stopping;
    int damaged; /* the database, found at the start */
    int reload;  /* memory and database differ: read everything again after this turn */
};

#endif
