/* trust: see trust.h. */
#include "server/trust.h"

#include <math.h>
#include <string.h>

double trust_check_probability(const struct trust *t)
{
    if (t->good < TRUST_PROBATION)
        return 1;
    double p = sqrt((double)TRUST_PROBATION / t->good);
    return p > TRUST_LEAST ? p : TRUST_LEAST;
}

int trust_wants_check(const struct trust *t, double draw)
{
    return draw < trust_check_probability(t);
}

void trust_agreed(struct trust *t)
{
    t->good++;
}

int trust_was_wrong(struct trust *t)
{
    t->good = 0;
    return ++t->bad >= TRUST_BAD;
}

static uint32_t apart(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

int trust_agree(const struct trust_opinion *a, const struct trust_opinion *b)
{
    if (a->failed || b->failed)
        return a->failed == b->failed;
    int same_loss = a->loss_sum == b->loss_sum || (!isfinite(a->loss_sum) && !isfinite(b->loss_sum));
    if (strcmp(a->backend, b->backend) == 0 && strcmp(a->build, b->build) == 0)
        return a->n_images == b->n_images && a->n_correct == b->n_correct && a->n_correct_top5 == b->n_correct_top5 &&
               same_loss;
    uint32_t slack = a->n_images / 2000 > 1 ? a->n_images / 2000 : 1;
    return a->n_images == b->n_images && apart(a->n_correct, b->n_correct) <= slack &&
           apart(a->n_correct_top5, b->n_correct_top5) <= slack &&
           (same_loss || fabs(a->loss_sum - b->loss_sum) <= 1e-3 * fabs(a->loss_sum));
}

enum trust_verdict trust_judge(const struct trust_opinion *first, const struct trust_opinion *second,
                               const struct trust_opinion *third)
{
    if (second->worker == first->worker)
        return TRUST_OPEN;
    if (trust_agree(first, second))
        return TRUST_FINE;
    if (!third || third->worker == first->worker || third->worker == second->worker)
        return TRUST_OPEN;
    int with_first = trust_agree(first, third), with_second = trust_agree(second, third);
    if (with_first == with_second) /* three opinions; or one between two that are just too far apart */
        return TRUST_OPEN;
    return with_first ? TRUST_SECOND_WRONG : TRUST_FIRST_WRONG;
}

size_t trust_sample(size_t n, uint64_t random, uint32_t out[TRUST_SAMPLE])
{
    size_t taken = 0;
    for (size_t i = 0; i < n && taken < TRUST_SAMPLE; i++) { /* each of the rest with the same chance */
        uint64_t left = n - i, need = TRUST_SAMPLE - taken;
        if (random % left < need)
            out[taken++] = (uint32_t)i;
        random = random * 6364136223846793005u + 1442695040888963407u;
        random ^= random >> 29;
    }
    return taken;
}
