/* scores_view: see scores_view.h. */
#include "server/scores_view.h"

#include "server/scores_table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for this view of the scores");
}

int scores_axis_parse(const char *name)
{
    static const char *const names[SCORES_AXES] = {"accuracy", "accuracy5", "loss", "macs", "params", "index", "truth"};
    for (int a = 0; a < SCORES_AXES; a++)
        if (strcmp(names[a], name) == 0)
            return a;
    return -1;
}

double scores_value(const struct scores *s, enum scores_axis axis, uint32_t row)
{
    switch (axis) {
    case SCORES_X_ACCURACY:
        return scores_accuracy(s, row);
    case SCORES_X_TOP5:
        return (double)s->n_top5[row] / s->n_images[row];
    case SCORES_X_LOSS:
        return s->loss[row];
    case SCORES_X_MACS:
        return (double)s->macs[row];
    case SCORES_X_PARAMS:
        return (double)s->params[row];
    case SCORES_X_INDEX:
        return row;
    case SCORES_X_TRUTH:
        return s->truth[row];
    case SCORES_AXES:
        break;
    }
    return NAN;
}

void scores_view_clear(struct scores *s)
{
    for (int a = 0; a < SCORES_AXES; a++)
        free(s->front[a].rows);
    free(s->density.counts);
}

/* Scored rows in row order (the log is in order of arrival). */
static uint32_t scored_rows(const struct scores *s, uint32_t *rows)
{
    uint32_t n = 0;
    for (uint32_t row = 0; row < s->count; row++)
        if (s->status[row] == SCORES_SCORED)
            rows[n++] = row;
    return n;
}

/* ---- front, density, series */

static int find_front(const struct scores *s, enum scores_axis cost, uint32_t *rows, double *x, uint32_t *front,
                      size_t *n, struct err *err)
{
    size_t m = scored_rows(s, rows);
    for (size_t i = 0; i < m; i++) {
        x[i] = scores_value(s, cost, rows[i]);
        x[m + i] = scores_accuracy(s, rows[i]);
    }
    int rc = rankstat_pareto(x, x + m, m, front, n, err);
    for (size_t i = 0; rc == 0 && i < *n; i++)
        front[i] = rows[front[i]];
    return rc;
}

int scores_pareto(struct scores *s, enum scores_axis cost, const uint32_t **rows, size_t *n, struct err *err)
{
    assert(cost < SCORES_AXES);
    if (s->front[cost].version != s->version) {
        size_t m = s->scored, found = 0;
        double *x = malloc((2 * m + 1) * sizeof *x);
        uint32_t *all = malloc((m + 1) * sizeof *all), *front = malloc((m + 1) * sizeof *front);
        int rc = x && all && front ? find_front(s, cost, all, x, front, &found, err) : no_memory(err);
        free(x);
        free(all);
        if (rc) {
            free(front);
            return rc;
        }
        uint32_t *fitting = realloc(front, (found + 1) * sizeof *front);
        free(s->front[cost].rows);
        s->front[cost].rows = fitting ? fitting : front;
        s->front[cost].n = found;
        s->front[cost].version = s->version;
    }
    *rows = s->front[cost].rows;
    *n = s->front[cost].n;
    return 0;
}

static void range_of(const struct scores *s, enum scores_axis axis, double *lo, double *hi)
{
    *lo = *hi = NAN;
    for (uint32_t row = 0; row < s->count; row++) {
        double v = s->status[row] == SCORES_SCORED ? scores_value(s, axis, row) : NAN;
        if (!isfinite(v))
            continue;
        *lo = isnan(*lo) || v < *lo ? v : *lo;
        *hi = isnan(*hi) || v > *hi ? v : *hi;
    }
}

static uint32_t bin_of(double v, double lo, double hi, uint32_t bins)
{
    double at = hi > lo ? (v - lo) / (hi - lo) * bins : 0;
    return at >= bins ? bins - 1 : (uint32_t)at;
}

/* The given ends stay, the others come from the rows. */
static void narrow(double given_lo, double given_hi, double *lo, double *hi)
{
    *lo = isnan(given_lo) ? *lo : given_lo;
    *hi = isnan(given_hi) ? *hi : given_hi;
}

static void count_bins(const struct scores *s, enum scores_axis x, enum scores_axis y, const struct scores_density *d,
                       uint32_t *counts)
{
    for (uint32_t row = 0; row < s->count; row++) {
        if (s->status[row] != SCORES_SCORED)
            continue;
        double vx = scores_value(s, x, row), vy = scores_value(s, y, row);
        if (vx >= d->xlo && vx <= d->xhi && vy >= d->ylo && vy <= d->yhi)
            counts[(size_t)bin_of(vy, d->ylo, d->yhi, d->ny) * d->nx + bin_of(vx, d->xlo, d->xhi, d->nx)]++;
    }
}

