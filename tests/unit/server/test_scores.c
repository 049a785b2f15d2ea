/* scores, pages and views against brute force; then a million rows against the clock. */
#include "proto/base/rng.h"
#include "server/scores_importance.h"
#include "server/scores_kept.h"
#include "server/scores_order.h"
#include "server/scores_table.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { GENES = 8 };

static int decode(void *ctx, const char *code, uint16_t *genes)
{
    (void)ctx;
    for (int i = 0; i < GENES; i++)
        genes[i] = code[i] == '-' ? SCORES_INACTIVE : (uint16_t)(code[i] - '0');
    return strlen(code) >= GENES ? 0 : -1;
}

static void code_of(uint32_t n, char out[16])
{
    uint32_t mixed = (uint32_t)(n * 2654435761u); /* not in order */
    snprintf(out, 16, "%08o%u", mixed & 077777777u, n);
}

static void add(struct scores *s, struct rng *rng, uint32_t n)
{
    char code[16];
    code_of(n, code);
    struct scores_new row = {.code = code,
                             .class_key = {.lo = rng_below(rng, 50) + 1, .hi = 0},
                             .macs = 1000 + rng_below(rng, 300),
                             .params = rng_below(rng, 1000000),
                             .generation = n / 50};
    CHECK_INT(scores_add(s, &row, NULL), 0);
}

static void set(struct scores *s, struct rng *rng, uint32_t row)
{
    struct scores_result r = {.status = rng_below(rng, 20) ? SCORES_SCORED : SCORES_FAILED,
                              .n_images = 200,
                              .n_correct = 40 + (uint32_t)rng_below(rng, 100),
                              .n_correct_top5 = 145 + (uint32_t)rng_below(rng, 10),
                              .loss = rng_below(rng, 10) ? rng_uniform(rng) - .3 : NAN,
                              .worker = (int64_t)rng_below(rng, 5) + 1,
                              .scored_at_ms = 1000 + (int64_t)rng_below(rng, 1000)};
    CHECK_INT(scores_set(s, row, &r, NULL), 0);
}

static double column(const struct scores_row *r, enum scores_column by)
{
    int scored = r->status == SCORES_SCORED;
    switch (by) {
    case SCORES_BY_ACCURACY:
        return r->accuracy;
    case SCORES_BY_LOSS:
        return r->loss;
    case SCORES_BY_MACS:
        return (double)r->macs;
    case SCORES_BY_PARAMS:
        return (double)r->params;
    case SCORES_BY_GENERATION:
        return r->generation;
    case SCORES_BY_CLASS:
        return r->class_id;
    case SCORES_BY_SCORED_AT:
        return scored ? (double)r->scored_at_ms : NAN;
    case SCORES_BY_WORKER:
        return scored ? (double)r->worker : NAN;
    case SCORES_BY_TOP5:
        return r->top5;
    case SCORES_BY_TRUTH:
        return r->truth;
    case SCORES_BY_INTERVAL: /* of so many images; the widest at one half */
        return scored ? -fabs(2.0 * r->n_correct - r->n_images) : NAN;
    case SCORES_BY_OPINIONS:
        return scored ? 256.0 * r->repeats + r->agreed : NAN;
    default:
        return r->row;
    }
}

/* 1 when a must stand before b. */
static int before(const struct scores *s, enum scores_column by, int descending, uint32_t a, uint32_t b)
{
    struct scores_row x, y;
    scores_get(s, a, &x);
    scores_get(s, b, &y);
    if (by == SCORES_BY_CODE)
        return descending ? strcmp(x.code, y.code) > 0 : strcmp(x.code, y.code) < 0;
    double u = column(&x, by), v = column(&y, by);
    if (isnan(u) != isnan(v))
        return isnan(v);
    if (!isnan(u) && u != v)
        return descending ? u > v : u < v;
    return a < b;
}

static int passes(const struct scores *s, const struct scores_filter *f, uint32_t row)
{
    struct scores_row r;
    scores_get(s, row, &r);
    return r.macs >= f->macs_min && r.macs <= f->macs_max && r.generation >= f->generation_min &&
           (f->status < 0 || (int)r.status == f->status) && (f->class_id < 0 || r.class_id == f->class_id) &&
           (isnan(f->accuracy_min) || r.accuracy >= f->accuracy_min) && (isnan(f->top5_max) || r.top5 <= f->top5_max) &&
           (!f->worker || r.worker == f->worker) && r.generation <= f->generation_max;
}

