/* search_rows: see search_rows.h. Reading and taking in cost about the same, so they go on side by side, a batch apart;
 * the tables that take a row in are larger than a processor's caches, so each row is announced a few rows ahead. */
#include "server/search_rows.h"

#include "proto/base/hash.h"
#include "server/db.h"
#include "server/scores.h"
#include "server/search.h"
#include "server/store_search.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BATCH = 512, AHEAD = 12, LOOSE = 256 };

struct row {
    struct search_proposal proposal; /* its code lies in the batch */
    size_t code;
    struct scores_result result; /* SCORES_PROPOSED: none yet */
    uint32_t repeats, agreed;
    int in_job;
};

struct batch {
    struct row rows[BATCH];
    size_t n; /* 0: the end */
    char *codes;
    size_t used, room;
};

struct reader {
    struct db *db;
    int64_t search;
    sqlite3_stmt *st;
    struct batch batches[2];
    uv_sem_t empty, full;
    uv_thread_t thread;
    atomic_int stop; /* what is read from now on is for nothing */
    struct err err;
};

/* ---- reading */

static int unhex128(const char *text, struct hash128 *out)
{
    unsigned char b[16];
    if (hash_unhex(text, sizeof b, b) < 0)
        return -1;
    memcpy(out, b, sizeof b);
    return 0;
}

static int keep_code(struct batch *b, const char *code, size_t len)
{
    if (b->used + len + 1 > b->room) {
        size_t room = 2 * (b->used + len + 1) + 16 * BATCH;
        char *grown = realloc(b->codes, room);
        if (!grown)
            return -1;
        b->codes = grown;
        b->room = room;
    }
    memcpy(b->codes + b->used, code, len + 1);
    b->used += len + 1;
    return 0;
}

static void read_result(sqlite3_stmt *st, const char *state, struct scores_result *out)
{
    *out = (struct scores_result){.status = SCORES_PROPOSED};
    if (strcmp(state, "queued") == 0)
        return;
    *out = (struct scores_result){.status = strcmp(state, "scored") == 0 ? SCORES_SCORED : SCORES_FAILED,
                                  .n_images = (uint32_t)sqlite3_column_int64(st, 8),
                                  .n_correct = (uint32_t)sqlite3_column_int64(st, 9),
                                  .n_correct_top5 = (uint32_t)sqlite3_column_int64(st, 10),
                                  .worker = sqlite3_column_int64(st, 12),
                                  .scored_at_ms = sqlite3_column_int64(st, 13)};
    if (out->n_images)
        out->loss = db_is_null(st, 11) ? INFINITY : sqlite3_column_double(st, 11) / out->n_images;
}

static int read_row(sqlite3_stmt *st, int64_t search, struct batch *b, struct err *err)
{
    const char *code = (const char *)sqlite3_column_text(st, 1), *key = (const char *)sqlite3_column_text(st, 2),
               *class = (const char *)sqlite3_column_text(st, 3), *state = (const char *)sqlite3_column_text(st, 7);
    struct row *row = &b->rows[b->n];
    row->code = b->used;
    if (!code || !key || !class || !state || keep_code(b, code, (size_t)sqlite3_column_bytes(st, 1)) < 0)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for scores");
    row->proposal = (struct search_proposal){.index = (uint32_t)sqlite3_column_int64(st, 0),
                                             .generation = (uint32_t)sqlite3_column_int64(st, 6)};
    row->proposal.cost.macs = (uint64_t)sqlite3_column_int64(st, 4);
    row->proposal.cost.params = (uint64_t)sqlite3_column_int64(st, 5);
    if (unhex128(key, &row->proposal.cost.key) < 0 || unhex128(class, &row->proposal.cost.class_key) < 0)
        return err_set(err, ERR_CORRUPT, "database", "candidate %u of search %lld is damaged", row->proposal.index,
                       (long long)search);
    read_result(st, state, &row->result);
    row->in_job = !db_is_null(st, 14);
    row->repeats = (uint32_t)sqlite3_column_int64(st, 15);
    row->agreed = (uint32_t)sqlite3_column_int64(st, 16);
    b->n++;
    return 0;
}

/* 1: there may be more. */
static int fill(struct reader *x, struct batch *b)
{
    int rc = 1;
    while (rc > 0 && b->n < BATCH)
        if ((rc = db_row(x->st, &x->err)) > 0 && read_row(x->st, x->search, b, &x->err) < 0)
            rc = -1;
    return rc;
}

static void read_all(void *arg)
{
    struct reader *x = arg;
    int more = 1;
    for (int i = 0;; i ^= 1) {
        struct batch *b = &x->batches[i];
        uv_sem_wait(&x->empty);
        b->n = b->used = 0;
        if (more > 0 && !x->stop && (more = fill(x, b)) < 0)
            b->n = 0;
        size_t n = b->n;
        uv_sem_post(&x->full);
        if (n == 0)
            return;
    }
}

