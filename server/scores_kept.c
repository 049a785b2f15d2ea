/* scores_kept: see scores_kept.h. The other thread reads the table's own columns: values of rows that were there when
 * it began and results in the log never change, and scores_hold keeps them in their place. */
#include "server/scores_kept.h"

#include "server/scores_sort.h"
#include "server/scores_table.h"

#include <stdlib.h>
#include <string.h>

enum { INLINE = 16384, BLOCK = 1024 }; /* rows that are sorted at once; whose keys are made together */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory to sort the ranking");
}

void scores_kept_clear(struct scores *s)
{
    for (int c = 0; c < SCORES_COLUMNS; c++)
        for (int d = 0; d < 2; d++)
            free(s->orders[c][d].rows);
    memset(s->orders, 0, sizeof s->orders);
}

/* Keeps at most SCORES_ORDERS of them. */
static void make_room(struct scores *s)
{
    struct scores_sorted *oldest = NULL;
    int kept = 0;
    for (int c = 0; c < SCORES_COLUMNS; c++)
        for (int d = 0; d < 2; d++) {
            struct scores_sorted *o = &s->orders[c][d];
            kept += o->rows != NULL;
            if (o->rows && (!oldest || o->used < oldest->used))
                oldest = o;
        }
    if (kept >= SCORES_ORDERS) {
        free(oldest->rows);
        memset(oldest, 0, sizeof *oldest);
    }
}

/* How much of the table an order of the column can hold now: scored rows, or all. */
static uint32_t source(const struct scores *s, enum scores_column by)
{
    return scores_of_result(by) ? s->scored : s->count;
}

/* Of what changes after a row was set: grows with every change. */
static uint64_t edition(const struct scores *s, enum scores_column by)
{
    return by == SCORES_BY_TRUTH ? s->truth_version : by == SCORES_BY_OPINIONS ? s->opinions_version : 0;
}

/* Another truth means other orders by truth; the same for opinions. */
static void forget_changed(struct scores *s, enum scores_column by)
{
    for (int d = 0; d < 2; d++) {
        struct scores_sorted *o = &s->orders[by][d];
        if (o->edition != edition(s, by))
            o->n = o->upto = 0;
        o->edition = edition(s, by);
    }
}

/* Merges k sorted newcomers into the order from the back, moving each old row once. */
static void merge(const struct scores *s, const struct scores_sorting *as, struct scores_sorted *o,
                  const struct scores_entry *v, size_t k)
{
    size_t old = o->n;
    o->n += (uint32_t)k;
    while (k > 0) {
        size_t lo = 0, hi = old; /* the first old row that stands behind the last newcomer */
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (scores_before(as, v[k - 1], scores_entry_of(s, as, o->rows[mid])))
                hi = mid;
            else
                lo = mid + 1;
        }
        memmove(o->rows + lo + k, o->rows + lo, (old - lo) * sizeof *o->rows);
        o->rows[lo + k - 1] = v[k - 1].row;
        old = lo;
        k--;
    }
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Of n rows those that have a value in the column; how many. */
static size_t with_value(const struct scores *s, const struct scores_sorting *as, const uint32_t *rows, size_t n,
                         struct scores_entry *v)
{
    uint64_t keys[BLOCK];
    size_t k = 0;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        scores_keys(s, as, rows + at, m, keys);
        for (size_t i = 0; i < m; i++) {
            v[k] = (struct scores_entry){keys[i], rows[at + i]};
            k += keys[i] != scores_missing;
        }
    }
    return k;
}

/* The rows that came since `upto`, by row number; rows[] has room for them. Results come in any order. */
static uint32_t newcomers(const struct scores *s, enum scores_column by, uint32_t upto, uint32_t *rows)
{
    uint32_t n = 0, end = source(s, by);
    for (uint32_t i = upto; i < end; i++)
        rows[n++] = scores_of_result(by) ? s->log[i] : i;
    if (scores_of_result(by))
        qsort(rows, n, sizeof *rows, by_row);
    return n;
}

static int make_place(struct scores *s, struct scores_sorted *o, uint32_t n)
{
    if (!o->rows)
        make_room(s);
    if (o->rows && n <= o->cap)
        return 0;
    uint32_t cap = n + n / 4 + 16, *rows = realloc(o->rows, cap * sizeof *rows);
    if (!rows)
        return -1;
    o->rows = rows;
    o->cap = cap;
    return 0;
}

static uint32_t behind(struct scores *s, enum scores_column by, int descending)
{
    const struct scores_sorted *o = &s->orders[by][descending];
    forget_changed(s, by);
    return source(s, by) - (o->rows ? o->upto : 0);
}