/* Pages through everything and checks order, completeness, ranks and the total. */
static void check_pages(struct scores *s, enum scores_column by, int descending, const struct scores_filter *f,
                        uint32_t limit)
{
    struct scores_cursor at = {0};
    struct scores_page page;
    static unsigned char seen[5000];
    uint32_t rows[100], total = 0, got = 0, last = 0;
    memset(seen, 0, sizeof seen);
    for (uint32_t row = 0; row < scores_count(s); row++)
        total += (uint32_t)passes(s, f, row);
    do {
        CHECK_INT(scores_page(s, by, descending, f, &at, limit, rows, &page, NULL), 0);
        CHECK_INT(page.total, total);
        CHECK_INT(page.cursor.rank, got + page.n);
        for (uint32_t i = 0; i < page.n; i++, got++) {
            CHECK(passes(s, f, rows[i]) && !seen[rows[i]]);
            seen[rows[i]] = 1;
            if (got > 0 && !before(s, by, descending, last, rows[i]))
                test_fail(__FILE__, __LINE__, "%s %d: row %u stands before row %u", scores_column_name(by), descending,
                          last, rows[i]);
            last = rows[i];
        }
        char text[SCORES_CURSOR_TEXT];
        scores_cursor_text(&page.cursor, text);
        CHECK(page.n == 0 || scores_cursor_parse(text, &at) == 0);
    } while (page.more);
    if (got != total)
        test_fail(__FILE__, __LINE__, "%s %d: %u rows of %u in pages of %u", scores_column_name(by), descending, got,
                  total, limit);
}

TEST(scores_pages_brute_force)
{
    struct scores *s = scores_new(GENES, decode, NULL);
    struct rng rng;
    rng_seed(&rng, 4, 0);
    struct scores_filter f[7];
    for (int i = 0; i < 7; i++)
        scores_filter_init(&f[i]);
    f[1].macs_max = 1150;
    f[2].class_id = 3;
    f[3].accuracy_min = .47;
    f[4].status = SCORES_PROPOSED;
    f[4].generation_min = 2;
    f[5].top5_max = .75;
    f[5].generation_max = 3;
    f[6].worker = 2;
    static unsigned char set_already[5000];
    for (int step = 0; step < 6; step++) { /* grows between pages: orders are merged, not rebuilt */
        for (int i = 0; i < (step == 1 ? 1 : 70); i++)
            add(s, &rng, scores_count(s));
        for (int i = 0; i < 60; i++) {
            uint32_t row = (uint32_t)rng_below(&rng, scores_count(s));
            if (!set_already[row])
                set(s, &rng, row);
            set_already[row] = 1;
        }
        for (uint32_t i = 0; i < 20; i++) {
            char code[16];
            code_of(step == 3 ? 100 + i : (uint32_t)rng_below(&rng, scores_count(s)), code);
            CHECK_INT(scores_set_truth(s, code, rng_uniform(&rng)), 1);
            uint32_t row = (uint32_t)rng_below(&rng, scores_count(s));
            if (set_already[row])
                scores_repeated(s, row, 1, (uint32_t)rng_below(&rng, 2));
        }
        for (int by = 0; by < SCORES_COLUMNS; by++)
            for (int k = 0; k < 14; k++)
                check_pages(s, (enum scores_column)by, k % 2, &f[k / 2], (uint32_t[]){7, 50, 100}[(step + k) % 3]);
    }
    for (int k = 0; k < 5; k++) /* an offset is the same as paging there */
        for (uint32_t skip = 0; skip < 400; skip += 37) {
            uint32_t far[600], near[10];
            struct scores_page whole, part;
            CHECK_INT(scores_page(s, SCORES_BY_LOSS, 1, &f[k], &(struct scores_cursor){0}, 600, far, &whole, NULL), 0);
            CHECK_INT(
                scores_page(s, SCORES_BY_LOSS, 1, &f[k], &(struct scores_cursor){.row = skip}, 10, near, &part, NULL),
                0);
            CHECK_INT(part.n, whole.n > skip ? (whole.n - skip < 10 ? whole.n - skip : 10) : 0);
            CHECK(part.n == 0 || part.cursor.rank == skip + part.n);
            for (uint32_t i = 0; i < part.n; i++)
                CHECK_INT(near[i], far[skip + i]);
        }
    check_pages(s, SCORES_BY_TRUTH, 0, &f[0], 50);
    scores_clear_truth(s, scores_count(s));
    check_pages(s, SCORES_BY_TRUTH, 0, &f[0], 50);
    for (uint32_t row = 0; row < 40; row++) { /* the order that was just made is not for what was said since */
        check_pages(s, SCORES_BY_OPINIONS, 1, &f[0], 50);
        scores_repeated(s, row, row, row / 2);
    }
    check_pages(s, SCORES_BY_OPINIONS, 1, &f[0], 50);
    CHECK_INT(scores_set_truth(s, "no such", 1), 0);
    struct scores_cursor c;
    CHECK_INT(scores_cursor_parse("", &c), -1);
    CHECK_INT(scores_cursor_parse("0123456789abcdef0123456789abcdeg", &c), -1);
    CHECK_INT(scores_cursor_parse("00000000000000000000000000000000", &c), -1);
    CHECK_INT(scores_column_parse("macs"), SCORES_BY_MACS);
    CHECK_INT(scores_column_parse("mac"), -1);
    scores_free(s);
}

