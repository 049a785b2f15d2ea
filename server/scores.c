/* scores: rows in, single rows out; see scores.h. */
#include "server/scores.h"

#include "server/scores_importance.h"
#include "server/scores_kept.h"
#include "server/scores_table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "not enough memory for another candidate");
}

struct scores *scores_new(int ndecisions, scores_decode_fn *decode, void *ctx)
{
    struct scores *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ndecisions = ndecisions;
    s->decode = decode;
    s->decode_ctx = ctx;
    s->best = -1;
    s->version = 1;
    return s;
}

void scores_free(struct scores *s)
{
    if (!s || s->readers) {
        if (s)
            s->unwanted = 1;
        return;
    }
#define COLUMN_FREE(type, name) free(s->name);
    SCORES_TABLE(COLUMN_FREE)
#undef COLUMN_FREE
    free(s->pool);
    free(s->by_code);
    free(s->class_key);
    free(s->genes);
    map_clear(&s->classes);
    scores_kept_clear(s);
    scores_view_clear(s);
    scores_importance_clear(s);
    free(s);
}

void scores_hold(struct scores *s)
{
    s->readers++;
}

void scores_let_go(struct scores *s)
{
    if (--s->readers > 0)
        return;
    for (size_t i = 0; i < s->nworn; i++)
        free(s->worn[i]);
    free(s->worn);
    s->worn = NULL;
    s->nworn = 0;
    if (s->unwanted)
        scores_free(s);
}

/* `old` with its first `used` bytes, in a place of `size`; NULL: no memory, and all is as it was. */
static void *resized(struct scores *s, void *old, size_t used, size_t size)
{
    if (!s->readers || !old)
        return realloc(old, size);
    void **worn = realloc(s->worn, (s->nworn + 1) * sizeof *worn);
    if (!worn)
        return NULL;
    s->worn = worn;
    void *fresh = malloc(size);
    if (!fresh)
        return NULL;
    memcpy(fresh, old, used);
    s->worn[s->nworn++] = old;
    return fresh;
}

static int grow_columns(struct scores *s, uint32_t least)
{
    if (least <= s->cap)
        return 0;
    size_t cap = s->cap ? 2 * (size_t)s->cap : 256;
    cap = cap < least ? least : cap;
    if (cap > UINT32_MAX / 2)
        return -1;
#define COLUMN_GROW(type, name)                                                                                        \
    {                                                                                                                  \
        type *grown = resized(s, s->name, s->count * sizeof(type), cap * sizeof(type));                                \
        if (!grown)                                                                                                    \
            return -1;                                                                                                 \
        s->name = grown;                                                                                               \
    }
    SCORES_TABLE(COLUMN_GROW)
#undef COLUMN_GROW
    s->cap = (uint32_t)cap;
    return 0;
}

static int grow_pool(struct scores *s, size_t more)
{
    if (s->pool_n + more <= s->pool_cap)
        return 0;
    size_t cap = s->pool_cap ? s->pool_cap : 4096;
    while (cap < s->pool_n + more)
        cap *= 2;
    char *grown = resized(s, s->pool, s->pool_n, cap);
    if (!grown)
        return -1;
    s->pool = grown;
    s->pool_cap = cap;
    return 0;
}

static uint64_t code_hash(const char *code)
{
    return hash128(code, strlen(code)).lo;
}

static size_t code_slot(const struct scores *s, uint64_t hash, const char *code) /* where it is, or the free slot */
{
    size_t mask = s->by_code_cap - 1, i = (size_t)hash & mask;
    while (s->by_code[i] &&
           (s->by_code[i] >> 32 != hash >> 32 || strcmp(scores_code(s, (uint32_t)s->by_code[i] - 1), code) != 0))
        i = (i + 1) & mask;
    return i;
}

