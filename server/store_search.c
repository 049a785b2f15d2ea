/* store_search: rows to runs and back; the defaults of a search document. */
#include "server/store_search.h"

#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/policy.h"
#include "proto/space.h"
#include "server/search_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[SEARCH_STATES] = {"running", "paused", "done", "cancelled", "failed"};

const char *searches_state_name(enum search_state state)
{
    return states[state];
}

/* ---- rows */

static struct search_run *from_row(sqlite3_stmt *st)
{
    struct search_run *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->id = sqlite3_column_int64(st, 0);
    r->name = strdup(db_text(st, 1));
    for (int i = 0; i < SEARCH_STATES; i++)
        if (strcmp(db_text(st, 2), states[i]) == 0)
            r->state = (enum search_state)i;
    r->error = db_is_null(st, 3) ? NULL : db_json(st, 3);
    r->space_id = sqlite3_column_int64(st, 4);
    r->checkpoint_id = sqlite3_column_int64(st, 5);
    r->dataset_id = sqlite3_column_int64(st, 6);
    r->strategy = db_json(st, 7);
    r->constraints = db_json(st, 8);
    r->policy = db_json(st, 9);
    r->evaluation = db_json(st, 10);
    r->seed = sqlite3_column_int64(st, 11);
    r->priority = sqlite3_column_int64(st, 12);
    r->tags = db_json(st, 13);
    r->notes = strdup(db_text(st, 14));
    r->owner = strdup(db_text(st, 15));
    r->created = sqlite3_column_int64(st, 16);
    r->finished = sqlite3_column_int64(st, 17);
    r->summary =
        (struct search_summary){sqlite3_column_int64(st, 18), sqlite3_column_int64(st, 19),
                                sqlite3_column_int64(st, 20), db_is_null(st, 21) ? -1 : sqlite3_column_int64(st, 21)};
    r->images = json_integer_value(json_object_get(r->evaluation, "images"));
    return r;
}

int store_search_all(struct db *db, struct search_run **list, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_SEARCH_ALL, "");
    int rc;
    while ((rc = db_step(st, err)) > 0) {
        struct search_run *r = from_row(st);
        if (!r) {
            rc = err_set(err, ERR_NO_MEMORY, "", "no memory for searches");
            break;
        }
        r->next = *list;
        *list = r;
    }
    db_done(st);
    return rc;
}

/* ---- a new search */

static int row_json(struct db *db, enum sql which, int64_t id, int column, const char *where, json_t **out,
                    struct err *err)
{
    sqlite3_stmt *st = db_query(db, which, "i", id);
    int rc = db_step(st, err);
    *out = rc > 0 ? db_json(st, column) : NULL;
    db_done(st);
    if (rc == 0)
        return err_set(err, ERR_INVALID, where, "there is none with id %lld", (long long)id);
    return rc > 0 && !*out ? err_set(err, ERR_NO_MEMORY, "", "no memory for a document") : rc < 0 ? rc : 0;
}

static int64_t images_of(const json_t *described, const char *split)
{
    const json_t *row = json_object_get(json_object_get(described, "splits"), split);
    return row ? json_integer_value(json_object_get(row, "images")) : -1;
}

static int need_split(int64_t images, const char *split, const char *where, struct err *err)
{
    return images >= 0 ? 0 : err_set(err, ERR_INVALID, where, "the data set has no split \"%s\"", split);
}

/* Split "val" when the data set has one, all of its images, in batches of 250. */
static int complete_evaluation(const json_t *given, const json_t *described, json_t **out, struct err *err)
{
    const char *split = json_string_value(json_object_get(given, "split"));
    split = split ? split : "val";
    int64_t all = images_of(described, split), first = json_integer_value(json_object_get(given, "first"));
    int rc = need_split(all, split, "/evaluation/split", err);
    if (rc < 0)
        return rc;
    const json_t *n = json_object_get(given, "images"), *batch = json_object_get(given, "batch_size");
    int64_t images = n ? json_integer_value(n) : all - first;
    if (first >= all || images < 1 || images > all - first)
        return err_set(err, ERR_INVALID, n ? "/evaluation/images" : "/evaluation/first",
                       "split \"%s\" has %lld images, %lld from %lld on were asked for", split, (long long)all,
                       (long long)images, (long long)first);
    *out = json_pack("{ss sI sI sI}", "split", split, "images", (json_int_t)images, "batch_size",
                     (json_int_t)(batch ? json_integer_value(batch) : 250), "first", (json_int_t)first);
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory");
}