/* Pages of a large table at a few places, by offset and by cursor, one after the other into rows. */
static size_t some_pages(struct scores *s, enum scores_column by, int descending, const struct scores_filter *f,
                         uint32_t *rows)
{
    static const uint32_t from[] = {0, 90, 2500, 20000, 31990};
    size_t n = 0;
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct scores_cursor at = {.row = from[i]};
        for (int more = 0; more < 3; more++) {
            struct scores_page page;
            CHECK_INT(scores_page(s, by, descending, f, &at, 30, rows + n, &page, NULL), 0);
            n += page.n;
            rows[n++] = page.total;
            at = page.cursor;
            if (!page.more)
                break;
        }
    }
    return n;
}

TEST(scores_orders_built_elsewhere)
{
    enum { N = 32000, LATER = 2000, ROOM = 600 }; /* columns of 32768 rows grow under who reads them */
    struct rng rng;
    static uint32_t picked[ROOM], walked[ROOM];
    for (int by = 0; by < SCORES_COLUMNS; by++) {
        struct scores *s = scores_new(GENES, decode, NULL);
        rng_seed(&rng, 6, (uint64_t)by);
        for (uint32_t i = 0; i < N; i++)
            add(s, &rng, i);
        for (uint32_t i = 0; i < N; i++) /* in any order: results do come so */
            if (i % 100)
                set(s, &rng, (i * 7919u) % N);
        for (uint32_t i = 0; i < N; i++) {
            char code[16];
            code_of(i, code);
            if (i % 16)
                scores_set_truth(s, code, rng_uniform(&rng));
        }
        struct scores_filter f[2];
        scores_filter_init(&f[0]);
        scores_filter_init(&f[1]);
        f[1].macs_max = 1150;
        for (int descending = 0; descending < 2; descending++) {
            CHECK_INT(scores_build_wanted(s, (enum scores_column)by, descending), 1);
            struct scores_build *b = scores_build_begin(s, (enum scores_column)by, descending);
            CHECK(b != NULL);
            for (uint32_t i = 0; i < LATER; i++) /* the table goes on meanwhile */
                add(s, &rng, scores_count(s));
            for (uint32_t i = 0; i < 50; i++)
                set(s, &rng, scores_count(s) - 1 - i * 31);
            for (uint32_t i = 0; i < 50; i++)
                set(s, &rng, (2 * i + (uint32_t)descending) * 100 * 7919u % N);
            scores_build_run(b);
            for (int k = 0; k < 2; k++) {
                size_t n = some_pages(s, (enum scores_column)by, descending, &f[k], picked);
                scores_build_end(s, b);
                CHECK_INT(scores_build_wanted(s, (enum scores_column)by, descending), 0);
                CHECK_INT(some_pages(s, (enum scores_column)by, descending, &f[k], walked), n);
                for (size_t i = 0; i < n; i++)
                    CHECK_INT(walked[i], picked[i]);
                scores_kept_clear(s);
                b = scores_build_begin(s, (enum scores_column)by, descending);
                scores_build_run(b);
            }
            scores_build_end(NULL, b);
        }
        struct scores_build *b = scores_build_begin(s, (enum scores_column)by, 0);
        scores_build_run(b);
        scores_free(s);
        scores_build_end(NULL, b);
    }
}

