/* tally: predictions with ties, the five best, the loss, and logits that are not finite. */
#include "tests/unit/test.h"
#include "worker/engine/blocked.h"
#include "worker/engine/tally.h"

/* One image's logits in the layout of a batch of `n`, at place `i`. */
static struct tally_image counted(const float *logits, int classes, int32_t label, int n, int i)
{
    float x[4 * LANES * 8] = {0};
    for (int c = 0; c < classes; c++)
        x[((c / LANES) * n + i) * LANES + c % LANES] = logits[c];
    struct tally_image out;
    tally_logits(x + i * LANES, (size_t)n * LANES, classes, label, &out);
    return out;
}

TEST(tally_first_of_equals_is_predicted)
{
    const float equal[4] = {1, 3, 3, 2};
    CHECK_INT(counted(equal, 4, 1, 1, 0).correct, 1);
    CHECK_INT(counted(equal, 4, 2, 1, 0).correct, 0);
    CHECK_INT(counted(equal, 4, 3, 1, 0).correct, 0);
}

TEST(tally_counts_the_five_best_across_blocks)
{
    float x[40];
    for (int c = 0; c < 40; c++)
        x[c] = (float)(c * 7 %
                       40); /* a permutation: class 17 has 39, 34 has 38, 11 has 37, 28 has 36, 5 has 35, 22 has 34 */
    CHECK_INT(counted(x, 40, 17, 5, 3).correct, 1);
    CHECK_INT(counted(x, 40, 5, 5, 3).top5, 1);
    CHECK_INT(counted(x, 40, 5, 5, 3).correct, 0);
    CHECK_INT(counted(x, 40, 22, 5, 3).top5, 0);
    for (int c = 0; c < 40; c++)
        x[c] = 1; /* all equal: the first five */
    CHECK_INT(counted(x, 40, 4, 2, 0).top5, 1);
    CHECK_INT(counted(x, 40, 5, 2, 0).top5, 0);
}

TEST(tally_loss_is_cross_entropy_and_does_not_overflow)
{
    const float x[3] = {1, 2, 4}, large[2] = {1000, 998};
    double want = log(exp(1) + exp(2) + exp(4)) - 2;
    CHECK_NEAR(counted(x, 3, 1, 3, 1).loss, want, 1e-12);
    CHECK_NEAR(counted(large, 2, 1, 1, 0).loss, 2 + log(1 + exp(-2)), 1e-12);
}

TEST(tally_reports_the_first_image_that_is_not_finite)
{
    const float good[2] = {1, 0}, bad[2] = {0, NAN}, inf[2] = {INFINITY, 0};
    struct tally t = {0};
    struct tally_image images[4] = {counted(good, 2, 0, 1, 0), counted(bad, 2, 0, 1, 0), counted(inf, 2, 0, 1, 0),
                                    counted(good, 2, 1, 1, 0)};
    for (int i = 0; i < 4; i++)
        tally_add(&t, &images[i], 10 + i);
    CHECK_INT(t.bad_image, 12);
    CHECK_INT(t.n_correct, 1);
    CHECK_INT(t.n_correct_top5, 2);
    CHECK_NEAR(t.loss_sum, 2 * log(1 + exp(-1)) + 1, 1e-12); /* images without a loss add none */
}
