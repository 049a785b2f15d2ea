/* impl: all kernels for one instruction set. The file that includes this defines VL (floats in a vector), ACCS
 * (accumulators that fit its registers beside weights and a broadcast), TABLE and NAME; it is the only thing that
 * differs. */
#include "worker/engine/cpu/kernels.h"

#include <assert.h>

#include "worker/engine/cpu/vec.h"
#include "worker/engine/cpu/tile.h"
#include "worker/engine/cpu/pack.h"
#include "worker/engine/cpu/run.h"
#include "worker/engine/cpu/fill.h"
#include "worker/engine/cpu/conv.h"
#include "worker/engine/cpu/winograd.h"
#include "worker/engine/cpu/depthwise.h"
#include "worker/engine/cpu/expand.h"
#include "worker/engine/cpu/gram.h"
#include "worker/engine/cpu/elem.h"

extern const struct cpu_kernels TABLE;
const struct cpu_kernels TABLE = {
    .name = NAME,
    .pack_bytes = pack_bytes,
    .pack = pack_weights,
    .conv_work = conv_work,
    .conv = conv,
    .expand_work = expand_work,
    .expand = expand,
    .gram_work = gram_work,
    .gram = gram,
    .gram_conv_work = gram_conv_work,
    .gram_conv = gram_conv,
    .stats = stats_kernel,
    .sum = sum_kernel,
    .gate = gate_kernel,
    .pool = pool_kernel,
    .gap = gap_kernel,
    .from_planar = from_planar,
    .to_planar = to_planar,
};