int scores_kept_refresh(struct scores *s, const struct scores_sorting *as, struct scores_sorted **out, struct err *err)
{
    struct scores_sorted *o = &s->orders[as->by][as->descending];
    uint32_t more = behind(s, as->by, as->descending);
    *out = NULL;
    if (more > INLINE)
        return 0;
    if (more || !o->rows) {
        struct scores_entry *v = malloc(((size_t)more * 2 + 1) * sizeof *v);
        uint32_t *rows = malloc(((size_t)more + 1) * sizeof *rows);
        int rc = v && rows && !make_place(s, o, source(s, as->by)) ? 0 : no_memory(err);
        if (rc == 0) {
            size_t k = with_value(s, as, rows, newcomers(s, as->by, o->upto, rows), v);
            scores_sort(as, v, k);
            merge(s, as, o, v, k);
            o->upto = source(s, as->by);
        }
        free(v);
        free(rows);
        if (rc)
            return rc;
    }
    o->used = ++s->clock;
    *out = o;
    return 0;
}

/* ---- orders made on another thread */

struct scores_build {
    struct scores *table, then; /* `then`: its columns when the build began */
    struct scores_sorting as;
    uint64_t edition;
    double *truth; /* copies of what may change */
    uint8_t *opinions;
    uint32_t *rows, n, cap; /* the order */
};

int scores_build_wanted(struct scores *s, enum scores_column by, int descending)
{
    return behind(s, by, descending != 0) > INLINE;
}

/* What a later change would reach is copied: the change makes the order useless, but must not be read half done. */
static int copy_changing(struct scores_build *b)
{
    size_t n = b->then.count;
    if (b->as.by == SCORES_BY_TRUTH) {
        if (!(b->truth = malloc((n + 1) * sizeof *b->truth)))
            return -1;
        b->then.truth = memcpy(b->truth, b->then.truth, n * sizeof *b->truth);
    }
    if (b->as.by == SCORES_BY_OPINIONS) {
        if (!(b->opinions = malloc(2 * n + 1)))
            return -1;
        b->then.repeats = memcpy(b->opinions, b->then.repeats, n);
        b->then.agreed = memcpy(b->opinions + n, b->then.agreed, n);
    }
    return 0;
}

static void build_free(struct scores_build *b)
{
    free(b->truth);
    free(b->opinions);
    free(b->rows);
    free(b);
}

struct scores_build *scores_build_begin(struct scores *s, enum scores_column by, int descending)
{
    struct scores_build *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->table = s;
    b->then = *s;
    b->as = scores_sorting(s, by, descending != 0);
    b->edition = edition(s, by);
    if (s->count == 0 || copy_changing(b)) {
        build_free(b);
        return NULL;
    }
    scores_hold(s);
    return b;
}

/* All rows an order of the column holds, by row number: of results those in the log, the others may be set just now. */
static uint32_t *all_rows(const struct scores *s, enum scores_column by)
{
    uint32_t n = 0, *rows = malloc(((size_t)source(s, by) + 1) * sizeof *rows);
    unsigned char *in = scores_of_result(by) ? calloc(1, (size_t)s->count + 1) : NULL;
    if (!rows || (scores_of_result(by) && !in)) {
        free(rows);
        free(in);
        return NULL;
    }
    for (uint32_t i = 0; in && i < s->scored; i++)
        in[s->log[i]] = 1;
    for (uint32_t row = 0; row < s->count && n < source(s, by); row++) {
        rows[n] = row;
        n += !in || in[row];
    }
    free(in);
    return rows;
}

void scores_build_run(struct scores_build *b)
{
    const struct scores *s = &b->then;
    uint32_t all = source(s, b->as.by), cap = all + all / 4 + 16, *rows = all_rows(s, b->as.by);
    struct scores_entry *v = malloc(((size_t)all * 2 + 1) * sizeof *v);
    b->rows = malloc((size_t)cap * sizeof *b->rows);
    if (rows && v && b->rows) {
        b->cap = cap;
        b->n = (uint32_t)with_value(s, &b->as, rows, all, v);
        scores_sort(&b->as, v, b->n);
        for (uint32_t i = 0; i < b->n; i++)
            b->rows[i] = v[i].row;
    }
    free(rows);
    free(v);
}

int scores_build_end(struct scores *s, struct scores_build *b)
{
    enum scores_column by = b->as.by;
    int descending = b->as.descending, rc = b->cap ? 0 : -1;
    if (s && b->cap && b->edition == edition(s, by) && scores_build_wanted(s, by, descending)) {
        struct scores_sorted *o = &s->orders[by][descending];
        if (!o->rows)
            make_room(s);
        free(o->rows);
        *o = (struct scores_sorted){.rows = b->rows,
                                    .n = b->n,
                                    .cap = b->cap,
                                    .upto = source(&b->then, by),
                                    .edition = b->edition,
                                    .used = ++s->clock};
        b->rows = NULL;
    }
    scores_let_go(b->table);
    build_free(b);
    return rc;
}