static int complete_policy(const json_t *given, const json_t *described, json_t **out, struct err *err)
{
    struct policy p;
    json_t *doc =
        given ? json_incref((json_t *)(uintptr_t)given) : json_pack("{si si}", "batches", 8, "batch_size", 128);
    int rc = policy_parse(doc, &p, err);
    json_decref(doc);
    if (rc < 0) {
        err_prefix(err, "/policy");
        return rc;
    }
    int64_t all = images_of(described, p.split), need = (int64_t)p.batches * p.batch_size;
    int uses = p.average != AVERAGE_BATCH && p.average != AVERAGE_NONE;
    if (uses && (rc = need_split(all, p.split, "/policy/split", err)) < 0)
        return rc;
    if (uses && need > all - p.first)
        return err_set(err, ERR_INVALID, "/policy/batches",
                       "%d batches of %d need %lld images; split \"%s\" has %lld from %lld on", p.batches, p.batch_size,
                       (long long)need, p.split, (long long)(all - p.first), (long long)p.first);
    *out = policy_json(&p);
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory");
}

int store_search_limits(const json_t *constraints, struct search_limits *out, struct err *err)
{
    static const char *const names[2] = {"macs", "params"};
    uint64_t lo[2], hi[2];
    for (int i = 0; i < 2; i++) {
        const json_t *one = json_object_get(constraints, names[i]);
        double min = json_number_value(json_object_get(one, "min")),
               max = json_number_value(json_object_get(one, "max"));
        if (json_object_get(one, "max") && (max < 1 || max < min))
            return err_set(err, ERR_INVALID, i ? "/constraints/params/max" : "/constraints/macs/max",
                           "no architecture can be within %.17g to %.17g", min, max);
        lo[i] = (uint64_t)min;
        hi[i] = (uint64_t)max;
    }
    *out = (struct search_limits){lo[0], hi[0], lo[1], hi[1]};
    return 0;
}

static char *text_of(const json_t *v, const char *otherwise)
{
    return v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : strdup(otherwise);
}

static int64_t int_or(const json_t *body, const char *name, int64_t otherwise)
{
    const json_t *v = json_object_get(body, name);
    return v ? json_integer_value(v) : otherwise;
}

struct parts {
    json_t *described, *policy, *evaluation;
    int64_t space;
};

static int check_parts(struct db *db, const json_t *body, struct parts *p, struct err *err)
{
    int64_t checkpoint = int_or(body, "checkpoint", 0);
    int rc = db_int(db, err, &p->space, SQL_CHECKPOINT_SPACE, "i", checkpoint);
    if (rc == 0)
        return err_set(err, ERR_INVALID, "/checkpoint", "there is no checkpoint %lld", (long long)checkpoint);
    if (rc < 0 ||
        (rc = row_json(db, SQL_DATASET_GET, int_or(body, "dataset", 0), 2, "/dataset", &p->described, err)) < 0)
        return rc;
    if ((rc = complete_evaluation(json_object_get(body, "evaluation"), p->described, &p->evaluation, err)) < 0)
        return rc;
    return complete_policy(json_object_get(body, "policy"), p->described, &p->policy, err);
}

