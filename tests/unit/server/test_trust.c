/* trust: the rule itself, and a fleet in which one worker in twenty is off by one percent: what stays wrong, and how
 * soon the bad ones are out. */
#include "server/trust.h"

#include "proto/base/rng.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct trust_opinion opinion(int64_t worker, uint32_t correct)
{
    return (struct trust_opinion){worker, "cpu", "1", 2000, correct, 1900, 1000, 0};
}

TEST(trust_is_earned_slowly_and_lost_at_once)
{
    struct trust t = {0};
    for (int i = 0; i < TRUST_PROBATION; i++) {
        CHECK(trust_check_probability(&t) == 1);
        CHECK(trust_wants_check(&t, 0.999999));
        trust_agreed(&t);
    }
    double last = 1.1;
    for (int i = 0; i < 100000; i++) {
        double p = trust_check_probability(&t);
        CHECK(p <= last && p >= TRUST_LEAST);
        last = p;
        trust_agreed(&t);
    }
    CHECK(last == TRUST_LEAST);
    CHECK_INT(trust_was_wrong(&t), 0);
    CHECK(trust_check_probability(&t) == 1);
    CHECK_INT(trust_was_wrong(&t), 0);
    CHECK_INT(trust_was_wrong(&t), 1);
}

TEST(trust_compares_bits_within_a_program_and_counts_across)
{
    struct trust_opinion a = opinion(1, 1000), b = opinion(2, 1000), other = opinion(3, 1001);
    CHECK(trust_agree(&a, &b));
    b.loss_sum = nextafter(1000, 2000);
    CHECK(!trust_agree(&a, &b));
    CHECK(!trust_agree(&a, &other));
    other.backend = "gpu";
    other.loss_sum = 1000.9;
    CHECK(trust_agree(&a, &other));
    other.n_correct = 1002;
    CHECK(!trust_agree(&a, &other));
    other.n_correct = 1001;
    other.loss_sum = 1001.1;
    CHECK(!trust_agree(&a, &other));
    a.loss_sum = b.loss_sum = INFINITY;
    CHECK(trust_agree(&a, &b));
    b.failed = 1;
    CHECK(!trust_agree(&a, &b));
}

TEST(trust_needs_a_third_to_decide)
{
    struct trust_opinion a = opinion(1, 1000), b = opinion(2, 1020), c = opinion(3, 1000), d = opinion(4, 1020);
    struct trust_opinion e = opinion(5, 777), self = opinion(1, 1000), again = opinion(2, 1020);
    CHECK_INT(trust_judge(&a, &c, NULL), TRUST_FINE);
    CHECK_INT(trust_judge(&a, &self, NULL), TRUST_OPEN);
    CHECK_INT(trust_judge(&a, &b, NULL), TRUST_OPEN);
    CHECK_INT(trust_judge(&a, &b, &self), TRUST_OPEN);
    CHECK_INT(trust_judge(&a, &b, &again), TRUST_OPEN);
    CHECK_INT(trust_judge(&a, &b, &c), TRUST_SECOND_WRONG);
    CHECK_INT(trust_judge(&a, &b, &d), TRUST_FIRST_WRONG);
    CHECK_INT(trust_judge(&a, &b, &e), TRUST_OPEN);
}

TEST(trust_samples_every_candidate_alike)
{
    struct rng r;
    uint32_t out[TRUST_SAMPLE], seen[7] = {0};
    rng_seed(&r, 3, 0);
    CHECK_INT(trust_sample(0, 1, out), 0);
    CHECK_INT(trust_sample(1, 1, out), 1);
    for (int i = 0; i < 70000; i++) {
        CHECK_INT(trust_sample(7, rng_next(&r), out), 2);
        CHECK(out[0] < out[1] && out[1] < 7);
        seen[out[0]]++;
        seen[out[1]]++;
    }
    for (int i = 0; i < 7; i++)
        CHECK(seen[i] > 19000 && seen[i] < 21000);
}

/* ---- the fleet */

enum { WORKERS = 100, EVERY_BAD = 20, JOBS = 20000, PER_JOB = 8 };

struct fleet {
    struct rng rng;
    struct trust trust[WORKERS];
    int out[WORKERS], checks;
    uint32_t score[JOBS][PER_JOB]; /* what counts */
    int by[JOBS];
    int turns_bad_at; /* jobs before a bad worker begins to be off */
    int made_wrong, worst_bad;
};

