/* scores_genes: see scores_genes.h. */
#include "server/scores_genes.h"

#include "server/scores_kept.h"
#include "server/scores_sort.h"
#include "server/scores_table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for this view of the scores");
}

int scores_decode(struct scores *s, uint32_t most, struct err *err)
{
    size_t width = (size_t)s->ndecisions;
    if (s->genes_cap < s->count || !s->genes) {
        size_t cap = s->count + s->count / 4u;
        uint16_t *grown = realloc(s->genes, (cap * width + 1) * sizeof *grown);
        if (!grown)
            return no_memory(err);
        s->genes = grown;
        s->genes_cap = (uint32_t)cap;
    }
    for (uint32_t i = 0; i < most && s->decoded < s->count; i++, s->decoded++)
        if (s->decode(s->decode_ctx, scores_code(s, s->decoded), s->genes + s->decoded * width))
            return err_set(err, ERR_CORRUPT, scores_code(s, s->decoded), "a stored code does not belong to its space");
    return s->decoded < s->count;
}

const uint16_t *scores_genes(const struct scores *s, uint32_t row)
{
    assert(row < s->decoded);
    return s->genes + (size_t)row * (size_t)s->ndecisions;
}

/* ---- neighbours */

/* The one decision in which two rows differ; -1 when it is none or several. */
static int one_change(const uint16_t *a, const uint16_t *b, int n)
{
    int found = -1;
    for (int i = 0; i < n; i++) {
        if (a[i] == b[i])
            continue;
        if (found >= 0)
            return -1;
        found = i;
    }
    return found;
}

/* Puts the row where it belongs among the best `room`. */
static void insert(const struct scores *s, struct scores_neighbour *v, size_t n, size_t room, struct scores_neighbour x)
{
    size_t at = n < room ? n : room;
    double accuracy = scores_accuracy(s, x.row);
    for (; at > 0 && scores_accuracy(s, v[at - 1].row) < accuracy; at--)
        if (at < room)
            v[at] = v[at - 1];
    if (at < room)
        v[at] = x;
}

int64_t scores_neighbours(struct scores *s, uint32_t row, struct scores_neighbour *out, size_t room, struct err *err)
{
    int rc = scores_decode(s, UINT32_MAX, err);
    if (rc)
        return rc;
    const uint16_t *mine = scores_genes(s, row);
    size_t n = 0;
    for (uint32_t r = 0; r < s->count; r++) {
        int decision =
            r != row && s->status[r] == SCORES_SCORED ? one_change(mine, scores_genes(s, r), s->ndecisions) : -1;
        if (decision >= 0)
            insert(s, out, n++, room, (struct scores_neighbour){r, decision});
    }
    return (int64_t)n;
}

/* ---- generations */

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Linear between the two nearest, as numpy's default. */
static double quantile(const double *v, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t low = (size_t)at;
    return low + 1 < n ? v[low] + (at - (double)low) * (v[low + 1] - v[low]) : v[low];
}

static struct scores_generation summary(double *v, size_t n)
{
    double sum = 0;
    if (n == 0)
        return (struct scores_generation){0, NAN, NAN, NAN, NAN, NAN, NAN};
    qsort(v, n, sizeof *v, rising);
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return (struct scores_generation){(uint32_t)n,         v[0],     quantile(v, n, .25), quantile(v, n, .5),
                                      quantile(v, n, .75), v[n - 1], sum / (double)n};
}

int scores_generations(const struct scores *s, struct scores_generation **out, size_t *n, struct err *err)
{
    uint32_t top = 0;
    for (uint32_t row = 0; row < s->count; row++)
        top = s->generation[row] > top ? s->generation[row] : top;
    *n = s->count ? top + (size_t)1 : 0;
    size_t *at = calloc(*n + 2, sizeof *at); /* where a generation's accuracies begin */
    double *v = malloc((s->scored + (size_t)1) * sizeof *v);
    struct scores_generation *g = calloc(*n + 1, sizeof *g);
    int rc = at && v && g ? 0 : no_memory(err);
    for (uint32_t row = 0; rc == 0 && row < s->count; row++)
        at[s->generation[row] + 1] += s->status[row] == SCORES_SCORED;
    for (size_t i = 0; rc == 0 && i < *n; i++)
        at[i + 1] += at[i];
    for (uint32_t row = s->count; rc == 0 && row-- > 0;) /* fills each from its end: at[] become the beginnings */
        if (s->status[row] == SCORES_SCORED)
            v[--at[s->generation[row] + 1]] = scores_accuracy(s, row);
    for (size_t i = 0; rc == 0 && i < *n; i++)
        g[i] = summary(v + at[i + 1], (i + 1 < *n ? at[i + 2] : s->scored) - at[i + 1]);
    free(at);
    free(v);
    if (rc)
        free(g);
    else
        *out = g;
    return rc;
}

/* ---- an even selection */

int64_t scores_spread(struct scores *s, uint32_t *rows, uint32_t room, struct err *err)
{
    struct scores_sorting as = scores_sorting(s, SCORES_BY_ACCURACY, 1);
    struct scores_sorted *o;
    int rc = scores_kept_refresh(s, &as, &o, err);
    if (rc)
        return rc;
    if (!o)
        return err_set(err, ERR_INTERNAL, "", "the ranking is not sorted yet");
    uint32_t n = o->n < room ? o->n : room;
    for (uint32_t i = 0; i < n; i++)
        rows[i] = o->rows[n > 1 ? (uint64_t)i * (o->n - 1) / (n - 1) : 0];
    return n;
}