TEST(scores_rows)
{
    struct scores *s = scores_new(GENES, decode, NULL);
    struct rng rng;
    rng_seed(&rng, 5, 0);
    for (uint32_t i = 0; i < 2000; i++)
        add(s, &rng, i);
    char code[16];
    code_of(1234, code);
    CHECK_INT(scores_find(s, code), 1234);
    CHECK_INT(scores_find(s, "x"), -1);
    struct scores_new again = {.code = code};
    CHECK_INT(scores_add(s, &again, NULL), -ERR_CONFLICT);
    CHECK_INT(scores_count(s), 2000);
    CHECK_INT(scores_best(s), -1);
    struct scores_result r = {SCORES_SCORED, 100, 50, 90, 1.5, 3, 77};
    uint64_t version = scores_version(s);
    CHECK_INT(scores_set(s, 10, &r, NULL), 0);
    CHECK(scores_version(s) > version);
    CHECK_INT(scores_set(s, 10, &r, NULL), -ERR_CONFLICT); /* nothing counts twice */
    CHECK_INT(scores_scored(s), 1);
    CHECK_INT(scores_set(s, 5, &r, NULL), 0);
    CHECK_INT(scores_best(s), 5); /* equal: the lower row */
    r.loss = 1.4;
    CHECK_INT(scores_set(s, 20, &r, NULL), 0);
    CHECK_INT(scores_best(s), 20);
    r.n_correct = 101;
    CHECK_INT(scores_set(s, 21, &r, NULL), -ERR_INVALID);
    r = (struct scores_result){.status = SCORES_FAILED, .worker = 4};
    CHECK_INT(scores_set(s, 22, &r, NULL), 0);
    CHECK_INT(scores_set(s, 5000, &r, NULL), -ERR_INVALID);
    CHECK(scores_scored(s) == 3 && scores_failed(s) == 1);
    struct scores_row row;
    scores_get(s, 20, &row);
    CHECK(row.accuracy == .5 && row.top5 == .9 && row.loss == 1.4 && row.worker == 3 && row.scored_at_ms == 77);
    CHECK(row.repeats == 0 && row.agreed == 0);
    scores_repeated(s, 20, 2, 1);
    scores_repeated(s, 20, 254, 1); /* shown up to 255 */
    scores_get(s, 20, &row);
    CHECK(row.repeats == 255 && row.agreed == 2);
    scores_get(s, 22, &row);
    CHECK(isnan(row.accuracy) && row.status == SCORES_FAILED && row.worker == 4 && isnan(row.truth));
    scores_free(s);
}

