/* fleet-sim: options, the loop, and a JSON line on standard output for each `mark` on standard input.
 *
 * Commands, one a line: mark NAME (print what happened since the last mark), rate N (cycles a second from now on),
 * stop (ask for no more work, deliver what is held, print, leave). A closed standard input means nothing. */
#include "proto/base/clock.h"
#include "tests/fleet/fleet.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512 };

double fleet_chance(struct fleet *f)
{
    return rng_uniform(&f->rng);
}

/* ---- options */

struct option {
    const char *name;
    enum { TEXT, INT, REAL, U64 } type;
    size_t at;
};
#define AT(member) offsetof(struct fleet_options, member)
static const struct option options[] = {
    {"host", TEXT, AT(host)},
    {"port", TEXT, AT(port)},
    {"token", TEXT, AT(token)},
    {"ledger", TEXT, AT(ledger)},
    {"workers", INT, AT(workers)},
    {"batch", INT, AT(batch)},
    {"jobs", INT, AT(jobs)},
    {"join-rate", REAL, AT(join_rate)},
    {"beat-s", REAL, AT(beat_s)},
    {"rate", REAL, AT(rate)},
    {"hold-s", REAL, AT(hold_s)},
    {"seconds", REAL, AT(seconds)},
    {"backoff-s", REAL, AT(backoff_s)},
    {"backoff-max-s", REAL, AT(backoff_max_s)},
    {"dup", REAL, AT(dup)},
    {"drop", REAL, AT(drop)},
    {"cut", REAL, AT(cut)},
    {"mute", REAL, AT(mute)},
    {"mute-s", REAL, AT(mute_s)},
    {"give", REAL, AT(give)},
    {"forget", REAL, AT(forget)},
    {"clone", REAL, AT(clone)},
    {"seed", U64, AT(seed)},
    {"deliveries", U64, AT(deliveries)},
};

static int set_option(struct fleet_options *o, const char *name, char *value)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        void *at = (char *)o + options[i].at;
        if (strncmp(name, "--", 2) != 0 || strcmp(options[i].name, name + 2) != 0)
            continue;
        if (options[i].type == TEXT)
            memcpy(at, &value, sizeof value);
        else if (options[i].type == INT)
            *(int *)at = (int)strtol(value, NULL, 10);
        else if (options[i].type == REAL)
            *(double *)at = strtod(value, NULL);
        else
            *(uint64_t *)at = strtoull(value, NULL, 10);
        return 0;
    }
    fprintf(stderr, "fleet-sim: unknown option %s\n", name);
    return -1;
}

static int find_address(struct fleet *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    if (getaddrinfo(f->o.host, f->o.port, &hints, &list) != 0)
        return -1;
    memcpy(&f->to, list->ai_addr, list->ai_addrlen);
    f->to_len = list->ai_addrlen;
    freeaddrinfo(list);
    return 0;
}

/* ---- telling */

static json_t *latency(const struct hist *h)
{
    return json_pack("{sI sf sf sf sf}", "n", (json_int_t)h->n, "p50", hist_ms(h, 0.5), "p99", hist_ms(h, 0.99), "p999",
                     hist_ms(h, 0.999), "max", (double)h->max_ns / 1e6);
}

static void mark(struct fleet *f, const char *name)
{
    static const char *const kinds[] = {"join", "beat", "lease", "result", "return"};
    struct fleet_count *c = &f->count;
    int64_t now = clock_mono_ns();
    json_t *late = json_pack("{so}", "all", latency(&c->all));
    for (int i = 0; i < FLEET_KINDS; i++)
        json_object_set_new(late, kinds[i], latency(&c->late[i]));
    int held = 0;
    for (int i = 0; i < f->o.workers; i++)
        held += f->workers[i].nheld;
    json_t *j = json_pack(
        "{ss sf so sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI si si si sI}", "mark", name,
        "seconds", (double)(now - c->since_ns) / 1e9, "late_ms", late, "ok", (json_int_t)c->status[2], "refused",
        (json_int_t)c->status[4], "errors", (json_int_t)c->status[5], "busy", (json_int_t)c->busy, "lost",
        (json_int_t)c->lost, "stored", (json_int_t)c->answers[FLEET_STORED], "duplicate",
        (json_int_t)c->answers[FLEET_DUPLICATE], "superseded", (json_int_t)c->answers[FLEET_SUPERSEDED], "cancelled",
        (json_int_t)c->answers[FLEET_CANCELLED], "unknown", (json_int_t)c->answers[FLEET_NONE], "invalid",
        (json_int_t)c->invalid, "contradictions", (json_int_t)c->contradictions, "leases", (json_int_t)c->leases,
        "resent", (json_int_t)c->resent, "gone", (json_int_t)c->gone, "forgotten", (json_int_t)c->forgotten, "empty",
        (json_int_t)c->empty, "starved", (json_int_t)c->starved, "rejoined", (json_int_t)c->rejoined, "skipped",
        (json_int_t)c->skipped, "scores", (json_int_t)c->scores, "joined", f->joined, "unserved", f->unserved, "held",
        held, "served_ns", (json_int_t)f->served_ns);
    json_object_set_new(j, "pending", json_integer((json_int_t)f->pending));
    json_object_set_new(j, "delivered", json_integer((json_int_t)f->delivered));
    json_dumpf(j, stdout, JSON_COMPACT);
    json_decref(j);
    putchar('\n');
    fflush(stdout);
    if (f->ledger)
        fflush(f->ledger);
    memset(c, 0, sizeof *c);
    c->since_ns = now;
}

