/* fleet: a fleet of workers without compute. Each simulated worker joins, leases, beats and delivers made-up results
 * over its own connection, for whatever searches the coordinator has. Open loop: what is sent when is decided by a
 * schedule, not by answers, and latencies count from the time that was scheduled, so that a stall shows in full.
 *
 * A made-up score is a function of the lease and the code (fleet_correct), and its digest is the lease, so that the
 * database says by itself whose result it holds. Every acknowledged result is a line of the ledger. */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include "proto/base/rng.h"
#include "tests/fleet/conn.h"
#include "tests/fleet/heap.h"
#include "tests/fleet/hist.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum fleet_kind { FLEET_JOIN, FLEET_BEAT, FLEET_LEASE, FLEET_RESULT, FLEET_RETURN, FLEET_KINDS };
enum fleet_answer { FLEET_NONE, FLEET_STORED, FLEET_DUPLICATE, FLEET_SUPERSEDED, FLEET_CANCELLED, FLEET_ANSWERS };
enum fleet_alarm { ALARM_CONNECT, ALARM_BEAT, ALARM_RESULT, ALARM_AGAIN, ALARM_PUMP };

struct fleet_options {
    const char *host, *port, *token, *ledger;
    int workers, batch, jobs; /* jobs a lease request may bring; jobs a worker may hold */
    double join_rate, beat_s, rate, hold_s, seconds, backoff_s, backoff_max_s;
    double dup, drop, cut, mute, mute_s, give, forget, clone; /* probabilities, but mute_s */
    uint64_t seed, deliveries;                                /* deliveries: stop after so many, 0 never */
};

struct fleet_held { /* a lease, and the result made up for it */
    int64_t job, images;
    char lease[33];
    json_t *codes;
    int refs, stored, answered; /* answered: the first final answer */
    int ready;                  /* computed */
};

struct fleet_op {
    enum fleet_kind kind;
    int64_t due_ns;
    int tries;
    struct fleet_held *held;
    struct fleet_op *next;
};

struct fleet_worker {
    struct fleet *fleet;
    struct conn conn;
    int number, joined, served, reconnecting;
    int64_t id;
    char key[128];
    int64_t mute_ns, pause_ns; /* silent until, sends nothing until */
    double backoff_s;
    struct fleet_op *first, *last, *now;
    struct fleet_held **held;
    int nheld, cap;
};

struct fleet_count {
    struct hist late[FLEET_KINDS], all;
    uint64_t status[6], busy, lost, answers[FLEET_ANSWERS], invalid, contradictions;
    uint64_t leases, resent, gone, forgotten, empty, starved, rejoined, skipped, scores;
    uint64_t lates; /* results delivered after their lease was reported gone */
    int64_t since_ns;
};

struct fleet {
    struct fleet_options o;
    struct sockaddr_storage to;
    socklen_t to_len;
    int epoll, next;
    struct heap alarms;
    struct rng rng;
    struct fleet_worker *workers;
    struct fleet_count count;
    FILE *ledger;
    int64_t started_ns, cycle_ns, served_ns;
    int unserved, stopping, joined;
    uint64_t delivered, pending; /* answered results in all; ops queued or in flight */
};

int64_t fleet_correct(const char *lease, const char *code, int64_t images);
double fleet_chance(struct fleet *f); /* [0, 1) */

/* worker.c */
void fleet_worker_init(struct fleet *f, struct fleet_worker *w, int number);
void fleet_worker_alarm(struct fleet_worker *w, const struct alarm *a);
void fleet_worker_event(struct fleet_worker *w, uint32_t events);
int fleet_worker_cycle(struct fleet_worker *w, int64_t due_ns); /* asks for work; 0 when it is not free */
void fleet_worker_flush(struct fleet_worker *w);                /* what is held is computed now */
void fleet_worker_clear(struct fleet_worker *w);

/* wire.c: requests as text */
char *fleet_request(struct fleet_worker *w, const struct fleet_op *op, size_t *len);

#endif
