/* tally: see tally.h. */
#include "worker/engine/tally.h"

#include "worker/engine/blocked.h"

#include <math.h>

static double logit(const float *x, size_t block_stride, int c)
{
    return (double)x[(size_t)(c / LANES) * block_stride + (size_t)(c % LANES)];
}

void tally_logits(const float *x, size_t block_stride, int classes, int32_t label, struct tally_image *out)
{
    double mine = logit(x, block_stride, label), top = mine, total = 0;
    int before = 0; /* classes that rank above the label */
    *out = (struct tally_image){0};
    for (int c = 0; c < classes; c++) {
        double v = logit(x, block_stride, c);
        out->bad |= !isfinite(v);
        before += v > mine || (v == mine && c < label);
        top = fmax(top, v);
    }
    if (out->bad)
        return;
    for (int c = 0; c < classes; c++)
        total += exp(logit(x, block_stride, c) - top);
    out->loss = top + log(total) - mine;
    out->correct = before == 0;
    out->top5 = before < 5;
}

void tally_add(struct tally *t, const struct tally_image *image, int64_t index)
{
    if (image->bad && !t->bad_image)
        t->bad_image = index + 1;
    t->n_correct += image->correct;
    t->n_correct_top5 += image->top5;
    t->loss_sum += image->loss;
}
