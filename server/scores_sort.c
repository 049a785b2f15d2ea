/* scores_sort: see scores_sort.h. Radix sort by the keys for whole orders, quickselect for one page. */
#include "server/scores_sort.h"

#include "server/scores_table.h"

#include <math.h>
#include <string.h>

const uint64_t scores_missing = UINT64_MAX;

/* ---- keys */

static inline uint64_t double_key(double x)
{
    if (isnan(x))
        return scores_missing;
    x += 0.0; /* -0 equals 0 */
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

int scores_of_result(enum scores_column by) /* has a value only once scored */
{
    return by == SCORES_BY_ACCURACY || by == SCORES_BY_LOSS || by == SCORES_BY_SCORED_AT || by == SCORES_BY_WORKER ||
           by == SCORES_BY_TOP5 || by == SCORES_BY_INTERVAL || by == SCORES_BY_OPINIONS;
}

/* Eight characters from `at` on, as a number that orders as the text does. */
static uint64_t code_chunk(const char *code, size_t at)
{
    uint64_t key = 0;
    size_t n = strnlen(code, at + 8);
    for (size_t i = at; i < at + 8; i++)
        key = key << 8 | (i < n ? (unsigned char)code[i] : 0);
    return key;
}

/* Rises with the width of Wilson's interval (rankstat_wilson): its square, up to a factor. */
static double interval_square(double k, double n)
{
    const double z2 = 1.959963984540054 * 1.959963984540054;
    return (k * (n - k) / n + z2 / 4) / ((n + z2) * (n + z2));
}

struct scores_sorting scores_sorting(const struct scores *s, enum scores_column by, int descending)
{
    return (struct scores_sorting){by, descending, {s->pool, s->code}};
}

static uint64_t turned(const struct scores_sorting *o, uint64_t key)
{
    return o->descending && key != scores_missing ? scores_missing - 1 - key : key;
}

/* The first eight characters, which is what most keys of codes are made of. */
static uint64_t code_start(const char *code)
{
    uint64_t key = 0;
    for (int i = 0; i < 8; i++) {
        key = key << 8 | (unsigned char)*code;
        code += *code != 0;
    }
    return key;
}

static void rising_keys(const struct scores *s, enum scores_column by, const uint32_t *rows, size_t n, uint64_t *keys)
{
#define KEYS(value)                                                                                                    \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        uint32_t row = rows[i];                                                                                        \
        keys[i] = (value);                                                                                             \
    }                                                                                                                  \
    break
    switch (by) {
    case SCORES_BY_ACCURACY:
        KEYS(double_key(scores_accuracy(s, row)));
    case SCORES_BY_LOSS:
        KEYS(double_key(s->loss[row]));
    case SCORES_BY_MACS:
        KEYS(s->macs[row]);
    case SCORES_BY_PARAMS:
        KEYS(s->params[row]);
    case SCORES_BY_GENERATION:
        KEYS(s->generation[row]);
    case SCORES_BY_CLASS:
        KEYS(s->class_id[row]);
    case SCORES_BY_INDEX:
        KEYS(row);
    case SCORES_BY_SCORED_AT:
        KEYS((uint64_t)s->scored_at[row]);
    case SCORES_BY_WORKER:
        KEYS((uint64_t)s->worker[row]);
    case SCORES_BY_TOP5:
        KEYS(double_key(scores_top5(s, row)));
    case SCORES_BY_TRUTH:
        KEYS(double_key(s->truth[row]));
    case SCORES_BY_INTERVAL:
        KEYS(double_key(interval_square(s->n_correct[row], s->n_images[row])));
    case SCORES_BY_OPINIONS:
        KEYS((uint64_t)s->repeats[row] << 8 | s->agreed[row]);
    case SCORES_BY_CODE:
        KEYS(code_start(scores_code(s, row)));
    case SCORES_COLUMNS:
        break;
    }
#undef KEYS
}

void scores_keys(const struct scores *s, const struct scores_sorting *o, const uint32_t *rows, size_t n, uint64_t *keys)
{
    rising_keys(s, o->by, rows, n, keys);
    if (scores_of_result(o->by))
        for (size_t i = 0; i < n; i++)
            keys[i] = s->status[rows[i]] == SCORES_SCORED ? keys[i] : scores_missing;
    if (o->descending)
        for (size_t i = 0; i < n; i++)
            keys[i] = turned(o, keys[i]);
}

