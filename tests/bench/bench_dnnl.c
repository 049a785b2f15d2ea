#include "tests/bench/bench_dnnl.h"

#ifndef HAVE_DNNL
double bench_dnnl_conv(const struct cpu_conv *s, double (*median)(void (*run)(void *), void *with))
{
    (void)s, (void)median;
    return 0;
}
#else
#include <dnnl.h>
#include <stdlib.h>

struct prim {
    dnnl_primitive_t p;
    dnnl_stream_t stream;
    dnnl_exec_arg_t args[3];
};

static void check(dnnl_status_t s)
{
    if (s != dnnl_success)
        abort();
}

static void run(void *with)
{
    struct prim *p = with;
    check(dnnl_primitive_execute(p->p, p->stream, 3, p->args));
    check(dnnl_stream_wait(p->stream));
}

static dnnl_memory_t memory(dnnl_engine_t engine, const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    dnnl_memory_t m;
    check(dnnl_memory_create(&m, dnnl_primitive_desc_query_md(pd, what, 0), engine, DNNL_MEMORY_ALLOCATE));
    void *bytes;
    check(dnnl_memory_get_data_handle(m, &bytes));
    float *f = bytes;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, what, 0)) / 4; i++)
        f[i] = (float)(i % 97) * 1e-3f - 0.04f;
    return m;
}

double bench_dnnl_conv(const struct cpu_conv *s, double (*median)(void (*run)(void *), void *with))
{
    dnnl_dims_t x = {s->n, s->c, s->h, s->w}, y = {s->n, s->o, s->oh, s->ow};
    dnnl_dims_t w = {s->o, s->c, s->kh, s->kw}, gw = {s->groups, s->o / s->groups, s->c / s->groups, s->kh, s->kw};
    dnnl_dims_t stride = {s->stride, s->stride}, pad = {s->pad_h, s->pad_w}, none = {0, 0};
    dnnl_memory_desc_t xd, yd, wd;
    check(dnnl_memory_desc_init_by_tag(&xd, 4, x, dnnl_f32, dnnl_format_tag_any));
    check(dnnl_memory_desc_init_by_tag(&yd, 4, y, dnnl_f32, dnnl_format_tag_any));
    check(dnnl_memory_desc_init_by_tag(&wd, s->groups > 1 ? 5 : 4, s->groups > 1 ? gw : w, dnnl_f32,
                                       dnnl_format_tag_any));
    dnnl_convolution_desc_t desc;
    check(dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference, dnnl_convolution_direct, &xd, &wd,
                                                     NULL, &yd, stride, none, pad, pad));
    dnnl_engine_t engine;
    dnnl_primitive_desc_t pd;
    struct prim p;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0));
    check(dnnl_stream_create(&p.stream, engine, dnnl_stream_default_flags));
    check(dnnl_primitive_desc_create(&pd, &desc, NULL, engine, NULL));
    check(dnnl_primitive_create(&p.p, pd));
    p.args[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, memory(engine, pd, dnnl_query_src_md)};
    p.args[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, memory(engine, pd, dnnl_query_weights_md)};
    p.args[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory(engine, pd, dnnl_query_dst_md)};
    double t = median(run, &p);
    for (int i = 0; i < 3; i++)
        check(dnnl_memory_destroy(p.args[i].memory));
    check(dnnl_primitive_destroy(p.p));
    check(dnnl_primitive_desc_destroy(pd));
    check(dnnl_stream_destroy(p.stream));
    check(dnnl_engine_destroy(engine));
    return t;
}
#endif
