/* page: reads the cursor, steps the statement, writes the envelope. */
#include "server/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int page_open(struct request *rq, struct page *out, int64_t start, struct err *err)
{
    const char *after = request_text(rq, "after");
    out->limit = request_int(rq, "limit", 100);
    out->after = start;
    if (!after)
        return 0;
    if (!*after || strlen(after) > 18 || after[strspn(after, "0123456789")])
        return err_set(err, ERR_INVALID, "query after", "is no cursor of this list");
    out->after = strtoll(after, NULL, 10);
    return 0;
}

int page_send(struct request *rq, json_t *items, int64_t next)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)next);
    return request_json(rq, 200, json_pack("{so so}", "items", items, "next", next ? json_string(text) : json_null()));
}

int page_answer(struct request *rq, const struct page *p, sqlite3_stmt *st, json_t *(*row)(sqlite3_stmt *),
                struct err *err)
{
    json_t *items = json_array();
    int64_t last = 0, next = 0;
    int rc;
    while ((rc = db_step(st, err)) > 0) {
        if ((int64_t)json_array_size(items) == p->limit) {
            next = last;
            break;
        }
        last = sqlite3_column_int64(st, 0);
        if (json_array_append_new(items, row(st)) != 0) {
            rc = err_set(err, ERR_NO_MEMORY, "", "no memory for the list");
            break;
        }
    }
    db_done(st);
    if (rc < 0) {
        json_decref(items);
        return rc;
    }
    return page_send(rq, items, next);
}
