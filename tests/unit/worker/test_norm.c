/* norm: what each policy makes of a sequence of batch statistics, and the affine of it. */
#include "tests/unit/test.h"
#include "tests/unit/worker/tiny.h"
#include "worker/engine/blocked.h"
#include "worker/engine/norm.h"

#include <stdlib.h>

enum { C = 18 }; /* two blocks, the second nearly empty */

struct fixture {
    struct arena arena;
    struct graph graph;
    struct tiny_source source;
    struct params *params;
    struct norm norm;
    int32_t bn;
};

static int start(struct fixture *f, const struct policy *policy)
{
    struct tiny t = {.arena = &f->arena};
    int x = tiny_bn(&t, tiny_conv(&t, tiny_input(&t, 3, 4, 4), "first", 5, 1, 1, 1), "first.bn");
    tiny_gap(&t, tiny_bn(&t, tiny_conv(&t, x, "conv", C, 1, 1, 1), "bn"));
    const struct plan *plan = tiny_plan(&t);
    f->graph = tiny_graph(&f->arena, &plan, 1);
    f->params = params_new(tiny_params_source(&f->source));
    f->bn = tiny_node(&f->graph, "bn");
    struct err err = {0};
    return norm_init(&f->norm, &f->arena, &f->graph, policy, f->params, &err);
}

static void end(struct fixture *f)
{
    norm_clear(&f->norm);
    params_free(f->params);
    arena_clear(&f->arena);
}

/* One batch whose channel c has mean m + c and biased variance v + c, of 10 values. */
static void batch(struct fixture *f, const struct policy *policy, double m, double v)
{
    double mean[C], var[C];
    float *record = calloc(1, norm_record_bytes(&f->graph));
    struct norm_batch r = {record, record + f->norm.nchannels};
    for (int c = 0; c < C; c++) {
        mean[c] = m + c;
        var[c] = v + c;
    }
    norm_record(&f->norm, policy, f->bn, mean, var, 10, &r);
    norm_fold(&f->norm, policy, &r);
    free(record);
}

static void check(const struct fixture *f, double mean, double var)
{
    for (int c = 0; c < C; c += 17) {
        CHECK_NEAR((double)f->norm.mean[f->norm.at[f->bn] + (size_t)c], mean + c, 1e-5);
        CHECK_NEAR((double)f->norm.var[f->norm.at[f->bn] + (size_t)c], var + c, 1e-5);
    }
}

TEST(norm_cumulative_is_the_plain_average)
{
    struct fixture f = {0};
    struct policy p = {.reset = 1, .average = AVERAGE_CUMULATIVE};
    CHECK_INT(start(&f, &p), 0);
    batch(&f, &p, 1, 4);
    batch(&f, &p, 2, 5);
    batch(&f, &p, 6, 9);
    check(&f, 3, 6);
    end(&f);
}

TEST(norm_unbiased_variance_divides_by_one_less)
{
    struct fixture f = {0};
    struct policy p = {.reset = 1, .average = AVERAGE_LAST, .unbiased = 1};
    CHECK_INT(start(&f, &p), 0);
    batch(&f, &p, 1, 9);
    CHECK_NEAR((double)f.norm.var[f.norm.at[f.bn]], 10, 1e-5);
    CHECK_NEAR((double)f.norm.var[f.norm.at[f.bn] + 17], 26.0 * 10 / 9, 1e-4);
    end(&f);
}

TEST(norm_last_keeps_the_last_batch_only)
{
    struct fixture f = {0};
    struct policy p = {.reset = 1, .average = AVERAGE_LAST};
    CHECK_INT(start(&f, &p), 0);
    batch(&f, &p, 1, 4);
    batch(&f, &p, 7, 2);
    check(&f, 7, 2);
    end(&f);
}

TEST(norm_ema_starts_from_zero_and_one_or_from_the_checkpoint)
{
    struct fixture f = {0};
    struct policy p = {.reset = 1, .average = AVERAGE_EMA, .momentum = .25};
    CHECK_INT(start(&f, &p), 0);
    batch(&f, &p, 4, 8);
    CHECK_NEAR((double)f.norm.mean[f.norm.at[f.bn]], 1, 1e-6);
    CHECK_NEAR((double)f.norm.var[f.norm.at[f.bn]], .75 + 2, 1e-6);
    end(&f);

    struct fixture stored = {0};
    p.reset = 0;
    CHECK_INT(start(&stored, &p), 0);
    uint64_t seed = hash128("bn.mean", 7).lo;
    CHECK_NEAR((double)stored.norm.mean[stored.norm.at[stored.bn] + 3], (double)tiny_value(seed + 3), 0);
    batch(&stored, &p, 4, 8);
    CHECK_NEAR((double)stored.norm.mean[stored.norm.at[stored.bn] + 3], .75 * (double)tiny_value(seed + 3) + .25 * 7,
               1e-6);
    end(&stored);
}

TEST(norm_affine_uses_gamma_beta_and_eps)
{
    struct fixture f = {0};
    struct policy p = {.reset = 1, .average = AVERAGE_NONE};
    CHECK_INT(start(&f, &p), 0);
    struct err err = {0};
    CHECK_INT(norm_finish(&f.norm, &err), 0);
    for (int c = 0; c < C; c++) {
        double gamma = (double)tiny_value(hash128("bn.gamma", 8).lo + (uint64_t)c);
        double beta = (double)tiny_value(hash128("bn.beta", 7).lo + (uint64_t)c);
        double mean = (double)tiny_value(hash128("bn.mean", 7).lo + (uint64_t)c);
        double var = (double)tiny_value(hash128("bn.var", 6).lo + (uint64_t)c) + 1, a = gamma / sqrt(var + 1e-5);
        CHECK_NEAR((double)f.norm.scale[f.norm.at[f.bn] + (size_t)c], a, 1e-6);
        CHECK_NEAR((double)f.norm.shift[f.norm.at[f.bn] + (size_t)c], beta - mean * a, 1e-6);
    }
    end(&f);
}

TEST(norm_batch_affine_pads_with_zeros)
{
    struct fixture f = {0};
    struct policy p = {.reset = 1, .average = AVERAGE_BATCH};
    CHECK_INT(start(&f, &p), 0);
    double mean[C], var[C];
    float scale[2 * LANES], shift[2 * LANES];
    for (int c = 0; c < C; c++) {
        mean[c] = c;
        var[c] = 4 - 1e-5;
    }
    for (int c = 0; c < 2 * LANES; c++)
        scale[c] = shift[c] = 99;
    norm_batch_affine(&f.norm, f.bn, mean, var, scale, shift);
    double gamma = (double)tiny_value(hash128("bn.gamma", 8).lo + 17),
           beta = (double)tiny_value(hash128("bn.beta", 7).lo + 17);
    CHECK_NEAR((double)scale[17], gamma / 2, 1e-5);
    CHECK_NEAR((double)shift[17], beta - 17 * gamma / 2, 1e-5);
    for (int c = C; c < 2 * LANES; c++)
        CHECK(scale[c] == 0 && shift[c] == 0);
    end(&f);
}

TEST(norm_names_a_parameter_that_cannot_be_used)
{
    struct fixture f = {.source = {.broken = "bn.gamma"}};
    struct policy p = {.reset = 1, .average = AVERAGE_LAST};
    CHECK_INT(start(&f, &p), -ERR_INVALID);
    CHECK_INT(f.norm.culprit, f.bn);
    end(&f);
}