/* ---- taking in */

/* A candidate without score and without job waits for the queue. */
static int note_loose(struct search_rows *r, uint32_t row, struct err *err)
{
    if (r->nloose % LOOSE == 0) {
        uint32_t *p = realloc(r->loose, (r->nloose + LOOSE) * sizeof *p);
        if (!p)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for the queue");
        r->loose = p;
    }
    r->loose[r->nloose++] = row;
    return 0;
}

static int take_result(struct search_rows *r, const struct row *row, struct err *err)
{
    uint32_t at = row->proposal.index;
    const struct scores_result *result = &row->result;
    int rc = scores_set(r->scores, at, result, err);
    if (rc < 0)
        return rc;
    if (row->repeats)
        scores_repeated(r->scores, at, row->repeats, row->agreed);
    int failed = result->status == SCORES_FAILED;
    return r->asker ? search_tell(r->asker, at, failed, failed ? 0 : (double)result->n_correct / result->n_images, err)
                    : 0;
}

/* A result may be told as soon as its own proposal is there. */
static int take_row(struct search_rows *r, const struct row *row, struct err *err)
{
    const struct search_proposal *p = &row->proposal;
    if (p->index != scores_count(r->scores))
        return err_set(err, ERR_CORRUPT, "database", "candidate %u of search %lld is damaged", p->index,
                       (long long)r->search);
    struct scores_new new = {p->code, p->cost.class_key, p->cost.macs, p->cost.params, p->generation};
    int rc = r->asker ? search_restore(r->asker, p, err) : 0;
    if (rc < 0 || (rc = scores_add(r->scores, &new, err)) < 0)
        return rc;
    if (row->result.status != SCORES_PROPOSED)
        return take_result(r, row, err);
    return r->asker && !row->in_job ? note_loose(r, p->index, err) : 0;
}

static void announce(struct search_rows *r, const struct search_proposal *p)
{
    scores_expect(r->scores, p->code, p->cost.class_key);
    if (r->asker)
        search_expect(r->asker, &p->cost);
}

static int take_batch(struct search_rows *r, struct batch *b, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < b->n; i++)
        b->rows[i].proposal.code = b->codes + b->rows[i].code;
    for (size_t i = 0; i < b->n && rc >= 0; i++) {
        if (i + AHEAD < b->n)
            announce(r, &b->rows[i + AHEAD].proposal);
        rc = take_row(r, &b->rows[i], err);
    }
    return rc;
}

static int take_all(struct reader *x, struct search_rows *r, struct err *err)
{
    int rc = 0;
    for (int i = 0;; i ^= 1) {
        struct batch *b = &x->batches[i];
        uv_sem_wait(&x->full);
        if (b->n == 0)
            return rc;
        if (rc >= 0)
            rc = take_batch(r, b, err);
        if (rc < 0)
            x->stop = 1;
        uv_sem_post(&x->empty);
    }
}

/* ---- both */

static int reserve(struct db *db, struct search_rows *r, uint32_t *count, struct err *err)
{
    int64_t last = -1;
    int rc = db_int(db, err, &last, SQL_CANDIDATE_LAST, "i", r->search);
    *count = (uint32_t)(last + 1);
    if (rc >= 0)
        rc = scores_reserve(r->scores, *count, err);
    return rc >= 0 && r->asker ? search_reserve(r->asker, *count, err) : rc;
}

static int read_and_take(struct reader *x, struct search_rows *r, struct err *err)
{
    if (uv_thread_create(&x->thread, read_all, x) != 0)
        return err_set(err, ERR_NO_MEMORY, "", "no thread to read the candidates");
    int rc = take_all(x, r, err);
    uv_thread_join(&x->thread);
    if (rc >= 0 && x->err.code) {
        *err = x->err;
        rc = -(int)err->code;
    }
    return rc;
}

int search_rows_read(struct db *db, struct search_rows *r, struct err *err)
{
    uint32_t count;
    int rc = reserve(db, r, &count, err);
    if (rc < 0)
        return rc;
    struct reader *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for scores");
    x->db = db;
    x->search = r->search;
    uv_sem_init(&x->empty, 2);
    uv_sem_init(&x->full, 0);
    x->st = db_query(db, SQL_CANDIDATE_ALL, "i", r->search);
    rc = read_and_take(x, r, err);
    db_done(x->st);
    uv_sem_destroy(&x->empty);
    uv_sem_destroy(&x->full);
    free(x->batches[0].codes);
    free(x->batches[1].codes);
    free(x);
    if (rc >= 0 && scores_count(r->scores) < count) /* somebody may add one meanwhile */
        rc = err_set(err, ERR_CORRUPT, "database", "search %lld has candidates that could not be read",
                     (long long)r->search);
    return rc < 0 ? rc : store_search_truth(db, r->search, r->scores, err);
}
