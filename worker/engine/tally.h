/* tally: what is counted of a network's logits: correct predictions, labels among the five best, summed cross-entropy.
 *
 * A prediction is the class with the largest logit, the first of equals; "top 5" likewise. The loss of an image is
 * log sum exp(logits) - logit of its label, in double precision; losses are added in image order, so that the sum
 * depends neither on the size of mini-batches nor on threads. */
#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally {
    int64_t n_correct, n_correct_top5;
    double loss_sum;
    int64_t bad_image; /* 1 + the first image with a logit that is not finite, 0 when there is none */
};

struct tally_image {
    double loss;
    int32_t correct, top5, bad;
};

/* One image of a blocked tensor (classes, 1, 1): x points at its pixel, blocks of 16 classes lie block_stride apart. */
void tally_logits(const float *x, size_t block_stride, int classes, int32_t label, struct tally_image *out);
void tally_add(struct tally *t, const struct tally_image *image, int64_t index);

#endif
