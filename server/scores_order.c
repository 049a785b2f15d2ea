/* scores_order: see scores_order.h. Every column but the code maps to a 64-bit key whose order is the column's (turned
 * round for falling order), so sorting is a radix sort and a cursor is a key and a row. */
#include "server/scores_order.h"

#include "server/scores_genes.h"
#include "server/scores_table.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t missing = UINT64_MAX; /* sorts last in either direction */

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

/* ---- keys */

static uint64_t double_key(double x)
{
    if (isnan(x))
        return missing;
    x += 0.0; /* -0 equals 0 */
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static int of_result(enum scores_column by) /* has a value only once scored */
{
    return by == SCORES_BY_ACCURACY || by == SCORES_BY_LOSS || by == SCORES_BY_SCORED_AT || by == SCORES_BY_WORKER ||
           by == SCORES_BY_TOP5;
}

static uint64_t rising_key(const struct scores *s, enum scores_column by, uint32_t row)
{
    if (of_result(by) && s->status[row] != SCORES_SCORED)
        return missing;
    switch (by) {
    case SCORES_BY_ACCURACY:
        return double_key(scores_accuracy(s, row));
    case SCORES_BY_LOSS:
        return double_key(s->loss[row]);
    case SCORES_BY_MACS:
        return s->macs[row];
    case SCORES_BY_PARAMS:
        return s->params[row];
    case SCORES_BY_GENERATION:
        return s->generation[row];
    case SCORES_BY_CLASS:
        return s->class_id[row];
    case SCORES_BY_INDEX:
        return row;
    case SCORES_BY_SCORED_AT:
        return (uint64_t)s->scored_at[row];
    case SCORES_BY_WORKER:
        return (uint64_t)s->worker[row];
    case SCORES_BY_TOP5:
        return double_key((double)s->n_top5[row] / s->n_images[row]);
    case SCORES_BY_TRUTH:
        return double_key(s->truth[row]);
    case SCORES_BY_CODE:
    case SCORES_COLUMNS:
        break;
    }
    return 0; /* codes are compared as text */
}

struct entry {
    uint64_t key;
    uint32_t row;
};

static struct entry entry_of(const struct scores *s, enum scores_column by, int descending, uint32_t row)
{
    uint64_t key = rising_key(s, by, row);
    return (struct entry){descending && key != missing ? missing - 1 - key : key, row};
}

/* a stands before b. */
static int before(const struct scores *s, enum scores_column by, int descending, struct entry a, struct entry b)
{
    if (by == SCORES_BY_CODE) {
        int c = strcmp(scores_code(s, a.row), scores_code(s, b.row));
        return descending ? c > 0 : c < 0;
    }
    return a.key != b.key ? a.key < b.key : a.row < b.row;
}

/* ---- sorting */

/* Stable, by 11-bit digits; digits that are alike in all keys cost one pass of counting. `v` holds the result. */
static void radix_sort(struct entry *v, struct entry *spare, size_t n)
{
    enum { BITS = 11, SIZE = 1 << BITS };
    struct entry *from = v, *to = spare;
    for (int shift = 0; shift < 64; shift += BITS) {
        uint32_t at[SIZE] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            at[from[i].key >> shift & (SIZE - 1)]++;
        if (n == 0 || at[from[0].key >> shift & (SIZE - 1)] == n)
            continue;
        for (int d = 0; d < SIZE; d++) {
            uint32_t count = at[d];
            at[d] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            to[at[from[i].key >> shift & (SIZE - 1)]++] = from[i];
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
}

/* Eight characters from `at` on, as a number that orders as the text does. */
static uint64_t code_chunk(const char *code, size_t len, size_t at)
{
    uint64_t key = 0;
    for (size_t i = at; i < at + 8; i++)
        key = key << 8 | (i < len ? (unsigned char)code[i] : 0);
    return key;
}

static void sort_codes(const struct scores *s, int descending, struct entry *v, struct entry *spare, size_t n)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(scores_code(s, v[i].row));
        longest = len > longest ? len : longest;
    }
    for (size_t chunk = (longest + 7) / 8; chunk-- > 0;) {
        for (size_t i = 0; i < n; i++) {
            const char *code = scores_code(s, v[i].row);
            uint64_t key = code_chunk(code, strlen(code), 8 * chunk);
            v[i].key = descending ? ~key : key;
        }
        radix_sort(v, spare, n);
    }
}

static void sort_entries(const struct scores *s, enum scores_column by, int descending, struct entry *v, size_t n)
{
    size_t i = 1;
    while (i < n && before(s, by, descending, v[i - 1], v[i])) /* an enumeration often comes in order */
        i++;
    if (i >= n)
        return;
    if (by == SCORES_BY_CODE)
        sort_codes(s, descending, v, v + n, n);
    else
        radix_sort(v, v + n, n);
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

/* Merges k sorted newcomers into the order from the back, moving each old row once. */
static void merge(const struct scores *s, enum scores_column by, int descending, struct scores_sorted *o,
                  const struct entry *v, size_t k)
{
    size_t old = o->n;
    o->n += (uint32_t)k;
    while (k > 0) {
        size_t lo = 0, hi = old; /* the first old row that stands behind the last newcomer */
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (before(s, by, descending, v[k - 1], entry_of(s, by, descending, o->rows[mid])))
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

/* The rows that came since and have a value in the column, by row number: the stable sort keeps ties in that order. v
 * has room for twice as many. Returns how many. */
static size_t newcomers(const struct scores *s, enum scores_column by, int descending, const struct scores_sorted *o,
                        uint32_t end, struct entry *v)
{
    size_t all = end - o->upto, k = 0;
    for (uint32_t i = 0; i < all; i++) {
        v[i].row = of_result(by) ? s->log[o->upto + i] : o->upto + i;
        v[i].key = v[i].row;
    }
    if (of_result(by)) /* results come in any order */
        radix_sort(v, v + all, all);
    for (size_t i = 0; i < all; i++) {
        v[k] = entry_of(s, by, descending, v[i].row);
        k += v[k].key != missing || by == SCORES_BY_CODE;
    }
    return k;
}

static int refresh(struct scores *s, enum scores_column by, int descending, struct scores_sorted **out, struct err *err)
{
    struct scores_sorted *o = &s->orders[by][descending];
    uint32_t end = of_result(by) ? s->scored : s->count;
    if (by == SCORES_BY_TRUTH && s->order_truth != s->truth_version) {
        for (int d = 0; d < 2; d++)
            s->orders[by][d].n = s->orders[by][d].upto = 0;
        s->order_truth = s->truth_version;
    }
    if (!o->rows)
        make_room(s);
    if (!o->rows || o->upto < end) {
        struct entry *v = malloc(((size_t)(end - o->upto) * 2 + 1) * sizeof *v);
        uint32_t cap = end > o->cap ? end + end / 4 + 16 : o->cap;
        uint32_t *rows = cap > o->cap || !o->rows ? realloc(o->rows, ((size_t)cap + 1) * sizeof *rows) : o->rows;
        if (rows) {
            o->rows = rows;
            o->cap = cap;
        }
        if (!v || !rows) {
            free(v);
            return err_set(err, ERR_NO_MEMORY, "", "not enough memory to sort the ranking");
        }
        size_t k = newcomers(s, by, descending, o, end, v);
        sort_entries(s, by, descending, v, k);
        merge(s, by, descending, o, v, k);
        o->upto = end;
        free(v);
    }
    o->used = ++s->clock;
    *out = o;
    return 0;
}

/* ---- filters */

void scores_filter_init(struct scores_filter *f)
{
    *f = (struct scores_filter){.macs_max = UINT64_MAX,
                                .params_max = UINT64_MAX,
                                .accuracy_min = NAN,
                                .accuracy_max = NAN,
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

static int passes(const struct scores *s, const struct scores_filter *f, uint32_t row)
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
    if (isnan(f->accuracy_min) && isnan(f->accuracy_max) && isnan(f->loss_min) && isnan(f->loss_max))
        return 1;
    return s->status[row] == SCORES_SCORED && !(scores_accuracy(s, row) < f->accuracy_min) &&
           !(scores_accuracy(s, row) > f->accuracy_max) && (isnan(f->loss_min) || s->loss[row] >= f->loss_min) &&
           (isnan(f->loss_max) || s->loss[row] <= f->loss_max);
}

static int lets_all_pass(const struct scores_filter *f)
{
    return f->macs_min == 0 && f->macs_max == UINT64_MAX && f->params_min == 0 && f->params_max == UINT64_MAX &&
           f->generation_min == 0 && f->generation_max == UINT32_MAX && f->status < 0 && f->class_id < 0 &&
           !f->worker && !f->prefix && !f->allow && isnan(f->accuracy_min) && isnan(f->accuracy_max) &&
           isnan(f->loss_min) && isnan(f->loss_max);
}

static uint32_t count_passing(const struct scores *s, const struct scores_filter *f)
{
    if (lets_all_pass(f))
        return s->count;
    uint32_t n = 0;
    for (uint32_t row = 0; row < s->count; row++)
        n += (uint32_t)passes(s, f, row);
    return n;
}

/* ---- pages */

struct ask {
    enum scores_column by;
    int descending;
    const struct scores_filter *f;
    struct entry after;
    int begun; /* there is a cursor */
    uint32_t skip, limit;
};

static int follows(const struct scores *s, const struct ask *a, struct entry e)
{
    return !a->begun || before(s, a->by, a->descending, a->after, e);
}

/* The first `limit` passing rows behind the cursor, along the kept order and then the rows without a value. */
static int walk(struct scores *s, const struct ask *a, uint32_t *rows, uint32_t *n, struct err *err)
{
    struct scores_sorted *o = NULL;
    int rc = refresh(s, a->by, a->descending, &o, err);
    if (rc)
        return rc;
    size_t lo = 0, hi = o->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (follows(s, a, entry_of(s, a->by, a->descending, o->rows[mid])))
            hi = mid;
        else
            lo = mid + 1;
    }
    uint32_t skip = a->skip;
    if (skip > 0 && lets_all_pass(a->f)) { /* no need to look at each */
        uint32_t jump = o->n - lo < skip ? (uint32_t)(o->n - lo) : skip;
        lo += jump;
        skip -= jump;
    }
    for (; lo < o->n && *n < a->limit; lo++)
        if (passes(s, a->f, o->rows[lo]) && !(skip > 0 && skip--))
            rows[(*n)++] = o->rows[lo];
    uint32_t row = a->begun && a->after.key == missing ? a->after.row + 1 : 0;
    for (; o->n < s->count && row < s->count && *n < a->limit; row++)
        if (a->by != SCORES_BY_CODE && rising_key(s, a->by, row) == missing && passes(s, a->f, row) &&
            !(skip > 0 && skip--))
            rows[(*n)++] = row;
    return 0;
}

static void heap_down(const struct scores *s, const struct ask *a, struct entry *v, uint32_t n, uint32_t at)
{
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(s, a->by, a->descending, v[child], v[child + 1]))
            child++;
        if (!before(s, a->by, a->descending, v[at], v[child]))
            return;
        struct entry swap = v[at];
        v[at] = v[child];
        v[child] = swap;
    }
}

/* The same by one scan over all rows: a heap holds the best `limit` so far, the worst on top. For rare passers. */
static int scan(struct scores *s, const struct ask *a, uint32_t *rows, uint32_t *n, struct err *err)
{
    uint32_t want = a->limit + a->skip;
    struct entry *v = malloc(((size_t)want + 1) * sizeof *v);
    if (!v)
        return err_set(err, ERR_NO_MEMORY, "", "not enough memory for a page of the ranking");
    uint32_t k = 0;
    for (uint32_t row = 0; row < s->count; row++) {
        if (!passes(s, a->f, row))
            continue;
        struct entry e = entry_of(s, a->by, a->descending, row);
        if (!follows(s, a, e) || (k == want && !before(s, a->by, a->descending, e, v[0])))
            continue;
        if (k < want) {
            v[k++] = e;
            for (uint32_t i = k / 2; k == want && i-- > 0;)
                heap_down(s, a, v, k, i);
        } else {
            v[0] = e;
            heap_down(s, a, v, k, 0);
        }
    }
    for (uint32_t i = k < want ? k / 2 : 0; i-- > 0;)
        heap_down(s, a, v, k, i);
    for (uint32_t left = k; left > 0;) { /* take the worst off the heap, from the back */
        if (--left >= a->skip)
            rows[left - a->skip] = v[0].row;
        v[0] = v[left];
        heap_down(s, a, v, left, 0);
    }
    *n = k > a->skip ? k - a->skip : 0;
    free(v);
    return 0;
}

int scores_page(struct scores *s, enum scores_column by, int descending, const struct scores_filter *f,
                const struct scores_cursor *after, uint32_t limit, uint32_t *rows, struct scores_page *out,
                struct err *err)
{
    int begun = after->rank > 0;
    struct ask a = {by, descending != 0, f, {after->key, after->row}, begun, begun ? 0 : after->row, limit};
    *out = (struct scores_page){.cursor = *after};
    int rc = f->allow ? scores_decode(s, err) : 0;
    if (rc)
        return rc;
    out->total = count_passing(s, f);
    if (limit == 0 || out->total <= a.skip || (a.begun && after->row >= s->count))
        return 0;
    rc = out->total < s->count / 8 ? scan(s, &a, rows, &out->n, err) : walk(s, &a, rows, &out->n, err);
    if (rc || out->n == 0)
        return rc;
    struct entry last = entry_of(s, by, a.descending, rows[out->n - 1]);
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
