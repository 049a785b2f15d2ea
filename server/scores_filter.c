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

int scores_lets_all_pass(const struct scores_filter *f)
{
    return f->macs_min == 0 && f->macs_max == UINT64_MAX && f->params_min == 0 && f->params_max == UINT64_MAX &&
           f->generation_min == 0 && f->generation_max == UINT32_MAX && f->status < 0 && f->class_id < 0 &&
           !f->worker && !f->prefix && !f->allow && unbounded(f);
}

/* Both false for a value or bound that is not there. */
static int inside(double x, double min, double max)
{
    return !(x < min) && !(x > max);
}

/* One bound after the other over all rows that are left: each loop is short and has no branch. */
uint32_t scores_passing(const struct scores *s, const struct scores_filter *f, uint32_t from, uint32_t end,
                        uint32_t *rows)
{
    uint32_t n = 0;
    while (from < end)
        rows[n++] = from++;
#define KEEP(bound, test)                                                                                              \
    if (bound) {                                                                                                       \
        uint32_t kept = 0;                                                                                             \
        for (uint32_t i = 0; i < n; i++) {                                                                             \
            uint32_t row = rows[i];                                                                                    \
            rows[kept] = row;                                                                                          \
            kept += (uint32_t)(test);                                                                                  \
        }                                                                                                              \
        n = kept;                                                                                                      \
    }
    KEEP(f->macs_min > 0 || f->macs_max < UINT64_MAX, (s->macs[row] >= f->macs_min) & (s->macs[row] <= f->macs_max))
    KEEP(f->params_min > 0 || f->params_max < UINT64_MAX,
         (s->params[row] >= f->params_min) & (s->params[row] <= f->params_max))
    KEEP(f->generation_min > 0 || f->generation_max < UINT32_MAX,
         (s->generation[row] >= f->generation_min) & (s->generation[row] <= f->generation_max))
    KEEP(f->status >= 0, s->status[row] == f->status)
    KEEP(f->class_id >= 0, s->class_id[row] == f->class_id)
    KEEP(f->worker, s->worker[row] == f->worker)
    KEEP(!unbounded(f), s->status[row] == SCORES_SCORED)
    KEEP(!isnan(f->accuracy_min) || !isnan(f->accuracy_max),
         inside(scores_accuracy(s, row), f->accuracy_min, f->accuracy_max))
    KEEP(!isnan(f->top5_min) || !isnan(f->top5_max), inside(scores_top5(s, row), f->top5_min, f->top5_max))
    KEEP(!isnan(f->loss_min), s->loss[row] >= f->loss_min)
    KEEP(!isnan(f->loss_max), s->loss[row] <= f->loss_max)
    size_t begin = f->prefix ? strlen(f->prefix) : 0;
    KEEP(f->prefix, strncmp(scores_code(s, row), f->prefix, begin) == 0)
    KEEP(f->allow, chosen(s, f->allow, row))
#undef KEEP
    return n;
}