static void stop(struct fleet *f)
{
    if (f->stopping)
        return;
    f->stopping = 1;
    for (int i = 0; i < f->o.workers; i++)
        fleet_worker_flush(&f->workers[i]);
}

static void command(struct fleet *f, char *line)
{
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "mark ", 5) == 0)
        mark(f, line + 5);
    else if (strncmp(line, "rate ", 5) == 0)
        f->o.rate = strtod(line + 5, NULL), f->cycle_ns = clock_mono_ns();
    else if (strcmp(line, "stop") == 0)
        stop(f);
}

static int read_commands(struct fleet *f)
{
    char buf[1000];
    ssize_t n = read(STDIN_FILENO, buf, sizeof buf - 1);
    if (n <= 0)
        return -1;
    buf[n] = 0;
    for (char *p = buf, *next; p && *p; p = next) {
        next = strchr(p, '\n');
        if (next)
            *next++ = 0;
        command(f, p);
    }
    return 0;
}

/* ---- the loop */

static void cycles(struct fleet *f, int64_t now)
{
    while (!f->stopping && f->o.rate > 0 && f->cycle_ns <= now) {
        int tries = 0;
        while (tries < f->o.workers && !fleet_worker_cycle(&f->workers[f->next], f->cycle_ns)) {
            f->next = (f->next + 1) % f->o.workers;
            tries++;
        }
        f->next = (f->next + 1) % f->o.workers;
        f->count.starved += (uint64_t)(tries == f->o.workers);
        f->cycle_ns += (int64_t)(1e9 / f->o.rate);
        if (tries == f->o.workers) { /* nobody is free: looking again for each missed cycle would burn the processor */
            int64_t missed = (now - f->cycle_ns) / (int64_t)(1e9 / f->o.rate);
            if (missed > 0) {
                f->count.starved += (uint64_t)missed;
                f->cycle_ns += missed * (int64_t)(1e9 / f->o.rate);
            }
        }
    }
}

static int is_over(const struct fleet *f)
{
    if (!f->stopping || f->pending)
        return 0;
    for (int i = 0; i < f->o.workers; i++)
        if (f->workers[i].nheld)
            return 0;
    return 1;
}

static void turn(struct fleet *f)
{
    struct epoll_event events[EVENTS];
    struct alarm a;
    int64_t now = clock_mono_ns(), next = heap_next(&f->alarms);
    if (f->o.rate > 0 && !f->stopping && f->cycle_ns < next)
        next = f->cycle_ns;
    if (next > now + 100000000)
        next = now + 100000000;
    struct timespec wait = {0, next > now ? (long)(next - now) : 0};
    int n = epoll_pwait2(f->epoll, events, EVENTS, &wait, NULL);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            fleet_worker_event(events[i].data.ptr, events[i].events);
        else if (read_commands(f) != 0)
            epoll_ctl(f->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    }
    now = clock_mono_ns();
    while (heap_pop(&f->alarms, now, &a))
        fleet_worker_alarm(a.whom, &a);
    cycles(f, now);
    if (f->o.seconds > 0 && (double)(now - f->started_ns) / 1e9 >= f->o.seconds)
        stop(f);
    if (f->o.deliveries && f->delivered >= f->o.deliveries)
        stop(f);
}

static int run(struct fleet *f)
{
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->started_ns = f->cycle_ns = f->count.since_ns = clock_mono_ns();
    rng_seed(&f->rng, f->o.seed, 0);
    f->workers = calloc((size_t)f->o.workers, sizeof *f->workers);
    if (f->o.ledger && !(f->ledger = fopen(f->o.ledger, "ae")))
        return -1;
    if (!f->workers || f->epoll < 0 || find_address(f) != 0)
        return -1;
    for (int i = 0; i < f->o.workers; i++)
        fleet_worker_init(f, &f->workers[i], i);
    struct epoll_event e = {.events = EPOLLIN};
    epoll_ctl(f->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e); /* a file or /dev/null cannot be waited for: no commands */
    while (!is_over(f))
        turn(f);
    mark(f, "end");
    for (int i = 0; i < f->o.workers; i++)
        fleet_worker_clear(&f->workers[i]);
    if (f->ledger)
        fclose(f->ledger);
    return 0;
}

int main(int argc, char **argv)
{
    struct fleet *f = calloc(1, sizeof *f);
    if (!f)
        return 1;
    f->o = (struct fleet_options){.host = "127.0.0.1",
                                  .port = "8420",
                                  .token = "",
                                  .workers = 10,
                                  .batch = 1,
                                  .jobs = 1,
                                  .join_rate = 1000,
                                  .beat_s = 30,
                                  .hold_s = 1,
                                  .backoff_s = 0.1,
                                  .backoff_max_s = 5,
                                  .mute_s = 1,
                                  .seed = 1};
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i + 1 < argc; i += 2)
        if (set_option(&f->o, argv[i], argv[i + 1]) != 0)
            return 2;
    if (run(f) != 0) {
        perror("fleet-sim");
        return 1;
    }
    return 0;
}
