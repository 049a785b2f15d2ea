/* cpu: one row per operator of op.def; decides nothing but which function implements what, and what it may fuse. */
#include "worker/engine/cpu/cpu.h"

#include <stdio.h>

enum { SUM_OPERANDS = 64 };

static const struct op_row rows[OP_COUNT] = {
    [OP_INPUT] = {.forward = cpu_input_forward},
    [OP_CONV] = {.forward = cpu_conv_forward,
                 .workspace = cpu_conv_workspace,
                 .packed = cpu_conv_packed,
                 .pack = cpu_conv_pack,
                 .loads = 1,
                 .fuses = FUSE_AFFINE | FUSE_RESIDUAL | FUSE_ACT | FUSE_STATS | FUSE_IMAGE},
    [OP_LINEAR] = {.forward = cpu_conv_forward,
                   .workspace = cpu_conv_workspace,
                   .packed = cpu_conv_packed,
                   .pack = cpu_conv_pack,
                   .loads = 1,
                   .fuses = FUSE_AFFINE | FUSE_RESIDUAL | FUSE_ACT | FUSE_STATS},
    [OP_BN] = {.forward = cpu_sum_forward, .fuses = FUSE_ACT},
    [OP_LAYERNORM] = {.forward = cpu_layernorm_forward},
    [OP_ACT] = {.forward = cpu_act_forward},
    [OP_ADD] = {.forward = cpu_sum_forward, .loads = SUM_OPERANDS, .fuses = FUSE_ACT},
    [OP_MUL] = {.forward = cpu_mul_forward, .loads = 1},
    [OP_SCALE] = {.forward = cpu_scale_forward, .workspace = cpu_scale_workspace},
    [OP_CONCAT] = {.forward = cpu_concat_forward, .fuses = FUSE_PARTS},
    [OP_SLICE] = {.forward = cpu_slice_forward},
    [OP_SHUFFLE] = {.forward = cpu_shuffle_forward},
    [OP_PADC] = {.forward = cpu_padc_forward},
    [OP_SUBSAMPLE] = {.forward = cpu_subsample_forward},
    [OP_AVGPOOL] = {.forward = cpu_pool_forward, .loads = 1},
    [OP_MAXPOOL] = {.forward = cpu_pool_forward, .loads = 1},
    [OP_GAP] = {.forward = cpu_gap_forward, .loads = 1},
    [OP_RESIZE] = {.forward = cpu_resize_forward, .workspace = cpu_resize_workspace},
    [OP_RSOFTMAX] = {.forward = cpu_rsoftmax_forward},
    [OP_TOKENS] = {.forward = cpu_tokens_forward, .packed = cpu_tokens_packed, .pack = cpu_tokens_pack},
    [OP_UNTOKENS] = {.forward = cpu_copy_forward},
    [OP_SELECT] = {.forward = cpu_select_forward},
    [OP_ADDPARAM] = {.forward = cpu_addparam_forward, .packed = cpu_addparam_packed, .pack = cpu_addparam_pack},
    [OP_EMBED] = {.forward = cpu_embed_forward, .packed = cpu_embed_packed, .pack = cpu_embed_pack},
    [OP_ATTENTION] = {.forward = cpu_attention_forward,
                      .workspace = cpu_attention_workspace,
                      .packed = cpu_attention_packed,
                      .pack = cpu_attention_pack},
    [OP_ZERO] = {.forward = cpu_zero_forward},
    [OP_MAX] = {.forward = cpu_max_forward},
};

struct cpu_operand cpu_operand_of(const struct op_call *call, int i, struct cpu_affine *affine)
{
    const struct op_affine *l = &call->loads[i];
    *affine = (struct cpu_affine){l->a, l->b, (int32_t)l->act};
    return (struct cpu_operand){call->x[i], l->a || l->act != ACT_NONE ? affine : NULL};
}

static int fuses_act(enum act_kind act)
{
    return act != ACT_SOFTMAX_C;
}

static void stats(const struct op_backend *b, const float *x, int c, size_t pixels, double *mean, double *var)
{
    const struct cpu_kernels *k = b->impl;
    k->stats(c, (int64_t)pixels, x, &(struct cpu_stats){mean, var});
}

int cpu_backend(const char *isa, struct op_backend *out, struct err *err)
{
    const struct cpu_kernels *k = isa ? cpu_kernels_named(isa) : cpu_kernels_best();
    if (!k)
        return err_set(err, ERR_UNSUPPORTED, "", "this processor or build has no kernels \"%s\"", isa);
    *out = (struct op_backend){.rows = rows,
                               .fuses_act = fuses_act,
                               .stats = stats,
                               .pairs = cpu_conv_pairs,
                               .pair_workspace = cpu_conv_pair_workspace,
                               .pair = cpu_conv_pair,
                               .foresees = cpu_conv_foresees,
                               .foresee_workspace = cpu_conv_foresee_workspace,
                               .foresee = cpu_conv_foresee,
                               .impl = k};
    snprintf(out->name, sizeof out->name, "cpu-%s", k->name);
    return 0;
}
