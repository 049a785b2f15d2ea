/* scores_order: see scores_order.h. An order of all rows is kept per column and direction. While one is missing, or far
 * behind, a page is picked by one look at all rows; somebody sorts a copy meanwhile (struct scores_build). */
#include "server/scores_order.h"

#include "server/scores_genes.h"
#include "server/scores_sort.h"
#include "server/scores_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INLINE = 32768, MANY = 4096 }; /* rows that are sorted at once; that are kept to pick some */

static const char *const names[SCORES_COLUMNS] = {
    [SCORES_BY_ACCURACY] = "accuracy",
    [SCORES_BY_LOSS] = "loss",
    [SCORES_BY_MACS] = "macs",
    [SCORES_BY_PARAMS] = "params",
    [SCORES_BY_GENERATION] = "generation",
    [SCORES_BY_CODE] = "code",
    [SCORES_BY_CLASS] = "class",
    [SCORES_BY_INDEX] = "index",
    [SCORES_BY_SCORED_AT] = "scored_at",
    [SCORES_BY_WORKER] = "worker",
    [SCORES_BY_TOP5] = "accuracy5",
    [SCORES_BY_TRUTH] = "truth",
    [SCORES_BY_INTERVAL] = "ci",
    [SCORES_BY_OPINIONS] = "replicas",
};

const char *scores_column_name(enum scores_column c)
{
    return names[c];
}

int scores_column_parse(const char *name)
{
    for (int c = 0; c < SCORES_COLUMNS; c++)
        if (strcmp(names[c], name) == 0)
            return c;
    return -1;
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory to sort the ranking");
}

/* ---- kept orders */

void scores_order_clear(struct scores *s)
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
    uint32_t x = ((const struct scores_entry *)a)->row, y = ((const struct scores_entry *)b)->row;
    return (x > y) - (x < y);
}

/* The rows that have a value in the column, or those that came since `upto`, by row number. Returns how many. */
static size_t collect(const struct scores *s, const struct scores_sorting *as, uint32_t upto, struct scores_entry *v)
{
    uint32_t end = upto ? source(s, as->by) : s->count;
    size_t k = 0;
    for (uint32_t i = upto; i < end; i++) {
        v[k] = scores_entry_of(s, as, upto && scores_of_result(as->by) ? s->log[i] : i);
        k += v[k].key != scores_missing;
    }
    if (upto && scores_of_result(as->by)) /* results come in any order */
        qsort(v, k, sizeof *v, by_row);
    return k;
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

/* The order with all rows, or NULL in *out when it is too far behind to be mended here. */
static int refresh(struct scores *s, const struct scores_sorting *as, struct scores_sorted **out, struct err *err)
{
    struct scores_sorted *o = &s->orders[as->by][as->descending];
    uint32_t more = behind(s, as->by, as->descending);
    *out = NULL;
    if (more > INLINE)
        return 0;
    if (more || !o->rows) {
        size_t room = o->rows && o->upto ? more : s->count;
        struct scores_entry *v = malloc((room * 2 + 1) * sizeof *v);
        if (!v || make_place(s, o, source(s, as->by))) {
            free(v);
            return no_memory(err);
        }
        size_t k = collect(s, as, o->upto, v);
        scores_sort(as, v, k);
        merge(s, as, o, v, k);
        o->upto = source(s, as->by);
        free(v);
    }
    o->used = ++s->clock;
    *out = o;
    return 0;
}

/* ---- orders made on another thread */

struct scores_build {
    struct scores_sorting as;
    struct scores_entry *v;
    size_t n;
    uint32_t upto;
    uint64_t edition;
    char *pool; /* as.codes, when the codes are sorted */
    uint64_t *at;
};

int scores_build_wanted(struct scores *s, enum scores_column by, int descending)
{
    return behind(s, by, descending != 0) > INLINE;
}

static void build_free(struct scores_build *b)
{
    if (!b)
        return;
    free(b->v);
    free(b->pool);
    free(b->at);
    free(b);
}

static int copy_codes(const struct scores *s, struct scores_build *b)
{
    b->pool = malloc(s->pool_n + 1);
    b->at = malloc(((size_t)s->count + 1) * sizeof *b->at);
    if (!b->pool || !b->at)
        return -1;
    memcpy(b->pool, s->pool, s->pool_n);
    memcpy(b->at, s->code, s->count * sizeof *b->at);
    b->as.codes = (struct scores_codes){b->pool, b->at};
    return 0;
}

struct scores_build *scores_build_begin(struct scores *s, enum scores_column by, int descending)
{
    struct scores_build *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->as = scores_sorting(s, by, descending != 0);
    b->v = malloc(((size_t)s->count * 2 + 1) * sizeof *b->v);
    if (!b->v || (by == SCORES_BY_CODE && copy_codes(s, b))) {
        build_free(b);
        return NULL;
    }
    b->n = collect(s, &b->as, 0, b->v);
    b->upto = source(s, by);
    b->edition = edition(s, by);
    return b;
}

void scores_build_run(struct scores_build *b)
{
    scores_sort(&b->as, b->v, b->n);
}

void scores_build_end(struct scores *s, struct scores_build *b)
{
    enum scores_column by = b->as.by;
    int descending = b->as.descending, late = s && b->edition != edition(s, by);
    if (s && !late && scores_build_wanted(s, by, descending)) {
        struct scores_sorted *o = &s->orders[by][descending];
        if (!make_place(s, o, source(s, by))) {
            for (size_t i = 0; i < b->n; i++)
                o->rows[i] = b->v[i].row;
            o->n = (uint32_t)b->n;
            o->upto = b->upto;
            o->used = ++s->clock;
        }
    }
    build_free(b);
}

/* ---- pages */

struct ask {
    struct scores_sorting as;
    const struct scores_filter *f;
    struct scores_entry after;
    int begun; /* there is a cursor */
    uint32_t skip, limit;
};

static int follows(const struct ask *a, struct scores_entry e)
{
    return !a->begun || scores_before(&a->as, a->after, e);
}

/* The first `limit` passing rows behind the cursor, along the order and then the rows without a value. */
static void walk(const struct scores *s, const struct ask *a, const struct scores_sorted *o, uint32_t *rows,
                 uint32_t *n)
{
    size_t lo = 0, hi = o->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (follows(a, scores_entry_of(s, &a->as, o->rows[mid])))
            hi = mid;
        else
            lo = mid + 1;
    }
    uint32_t skip = a->skip;
    if (skip > 0 && scores_lets_all_pass(a->f)) { /* no need to look at each */
        uint32_t jump = o->n - lo < skip ? (uint32_t)(o->n - lo) : skip;
        lo += jump;
        skip -= jump;
    }
    for (; lo < o->n && *n < a->limit; lo++)
        if (scores_passes(s, a->f, o->rows[lo]) && !(skip > 0 && skip--))
            rows[(*n)++] = o->rows[lo];
    uint32_t row = a->begun && a->after.key == scores_missing ? a->after.row + 1 : 0;
    for (; o->n < s->count && row < s->count && *n < a->limit; row++)
        if (scores_entry_of(s, &a->as, row).key == scores_missing && scores_passes(s, a->f, row) &&
            !(skip > 0 && skip--))
            rows[(*n)++] = row;
}

