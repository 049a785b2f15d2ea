/* scores_filter: which rows a filter lets pass. */
#include "server/scores_genes.h"
#include "server/scores_table.h"

#include <math.h>
#include <string.h>

void scores_filter_init(struct scores_filter *f)
{
    *f = (struct scores_filter){.macs_max = UINT64_MAX,
                                .params_max = UINT64_MAX,
                                .accuracy_min = NAN,
                                .accuracy_max = NAN,
                                .top5_min = NAN,
                                .top5_max = NAN,
                                .loss_min = NAN,
                                .loss_max = NAN,
                                .generation_max = UINT32_MAX,
                                .status = -1,
                                .class_id = -1};
}

/* The genes are decoded. */
static int chosen(const struct scores *s, const uint64_t *allow, uint32_t row)
{
    const uint16_t *genes = scores_genes(s, row);
    for (int d = 0; d < s->ndecisions; d++)
        if (!(allow[d] >> (genes[d] == SCORES_INACTIVE ? 63 : genes[d] & 63) & 1))
            return 0;
    return 1;
}

/* No bound on what only a scored row has. */
static int unbounded(const struct scores_filter *f)
{
    return isnan(f->accuracy_min) && isnan(f->accuracy_max) && isnan(f->top5_min) && isnan(f->top5_max) &&
           isnan(f->loss_min) && isnan(f->loss_max);
}

int scores_passes(const struct scores *s, const struct scores_filter *f, uint32_t row)
{
    if (s->macs[row] < f->macs_min || s->macs[row] > f->macs_max || s->params[row] < f->params_min ||
        s->params[row] > f->params_max || s->generation[row] < f->generation_min ||
        s->generation[row] > f->generation_max)
        return 0;
    if ((f->status >= 0 && s->status[row] != f->status) || (f->class_id >= 0 && s->class_id[row] != f->class_id) ||
        (f->worker && s->worker[row] != f->worker))
        return 0;
    if (f->allow && !chosen(s, f->allow, row))
        return 0;
    if (f->prefix && strncmp(scores_code(s, row), f->prefix, strlen(f->prefix)) != 0)
        return 0;
    if (unbounded(f))
        return 1;
    return s->status[row] == SCORES_SCORED && !(scores_accuracy(s, row) < f->accuracy_min) &&
           !(scores_accuracy(s, row) > f->accuracy_max) && !(scores_top5(s, row) < f->top5_min) &&
           !(scores_top5(s, row) > f->top5_max) && (isnan(f->loss_min) || s->loss[row] >= f->loss_min) &&
           (isnan(f->loss_max) || s->loss[row] <= f->loss_max);
}

int scores_lets_all_pass(const struct scores_filter *f)
{
    return f->macs_min == 0 && f->macs_max == UINT64_MAX && f->params_min == 0 && f->params_max == UINT64_MAX &&
           f->generation_min == 0 && f->generation_max == UINT32_MAX && f->status < 0 && f->class_id < 0 &&
           !f->worker && !f->prefix && !f->allow && unbounded(f);
}

uint32_t scores_count_passing(const struct scores *s, const struct scores_filter *f)
{
    if (scores_lets_all_pass(f))
        return s->count;
    uint32_t n = 0;
    for (uint32_t row = 0; row < s->count; row++)
        n += (uint32_t)scores_passes(s, f, row);
    return n;
}
