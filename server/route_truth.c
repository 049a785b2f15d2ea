/* route_truth: accuracies that are known, as a list for a search. A million of them take seconds, which nobody else may
 * wait: another thread reads and checks the whole list first, so that one that is refused changes nothing; the loop
 * then stores it in slices, and memory follows at the end. A list that was cut short (a crash, a full disk) is there in
 * part and was not acknowledged: it is sent again. One list at a time, so that two never mix. */
#include "proto/base/clock.h"
#include "proto/base/json.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/searches.h"
#include "server/server.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SLICE_MS = 10, CHUNK = 100 /* codes between two looks at the clock */, LONGEST = 8192 + 64, UNKNOWN = -1 };

struct known {
    const char *code;
    double accuracy;
    int64_t row; /* of the candidate, or UNKNOWN */
};

struct truth_list {
    int64_t search;
    const char *text; /* the request's own body */
    size_t len;
    int schema; /* of a JSON body, -1: it is CSV */
    json_t *doc;
    char *copy; /* of a CSV, cut into codes */
    struct known *list;
    size_t n, cap;
    struct err err;
    size_t stored, found; /* how far each has come */
    int all_stored;
    uint64_t lost;   /* server->lost when storing began */
    uint32_t before; /* candidates that were there when finding began */
    int64_t matched;
};

/* ---- on the worker thread: the list, in the order of the codes */

static int put_one(struct truth_list *t, const char *code, double accuracy)
{
    if (!*code)
        return err_set(&t->err, ERR_INVALID, "body", "a code is empty");
    if (!isfinite(accuracy))
        return err_set(&t->err, ERR_INVALID, code, "an accuracy must be a finite number");
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 1024;
        struct known *p = realloc(t->list, cap * sizeof *p);
        if (!p)
            return err_set(&t->err, ERR_NO_MEMORY, "", "no memory for the accuracies");
        t->list = p;
        t->cap = cap;
    }
    t->list[t->n++] = (struct known){code, accuracy, UNKNOWN};
    return 0;
}

static int read_json(struct truth_list *t)
{
    const char *code;
    json_t *value;
    int rc = 0;
    t->doc = json_parse_strict(t->text, t->len, JSON_DEPTH, &t->err);
    if (!t->doc || (rc = api_check(t->schema, t->doc, &t->err)) < 0)
        return t->doc ? rc : -(int)t->err.code;
    json_object_foreach(json_object_get(t->doc, "accuracies"), code, value)
    {
        rc = json_is_number(value) ? put_one(t, code, json_number_value(value))
                                   : err_set(&t->err, ERR_INVALID, code, "an accuracy must be a number");
        if (rc)
            break;
    }
    return rc;
}

/* Lines "code,accuracy"; a first line whose second field is no number is a heading. The last comma separates. */
static int read_csv(struct truth_list *t)
{
    int rc = 0;
    t->copy = malloc(t->len + 1);
    if (!t->copy)
        return err_set(&t->err, ERR_NO_MEMORY, "", "no memory for the accuracies");
    memcpy(t->copy, t->text, t->len);
    t->copy[t->len] = 0;
    char *line = t->copy, *end = t->copy + t->len;
    for (size_t number = 1; rc == 0 && line < end; number++) {
        char *stop = memchr(line, '\n', (size_t)(end - line)), *next = stop ? stop + 1 : end, *rest = NULL;
        if (!stop)
            stop = end;
        if (memchr(line, 0, (size_t)(stop - line)))
            return err_set(&t->err, ERR_INVALID, "body", "line %zu holds a zero byte", number);
        if (stop - line >= LONGEST)
            return err_set(&t->err, ERR_INVALID, "body", "line %zu is too long", number);
        *stop = 0;
        line[strcspn(line, "\r")] = 0;
        char *comma = strrchr(line, ',');
        double x = comma ? strtod(comma + 1, &rest) : 0;
        int nothing = !*line || (number == 1 && comma && rest == comma + 1);
        if (!nothing && (!comma || *rest || rest == comma + 1))
            return err_set(&t->err, ERR_INVALID, "body", "line %zu is not \"code,accuracy\"", number);
        if (!nothing) {
            *comma = 0;
            rc = put_one(t, line, x);
        }
        line = next;
    }
    return rc;
}

static int by_code(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    return strcmp(x->code, y->code);
}

static void work(void *arg)
{
    struct truth_list *t = arg;
    if ((t->schema < 0 ? read_csv(t) : read_json(t)) < 0)
        return;
    if (t->n)
        qsort(t->list, t->n, sizeof *t->list, by_code);
    for (size_t i = 1; i < t->n && !t->err.code; i++)
        if (strcmp(t->list[i - 1].code, t->list[i].code) == 0)
            err_set(&t->err, ERR_INVALID, t->list[i].code, "the code is there twice");
}

