/* evaluate: the same bits whatever the threads, the company, the order and the memory; scores while the job runs; an
 * end soon after it is cancelled; limits kept. On the CPU back end, with small networks. */
#include "tests/unit/test.h"
#include "tests/unit/worker/tiny.h"
#include "worker/engine/cpu/cpu.h"
#include "worker/engine/cut.h"
#include "worker/engine/evaluate.h"

#include <stdlib.h>
#include <time.h>

enum { PLANS = 12, CALIBRATION = 24, SCORED = 37, CLASSES = 10, SIDE = 16, PIXELS = 3 * SIDE * SIDE };

struct fixture {
    struct arena arena;
    struct op_backend backend;
    struct tiny_source source;
    struct params *params;
    struct policy policy;
    const float *images[CALIBRATION + SCORED];
    int32_t labels[SCORED];
    const struct plan *plans[PLANS];
    struct evaluate_job job;

    struct evaluate_candidate *base; /* of the run: what finished() counts from */
    int finished, stop_after, unfinished_when_first_came;
    float logits[PLANS][SCORED][CLASSES];
    double fraction;
    atomic_int cancel;
    int64_t cancelled_ns;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Three layers of two options, and beside them what they began with; the wide last one belongs to some only, and ends
 * one network where others go on. */
static const struct plan *net(struct arena *a, int code)
{
    struct tiny t = {.arena = a};
    int stem = tiny_conv_bn_relu(&t, tiny_input(&t, 3, SIDE, SIDE), "stem", 16, 3, 1, 1), x = stem;
    for (int i = 0; i < 2; i++) {
        int option = code >> i & 1, before = x;
        char *name = arena_printf(a, "layer%d.%d", i, option);
        x = tiny_conv_bn_relu(&t, x, arena_printf(a, "%s.expand", name), option ? 96 : 48, 1, 1, 1);
        x = tiny_conv_bn_relu(&t, x, arena_printf(a, "%s.dw", name), 0, option ? 5 : 3, 1, option ? 96 : 48);
        x = tiny_bn(&t, tiny_conv(&t, x, name, 16, 1, 1, 1), arena_printf(a, "%s.bn", name));
        x = tiny_add(&t, before, x);
    }
    x = tiny_conv_bn_relu(&t, tiny_concat(&t, stem, x), "wide", 256, 1, 1, 1);
    if (code >> 2)
        x = tiny_conv_bn_relu(&t, x, code >> 3 ? "other" : "more", 24, 3, 2, 1);
    tiny_linear(&t, tiny_gap(&t, x), code >> 2 ? "classifier" : "wide.classifier", CLASSES);
    return tiny_plan(&t);
}

static int on_finished(void *ctx, struct evaluate_candidate *c)
{
    struct fixture *f = ctx;
    (void)c;
    if (f->finished++ == 0)
        f->unfinished_when_first_came = f->fraction < .99;
    return f->finished == f->stop_after;
}

static int on_progress(void *ctx, double fraction)
{
    struct fixture *f = ctx;
    CHECK(fraction >= f->fraction - 1e-9 && fraction <= 1 + 1e-9);
    f->fraction = fraction;
    return 0;
}

static void on_logits(void *ctx, const struct evaluate_candidate *c, int64_t image, const float *logits, int classes)
{
    struct fixture *f = ctx;
    memcpy(f->logits[c - f->base][image], logits, (size_t)classes * sizeof *logits);
}

static void start(struct fixture *f)
{
    struct err err = {0};
    CHECK_INT(cpu_backend(NULL, &f->backend, &err), 0);
    f->params = params_new(tiny_params_source(&f->source));
    f->policy = (struct policy){
        .reset = 1, .average = AVERAGE_CUMULATIVE, .unbiased = 1, .batches = 3, .batch_size = CALIBRATION / 3};
    for (int i = 0; i < CALIBRATION + SCORED; i++) {
        float *x = arena_array(&f->arena, PIXELS, sizeof *x);
        for (int k = 0; k < PIXELS; k++)
            x[k] = 3 * tiny_value((uint64_t)(i * PIXELS + k) * 77);
        f->images[i] = x;
    }
    for (int i = 0; i < SCORED; i++)
        f->labels[i] = i % CLASSES;
    for (int i = 0; i < PLANS; i++)
        f->plans[i] = net(&f->arena, i);
    f->job = (struct evaluate_job){.backend = &f->backend,
                                   .params = f->params,
                                   .policy = &f->policy,
                                   .calibration = {f->images, NULL, CALIBRATION},
                                   .scoring = {f->images + CALIBRATION, f->labels, SCORED},
                                   .score_batch = 16,
                                   .threads = 1,
                                   .cancel = &f->cancel,
                                   .ctx = f,
                                   .finished = on_finished,
                                   .progress = on_progress,
                                   .logits = on_logits,
                                   .logits_wanted = SCORED};
}

static void end(struct fixture *f)
{
    params_free(f->params);
    arena_clear(&f->arena);
}

/* Scores plans[first..first+n) as one job. */
static int run(struct fixture *f, struct evaluate_candidate *c, int first, int n, struct err *err)
{
    for (int i = 0; i < n; i++)
        c[i] = (struct evaluate_candidate){.plan = f->plans[first + i]};
    f->base = c;
    f->finished = 0;
    f->fraction = 0;
    return evaluate(&f->job, c, n, err);
}

static void same(const struct evaluate_candidate *a, const struct evaluate_candidate *b, const char *what, int i)
{
    if (strcmp(a->digest, b->digest) != 0 || memcmp(&a->tally, &b->tally, sizeof a->tally) != 0)
        test_fail(__FILE__, __LINE__, "candidate %d differs: %s", i, what);
}

/* What each candidate gives alone, on one thread. */
static void alone(struct fixture *f, struct evaluate_candidate *c, float (*logits)[SCORED][CLASSES])
{
    struct err err = {0};
    for (int i = 0; i < PLANS; i++) {
        CHECK_INT(run(f, &c[i], i, 1, &err), 0);
        memcpy(logits[i], f->logits[0], sizeof f->logits[0]);
    }
    CHECK(c[0].tally.loss_sum > 0 && c[0].tally.loss_sum != c[1].tally.loss_sum);
    CHECK(f->policy.average == AVERAGE_BATCH || strcmp(c[0].digest, c[1].digest) != 0);
}

TEST(evaluate_bits_do_not_depend_on_company_or_threads)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate one[PLANS], all[PLANS];
    float(*logits)[SCORED][CLASSES] = calloc(PLANS, sizeof *logits);
    struct err err = {0};
    start(f);
    for (int average = AVERAGE_EMA; average <= AVERAGE_NONE; average++) {
        f->policy.average = (enum policy_average)average;
        f->policy.momentum = .1;
        f->job.threads = 1;
        alone(f, one, logits);
        for (int threads = 1; threads <= 4; threads++) {
            f->job.threads = threads;
            CHECK_INT(run(f, all, 0, PLANS, &err), 0);
            CHECK_INT(f->finished, PLANS);
            for (int i = 0; i < PLANS; i++)
                same(&all[i], &one[i], "threads", i);
            CHECK(memcmp(f->logits, logits, sizeof f->logits) == 0);
        }
    }
    free(logits);
    end(f);
    free(f);
}