static int grow_index(struct scores *s, uint32_t least)
{
    if ((size_t)least * 2 <= s->by_code_cap)
        return 0;
    size_t cap = s->by_code_cap ? 2 * s->by_code_cap : 512;
    while (cap < (size_t)least * 2)
        cap *= 2;
    uint64_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return -1;
    free(s->by_code);
    s->by_code = slots;
    s->by_code_cap = cap;
    for (uint32_t row = 0; row < s->count; row++) {
        uint64_t hash = code_hash(scores_code(s, row));
        slots[code_slot(s, hash, scores_code(s, row))] = hash >> 32 << 32 | (row + 1);
    }
    return 0;
}

static uint64_t class_hash(struct hash128 key)
{
    return key.lo ^ (key.hi << 21 | key.hi >> 43);
}

int64_t scores_class_find(const struct scores *s, struct hash128 key)
{
    return (int64_t)(intptr_t)map_get(&s->classes, class_hash(key)) - 1;
}

static int class_of(struct scores *s, struct hash128 key, uint32_t *out)
{
    int64_t known = scores_class_find(s, key);
    if (known < 0) {
        if (s->nclasses == s->class_cap) {
            uint32_t cap = s->class_cap ? 2 * s->class_cap : 256;
            struct hash128 *grown = realloc(s->class_key, cap * sizeof *grown);
            if (!grown)
                return -1;
            s->class_key = grown;
            s->class_cap = cap;
        }
        if (map_put(&s->classes, class_hash(key), (void *)(intptr_t)(s->nclasses + 1)))
            return -1;
        s->class_key[s->nclasses] = key;
        known = s->nclasses++;
    }
    *out = (uint32_t)known;
    return 0;
}

int scores_reserve(struct scores *s, uint32_t rows, struct err *err)
{
    return grow_columns(s, rows) || grow_index(s, rows) || map_reserve(&s->classes, rows) ? no_memory(err) : 0;
}

void scores_expect(const struct scores *s, const char *code, struct hash128 class_key)
{
    if (s->by_code_cap)
        __builtin_prefetch(&s->by_code[code_hash(code) & (s->by_code_cap - 1)]);
    map_expect(&s->classes, class_hash(class_key));
}

int scores_add(struct scores *s, const struct scores_new *row, struct err *err)
{
    size_t len = strlen(row->code) + 1;
    uint32_t at = s->count, class_id;
    if (grow_columns(s, at + 1) || grow_pool(s, len) || grow_index(s, at + 1) || class_of(s, row->class_key, &class_id))
        return no_memory(err);
    uint64_t hash = code_hash(row->code);
    size_t slot = code_slot(s, hash, row->code);
    if (s->by_code[slot])
        return err_set(err, ERR_CONFLICT, "", "candidate %s is there already", row->code);
    memcpy(s->pool + s->pool_n, row->code, len);
    s->code[at] = s->pool_n;
    s->pool_n += len;
    s->by_code[slot] = hash >> 32 << 32 | (at + 1);
    s->macs[at] = row->macs;
    s->params[at] = row->params;
    s->generation[at] = row->generation;
    s->class_id[at] = class_id;
    s->status[at] = SCORES_PROPOSED;
    s->n_images[at] = s->n_correct[at] = s->n_top5[at] = 0;
    s->loss[at] = s->truth[at] = NAN;
    s->worker[at] = s->scored_at[at] = 0;
    s->repeats[at] = s->agreed[at] = 0;
    s->count++;
    s->version++;
    return 0;
}

/* 1 when row a is better than row b, both scored. */
static int better(const struct scores *s, uint32_t a, uint32_t b)
{
    double x = scores_accuracy(s, a), y = scores_accuracy(s, b);
    double lx = isnan(s->loss[a]) ? INFINITY : s->loss[a], ly = isnan(s->loss[b]) ? INFINITY : s->loss[b];
    if (x != y)
        return x > y;
    return lx != ly ? lx < ly : a < b;
}