static int insert(struct db *db, const json_t *body, const char *owner, const struct parts *p, struct err *err)
{
    const char *notes = json_string_value(json_object_get(body, "notes"));
    char *strategy = text_of(json_object_get(body, "strategy"), "{}"),
         *constraints = text_of(json_object_get(body, "constraints"), "{}");
    char *policy = text_of(p->policy, "{}"), *evaluation = text_of(p->evaluation, "{}"),
         *tags = text_of(json_object_get(body, "tags"), "[]");
    int rc = strategy && constraints && policy && evaluation && tags ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory");
    if (rc >= 0)
        rc = db_exec(db, err, SQL_SEARCH_INSERT, "tiiittttiittti", json_string_value(json_object_get(body, "name")),
                     p->space, int_or(body, "checkpoint", 0), int_or(body, "dataset", 0), strategy, constraints, policy,
                     evaluation, int_or(body, "seed", 0), int_or(body, "priority", 1), tags, notes ? notes : "", owner,
                     clock_wall_ms());
    free(strategy);
    free(constraints);
    free(policy);
    free(evaluation);
    free(tags);
    return rc;
}

static int get(struct db *db, int64_t id, struct search_run **out, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_SEARCH_GET, "i", id);
    int rc = db_step(st, err);
    *out = rc > 0 ? from_row(st) : NULL;
    db_done(st);
    return *out ? 0 : rc < 0 ? rc : err_set(err, ERR_NO_MEMORY, "", "no memory for a search");
}

int store_search_insert(struct db *db, const json_t *body, const char *owner, struct search_run **out, struct err *err)
{
    struct parts p = {0};
    int rc = check_parts(db, body, &p, err);
    if (rc >= 0)
        rc = insert(db, body, owner, &p, err);
    json_decref(p.described);
    json_decref(p.policy);
    json_decref(p.evaluation);
    return rc < 0 ? rc : get(db, db_last_id(db), out, err);
}

int store_search_strategy(struct db *db, const struct search_run *r, struct err *err)
{
    char *text = text_of(r->strategy, "{}");
    int rc =
        text ? db_exec(db, err, SQL_SEARCH_STRATEGY, "it", r->id, text) : err_set(err, ERR_NO_MEMORY, "", "no memory");
    free(text);
    return rc;
}

int store_search_patch(struct db *db, struct search_run *r, const json_t *body, struct err *err)
{
    const char *name = json_string_value(json_object_get(body, "name")),
               *notes = json_string_value(json_object_get(body, "notes"));
    const json_t *tags = json_object_get(body, "tags");
    char *text = text_of(tags ? tags : r->tags, "[]"), *new_name = strdup(name ? name : r->name),
         *new_notes = strdup(notes ? notes : r->notes);
    int64_t priority = int_or(body, "priority", r->priority);
    int rc = text && new_name && new_notes ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory");
    if (rc >= 0)
        rc = db_exec(db, err, SQL_SEARCH_PATCH, "ititt", r->id, new_name, priority, text, new_notes);
    free(text);
    if (rc < 0) {
        free(new_name);
        free(new_notes);
        return rc;
    }
    free(r->name);
    free(r->notes);
    r->name = new_name;
    r->notes = new_notes;
    r->priority = priority;
    if (tags) {
        json_decref(r->tags);
        r->tags = json_deep_copy(tags);
    }
    return 0;
}

int store_search_state(struct db *db, const struct search_run *r, const char *state, const json_t *error,
                       struct err *err)
{
    const struct search_summary *sum = &r->summary;
    char *text = error ? json_dumps(error, JSON_COMPACT) : NULL;
    int rc = r->finished ? db_exec(db, err, SQL_SEARCH_OVER, "ittiiiii", r->id, state, text, r->finished, sum->proposed,
                                   sum->scored, sum->failed, sum->best)
                         : db_exec(db, err, SQL_SEARCH_STATE, "itt", r->id, state, text);
    free(text);
    return rc;
}

/* ---- what a search stands on */

static int image_of(struct db *db, int64_t dataset, struct shape *out, json_t **described, struct err *err)
{
    int rc = row_json(db, SQL_DATASET_GET, dataset, 2, "/dataset", described, err);
    if (rc < 0)
        return rc;
    const json_t *image = json_object_get(*described, "image");
    *out = (struct shape){(int32_t)json_integer_value(json_array_get(image, 0)),
                          (int32_t)json_integer_value(json_array_get(image, 1)),
                          (int32_t)json_integer_value(json_array_get(image, 2))};
    return 0;
}