/* ---- on the loop, in slices; what takes a slice answers 1 when all of it is done */

/* Each code, and away with what an older list had between it and the one before. */
static int store(struct server *s, struct truth_list *t, struct err *err)
{
    int rc = 0;
    for (size_t stop = t->stored + CHUNK; rc >= 0 && t->stored < t->n && t->stored < stop; t->stored++) {
        const struct known *k = &t->list[t->stored];
        rc = db_exec(s->db, err, SQL_TRUTH_DROP_BETWEEN, "itt", t->search, t->stored ? k[-1].code : "", k->code);
        if (rc >= 0)
            rc = db_exec(s->db, err, SQL_TRUTH_PUT, "itd", t->search, k->code, k->accuracy);
    }
    if (rc < 0 || t->stored < t->n)
        return rc < 0 ? rc : 0;
    rc = db_exec(s->db, err, SQL_TRUTH_DROP_BEYOND, "it", t->search, t->n ? t->list[t->n - 1].code : "");
    return rc < 0 ? rc : 1;
}

/* Which candidate is which code. Those that are proposed from now on read the table, which is complete. */
static int find(struct truth_list *t, const struct scores *scores)
{
    if (t->found == 0 || scores_count(scores) < t->before) { /* fewer: memory was read again from the database */
        t->found = 0;
        t->matched = 0;
        t->before = scores_count(scores);
    }
    for (size_t stop = t->found + CHUNK; t->found < t->n && t->found < stop; t->found++) {
        struct known *k = &t->list[t->found];
        int64_t row = scores_find(scores, k->code);
        k->row = row < t->before ? row : UNKNOWN;
        t->matched += row >= 0;
    }
    return t->found == t->n;
}

static void adopt(const struct truth_list *t, struct scores *scores)
{
    scores_clear_truth(scores, t->before);
    for (size_t i = 0; i < t->n; i++)
        if (t->list[i].row >= 0)
            scores_set_truth_at(scores, (uint32_t)t->list[i].row, t->list[i].accuracy);
}

static int go_on(struct server *s, struct request *rq, struct err *err)
{
    struct truth_list *t = request_state(rq);
    struct search_run *run;
    struct scores *scores;
    int over = 0, rc = searches_open(s, rq, &run, &scores, err);
    if (rc)
        return rc;
    if (t->lost != s->lost) /* each turn commits its slice, and this request waits only for the last */
        return err_set(err, ERR_BUSY, "database", "a part of the list could not be stored; send all of it again");
    for (int64_t stop = clock_mono_ms() + SLICE_MS; !over && rc >= 0 && clock_mono_ms() < stop;) {
        if (!t->all_stored)
            t->all_stored = (rc = store(s, t, err)) > 0;
        else
            over = find(t, scores);
    }
    if (rc < 0)
        return rc;
    if (!over)
        return request_soon(rq);
    adopt(t, scores);
    return request_json(rq, 200,
                        json_pack("{s:I,s:I}", "matched", (json_int_t)t->matched, "unknown",
                                  (json_int_t)t->n - (json_int_t)t->matched));
}

static int done(struct server *s, struct request *rq, void *arg, struct err *err)
{
    struct truth_list *t = arg;
    if (!t->err.code)
        return go_on(s, rq, err);
    *err = t->err;
    return -(int)err->code;
}

static void drop(struct server *s, struct request *rq)
{
    struct truth_list *t = request_state(rq);
    s->truth_busy = 0;
    json_decref(t->doc);
    free(t->copy);
    free(t->list);
    free(t);
}

int route_putTruth(struct server *s, struct request *rq, struct err *err)
{
    struct search_run *run;
    const char *type = request_header(rq, "Content-Type");
    if (request_state(rq))
        return go_on(s, rq, err);
    int rc = searches_named(s, rq, &run, err);
    if (rc < 0)
        return rc;
    if (s->truth_busy)
        return err_set(err, ERR_BUSY, "body", "another list is being stored; send this one again a little later");
    struct truth_list *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the accuracies");
    t->search = run->id;
    t->lost = s->lost;
    t->text = request_raw(rq, &t->len);
    t->schema = type && strncasecmp(type, "text/csv", 8) == 0 ? -1 : request_operation(rq)->schema;
    s->truth_busy = 1;
    request_set_state(rq, t, drop);
    if (!t->len)
        return err_set(err, t->schema < 0 ? ERR_INVALID : ERR_BAD_REQUEST, "body", "is empty");
    return request_work(rq, &(struct request_job){work, done, NULL, t});
}