TEST(scores_views_brute_force)
{
    struct scores *s = scores_new(GENES, decode, NULL);
    struct rng rng;
    rng_seed(&rng, 6, 0);
    for (int step = 0; step < 3; step++) {
        uint32_t from = scores_count(s);
        for (uint32_t i = 0; i < 300; i++)
            add(s, &rng, from + i);
        for (uint32_t i = 0; i < 280; i++)
            set(s, &rng, from + 299 - i);
        const uint32_t *front;
        size_t n, want = 0, scored = 0;
        CHECK_INT(scores_pareto(s, SCORES_X_MACS, &front, &n, NULL), 0);
        struct scores_row a, b;
        for (uint32_t i = 0; i < scores_count(s); i++) {
            scores_get(s, i, &a);
            int on = a.status == SCORES_SCORED;
            scored += (size_t)on;
            for (uint32_t j = 0; on && j < scores_count(s); j++) {
                scores_get(s, j, &b);
                on = !(b.status == SCORES_SCORED && b.macs <= a.macs && b.accuracy >= a.accuracy &&
                       (b.macs < a.macs || b.accuracy > a.accuracy || j < i));
            }
            want += (size_t)on;
            size_t found = 0;
            for (size_t k = 0; k < n; k++)
                found += front[k] == i;
            CHECK_INT(found, on);
        }
        CHECK_INT(n, want);
        struct scores_density d;
        CHECK_INT(scores_density(s, SCORES_X_MACS, SCORES_X_ACCURACY, 16, 8, NULL, &d, NULL), 0);
        size_t sum = 0;
        for (int i = 0; i < 16 * 8; i++)
            sum += d.counts[i];
        CHECK_INT(sum, scored);
        CHECK(d.xlo >= 1000 && d.xhi < 1300 && d.ylo >= 0 && d.yhi <= .7);
        uint32_t counts[10], series[900];
        double lo, hi;
        scores_histogram(s, SCORES_X_ACCURACY, 10, &lo, &hi, counts);
        sum = 0;
        for (int i = 0; i < 10; i++)
            sum += counts[i];
        CHECK(sum == scored && lo == d.ylo && hi == d.yhi);
        n = scores_series(s, series, 900);
        CHECK(n >= 1);
        for (size_t i = 1; i < n; i++) {
            scores_get(s, series[i - 1], &a);
            scores_get(s, series[i], &b);
            CHECK(a.row < b.row && a.accuracy < b.accuracy);
        }
        scores_get(s, (uint32_t)scores_best(s), &a);
        CHECK(n && b.accuracy == a.accuracy);
        struct scores_class *classes;
        CHECK_INT(scores_classes(s, 2, &classes, &n, NULL), 0);
        for (size_t i = 0; i < n; i++) {
            uint32_t rows[900];
            size_t m = scores_class_rows(s, classes[i].class_id, rows, 900), k = 0;
            double mean = 0;
            for (size_t j = 0; j < m; j++) {
                scores_get(s, rows[j], &a);
                CHECK_INT(scores_class_find(s, a.class_key), classes[i].class_id);
                if (a.status == SCORES_SCORED) {
                    mean += a.accuracy;
                    k++;
                    CHECK(a.accuracy >= classes[i].min && a.accuracy <= classes[i].max);
                }
            }
            CHECK_INT(k, classes[i].n);
            CHECK_NEAR(classes[i].mean, mean / (double)k, 1e-12);
            CHECK(k >= 2 && (i == 0 || classes[i - 1].mean >= classes[i].mean));
        }
        free(classes);
    }
    scores_free(s);
}

/* Accuracy made of two decisions with known parts of the variance. */
TEST(scores_importance)
{
    struct scores *s = scores_new(GENES, decode, NULL);
    uint32_t n = 0;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 3; b++)
            for (int c = 0; c < 5; c++, n++) {
                char code[16];
                snprintf(code, sizeof code, "%d%d%d%s0000", a, b, c, a ? "1" : "-");
                struct scores_new row = {.code = code};
                CHECK_INT(scores_add(s, &row, NULL), 0);
                struct scores_result r = {SCORES_SCORED, 1000, (uint32_t)(100 * a + 40 * b), 0, 1, 1, 1};
                CHECK_INT(scores_set(s, n, &r, NULL), 0);
                CHECK(n != 20 || scores_fold(s, 1000, NULL) == 0); /* the sums go on from there */
            }
    CHECK_INT(scores_fold(s, 10, NULL), 1);
    CHECK_INT(scores_fold(s, 1000, NULL), 0);
    struct scores_importance *im;
    CHECK_INT(scores_importance(s, 5, &im, NULL), 0);
    double va = 100 * 100 * 1.25, vb = 40 * 40 * 2 / 3.0;
    CHECK_NEAR(im[0].eta2, va / (va + vb), 1e-9);
    CHECK_NEAR(im[1].eta2, vb / (va + vb), 1e-9);
    CHECK_NEAR(im[2].eta2, 0, 1e-9);
    CHECK(im[0].noptions == 4 && im[2].noptions == 5 && im[0].options[2].n == 15);
    CHECK_NEAR(im[0].options[3].mean.value, .34, 1e-9);
    CHECK(im[0].options[3].mean.lo < .34 && im[0].options[3].mean.hi > .34);
    CHECK_NEAR(im[0].options[3].top_share, 1, 1e-9);
    CHECK_NEAR(im[1].options[2].top_share, 1, 1e-9);
    CHECK(im[3].n == 45 && im[3].noptions == 2); /* inactive where a is 0 */
    scores_importance_free(im, GENES);
    scores_free(s);
}