static int is_bad(int w)
{
    return w % EVERY_BAD == 7;
}

static uint32_t truth(int job, int i)
{
    return 800 + (uint32_t)(job * 31 + i * 17) % 400;
}

static uint32_t claim(const struct fleet *f, int w, int job, int i, int when)
{
    return truth(job, i) + (is_bad(w) && when >= f->turns_bad_at ? 20 : 0); /* one percent of 2,000 */
}

static int other(struct fleet *f, int a, int b)
{
    int w;
    do
        w = (int)rng_below(&f->rng, WORKERS);
    while (w == a || w == b || f->out[w]);
    return w;
}

static void score_job(struct fleet *f, int job, int w, int when);

/* Wrong scores seen: that job again, or everything the worker scored. */
static void found_wrong(struct fleet *f, int w, int job, int when)
{
    int out = trust_was_wrong(&f->trust[w]);
    f->worst_bad = f->worst_bad > (int)f->trust[w].bad ? f->worst_bad : (int)f->trust[w].bad;
    f->out[w] |= out;
    for (int j = 0; j <= when && j < JOBS; j++)
        if (f->by[j] == w && (out || j == job))
            score_job(f, j, other(f, w, w), when);
}

static void check_job(struct fleet *f, int job, int w, int when)
{
    uint32_t rows[TRUST_SAMPLE];
    size_t n = trust_sample(PER_JOB, rng_next(&f->rng), rows);
    int second = other(f, w, w), third = other(f, w, second);
    f->checks++;
    for (size_t k = 0; k < n; k++) {
        int i = (int)rows[k];
        struct trust_opinion a = opinion(w, f->score[job][i]), b = opinion(second, claim(f, second, job, i, when)),
                             c = opinion(third, claim(f, third, job, i, when));
        enum trust_verdict v = trust_judge(&a, &b, NULL);
        v = v == TRUST_OPEN ? trust_judge(&a, &b, &c) : v;
        if (v == TRUST_FIRST_WRONG) {
            found_wrong(f, w, job, when);
            return;
        }
        if (v == TRUST_SECOND_WRONG) {
            found_wrong(f, second, -1, when);
            return;
        }
    }
    trust_agreed(&f->trust[w]);
}

static void score_job(struct fleet *f, int job, int w, int when)
{
    f->by[job] = w;
    for (int i = 0; i < PER_JOB; i++) {
        f->score[job][i] = claim(f, w, job, i, when);
        f->made_wrong += f->score[job][i] != truth(job, i);
    }
    double draw = (double)(rng_next(&f->rng) >> 11) / 9007199254740992.0;
    if (trust_wants_check(&f->trust[w], draw))
        check_job(f, job, w, when);
}

static struct fleet fleet;

static void run_fleet(int turns_bad_at)
{
    memset(&fleet, 0, sizeof fleet);
    rng_seed(&fleet.rng, 11, (uint64_t)turns_bad_at);
    memset(fleet.by, 0xff, sizeof fleet.by);
    fleet.turns_bad_at = turns_bad_at;
    for (int job = 0; job < JOBS; job++)
        score_job(&fleet, job, other(&fleet, -1, -1), job);
    int left = 0, good_out = 0, bad_in = 0;
    for (int job = 0; job < JOBS; job++)
        for (int i = 0; i < PER_JOB; i++)
            left += fleet.score[job][i] != truth(job, i);
    for (int w = 0; w < WORKERS; w++) {
        good_out += fleet.out[w] && !is_bad(w);
        bad_in += !fleet.out[w] && is_bad(w);
    }
    fprintf(stderr, "# bad from job %d on: %d wrong scores made, %d left; %d of %d jobs repeated\n", turns_bad_at,
            fleet.made_wrong, left, fleet.checks, JOBS);
    CHECK(fleet.made_wrong > 0);
    CHECK(left * 100 <= fleet.made_wrong);
    CHECK_INT(good_out, 0);
    CHECK_INT(bad_in, 0);
    CHECK(fleet.worst_bad <= 3);
    CHECK(fleet.checks < JOBS / 2);
}

TEST(trust_catches_workers_that_are_bad_from_the_start)
{
    run_fleet(0);
}

TEST(trust_catches_workers_that_go_bad_after_earning_trust)
{
    run_fleet(6000);
}