int store_search_image(struct db *db, int64_t dataset, struct shape *out, struct err *err)
{
    json_t *described;
    int rc = image_of(db, dataset, out, &described, err);
    if (rc >= 0)
        json_decref(described);
    return rc;
}

int store_search_shape(struct db *db, const struct search_run *r, struct shape *out, int64_t *labels, struct err *err)
{
    json_t *described;
    int rc = image_of(db, r->dataset_id, out, &described, err);
    if (rc < 0)
        return rc;
    *labels = search_fit_labels(described, json_string_value(json_object_get(r->evaluation, "split")));
    json_decref(described);
    return 0;
}

int store_search_space(struct db *db, int64_t space, struct space **out, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_SPACE_GET, "i", space);
    int rc = db_step(st, err);
    if (rc > 0)
        rc = space_parse(db_text(st, 3), strlen(db_text(st, 3)), out, err);
    else if (rc == 0)
        rc = err_set(err, ERR_NOT_FOUND, "space", "there is no space %lld", (long long)space);
    db_done(st);
    return rc;
}

static int add_blob(unsigned char (*out)[HASH256_SIZE], size_t room, size_t *n, const char *hash)
{
    if (*n < room && hash_unhex(hash, HASH256_SIZE, out[*n]) == 0)
        (*n)++;
    return 0;
}

int store_search_blobs(struct db *db, int64_t checkpoint, int64_t dataset, unsigned char (*out)[HASH256_SIZE],
                       size_t room, size_t *n, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_CHECKPOINT_GET, "i", checkpoint);
    int rc = db_step(st, err);
    *n = 0;
    if (rc > 0)
        add_blob(out, room, n, db_text(st, 6));
    db_done(st);
    st = db_query(db, SQL_DATASET_BLOBS, "i", dataset);
    while (rc >= 0 && (rc = db_step(st, err)) > 0)
        add_blob(out, room, n, db_text(st, 0));
    db_done(st);
    return rc;
}

static int checkpoint_input(struct db *db, int64_t id, json_t **out, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_CHECKPOINT_GET, "i", id);
    int rc = db_step(st, err);
    *out = rc > 0 ? json_pack("{sI ss sI}", "id", (json_int_t)id, "blob", db_text(st, 6), "size",
                              (json_int_t)sqlite3_column_int64(st, 7))
                  : NULL;
    if (*out && !db_is_null(st, 4))
        json_object_set_new(*out, "rename", db_json(st, 4));
    db_done(st);
    return rc < 0 ? rc
           : *out ? 0
                  : err_set(err, ERR_NOT_FOUND, "checkpoint", "there is no checkpoint %lld", (long long)id);
}

int store_search_input(struct db *db, const struct search_run *r, json_t **out, struct err *err)
{
    json_t *space = NULL, *dataset = NULL, *checkpoint = NULL;
    int rc = row_json(db, SQL_SPACE_GET, r->space_id, 3, "space", &space, err);
    if (rc >= 0)
        rc = row_json(db, SQL_DATASET_GET, r->dataset_id, 3, "dataset", &dataset, err);
    if (rc >= 0)
        rc = checkpoint_input(db, r->checkpoint_id, &checkpoint, err);
    if (rc < 0) {
        json_decref(space);
        json_decref(dataset);
        return rc;
    }
    *out = json_pack("{s{sI so} so s{sI so} sO sO}", "space", "id", (json_int_t)r->space_id, "document", space,
                     "checkpoint", checkpoint, "dataset", "id", (json_int_t)r->dataset_id, "document", dataset,
                     "policy", r->policy, "evaluation", r->evaluation);
    return *out ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a job document");
}

/* ---- candidates */

