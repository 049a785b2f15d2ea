/* policy: reads and writes the calibration policy and draws its images. What the numbers do is the engine's. */
#include "proto/policy.h"

#include "proto/base/fields.h"
#include "proto/base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BATCHES = 1000000, MAX_BATCH_SIZE = 65536 };

static const char *const averages[] = {"ema", "cumulative", "last", "batch", "none", NULL};
static const char *const variances[] = {"biased", "unbiased", NULL};
static const char *const orders[] = {"stored", "shuffled", NULL};

/* The document's members in the types of the field table; copied into struct policy once all are right. */
struct raw {
    int reset, average, variance, order, batches, batch_size;
    double momentum;
    char split[64];
    int64_t first, seed;
};
static const struct field rows[] = {
    {"reset", FIELD_BOOL, FIELD_AT(struct raw, reset)},
    {"average", FIELD_ENUM, .choices = averages, FIELD_AT(struct raw, average)},
    {"momentum", FIELD_NUMBER, .min = 0, .max = 1, FIELD_AT(struct raw, momentum)},
    {"variance", FIELD_ENUM, .choices = variances, FIELD_AT(struct raw, variance)},
    {"batches", FIELD_INT, .min = 0, .max = MAX_BATCHES, FIELD_AT(struct raw, batches)},
    {"batch_size", FIELD_INT, .min = 0, .max = MAX_BATCH_SIZE, FIELD_AT(struct raw, batch_size)},
    {"split", FIELD_TEXT, FIELD_NONEMPTY, FIELD_AT(struct raw, split)},
    {"first", FIELD_INT, .min = 0, .max = 0x1p62, FIELD_AT(struct raw, first)},
    {"order", FIELD_ENUM, .choices = orders, FIELD_AT(struct raw, order)},
    {"seed", FIELD_INT, .min = 0, .max = 0x1p63, FIELD_AT(struct raw, seed)},
};

static int calibrates(enum policy_average a)
{
    return a != AVERAGE_BATCH && a != AVERAGE_NONE;
}

static int check(const struct policy *p, struct err *err)
{
    if (!calibrates(p->average))
        return 0;
    if (p->batches < 1)
        return err_set(err, ERR_INVALID, "/batches", "average \"%s\" needs at least one batch", averages[p->average]);
    if (p->batch_size < 1)
        return err_set(err, ERR_INVALID, "/batch_size", "average \"%s\" needs at least one image a batch",
                       averages[p->average]);
    if (p->average == AVERAGE_EMA && p->momentum <= 0)
        return err_set(err, ERR_INVALID, "/momentum", "must be above 0: with 0 no batch would count");
    return 0;
}

int policy_parse(const json_t *doc, struct policy *out, struct err *err)
{
    struct raw r = {.reset = 1, .average = AVERAGE_CUMULATIVE, .momentum = .1, .variance = 1, .split = "train"};
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), &r, err);
    if (rc != 0)
        return rc;
    *out = (struct policy){
        .reset = r.reset,
        .average = (enum policy_average)r.average,
        .momentum = r.momentum,
        .unbiased = r.variance,
        .batches = r.batches,
        .batch_size = r.batch_size,
        .first = r.first,
        .shuffled = r.order,
        .seed = (uint64_t)r.seed,
    };
    memcpy(out->split, r.split, sizeof out->split);
    return check(out, err);
}

json_t *policy_json(const struct policy *p)
{
    return json_pack("{s:b s:s s:f s:s s:i s:i s:s s:I s:s s:I}", "reset", p->reset, "average", averages[p->average],
                     "momentum", p->momentum, "variance", variances[p->unbiased], "batches", p->batches, "batch_size",
                     p->batch_size, "split", p->split, "first", (json_int_t)p->first, "order", orders[p->shuffled],
                     "seed", (json_int_t)p->seed);
}

/* The first `take` of a Fisher-Yates shuffle of 0 .. n-1, forwards: asking for more only appends to the list. */
static int shuffle(int64_t n, int64_t take, uint64_t seed, int64_t **perm, struct err *err)
{
    int64_t *p = malloc((size_t)n * sizeof *p);
    if (!p)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to shuffle %lld images", (long long)n);
    for (int64_t i = 0; i < n; i++)
        p[i] = i;
    struct rng r;
    rng_seed(&r, seed, 0);
    for (int64_t i = 0; i < take; i++) {
        int64_t j = i + (int64_t)rng_below(&r, (uint64_t)(n - i)), t = p[i];
        p[i] = p[j];
        p[j] = t;
    }
    *perm = p;
    return 0;
}

int policy_samples(const struct policy *p, int64_t split_size, int64_t *out, struct err *err)
{
    if (!calibrates(p->average))
        return 0;
    int64_t want = (int64_t)p->batches * p->batch_size;
    if (split_size < want || p->first > split_size - want)
        return err_set(err, ERR_INVALID, "/batches",
                       "calibration needs %lld images (%d batches of %d) from image %lld on, but split \"%s\" has %lld",
                       (long long)want, p->batches, p->batch_size, (long long)p->first, p->split,
                       (long long)split_size);
    int64_t *perm = NULL;
    if (p->shuffled) {
        int rc = shuffle(split_size, p->first + want, p->seed, &perm, err);
        if (rc != 0)
            return rc;
    }
    for (int64_t i = 0; i < want; i++)
        out[i] = perm ? perm[p->first + i] : p->first + i;
    free(perm);
    return 0;
}