TEST(scores_correlation)
{
    struct scores *s = scores_new(GENES, decode, NULL);
    struct rng rng;
    struct scores_correlation c;
    rng_seed(&rng, 8, 0);
    CHECK_INT(scores_correlation(s, &c, NULL), 0);
    CHECK(c.n == 0 && isnan(c.score.tau_b.value));
    double x[500], y[500], m[500], tau;
    size_t n = 0;
    for (uint32_t i = 0; i < 600; i++)
        add(s, &rng, i);
    for (uint32_t i = 0; i < 500; i++) {
        char code[16];
        set(s, &rng, i);
        code_of(i, code);
        struct scores_row r;
        scores_get(s, i, &r);
        if (i % 5 == 0)
            continue;
        double truth = rng_uniform(&rng) + (r.status == SCORES_SCORED ? r.accuracy : 0);
        CHECK_INT(scores_set_truth(s, code, truth), 1);
        if (r.status != SCORES_SCORED)
            continue;
        x[n] = r.accuracy;
        m[n] = (double)r.macs;
        y[n++] = truth;
    }
    CHECK_INT(scores_correlation(s, &c, NULL), 0);
    CHECK_INT(c.n, n);
    CHECK_INT(rankstat_tau_b(x, y, n, &tau, NULL), 0);
    CHECK_NEAR(c.score.tau_b.value, tau, 1e-12);
    CHECK_INT(rankstat_tau_b(m, y, n, &tau, NULL), 0);
    CHECK_NEAR(c.macs.tau_b.value, tau, 1e-12);
    CHECK(c.top_score.n == n / 10);
    scores_free(s);
}

/* ---- a million rows */

static double ms_since(struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* what it costs; the machine is shared */
    double ms = (double)(now.tv_sec - t->tv_sec) * 1e3 + (double)(now.tv_nsec - t->tv_nsec) / 1e6;
    *t = now;
    return ms;
}

TEST(scores_million)
{
    enum { N = 1000000 };
    struct scores *s = scores_new(GENES, decode, NULL);
    struct rng rng;
    struct timespec t;
    rng_seed(&rng, 9, 0);
    ms_since(&t);
    for (uint32_t i = 0; i < N; i++)
        add(s, &rng, i);
    for (uint32_t i = 0; i < N; i++)
        set(s, &rng, i);
    printf("# scores: %.0f ms to load a million rows\n", ms_since(&t));
    uint32_t rows[100];
    struct scores_page page;
    double cold = 0, warm = 0, rare = 0;
    for (int by = 0; by < SCORES_COLUMNS; by++)
        for (int pass = 0; pass < 3; pass++) {
            struct scores_filter f;
            scores_filter_init(&f);
            f.class_id = pass == 2 ? 7 : -1;
            f.macs_max = pass == 1 ? 1200 : UINT64_MAX;
            ms_since(&t);
            CHECK_INT(scores_page(s, (enum scores_column)by, 1, &f, &(struct scores_cursor){0}, 100, rows, &page, NULL),
                      0);
            double ms = ms_since(&t);
            double *worst = pass == 0 ? &cold : pass == 1 ? &warm : &rare;
            *worst = ms > *worst ? ms : *worst;
        }
    printf("# scores: page of a million: %.1f ms with a cold sort, %.1f ms warm and filtered, %.1f ms rare filter "
           "(worst)\n",
           cold, warm, rare);
    const uint32_t *front;
    size_t n;
    CHECK_INT(scores_pareto(s, SCORES_X_MACS, &front, &n, NULL), 0);
    double pareto = ms_since(&t);
    CHECK_INT(scores_pareto(s, SCORES_X_MACS, &front, &n, NULL), 0);
    double cached = ms_since(&t);
    struct scores_density d;
    CHECK_INT(scores_density(s, SCORES_X_MACS, SCORES_X_ACCURACY, 256, 256, NULL, &d, NULL), 0);
    double density = ms_since(&t);
    struct scores_importance *im;
    CHECK_INT(scores_importance(s, 1000, &im, NULL), 0);
    double importance = ms_since(&t);
    scores_importance_free(im, GENES);
    printf("# scores: Pareto %.1f ms, cached %.3f ms; density %.1f ms; importance of %d decisions %.0f ms\n", pareto,
           cached, density, GENES, importance);
    CHECK(warm < 200 && rare < 200 && pareto < 1000 && density < 1000); /* four times the bar: sanitizers */
    scores_free(s);
}