/* Passing rows behind the cursor into *v, of them the first `want` at least; *total counts all that pass. */
static int gather(const struct scores *s, const struct ask *a, size_t want, struct scores_entry **out, size_t *n,
                  uint32_t *total)
{
    size_t cap = 2 * want + MANY < s->count ? 2 * want + MANY : s->count, k = 0;
    struct scores_entry *v = *out = malloc((cap + 1) * sizeof *v), worst = {0};
    int all = scores_lets_all_pass(a->f), full = 0;
    if (!v)
        return -1;
    for (uint32_t row = 0; row < s->count; row++) {
        if (!all && !scores_passes(s, a->f, row))
            continue;
        struct scores_entry e = scores_entry_of(s, &a->as, row);
        ++*total;
        if (!follows(a, e) || (full && !scores_before(&a->as, e, worst)))
            continue;
        v[k++] = e;
        if (k < cap || cap == s->count)
            continue;
        scores_select(&a->as, v, k, want - 1, 1);
        k = want;
        worst = v[want - 1];
        full = 1;
    }
    *n = k;
    return 0;
}

/* The same page by one look at all rows, for want of an order or because few pass. */
static int pick(const struct scores *s, const struct ask *a, uint32_t *rows, struct scores_page *out, struct err *err)
{
    struct scores_entry *v;
    size_t k;
    out->total = 0;
    if (gather(s, a, (size_t)a->skip + a->limit, &v, &k, &out->total))
        return no_memory(err);
    scores_select(&a->as, v, k, a->skip, a->limit);
    for (size_t i = a->skip; i < k && out->n < a->limit; i++)
        rows[out->n++] = v[i].row;
    free(v);
    return 0;
}

int scores_page(struct scores *s, enum scores_column by, int descending, const struct scores_filter *f,
                const struct scores_cursor *after, uint32_t limit, uint32_t *rows, struct scores_page *out,
                struct err *err)
{
    int begun = after->rank > 0;
    struct ask a = {
        scores_sorting(s, by, descending != 0), f, {after->key, after->row}, begun, begun ? 0 : after->row, limit};
    *out = (struct scores_page){.cursor = *after};
    int rc = f->allow ? scores_decode(s, UINT32_MAX, err) : 0;
    if (rc)
        return rc;
    struct scores_sorted *o = NULL;
    if ((rc = refresh(s, &a.as, &o, err)) != 0)
        return rc;
    if (o || limit == 0)
        out->total = scores_count_passing(s, f);
    if (limit == 0 || (begun && after->row >= s->count))
        return 0;
    int far = a.skip > MANY && !scores_lets_all_pass(f); /* along the order each row is somewhere else in memory */
    if (o && !far && out->total >= s->count / 8)
        walk(s, &a, o, rows, &out->n);
    else
        rc = pick(s, &a, rows, out, err);
    if (rc || out->n == 0)
        return rc;
    struct scores_entry last = scores_entry_of(s, &a.as, rows[out->n - 1]);
    out->cursor = (struct scores_cursor){last.key, last.row, after->rank + a.skip + out->n};
    out->more = out->cursor.rank < out->total && out->n == limit;
    return 0;
}

void scores_cursor_text(const struct scores_cursor *c, char out[SCORES_CURSOR_TEXT])
{
    snprintf(out, SCORES_CURSOR_TEXT, "%016" PRIx64 "%08" PRIx32 "%08" PRIx32, c->key, c->row, c->rank);
}

int scores_cursor_parse(const char *text, struct scores_cursor *out)
{
    if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return -1;
    struct scores_cursor c;
    if (sscanf(text, "%16" SCNx64 "%8" SCNx32 "%8" SCNx32, &c.key, &c.row, &c.rank) != 3 || c.rank == 0)
        return -1;
    *out = c;
    return 0;
}