/* A last 1x1's statistics are foreseen: as PyTorch's would be, not only the same as alone. */
TEST(evaluate_foreseen_statistics_are_the_measured_ones)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c[1];
    float foreseen[SCORED][CLASSES];
    struct err err = {0};
    double worst = 0, square = 0;
    start(f);
    const struct plan_node *wide = NULL;
    for (int v = 0; v < f->plans[3]->nnodes; v++)
        if (strcmp(f->plans[3]->nodes[v].path, "wide") == 0)
            wide = &f->plans[3]->nodes[v];
    struct op_site site = {.backend = &f->backend,
                           .op = OP_CONV,
                           .attr = wide->attr,
                           .ninputs = 1,
                           .in = &(struct shape){16, SIDE, SIDE},
                           .out = wide->out};
    CHECK_INT(f->backend.foresees(&site, CALIBRATION / 3), 1); /* else this test compares nothing */
    CHECK_INT(run(f, c, 3, 1, &err), 0);
    memcpy(foreseen, f->logits[0], sizeof foreseen);
    f->backend.foresees = NULL;
    CHECK_INT(run(f, c, 3, 1, &err), 0);
    for (int i = 0; i < SCORED; i++)
        for (int k = 0; k < CLASSES; k++) {
            double want = (double)f->logits[0][i][k];
            worst = fmax(worst, fabs((double)foreseen[i][k] - want));
            square += want * want / (SCORED * CLASSES);
        }
    CHECK(worst > 0 && worst <= 1e-5 * sqrt(square));
    end(f);
    free(f);
}