struct scores_entry scores_entry_of(const struct scores *s, const struct scores_sorting *o, uint32_t row)
{
    struct scores_entry e = {.row = row};
    scores_keys(s, o, &row, 1, &e.key);
    return e;
}

static const char *code_of(const struct scores_sorting *o, uint32_t row)
{
    return o->codes.pool + o->codes.at[row];
}

int scores_before(const struct scores_sorting *o, struct scores_entry a, struct scores_entry b)
{
    if (a.key != b.key)
        return a.key < b.key;
    if (o->by != SCORES_BY_CODE)
        return a.row < b.row;
    int c = strcmp(code_of(o, a.row), code_of(o, b.row));
    return o->descending ? c > 0 : c < 0;
}

/* ---- sorting */

/* Stable, by 11-bit digits; digits that are alike in all keys cost one pass of counting. `v` holds the result. */
static void radix_sort(struct scores_entry *v, struct scores_entry *spare, size_t n)
{
    enum { BITS = 11, SIZE = 1 << BITS };
    struct scores_entry *from = v, *to = spare;
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
        struct scores_entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, n * sizeof *v);
}

/* From the last eight characters to the first, whose keys stay. */
static void sort_codes(const struct scores_sorting *o, struct scores_entry *v, size_t n)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(code_of(o, v[i].row));
        longest = len > longest ? len : longest;
    }
    for (size_t chunk = (longest + 7) / 8; chunk-- > 0;) {
        for (size_t i = 0; i < n; i++)
            v[i].key = turned(o, code_chunk(code_of(o, v[i].row), 8 * chunk));
        radix_sort(v, v + n, n);
    }
}

void scores_sort(const struct scores_sorting *o, struct scores_entry *v, size_t n)
{
    size_t i = 1;
    while (i < n && scores_before(o, v[i - 1], v[i])) /* an enumeration often comes in order */
        i++;
    if (i >= n)
        return;
    if (o->by == SCORES_BY_CODE)
        sort_codes(o, v, n);
    else
        radix_sort(v, v + n, n);
}

/* ---- selecting */

static void swap(struct scores_entry *a, struct scores_entry *b)
{
    struct scores_entry t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(const struct scores_sorting *o, struct scores_entry *v, size_t lo, size_t hi)
{
    for (size_t i = lo + 1; i < hi; i++)
        for (size_t j = i; j > lo && scores_before(o, v[j], v[j - 1]); j--)
            swap(&v[j], &v[j - 1]);
}

/* Splits v[lo .. hi), at least three entries, at the median of three; the place of the splitting entry. */
static size_t split(const struct scores_sorting *o, struct scores_entry *v, size_t lo, size_t hi)
{
    size_t mid = lo + (hi - lo) / 2, last = hi - 1;
    if (scores_before(o, v[mid], v[lo]))
        swap(&v[mid], &v[lo]);
    if (scores_before(o, v[last], v[mid])) {
        swap(&v[last], &v[mid]);
        if (scores_before(o, v[mid], v[lo]))
            swap(&v[mid], &v[lo]);
    }
    swap(&v[mid], &v[last - 1]);
    struct scores_entry at = v[last - 1];
    size_t i = lo, j = last - 1;
    for (;;) {
        while (scores_before(o, v[++i], at))
            continue;
        while (scores_before(o, at, v[--j]))
            continue;
        if (i >= j)
            break;
        swap(&v[i], &v[j]);
    }
    swap(&v[i], &v[last - 1]);
    return i;
}

/* Sorts those parts of v[lo .. hi) that touch the ranks from .. end - 1. */
static void sort_part(const struct scores_sorting *o, struct scores_entry *v, size_t lo, size_t hi, size_t from,
                      size_t end)
{
    while (hi - lo > 16 && lo < end && hi > from) {
        size_t at = split(o, v, lo, hi);
        if (at >= end) {
            hi = at;
        } else if (at < from) {
            lo = at + 1;
        } else {
            sort_part(o, v, lo, at, from, end);
            lo = at + 1;
        }
    }
    if (hi - lo <= 16)
        insertion_sort(o, v, lo, hi);
}

void scores_select(const struct scores_sorting *o, struct scores_entry *v, size_t all, size_t from, size_t n)
{
    if (from < all)
        sort_part(o, v, 0, all, from, n < all - from ? from + n : all);
}
