/* scores_importance: see scores_importance.h. */
#include "server/scores_importance.h"

#include "server/scores_genes.h"
#include "server/scores_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for this view of the scores");
}

void scores_importance_clear(struct scores *s)
{
    for (int d = 0; s->effects && d < s->ndecisions; d++)
        free(s->effects[d].options);
    free(s->effects);
    s->effects = NULL;
    s->folded = 0;
}

static void add(struct scores_sums *t, double x)
{
    double d = x - t->mean;
    t->mean += d / ++t->n;
    t->squares += d * (x - t->mean);
}

/* One more scored row. */
static int fold(struct scores *s, uint32_t row, struct err *err)
{
    const uint16_t *genes = scores_genes(s, row);
    double x = scores_accuracy(s, row);
    for (int d = 0; d < s->ndecisions; d++) {
        struct scores_effect *e = &s->effects[d];
        uint16_t g = genes[d];
        if (g == SCORES_INACTIVE)
            continue;
        if (g >= e->noptions) {
            struct scores_sums *grown = realloc(e->options, (g + (size_t)1) * sizeof *grown);
            if (!grown)
                return no_memory(err);
            memset(grown + e->noptions, 0, (g + 1u - e->noptions) * sizeof *grown);
            e->options = grown;
            e->noptions = g + 1u;
        }
        add(&e->all, x);
        add(&e->options[g], x);
    }
    return 0;
}

int scores_fold(struct scores *s, uint32_t most, struct err *err)
{
    int rc = scores_decode(s, most, err);
    if (rc)
        return rc;
    if (!s->effects && !(s->effects = calloc((size_t)s->ndecisions + 1, sizeof *s->effects)))
        return no_memory(err);
    for (uint32_t i = 0; i < most && s->folded < s->scored; i++)
        if ((rc = fold(s, s->log[s->folded++], err)) < 0) {
            scores_importance_clear(s); /* a row may be in some decisions only */
            return rc;
        }
    return s->folded < s->scored;
}

/* One decision over the scored rows, of which top[ntop] are the best. */
static int explain(const struct scores *s, int decision, const uint32_t *top, uint32_t ntop,
                   struct scores_importance *out, struct err *err)
{
    const struct scores_effect *e = &s->effects[decision];
    uint32_t *tops = calloc(e->noptions + (size_t)1, sizeof *tops);
    out->options = calloc(e->noptions + (size_t)1, sizeof *out->options);
    if (!tops || !out->options) {
        free(tops);
        return no_memory(err);
    }
    for (uint32_t i = 0; i < ntop; i++) {
        uint16_t g = scores_genes(s, top[i])[decision];
        tops[g == SCORES_INACTIVE ? e->noptions : g]++;
    }
    double between = 0;
    out->noptions = e->noptions;
    for (uint32_t o = 0; o < e->noptions; o++) {
        const struct scores_sums *t = &e->options[o];
        double d = t->mean - e->all.mean;
        between += t->n * d * d;
        out->options[o].n = t->n;
        out->options[o].mean = rankstat_mean(t->n, t->mean, t->squares);
        out->options[o].top_share = ntop ? (double)tops[o] / ntop : NAN;
    }
    out->n = e->all.n;
    out->eta2 = e->all.squares > 0 ? fmin(1, between / e->all.squares) : NAN;
    free(tops);
    return 0;
}

int scores_importance(struct scores *s, uint32_t top, struct scores_importance **out, struct err *err)
{
    int rc = scores_fold(s, UINT32_MAX, err);
    if (rc)
        return rc;
    struct scores_importance *im = calloc((size_t)s->ndecisions + 1, sizeof *im);
    uint32_t want = top < s->scored ? top : s->scored;
    uint32_t *best = malloc((want + (size_t)1) * sizeof *best);
    struct scores_filter f;
    struct scores_page page = {0};
    scores_filter_init(&f);
    f.status = SCORES_SCORED;
    rc = im && best ? 0 : no_memory(err);
    if (rc == 0)
        rc = scores_page(s, SCORES_BY_ACCURACY, 1, &f, &(struct scores_cursor){0}, want, best, &page, err);
    for (int d = 0; rc == 0 && d < s->ndecisions; d++)
        rc = explain(s, d, best, page.n, &im[d], err);
    free(best);
    if (rc && im)
        scores_importance_free(im, s->ndecisions);
    else
        *out = im;
    return rc;
}

void scores_importance_free(struct scores_importance *im, int ndecisions)
{
    for (int d = 0; im && d < ndecisions; d++)
        free(im[d].options);
    free(im);
}
