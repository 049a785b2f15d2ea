/* Operators of the CPU back end against PyTorch (tests/golden/make_ops.py), on every instruction set of this machine:
 * guard bands around every tensor, lanes past C zero, and the same bits for one sample as for the batch. */
#include "proto/checkpoint.h"
#include "proto/param_values.h"
#include "tests/unit/test.h"
#include "worker/engine/cpu/cpu.h"
#include "worker/engine/params.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { GUARD = 64 }; /* floats */

struct golden {
    json_t *cases;
    struct source *source;
    struct checkpoint *file;
    struct op_backend backend;
};

static const struct {
    const char *name;
    size_t at;
    int is_float;
} fields[] = {
#define INT(f)                                                                                                         \
    {                                                                                                                  \
#f, offsetof(struct plan_attr, f), 0                                                                           \
    }
    INT(kernel_h),
    INT(kernel_w),
    INT(stride),
    INT(pad_h),
    INT(pad_w),
    INT(dilation),
    INT(groups),
    INT(ceil),
    INT(count_pad),
    INT(start),
    INT(step),
    INT(before),
    INT(after),
    INT(act),
    INT(mode),
    {"eps", offsetof(struct plan_attr, eps), 1},
    {"scale", offsetof(struct plan_attr, scale), 1},
};

static void read_attr(const json_t *doc, struct plan_attr *attr)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)doc, key, v)
    {
        size_t known = 0;
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            if (strcmp(fields[i].name, key) != 0)
                continue;
            known = 1;
            if (fields[i].is_float)
                *(float *)(void *)((char *)attr + fields[i].at) = (float)json_number_value(v);
            else
                *(int32_t *)(void *)((char *)attr + fields[i].at) = (int32_t)json_integer_value(v);
        }
        CHECK(known);
    }
}

static struct shape read_shape(const json_t *v)
{
    return (struct shape){(int32_t)json_integer_value(json_array_get(v, 0)),
                          (int32_t)json_integer_value(json_array_get(v, 1)),
                          (int32_t)json_integer_value(json_array_get(v, 2))};
}

static float *floats(size_t n)
{
    float *p = aligned_alloc(BLOCKED_ALIGN, (n * sizeof *p + BLOCKED_ALIGN) / BLOCKED_ALIGN * BLOCKED_ALIGN);
    if (!p)
        abort();
    memset(p, 0, n * sizeof *p);
    return p;
}

static int read_tensor(void *ctx, const struct param *p, float *out, struct err *err)
{
    struct golden *g = ctx;
    const struct tensor *t = checkpoint_find(g->file, p->name);
    return t ? checkpoint_read(g->file, t, out, param_count(p), err) : err_set(err, ERR_NOT_FOUND, p->name, "missing");
}

static float *named(struct golden *g, const char *name, size_t *n)
{
    struct err e = {0};
    const struct tensor *t = checkpoint_find(g->file, name);
    CHECK(t != NULL);
    float *p = floats((size_t)t->numel);
    CHECK_INT(checkpoint_read(g->file, t, p, (size_t)t->numel, &e), 0);
    *n = (size_t)t->numel;
    return p;
}

static float *guarded(size_t n)
{
    float *p = floats(n + 2 * GUARD);
    for (size_t i = 0; i < GUARD; i++)
        p[i] = p[GUARD + n + i] = 12345;
    return p + GUARD;
}

static void check_guards(const float *p, size_t n, const char *op)
{
    for (size_t i = 1; i <= GUARD; i++)
        if (p[-(ptrdiff_t)i] != 12345 || p[n + i - 1] != 12345) {
            test_fail(__FILE__, __LINE__, "%s wrote outside its tensor", op);
            return;
        }
}

/* Runs the operator on samples [first, first + n) of dense inputs; the blocked result, guarded. */
static float *run(const struct op_site *site, const float *const params[OP_PARAMS], float *const *dense, int first,
                  int n)
{
    const struct op_row *row = &site->backend->rows[site->op];
    const float *x[8];
    struct op_affine loads[8] = {{NULL, NULL, ACT_NONE}};
    for (int i = 0; i < site->ninputs; i++) {
        size_t each = (size_t)site->in[i].c * blocked_pixels(site->in[i]);
        float *b = guarded(blocked_floats(site->in[i], n));
        blocked_from_nchw(dense[i] + (size_t)first * each, site->in[i], n, b);
        x[i] = b;
        loads[i] = loads[0];
    }
    float *y = guarded(blocked_floats(site->out, n));
    size_t work = row->workspace ? row->workspace(site, n) : 0;
    void *w = floats(work / sizeof(float) + 16);
    struct op_call call = {.site = site, .n = n, .x = x, .y = y, .loads = loads, .work = w};
    memcpy(call.params, params, sizeof call.params);
    row->forward(&call);
    check_guards(y, blocked_floats(site->out, n), op_text(site->op));
    for (int i = 0; i < site->ninputs; i++) {
        check_guards(x[i], blocked_floats(site->in[i], n), op_text(site->op));
        free((float *)(uintptr_t)x[i] - GUARD);
    }
    free(w);
    return y;
}

static void check_tail(const float *y, struct shape s, int n)
{
    size_t plane = (size_t)n * blocked_pixels(s) * LANES;
    for (int c = s.c; c < blocked_blocks(s.c) * LANES; c++)
        for (size_t p = 0; p < plane; p += LANES)
            CHECK(y[(size_t)(c / LANES) * plane + p + (size_t)(c % LANES)] == 0);
}

