/* scores_order: see scores_order.h. Along a kept order when there is one, and else by one look at all rows while
 * somebody sorts them elsewhere. Both ask the filter about all rows first, a block of them at a time. */
#include "server/scores_order.h"

#include "server/scores_genes.h"
#include "server/scores_kept.h"
#include "server/scores_sort.h"
#include "server/scores_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024, MANY = 4096 }; /* rows that are looked at together; that are kept to pick some */

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

/* A bit for each row that passes, *total of them. */
static uint64_t *mark_passing(const struct scores *s, const struct scores_filter *f, uint32_t *total)
{
    uint64_t *in = calloc(s->count / 64 + 1, sizeof *in);
    uint32_t rows[BLOCK];
    *total = 0;
    for (uint32_t from = 0; in && from < s->count; from += BLOCK) {
        uint32_t n = scores_passing(s, f, from, s->count - from < BLOCK ? s->count : from + BLOCK, rows);
        for (uint32_t i = 0; i < n; i++)
            in[rows[i] / 64] |= 1ull << rows[i] % 64;
        *total += n;
    }
    return in;
}

static int is_in(const uint64_t *in, uint32_t row)
{
    return !in || (in[row / 64] >> row % 64 & 1);
}

/* The first `limit` rows of `in` (NULL: all) behind the cursor, along the order and then the rows without a value. */
static void walk(const struct scores *s, const struct ask *a, const struct scores_sorted *o, const uint64_t *in,
                 uint32_t *rows, uint32_t *n)
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
    if (skip > 0 && !in) { /* no need to look at each */
        uint32_t jump = o->n - lo < skip ? (uint32_t)(o->n - lo) : skip;
        lo += jump;
        skip -= jump;
    }
    for (; lo < o->n && *n < a->limit; lo++)
        if (is_in(in, o->rows[lo]) && !(skip > 0 && skip--))
            rows[(*n)++] = o->rows[lo];
    uint32_t row = a->begun && a->after.key == scores_missing ? a->after.row + 1 : 0;
    for (; o->n < s->count && row < s->count && *n < a->limit; row++)
        if (is_in(in, row) && scores_entry_of(s, &a->as, row).key == scores_missing && !(skip > 0 && skip--))
            rows[(*n)++] = row;
}

static int walk_filtered(const struct scores *s, const struct ask *a, const struct scores_sorted *o, uint32_t *rows,
                         struct scores_page *out, struct err *err)
{
    uint64_t *in = scores_lets_all_pass(a->f) ? NULL : mark_passing(s, a->f, &out->total);
    if (scores_lets_all_pass(a->f))
        out->total = s->count;
    else if (!in)
        return no_memory(err);
    walk(s, a, o, in, rows, &out->n);
    free(in);
    return 0;
}

struct best { /* of the rows looked at so far: the first `want`, and some that came since they were told apart */
    struct scores_entry *v, worst;
    size_t n, cap, want;
    int full;
};

static void keep(const struct ask *a, struct best *b, struct scores_entry e)
{
    if (!follows(a, e) || (b->full && !scores_before(&a->as, e, b->worst)))
        return;
    b->v[b->n++] = e;
    if (b->n < b->cap)
        return;
    scores_select(&a->as, b->v, b->n, b->want - 1, 1);
    b->n = b->want;
    b->worst = b->v[b->want - 1];
    b->full = 1;
}

/* All rows through the filter and into b, which needs room for one more than all; *total pass. From the last to the
 * first for a falling order: indices, generations and times rise with the rows, and the first seen should be kept. */
static void gather(const struct scores *s, const struct ask *a, struct best *b, uint32_t *total)
{
    uint32_t rows[BLOCK], blocks = (s->count + BLOCK - 1) / BLOCK;
    uint64_t keys[BLOCK];
    for (uint32_t k = 0; k < blocks; k++) {
        uint32_t from = (a->as.descending ? blocks - 1 - k : k) * BLOCK;
        uint32_t n = scores_passing(s, a->f, from, s->count - from < BLOCK ? s->count : from + BLOCK, rows);
        scores_keys(s, &a->as, rows, n, keys);
        for (uint32_t i = 0; i < n; i++)
            keep(a, b, (struct scores_entry){keys[i], rows[i]});
        *total += n;
    }
}

/* The same page by one look at all rows, for want of an order. */
static int pick(const struct scores *s, const struct ask *a, uint32_t *rows, struct scores_page *out, struct err *err)
{
    size_t want = (size_t)a->skip + a->limit + !a->limit, cap = 2 * want + MANY;
    struct best b = {.want = want, .cap = cap < s->count ? cap : s->count + (size_t)1};
    if (!(b.v = malloc(b.cap * sizeof *b.v)))
        return no_memory(err);
    gather(s, a, &b, &out->total);
    scores_select(&a->as, b.v, b.n, a->skip, a->limit);
    for (size_t i = a->skip; i < b.n && out->n < a->limit; i++)
        rows[out->n++] = b.v[i].row;
    free(b.v);
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
    if ((rc = scores_kept_refresh(s, &a.as, &o, err)) != 0)
        return rc;
    if (begun && after->row >= s->count)
        a.limit = 0;
    rc = o ? walk_filtered(s, &a, o, rows, out, err) : pick(s, &a, rows, out, err);
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
