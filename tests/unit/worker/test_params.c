/* params: a tensor is read once, a parameter packed once for everybody, and what cannot be used is refused by name. */
#include "tests/unit/test.h"
#include "tests/unit/worker/tiny.h"
#include "worker/engine/blocked.h"

#include <stdio.h>

static int packs;

static size_t packed(const struct op_site *site, int index)
{
    (void)index;
    return (size_t)site->out.c * 2;
}

/* Every value, then its negative. */
static void pack(const struct op_site *site, int index, const float *dense, float *out)
{
    (void)index;
    for (int c = 0; c < site->out.c; c++) {
        out[2 * c] = dense[c];
        out[2 * c + 1] = -dense[c];
    }
    packs++;
}

static struct param vector(const char *name, int whole, int start, int count)
{
    return (struct param){.name = name, .ndim = 1, .dims = {whole}, .start = {start}, .count = {count}};
}

static struct op_site site_of(const struct param *p, const struct shape *in)
{
    return (struct op_site){.op = OP_CONV, .ninputs = 1, .in = in, .out = {p->count[0], 1, 1}, .params = {p}};
}

TEST(params_reads_a_tensor_once_and_packs_a_slice_once)
{
    struct tiny_source source = {0};
    struct params *ps = params_new(tiny_params_source(&source));
    static const struct op_row row = {.packed = packed, .pack = pack};
    const struct shape in = {4, 1, 1};
    struct param low = vector("t", 8, 0, 3), high = vector("t", 8, 5, 3), again = vector("t", 8, 5, 3);
    struct op_site sites[3] = {site_of(&low, &in), site_of(&high, &in), site_of(&again, &in)};
    const float *x[3];
    struct err err = {0};
    for (int i = 0; i < 3; i++)
        CHECK_INT(params_get(ps, &row, &sites[i], 0, &x[i], &err), 0);
    CHECK_INT(source.reads, 1);
    CHECK_INT(packs, 2);
    CHECK(x[1] == x[2]);
    uint64_t seed = hash128("t", 1).lo;
    CHECK_NEAR((double)x[0][2], (double)tiny_value(seed + 1), 0);
    CHECK_NEAR((double)x[1][4], (double)tiny_value(seed + 7), 0);
    CHECK_NEAR((double)x[1][5], -(double)tiny_value(seed + 7), 0);
    CHECK_INT(params_bytes(ps), 4 * (8 + 6 + 6));
    params_free(ps);
}

TEST(params_hold_a_tensor_that_is_taken_whole_only_packed)
{
    struct tiny_source source = {0};
    struct params *ps = params_new(tiny_params_source(&source));
    struct param all = vector("t", 8, 0, 8), some = vector("t", 8, 0, 3);
    const float *x, *y, *z;
    struct err err = {0};
    CHECK_INT(params_vector(ps, &all, &x, &err), 0);
    CHECK_INT(params_bytes(ps), 4 * 16);
    CHECK_INT(params_vector(ps, &some, &y, &err), 0); /* a piece: from now on the tensor stays */
    CHECK_INT(params_bytes(ps), 4 * (16 + 8 + 16));
    CHECK_INT(params_vector(ps, &all, &z, &err), 0);
    CHECK(x == z);
    CHECK_INT(source.reads, 2);
    for (int i = 0; i < 3; i++)
        CHECK_NEAR((double)y[i], (double)x[i], 0);
    params_free(ps);
}

/* The same values for another site that packs them differently are another parameter. */
TEST(params_keeps_sites_apart)
{
    struct tiny_source source = {0};
    struct params *ps = params_new(tiny_params_source(&source));
    static const struct op_row row = {.packed = packed, .pack = pack};
    const struct shape in = {4, 1, 1};
    struct param p = vector("t", 8, 0, 8);
    struct op_site plain = site_of(&p, &in), grouped = plain, image = plain;
    grouped.attr.groups = 2;
    image.image = 1;
    const float *a, *b, *c, *absent;
    struct err err = {0};
    CHECK_INT(params_get(ps, &row, &plain, 0, &a, &err), 0);
    CHECK_INT(params_get(ps, &row, &grouped, 0, &b, &err), 0);
    CHECK_INT(params_get(ps, &row, &image, 0, &c, &err), 0);
    CHECK(a != b && a != c && b != c);
    CHECK_INT(source.reads, 3); /* taken whole: not kept */
    CHECK_INT(params_get(ps, &row, &plain, 1, &absent, &err), 0);
    CHECK(absent == NULL);
    params_free(ps);
}

TEST(params_without_a_packing_are_padded_with_zeros)
{
    struct tiny_source source = {0};
    struct params *ps = params_new(tiny_params_source(&source));
    struct param p = vector("t", 18, 0, 18);
    const float *x;
    struct err err = {0};
    CHECK_INT(params_vector(ps, &p, &x, &err), 0);
    CHECK_INT((uintptr_t)x % BLOCKED_ALIGN, 0);
    CHECK_NEAR((double)x[17], (double)tiny_value(hash128("t", 1).lo + 17), 0);
    for (int c = 18; c < 32; c++)
        CHECK(x[c] == 0);
    params_free(ps);
}

TEST(params_survive_the_growth_of_their_table)
{
    struct tiny_source source = {0};
    struct params *ps = params_new(tiny_params_source(&source));
    const float *x[300], *y;
    char names[300][8];
    struct err err = {0};
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        struct param p = vector(names[i], 1, 0, 1);
        CHECK_INT(params_vector(ps, &p, &x[i], &err), 0);
    }
    for (int i = 0; i < 300; i++) {
        struct param p = vector(names[i], 1, 0, 1);
        CHECK_INT(params_vector(ps, &p, &y, &err), 0);
        CHECK(y == x[i]);
        CHECK_NEAR((double)y[0], (double)tiny_value(hash128(names[i], strlen(names[i])).lo), 0);
    }
    CHECK_INT(source.reads, 300);
    params_free(ps);
}

TEST(params_refuse_what_is_not_finite_and_two_shapes_of_one_tensor)
{
    struct tiny_source source = {.broken = "bad"};
    struct params *ps = params_new(tiny_params_source(&source));
    struct param good = vector("good", 8, 0, 4), other = vector("good", 9, 0, 4), bad = vector("bad", 8, 4, 4);
    const float *x;
    struct err err = {0};
    CHECK_INT(params_vector(ps, &good, &x, &err), 0);
    CHECK_INT(params_vector(ps, &other, &x, &err), -ERR_INVALID);
    CHECK_STR(err.where, "good");
    CHECK_INT(params_vector(ps, &bad, &x, &err), -ERR_INVALID);
    CHECK_STR(err.where, "bad");
    params_free(ps);
}