/* The last batch of a pass is smaller; parts of a concatenation lie elsewhere in its value then, also for what reads
 * them after it. */
TEST(evaluate_reads_parts_of_a_concatenation_in_a_smaller_batch)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c[1];
    float(*all)[CLASSES] = calloc(SCORED, sizeof *all);
    struct err err = {0};
    start(f);
    struct tiny t = {.arena = &f->arena};
    int in = tiny_input(&t, 3, SIDE, SIDE);
    int left = tiny_conv_bn_relu(&t, in, "left", 64, 3, 1, 1);
    int right = tiny_conv_bn_relu(&t, in, "right", 64, 3, 1, 1);
    int x = tiny_conv_bn_relu(&t, tiny_concat(&t, left, right), "both", 64, 1, 1, 1);
    tiny_linear(&t, tiny_gap(&t, tiny_add(&t, x, right)), "classifier", CLASSES);
    f->plans[0] = tiny_plan(&t);
    for (int n = 2; n <= SCORED; n++) { /* batches of some 20: a last one of more than half of that is met */
        f->job.scoring.n = n;
        CHECK_INT(run(f, c, 0, 1, &err), 0);
        memcpy(all, f->logits[0], (size_t)n * sizeof *all);
        f->job.scoring.images = f->images + CALIBRATION + n - 1;
        f->job.scoring.n = 1;
        CHECK_INT(run(f, c, 0, 1, &err), 0);
        f->job.scoring.images = f->images + CALIBRATION;
        CHECK(memcmp(f->logits[0][0], all[n - 1], sizeof *all) == 0);
    }
    free(all);
    end(f);
    free(f);
}

TEST(evaluate_fits_the_memory_limit_or_refuses_by_name)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate free_of_limit[PLANS], c[PLANS];
    struct err err = {0};
    start(f);
    CHECK_INT(run(f, free_of_limit, 0, PLANS, &err), 0);
    size_t enough = 8 << 20, least = 0;
    while (enough - least > 16384) { /* the smallest limit that all of them run within */
        f->job.memory_bytes = (enough + least) / 2;
        *(run(f, c, 0, PLANS, &err) ? &least : &enough) = f->job.memory_bytes;
    }
    f->job.memory_bytes = enough;
    f->job.threads = 3;
    CHECK_INT(run(f, c, 0, PLANS, &err), 0); /* in smaller groups, on fewer threads */
    CHECK_INT(f->finished, PLANS);
    for (int i = 0; i < PLANS; i++)
        same(&c[i], &free_of_limit[i], "memory", i);
    CHECK(f->unfinished_when_first_came); /* so there was more than one group */
    f->job.memory_bytes = enough / 2;
    CHECK_INT(run(f, c, 0, PLANS, &err), -ERR_NO_MEMORY);
    CHECK_STR(err.where, "memory");
    CHECK(strstr(err.text, "1 candidate in batches of 8") != NULL);
    end(f);
    free(f);
}

TEST(evaluate_leaves_out_a_candidate_that_cannot_be_scored)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate good[PLANS], c[PLANS];
    struct err err = {0};
    start(f);
    CHECK_INT(run(f, good, 0, PLANS, &err), 0);
    params_free(f->params);
    f->source.broken = "layer1.1.dw.weight"; /* of every code with bit 1 */
    f->job.params = f->params = params_new(tiny_params_source(&f->source));
    CHECK_INT(run(f, c, 0, PLANS, &err), 0);
    for (int i = 0; i < PLANS; i++)
        if (i & 2)
            CHECK_STR(c[i].error.where, "layer1.1.dw.weight");
        else
            same(&c[i], &good[i], "company of broken ones", i);
    end(f);
    free(f);
}