int scores_set(struct scores *s, uint32_t row, const struct scores_result *r, struct err *err)
{
    if (row >= s->count)
        return err_set(err, ERR_INVALID, "", "there is no candidate %u", row);
    if (s->status[row] != SCORES_PROPOSED)
        return err_set(err, ERR_CONFLICT, "", "candidate %s has a result already", scores_code(s, row));
    int scored = r->status == SCORES_SCORED;
    if (scored && (r->n_images == 0 || r->n_correct > r->n_images || r->n_correct_top5 > r->n_images))
        return err_set(err, ERR_INVALID, "", "%u correct of %u images is no score", r->n_correct, r->n_images);
    s->status[row] = scored ? SCORES_SCORED : SCORES_FAILED;
    s->worker[row] = r->worker;
    s->scored_at[row] = r->scored_at_ms;
    s->version++;
    if (!scored) {
        s->failed++;
        return 0;
    }
    s->n_images[row] = r->n_images;
    s->n_correct[row] = r->n_correct;
    s->n_top5[row] = r->n_correct_top5;
    s->loss[row] = r->loss;
    s->log[s->scored++] = row;
    if (s->best < 0 || better(s, row, (uint32_t)s->best))
        s->best = row;
    return 0;
}

static uint8_t add_up(uint8_t have, uint32_t more)
{
    return more < (uint32_t)(UINT8_MAX - have) ? (uint8_t)(have + more) : UINT8_MAX;
}

void scores_repeated(struct scores *s, uint32_t row, uint32_t repeats, uint32_t agreed)
{
    s->repeats[row] = add_up(s->repeats[row], repeats);
    s->agreed[row] = add_up(s->agreed[row], agreed);
    s->opinions_version++;
    s->version++;
}

uint32_t scores_count(const struct scores *s)
{
    return s->count;
}

uint32_t scores_scored(const struct scores *s)
{
    return s->scored;
}

uint32_t scores_failed(const struct scores *s)
{
    return s->failed;
}

uint64_t scores_version(const struct scores *s)
{
    return s->version;
}

int64_t scores_best(const struct scores *s)
{
    return s->best;
}

int64_t scores_find(const struct scores *s, const char *code)
{
    return s->by_code_cap ? (int64_t)(uint32_t)s->by_code[code_slot(s, code_hash(code), code)] - 1 : -1;
}

int scores_is_scored(const struct scores *s, uint32_t row)
{
    return s->status[row] == SCORES_SCORED;
}

void scores_get(const struct scores *s, uint32_t row, struct scores_row *out)
{
    assert(row < s->count);
    int scored = s->status[row] == SCORES_SCORED;
    *out = (struct scores_row){.row = row,
                               .generation = s->generation[row],
                               .class_id = s->class_id[row],
                               .code = scores_code(s, row),
                               .status = (enum scores_status)s->status[row],
                               .n_images = s->n_images[row],
                               .n_correct = s->n_correct[row],
                               .n_correct_top5 = s->n_top5[row],
                               .accuracy = scored ? scores_accuracy(s, row) : NAN,
                               .top5 = scored ? (double)s->n_top5[row] / s->n_images[row] : NAN,
                               .loss = s->loss[row],
                               .macs = s->macs[row],
                               .params = s->params[row],
                               .class_key = s->class_key[s->class_id[row]],
                               .worker = s->worker[row],
                               .scored_at_ms = s->scored_at[row],
                               .repeats = s->repeats[row],
                               .agreed = s->agreed[row],
                               .truth = s->truth[row]};
}

int scores_set_truth(struct scores *s, const char *code, double accuracy)
{
    int64_t row = scores_find(s, code);
    if (row < 0)
        return 0;
    scores_set_truth_at(s, (uint32_t)row, accuracy);
    return 1;
}

void scores_set_truth_at(struct scores *s, uint32_t row, double accuracy)
{
    s->truth[row] = accuracy;
    s->truth_version++;
    s->version++;
}

void scores_clear_truth(struct scores *s, uint32_t rows)
{
    for (uint32_t row = 0; row < rows && row < s->count; row++)
        s->truth[row] = NAN;
    s->truth_version++;
    s->version++;
}