int store_search_code(struct db *db, int64_t search, uint32_t row, struct arena *a, const char **out, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_CANDIDATE_CODE, "ii", search, (int64_t)row);
    int rc = db_step(st, err);
    *out = rc > 0 ? arena_strdup(a, db_text(st, 0)) : NULL;
    db_done(st);
    if (rc == 0)
        return err_set(err, ERR_INTERNAL, "database", "search %lld has no candidate %u", (long long)search, row);
    return rc < 0 ? rc : *out ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a candidate");
}

static void fill_row(sqlite3_stmt *st, struct scores_row *out)
{
    const char *state = db_text(st, 0);
    int scored = strcmp(state, "scored") == 0;
    out->status = scored ? SCORES_SCORED : strcmp(state, "failed") == 0 ? SCORES_FAILED : SCORES_PROPOSED;
    out->n_images = (uint32_t)sqlite3_column_int64(st, 1);
    out->n_correct = (uint32_t)sqlite3_column_int64(st, 2);
    out->n_correct_top5 = (uint32_t)sqlite3_column_int64(st, 3);
    out->accuracy = scored ? (double)out->n_correct / out->n_images : NAN;
    out->top5 = scored ? (double)out->n_correct_top5 / out->n_images : NAN;
    out->loss = scored && !db_is_null(st, 4) ? sqlite3_column_double(st, 4) / out->n_images : NAN;
    out->worker = sqlite3_column_int64(st, 6);
    out->scored_at_ms = sqlite3_column_int64(st, 7);
    hash_unhex(db_text(st, 11), sizeof out->class_key, (unsigned char *)&out->class_key);
    out->macs = (uint64_t)sqlite3_column_int64(st, 12);
    out->params = (uint64_t)sqlite3_column_int64(st, 13);
    out->generation = (uint32_t)sqlite3_column_int64(st, 14);
    out->repeats = (uint32_t)sqlite3_column_int64(st, 19);
    out->agreed = (uint32_t)sqlite3_column_int64(st, 20);
}

int store_search_row(struct db *db, int64_t search, uint32_t row, struct arena *a, struct scores_row *out,
                     struct err *err)
{
    *out = (struct scores_row){.row = row, .truth = NAN};
    int rc = store_search_code(db, search, row, a, &out->code, err);
    if (rc < 0)
        return rc;
    sqlite3_stmt *st = db_query(db, SQL_CANDIDATE_GET, "ii", search, (int64_t)row);
    if ((rc = db_step(st, err)) > 0)
        fill_row(st, out);
    db_done(st);
    if (rc < 0)
        return rc;
    st = db_query(db, SQL_TRUTH_OF, "it", search, out->code);
    if ((rc = db_step(st, err)) > 0)
        out->truth = sqlite3_column_double(st, 0);
    db_done(st);
    return rc < 0 ? rc : 0;
}

int store_search_propose(struct db *db, int64_t search, const struct search_proposal *p, struct err *err)
{
    char key[33], class[33];
    hash_hex((const unsigned char *)&p->cost.key, 16, key);
    hash_hex((const unsigned char *)&p->cost.class_key, 16, class);
    int rc = db_exec(db, err, SQL_CANDIDATE_INSERT, "iitttiii", search, (int64_t)p->index, p->code, key, class,
                     (int64_t)p->cost.macs, (int64_t)p->cost.params, (int64_t)p->generation);
    return rc < 0 ? rc : 0;
}

int store_search_truth(struct db *db, int64_t search, struct scores *scores, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_TRUTH_ALL, "i", search);
    int rc;
    while ((rc = db_step(st, err)) > 0)
        scores_set_truth(scores, db_text(st, 0), sqlite3_column_double(st, 1));
    db_done(st);
    return rc;
}

int store_search_truth_of(struct db *db, int64_t search, const char *code, struct scores *scores, struct err *err)
{
    sqlite3_stmt *st = db_query(db, SQL_TRUTH_OF, "it", search, code);
    int rc = db_step(st, err);
    if (rc > 0)
        scores_set_truth(scores, code, sqlite3_column_double(st, 0));
    db_done(st);
    return rc < 0 ? rc : 0;
}