TEST(evaluate_last_keeps_the_last_batch)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate all, last;
    struct err err = {0};
    start(f);
    f->job.logits_wanted = 0;
    f->policy.average = AVERAGE_LAST;
    CHECK_INT(run(f, &all, 3, 1, &err), 0);
    f->policy.batches = 1;
    f->job.calibration = (struct evaluate_images){f->images + CALIBRATION / 3 * 2, NULL, CALIBRATION / 3};
    CHECK_INT(run(f, &last, 3, 1, &err), 0);
    CHECK_STR(all.digest, last.digest);
    CHECK_NEAR(all.tally.loss_sum, last.tally.loss_sum, 0);
    end(f);
    free(f);
}

TEST(evaluate_tells_logits_that_are_not_finite)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c;
    struct err err = {0};
    start(f);
    float *broken = arena_array(&f->arena, PIXELS, sizeof *broken);
    for (int i = 0; i < PIXELS; i++)
        broken[i] = INFINITY;
    f->images[CALIBRATION + 5] = broken;
    CHECK_INT(run(f, &c, 0, 1, &err), 0);
    CHECK_INT(c.error.code, ERR_INVALID);
    CHECK_STR(c.error.where, "logits");
    CHECK(strstr(c.error.text, "image 5 "));
    end(f);
    free(f);
}

TEST(evaluate_refuses_a_batch_of_one_value)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c;
    struct err err = {0};
    start(f);
    struct tiny t = {.arena = &f->arena};
    tiny_linear(&t, tiny_bn(&t, tiny_gap(&t, tiny_input(&t, 3, SIDE, SIDE)), "single"), "classifier", CLASSES);
    f->plans[0] = tiny_plan(&t);
    f->policy.batches = CALIBRATION;
    f->policy.batch_size = 1;
    CHECK_INT(run(f, &c, 0, 1, &err), 0);
    CHECK_INT(c.error.code, ERR_INVALID);
    CHECK_STR(c.error.where, "single");
    CHECK(strstr(c.error.text, "use larger batches"));
    f->policy.batches = CALIBRATION / 2;
    f->policy.batch_size = 2;
    CHECK_INT(run(f, &c, 0, 1, &err), 0);
    CHECK_INT(c.error.code, ERR_NONE);
    end(f);
    free(f);
}

/* What is not kept cannot be what a candidate was scored with. */
TEST(evaluate_digest_is_of_tracked_statistics)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c;
    struct err err = {0};
    start(f);
    struct tiny t = {.arena = &f->arena};
    int x = tiny_bn_batch(&t, tiny_conv(&t, tiny_input(&t, 3, SIDE, SIDE), "conv", 16, 3, 1, 1), "free");
    tiny_linear(&t, tiny_gap(&t, x), "classifier", CLASSES);
    f->plans[0] = tiny_plan(&t);
    CHECK_INT(run(f, &c, 0, 1, &err), 0);
    CHECK_INT(c.error.code, ERR_NONE);
    CHECK_STR(c.digest, "00000000000000000000000000000000");
    end(f);
    free(f);
}

TEST(evaluate_counts_what_the_caller_holds)
{
    enum { LIMIT = 64 << 20 };
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c;
    struct err err = {0};
    start(f);
    f->job.memory_bytes = LIMIT;
    CHECK_INT(run(f, &c, 0, 1, &err), 0);
    f->job.held_bytes = LIMIT;
    CHECK_INT(run(f, &c, 0, 1, &err), -ERR_NO_MEMORY);
    CHECK_STR(err.where, "memory");
    end(f);
    free(f);
}

