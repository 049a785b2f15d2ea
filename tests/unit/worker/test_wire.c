/* wire and job: what the coordinator may say, and what the compute process says, read strictly where it matters. */
#include "tests/unit/test.h"
#include "worker/job.h"
#include "worker/wire.h"

#include <stdlib.h>

#define SHA1 "1111111111111111111111111111111111111111111111111111111111111111"
#define SHA2 "2222222222222222222222222222222222222222222222222222222222222222"
#define SHA3 "3333333333333333333333333333333333333333333333333333333333333333"
#define LEASE "000102030405060708090a0b0c0d0e0f"
#define INPUT                                                                                                  \
    "{\"checkpoint\":{\"blob\":\"" SHA1 "\"},\"dataset\":{\"document\":{\"splits\":{\"train\":[{\"blob\":\"" SHA2 \
    "\"}],\"val\":[{\"blob\":\"" SHA3 "\",\"labels\":\"" SHA2 "\"}]}}},\"policy\":{\"average\":\"%s\",\"split\":" \
    "\"train\"},\"evaluation\":{\"split\":\"%s\"},\"candidates\":[\"a\",\"b\"]}"

static json_t *input(const char *average, const char *split)
{
    char text[2048];
    snprintf(text, sizeof text, INPUT, average, split);
    json_t *doc = json_loads(text, 0, NULL);
    CHECK(doc != NULL);
    return doc;
}

static int read_leases(const char *text, struct wire_answer *w)
{
    struct err err;
    return wire_read_leases(text, strlen(text), w, &err);
}

TEST(wire_reads_leases_and_refuses_what_is_none)
{
    struct wire_answer w;
    CHECK_INT(read_leases("{\"leases\":[{\"job\":7,\"lease\":\"" LEASE "\",\"kind\":\"score\",\"expires_s\":90,"
                          "\"input\":{},\"new\":1}],\"delay_s\":2.5}", &w), 0);
    CHECK_INT(w.nleases, 1);
    CHECK_INT(w.leases[0].job, 7);
    CHECK_STR(w.leases[0].lease, LEASE);
    CHECK_NEAR(w.delay_s, 2.5, 0);
    wire_answer_clear(&w);
    static const char *const bad[] = {
        "", "[]", "{\"leases\":{}}", "{\"leases\":[],\"delay_s\":-1}", "{\"leases\":[],\"delay_s\":\"1\"}",
        "{\"leases\":[{\"job\":7,\"lease\":\"zz\",\"kind\":\"score\",\"input\":{}}]}",
        "{\"leases\":[{\"job\":0,\"lease\":\"" LEASE "\",\"kind\":\"score\",\"input\":{}}]}",
        "{\"leases\":[{\"job\":1,\"lease\":\"" LEASE "\",\"kind\":\"score\",\"input\":{}},{}]}",
        "{\"leases\":[{\"job\":1,\"lease\":\"" LEASE "/../../x\",\"kind\":\"score\",\"input\":{}}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(read_leases(bad[i], &w) < 0);
}

TEST(wire_only_the_four_answers_let_a_result_go)
{
    struct err err;
    char status[16];
    const char *good = "{\"status\":\"superseded\"}";
    CHECK_INT(wire_read_status(good, strlen(good), status, &err), 0);
    CHECK_STR(status, "superseded");
    static const char *const bad[] = {"{}", "{\"status\":\"ok\"}", "<html>", "{\"status\":1}", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(wire_read_status(bad[i], strlen(bad[i]), status, &err) < 0);
}

TEST(wire_a_key_that_would_break_a_header_is_refused)
{
    struct wire_joined j;
    struct err err;
    const char *good = "{\"id\":3,\"key\":\"abc\",\"beat_s\":1.5,\"expiry_s\":5}";
    const char *bad = "{\"id\":3,\"key\":\"abc\\r\\nX: y\"}";
    CHECK_INT(wire_read_joined(good, strlen(good), &j, &err), 0);
    CHECK_NEAR(j.beat_s, 1.5, 0);
    CHECK(wire_read_joined(bad, strlen(bad), &j, &err) < 0);
}

TEST(wire_lists_the_blobs_a_job_needs_once)
{
    char(*names)[65];
    size_t n;
    struct err err;
    json_t *doc = input("cumulative", "val");
    CHECK_INT(wire_blobs(doc, &names, &n, &err), 0);
    CHECK_INT(n, 3);
    CHECK_STR(names[0], SHA1);
    free(names);
    json_decref(doc);
    doc = input("batch", "train");
    CHECK_INT(wire_blobs(doc, &names, &n, &err), 0);
    CHECK_INT(n, 2);
    free(names);
    json_decref(doc);
    doc = input("ema", "test");
    CHECK(wire_blobs(doc, &names, &n, &err) < 0);
    CHECK_STR(err.where, "/dataset/document/splits/test");
    json_decref(doc);
}

static int take(struct job *j, const char *line)
{
    struct err err;
    return job_take_line(j, line, strlen(line), &err);
}

TEST(job_gathers_scores_into_a_result)
{
    struct wire_lease l = {.job = 9, .lease = LEASE, .kind = "score", .input = input("ema", "val")};
    struct job j;
    struct err err;
    CHECK_INT(job_init(&j, &l, &err), 0);
    CHECK_INT(j.nblobs, 3);
    CHECK_INT(take(&j, "{\"progress\":{\"done\":1,\"of\":2}}"), JOB_MORE);
    CHECK_INT(j.done, 1);
    CHECK_INT(take(&j, "{\"score\":{\"code\":\"a\",\"loss_sum\":0.10000000000000001}}"), JOB_MORE);
    CHECK(take(&j, "{\"scor\":1}") < 0);
    CHECK(take(&j, "panic") < 0);
    CHECK_INT(take(&j, "{\"done\":{\"backend\":\"x\",\"wall_ms\":5,\"secret\":1}}"), JOB_ENDED);
    char *text = job_result(&j, NULL);
    CHECK_STR(text, "{\"kind\":\"score\",\"backend\":\"x\",\"wall_ms\":5,\"scores\":[{\"code\":\"a\","
                    "\"loss_sum\":0.10000000000000001}]}");
    free(text);
    err_set(&err, ERR_INTERNAL, "compute", "it died");
    text = job_result(&j, &err);
    CHECK_STR(text, "{\"kind\":\"score\","
                    "\"error\":{\"type\":\"internal\",\"where\":\"compute\",\"detail\":\"it died\"}}");
    free(text);
    job_clear(&j);
}

TEST(job_of_an_unknown_kind_is_refused_by_name)
{
    struct wire_lease l = {.job = 9, .lease = LEASE, .kind = "dream", .input = json_object()};
    struct job j;
    struct err err;
    CHECK_INT(job_init(&j, &l, &err), -ERR_UNSUPPORTED);
    CHECK(strstr(err.text, "dream") != NULL);
    job_clear(&j);
}