int scores_density(struct scores *s, enum scores_axis x, enum scores_axis y, uint32_t nx, uint32_t ny,
                   const struct scores_window *window, struct scores_density *out, struct err *err)
{
    assert(nx >= 1 && nx <= SCORES_BINS && ny >= 1 && ny <= SCORES_BINS);
    struct scores_density *d = &s->density.d;
    struct scores_window w = window ? *window : (struct scores_window){NAN, NAN, NAN, NAN};
    if (s->density.version != s->version || s->density.x != x || s->density.y != y || d->nx != nx || d->ny != ny ||
        memcmp(&s->density.window, &w, sizeof w) != 0) {
        uint32_t *counts = calloc((size_t)nx * ny, sizeof *counts);
        if (!counts)
            return no_memory(err);
        free(s->density.counts);
        s->density.counts = counts;
        s->density.version = s->version;
        s->density.x = x;
        s->density.y = y;
        s->density.window = w;
        *d = (struct scores_density){.nx = nx, .ny = ny, .counts = counts};
        range_of(s, x, &d->xlo, &d->xhi);
        range_of(s, y, &d->ylo, &d->yhi);
        narrow(w.xlo, w.xhi, &d->xlo, &d->xhi);
        narrow(w.ylo, w.yhi, &d->ylo, &d->yhi);
        count_bins(s, x, y, d, counts);
    }
    *out = *d;
    return 0;
}

void scores_histogram(const struct scores *s, enum scores_axis x, uint32_t bins, double *lo, double *hi,
                      uint32_t *counts)
{
    assert(bins > 0);
    memset(counts, 0, bins * sizeof *counts);
    range_of(s, x, lo, hi);
    for (uint32_t row = 0; row < s->count; row++) {
        double v = s->status[row] == SCORES_SCORED ? scores_value(s, x, row) : NAN;
        if (isfinite(v))
            counts[bin_of(v, *lo, *hi, bins)]++;
    }
}

size_t scores_series(const struct scores *s, uint32_t *rows, size_t room)
{
    size_t n = 0;
    double best = -INFINITY;
    for (uint32_t row = 0; row < s->count; row++) {
        if (s->status[row] != SCORES_SCORED || !(scores_accuracy(s, row) > best))
            continue;
        best = scores_accuracy(s, row);
        if (n++ < room)
            rows[n - 1] = row;
    }
    return n;
}

/* ---- classes */

static int by_mean(const void *a, const void *b)
{
    const struct scores_class *x = a, *y = b;
    if (x->mean != y->mean)
        return x->mean > y->mean ? -1 : 1;
    return x->class_id < y->class_id ? -1 : x->class_id > y->class_id;
}

int scores_classes(const struct scores *s, uint32_t least, struct scores_class **out, size_t *n, struct err *err)
{
    struct scores_class *v = calloc(s->nclasses + 1u, sizeof *v);
    if (!v)
        return no_memory(err);
    for (uint32_t row = 0; row < s->count; row++) {
        if (s->status[row] != SCORES_SCORED)
            continue;
        struct scores_class *c = &v[s->class_id[row]];
        double x = scores_accuracy(s, row);
        if (c->n == 0 || x > c->max)
            c->best = row;
        c->min = c->n == 0 || x < c->min ? x : c->min;
        c->max = c->n == 0 || x > c->max ? x : c->max;
        c->mean += (x - c->mean) / ++c->n;
    }
    size_t kept = 0;
    for (uint32_t id = 0; id < s->nclasses; id++) {
        v[id].class_id = id;
        if (v[id].n >= (least ? least : 1))
            v[kept++] = v[id];
    }
    qsort(v, kept, sizeof *v, by_mean);
    *out = v;
    *n = kept;
    return 0;
}

struct hash128 scores_class_key(const struct scores *s, uint32_t class_id)
{
    assert(class_id < s->nclasses);
    return s->class_key[class_id];
}

size_t scores_class_rows(const struct scores *s, uint32_t class_id, uint32_t *rows, size_t room)
{
    size_t n = 0;
    for (uint32_t row = 0; row < s->count && n < room; row++)
        if (s->class_id[row] == class_id && s->status[row] == SCORES_SCORED)
            rows[n++] = row;
    return n;
}

/* ---- truth */

static int correlate(const double *score, const double *truth, size_t n, struct rankstat *all, struct rankstat_top *top,
                     struct err *err)
{
    int rc = rankstat_correlate(score, truth, n, all, err);
    return rc ? rc : rankstat_top_decile(score, truth, n, top, err);
}

int scores_correlation(const struct scores *s, struct scores_correlation *out, struct err *err)
{
    size_t n = 0, room = s->scored + 1u;
    double *v = malloc(4 * room * sizeof *v);
    if (!v)
        return no_memory(err);
    for (uint32_t row = 0; row < s->count; row++) {
        if (s->status[row] != SCORES_SCORED || isnan(s->truth[row]))
            continue;
        v[n] = scores_accuracy(s, row);
        v[room + n] = (double)s->macs[row];
        v[2 * room + n] = (double)s->params[row];
        v[3 * room + n++] = s->truth[row];
    }
    const double *truth = v + 3 * room;
    memset(out, 0, sizeof *out);
    out->n = (uint32_t)n;
    int rc = correlate(v, truth, n, &out->score, &out->top_score, err);
    if (rc == 0)
        rc = correlate(v + room, truth, n, &out->macs, &out->top_macs, err);
    if (rc == 0)
        rc = correlate(v + 2 * room, truth, n, &out->params, &out->top_params, err);
    free(v);
    return rc;
}