/* The least memory, to within 4 KiB and without parameters, in which a chain of `norms` wide BatchNorms is scored. */
static size_t least_for(struct fixture *f, int norms, int width)
{
    struct evaluate_candidate c;
    struct tiny t = {.arena = &f->arena};
    struct err err = {0};
    int x = tiny_gap(&t, tiny_conv(&t, tiny_input(&t, 3, SIDE, SIDE), "stem", width, 1, 1, 1));
    for (int i = 0; i < norms; i++)
        x = tiny_act(&t, tiny_bn(&t, x, arena_printf(&f->arena, "bn%d", i)), ACT_RELU);
    tiny_linear(&t, x, "classifier", CLASSES);
    f->plans[0] = tiny_plan(&t);
    size_t enough = 256 << 20, least = 0;
    while (enough - least > 4096) {
        f->job.memory_bytes = (enough + least) / 2;
        *(run(f, &c, 0, 1, &err) ? &least : &enough) = f->job.memory_bytes;
    }
    return enough - params_bytes(f->params);
}

TEST(evaluate_counts_statistics_and_their_affines)
{
    enum { WIDTH = 2048, FEW = 2, MANY = 10 };
    struct fixture *f = calloc(1, sizeof *f);
    start(f);
    f->policy = (struct policy){.average = AVERAGE_NONE}; /* so scoring is all there is */
    size_t few = least_for(f, FEW, WIDTH), many = least_for(f, MANY, WIDTH);
    size_t vectors = 4 * sizeof(float) * WIDTH * (MANY - FEW); /* mean, variance, scale, shift */
    CHECK(many >= few + vectors - 8192);
    end(f);
    free(f);
}

TEST(evaluate_stops_when_the_caller_says_so)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c[PLANS];
    struct err err = {0};
    start(f);
    f->stop_after = 2;
    CHECK_INT(run(f, c, 0, PLANS, &err), -ERR_CANCELLED);
    CHECK_INT(f->finished, 2);
    f->stop_after = 0;
    atomic_store(&f->cancel, 1);
    CHECK_INT(run(f, c, 0, PLANS, &err), -ERR_CANCELLED);
    CHECK_INT(f->finished, 0);
    end(f);
    free(f);
}

/* The flag is looked at between steps, so what still runs is a step, however long the job. */
static int cancel_soon(void *ctx, double fraction)
{
    struct fixture *f = ctx;
    (void)fraction;
    if (!f->cancelled_ns) {
        f->cancelled_ns = now_ns();
        atomic_store(&f->cancel, 1);
    }
    return 0;
}

TEST(evaluate_ends_within_a_second_of_being_cancelled)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c[PLANS];
    const float **many = malloc(200000 * sizeof *many);
    struct err err = {0};
    start(f);
    for (int i = 0; i < 200000; i++)
        many[i] = f->images[i % CALIBRATION];
    f->job.calibration = (struct evaluate_images){many, NULL, 200000}; /* minutes of work */
    f->policy.batches = 200000 / 8;
    f->job.threads = 2;
    f->job.progress = cancel_soon;
    CHECK_INT(run(f, c, 0, PLANS, &err), -ERR_CANCELLED);
    CHECK(f->cancelled_ns && now_ns() - f->cancelled_ns < 1000000000);
    CHECK_INT(f->finished, 0);
    free(many);
    end(f);
    free(f);
}

TEST(cut_groups_where_little_is_shared)
{
    struct fixture *f = calloc(1, sizeof *f);
    unsigned char last[PLANS] = {0};
    double work[PLANS], all = 0;
    struct err err = {0};
    start(f);
    CHECK_INT(cut_groups(f->plans, PLANS, 100, last, work, &err), 0);
    for (int i = 0; i < PLANS; i++) {
        CHECK_INT(last[i], i == PLANS - 1); /* too little work to cut */
        all += work[i];
    }
    double with_prefix = 0;
    CHECK_INT(cut_groups(f->plans + 4, 1, 100, last, &with_prefix, &err), 0);
    CHECK(work[4] < with_prefix && work[4] > 0); /* it shares one with plan 0 */
    CHECK_INT(cut_groups(f->plans, PLANS, 1e12, last, work, &err), 0);
    double group = 0, again = 0;
    int groups = 0;
    for (int i = 0; i < PLANS; i++) {
        group += work[i];
        again += work[i];
        groups += last[i];
        CHECK(group > 0);
        group = last[i] ? 0 : group;
    }
    CHECK_INT(last[PLANS - 1], 1);
    CHECK(again <= all * (1 + (groups - 1) / 50.0)); /* what cutting costs */
    end(f);
    free(f);
}