static void compare(const struct op_site *site, const float *y, const float *want, int n, int number)
{
    size_t count = (size_t)n * (size_t)site->out.c * blocked_pixels(site->out);
    float *got = floats(count);
    blocked_to_nchw(y, site->out, n, got);
    double worst = 0, rms = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
        rms += (double)want[i] * (double)want[i];
    }
    rms = sqrt(rms / (double)count);
    if (!(worst <= 1e-5 * rms + 1e-12))
        test_fail(__FILE__, __LINE__, "case %d (%s, %s): off by %g, rms %g", number, op_text(site->op),
                  site->backend->name, worst, rms);
    free(got);
}

static enum op_kind op_named(const char *name)
{
    int op = 0;
    while (op < OP_COUNT && strcmp(op_text((enum op_kind)op), name) != 0)
        op++;
    CHECK(op < OP_COUNT);
    return (enum op_kind)op;
}

static void check_case(struct golden *g, struct params *cache, const json_t *doc, int number)
{
    struct shape in[8];
    struct param params[OP_PARAMS];
    const float *packed[OP_PARAMS] = {NULL};
    float *dense[8];
    size_t count;
    struct err err = {0};
    struct op_site site = {.backend = &g->backend,
                           .op = op_named(json_string_value(json_object_get(doc, "op"))),
                           .in = in,
                           .out = read_shape(json_object_get(doc, "out"))};
    read_attr(json_object_get(doc, "attr"), &site.attr);
    site.ninputs = (int)json_array_size(json_object_get(doc, "in"));
    for (int i = 0; i < site.ninputs; i++) {
        in[i] = read_shape(json_array_get(json_object_get(doc, "in"), (size_t)i));
        dense[i] = named(g, json_string_value(json_array_get(json_object_get(doc, "x"), (size_t)i)), &count);
    }
    for (size_t i = 0; i < json_array_size(json_object_get(doc, "p")); i++) {
        const char *name = json_string_value(json_array_get(json_object_get(doc, "p"), i));
        const json_t *dims = json_array_get(json_object_get(doc, "params"), i);
        if (!name)
            continue;
        params[i] = (struct param){.kind = PARAM_SLICE, .name = name, .ndim = (int)json_array_size(dims)};
        for (int d = 0; d < params[i].ndim; d++)
            params[i].dims[d] = params[i].count[d] = (int32_t)json_integer_value(json_array_get(dims, (size_t)d));
        site.params[i] = &params[i];
        CHECK_INT(params_get(cache, &g->backend.rows[site.op], &site, (int)i, &packed[i], &err), 0);
    }
    int n = (int)json_integer_value(json_object_get(doc, "n"));
    float *want = named(g, json_string_value(json_object_get(doc, "y")), &count);
    float *y = run(&site, packed, dense, 0, n);
    compare(&site, y, want, n, number);
    check_tail(y, site.out, n);
    float *last = run(&site, packed, dense, n - 1, 1); /* alone: the same bits */
    size_t plane = blocked_pixels(site.out) * LANES;
    for (int b = 0; b < blocked_blocks(site.out.c); b++)
        CHECK(memcmp(last + (size_t)b * plane, y + ((size_t)b * (size_t)n + (size_t)n - 1) * plane,
                     plane * sizeof *y) == 0);
    free(y - GUARD);
    free(last - GUARD);
    free(want);
    for (int i = 0; i < site.ninputs; i++)
        free(dense[i]);
}

static void check_all(const char *isa)
{
    struct golden g = {0};
    struct err err = {0};
    if (cpu_backend(isa, &g.backend, &err))
        test_skip("this processor lacks the instruction set");
    g.cases = json_load_file("tests/golden/ops.json", 0, NULL);
    CHECK(g.cases != NULL);
    CHECK_INT(source_open_file("tests/golden/ops.safetensors", &g.source, &err), 0);
    CHECK_INT(checkpoint_open(g.source, NULL, &g.file, &err), 0);
    struct params *cache = params_new((struct params_source){read_tensor, &g});
    unsigned char seen[OP_COUNT] = {[OP_INPUT] = 1, [OP_BN] = 1}; /* these two: test_lower.c */
    for (size_t i = 0; i < json_array_size(g.cases); i++) {
        const json_t *doc = json_array_get(g.cases, i);
        seen[op_named(json_string_value(json_object_get(doc, "op")))] = 1;
        check_case(&g, cache, doc, (int)i);
    }
    for (int op = 0; op < OP_COUNT; op++)
        if (!seen[op])
            test_fail(__FILE__, __LINE__, "no case for operator %s", op_text((enum op_kind)op));
    params_free(cache);
    checkpoint_close(g.file);
    source_close(g.source);
    json_decref(g.cases);
}

TEST(ops_pairs_by_map_size)
{
    struct op_backend b;
    struct err err;
    CHECK_INT(cpu_backend("generic", &b, &err), 0);
    for (int side = 8; side <= 32; side *= 2) {
        struct shape in[2] = {{16, side, side}, {96, side, side}};
        struct plan_attr one = {.kernel_h = 1, .kernel_w = 1, .stride = 1, .dilation = 1, .groups = 1}, dw = one;
        dw.kernel_h = dw.kernel_w = 3;
        dw.pad_h = dw.pad_w = 1;
        dw.groups = 96;
        struct op_site e = {.backend = &b, .op = OP_CONV, .attr = one, .ninputs = 1, .in = &in[0], .out = in[1]};
        struct op_site d = {.backend = &b, .op = OP_CONV, .attr = dw, .ninputs = 1, .in = &in[1], .out = in[1]};
        CHECK_INT(b.pairs(&e, &d), side >= 16);
        CHECK_INT(b.pairs(&d, &e), 0);
    }
}

TEST(ops_generic)
{
    check_all("generic");
}

TEST(ops_avx2)
{
    check_all("avx2");
}

TEST(ops_avx512)
{
    check_all("avx512");
}
