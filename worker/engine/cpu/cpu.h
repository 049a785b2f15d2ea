/* cpu: the CPU back end's table of operators. Kernels with an instruction set behind them are in kernels.h; the rest is
 * plain C on blocked tensors, in the op_*.c files beside this one, each a group of rows. */
#ifndef ENGINE_CPU_H
#define ENGINE_CPU_H

#include "worker/engine/cpu/kernels.h"
#include "worker/engine/op.h"
#include "worker/engine/blocked.h"

/* The back end for one instruction set: "generic", "avx2", "avx512"; NULL: the best here. ERR_UNSUPPORTED otherwise. */
int cpu_backend(const char *isa, struct op_backend *out, struct err *err);

static inline const struct cpu_kernels *cpu_of(const struct op_site *site)
{
    return (const struct cpu_kernels *)site->backend->impl;
}

/* Input i of the call with what is done to it on load; `affine` is room for the answer. */
struct cpu_operand cpu_operand_of(const struct op_call *call, int i, struct cpu_affine *affine);

/* op_conv.c */
void cpu_conv_forward(const struct op_call *call);
size_t cpu_conv_workspace(const struct op_site *site, int n);
size_t cpu_conv_packed(const struct op_site *site, int index);
void cpu_conv_pack(const struct op_site *site, int index, const float *dense, float *packed);
int cpu_conv_pairs(const struct op_site *first, const struct op_site *second);
size_t cpu_conv_pair_workspace(const struct op_site *first, const struct op_site *second, int n);
void cpu_conv_pair(const struct op_call *first, const struct op_call *second);
int cpu_conv_foresees(const struct op_site *site, int n);
size_t cpu_conv_foresee_workspace(const struct op_site *site, int n);
void cpu_conv_foresee(const struct op_call *call);
/* op_elementwise.c */
void cpu_input_forward(const struct op_call *call);
void cpu_sum_forward(const struct op_call *call); /* BN, ADD, ACT */
void cpu_act_forward(const struct op_call *call);
void cpu_mul_forward(const struct op_call *call);
void cpu_max_forward(const struct op_call *call);
void cpu_scale_forward(const struct op_call *call);
size_t cpu_scale_workspace(const struct op_site *site, int n);
void cpu_addparam_forward(const struct op_call *call);
size_t cpu_addparam_packed(const struct op_site *site, int index);
void cpu_addparam_pack(const struct op_site *site, int index, const float *dense, float *packed);
void cpu_zero_forward(const struct op_call *call);
/* op_channels.c */
void cpu_concat_forward(const struct op_call *call);
void cpu_slice_forward(const struct op_call *call);
void cpu_shuffle_forward(const struct op_call *call);
void cpu_padc_forward(const struct op_call *call);
void cpu_rsoftmax_forward(const struct op_call *call);
/* op_spatial.c */
void cpu_subsample_forward(const struct op_call *call);
void cpu_pool_forward(const struct op_call *call);
void cpu_gap_forward(const struct op_call *call);
void cpu_resize_forward(const struct op_call *call);
size_t cpu_resize_workspace(const struct op_site *site, int n);
/* op_tokens.c */
void cpu_layernorm_forward(const struct op_call *call);
void cpu_tokens_forward(const struct op_call *call);
size_t cpu_tokens_packed(const struct op_site *site, int index);
void cpu_tokens_pack(const struct op_site *site, int index, const float *dense, float *packed);
void cpu_copy_forward(const struct op_call *call); /* UNTOKENS */
void cpu_select_forward(const struct op_call *call);
void cpu_embed_forward(const struct op_call *call);
size_t cpu_embed_packed(const struct op_site *site, int index);
void cpu_embed_pack(const struct op_site *site, int index, const float *dense, float *packed);
void cpu_attention_forward(const struct op_call *call);
size_t cpu_attention_workspace(const struct op_site *site, int n);
size_t cpu_attention_packed(const struct op_site *site, int index);
void cpu_attention_pack(const struct op_site *site, int index, const float *dense, float *packed);

#endif