/* Networks that share a small stem only: worth a group each once they are long. */
static void unlike(struct fixture *f)
{
    for (int i = 0; i < 3; i++) {
        struct tiny t = {.arena = &f->arena};
        int x = tiny_conv_bn_relu(&t, tiny_input(&t, 3, SIDE, SIDE), "stem", 16, 3, 1, 1);
        for (int k = 0; k < 4; k++)
            x = tiny_conv_bn_relu(&t, x, arena_printf(&f->arena, "net%d.%d", i, k), 128, 3, 1, 1);
        tiny_linear(&t, tiny_gap(&t, x), "classifier", CLASSES);
        f->plans[i] = tiny_plan(&t);
    }
}

static void compute_nothing(const struct op_call *call)
{
    (void)call;
}

static void pair_nothing(const struct op_call *first, const struct op_call *second)
{
    (void)first;
    (void)second;
}

/* A back end that takes no time, for what is decided without a value. */
static void make_idle(struct fixture *f, struct op_row *rows)
{
    memcpy(rows, f->backend.rows, OP_COUNT * sizeof *rows);
    for (int i = 0; i < OP_COUNT; i++)
        rows[i].forward = compute_nothing;
    f->backend.rows = rows;
    f->backend.pair = pair_nothing;
}

/* The first is told long before the last is done. */
TEST(evaluate_tells_scores_while_it_runs)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c[3];
    struct err err = {0};
    start(f);
    unlike(f);
    unsigned char last[3];
    double work[3];
    CHECK_INT(cut_groups(f->plans, 3, 4000, last, work, &err), 0);
    CHECK(last[0] && last[1] && last[2]);
    memset(last, 0, sizeof last);
    CHECK_INT(cut_groups(f->plans, 3, 100, last, work, &err), 0);
    CHECK(!last[0] && !last[1] && last[2]); /* not worth it */
    struct op_row idle[OP_COUNT];
    make_idle(f, idle);
    const float **many = malloc(4000 * sizeof *many);
    int32_t *labels = calloc(4000, sizeof *labels);
    for (int i = 0; i < 4000; i++)
        many[i] = f->images[i % SCORED];
    f->job.scoring = (struct evaluate_images){many, labels, 4000};
    f->job.logits_wanted = 0;
    f->policy.average = AVERAGE_NONE;
    f->stop_after = 1; /* nobody waits for the other two */
    CHECK_INT(run(f, c, 0, 3, &err), -ERR_CANCELLED);
    CHECK_INT(f->finished, 1);
    CHECK(f->fraction < .34);
    free(labels);
    free(many);
    end(f);
    free(f);
}

TEST(evaluate_leaves_the_last_group_to_those_that_follow)
{
    enum { MANY = 4000 };
    struct fixture *f = calloc(1, sizeof *f);
    struct evaluate_candidate c[3];
    struct err err = {0};
    start(f);
    unlike(f);
    struct op_row idle[OP_COUNT];
    make_idle(f, idle);
    f->policy.average = AVERAGE_NONE;
    const float **many = malloc(MANY * sizeof *many);
    int32_t *labels = calloc(MANY, sizeof *labels);
    for (int i = 0; i < MANY; i++)
        many[i] = f->images[i % SCORED];
    f->job.scoring = (struct evaluate_images){many, labels, MANY};
    f->job.logits_wanted = 0;
    f->job.more = 1;
    CHECK_INT(run(f, c, 0, 3, &err), 0);
    CHECK_INT(f->finished, 2);
    CHECK_INT(f->job.waiting, 1);
    CHECK(f->fraction < .7);
    CHECK_INT(run(f, c, 0, 1, &err), 0); /* the only group */
    CHECK_INT(f->finished, 1);
    CHECK_INT(f->job.waiting, 0);
    f->job.more = 0;
    CHECK_INT(run(f, c, 0, 3, &err), 0);
    CHECK_INT(f->finished, 3);
    CHECK_INT(f->job.waiting, 0);
    free(labels);
    free(many);
    end(f);
    free(f);
}
