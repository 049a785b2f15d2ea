/* policy: defaults, refusals, canonical text, and which images calibrate. */
#include "proto/base/json.h"
#include "proto/policy.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static int parse(const char *text, struct policy *p, struct err *e)
{
    json_t *doc = json_parse_strict(text, strlen(text), 4, e);
    int rc = policy_parse(doc, p, e);
    json_decref(doc);
    return rc;
}

TEST(policy_defaults_and_canonical_text)
{
    struct policy p;
    struct err e = {0};
    CHECK_INT(parse("{\"batches\": 8, \"batch_size\": 128}", &p, &e), 0);
    json_t *doc = policy_json(&p);
    char *text = json_canonical(doc);
    CHECK_STR(
        text,
        "{\"average\":\"cumulative\",\"batch_size\":128,\"batches\":8,\"first\":0,\"momentum\":0.10000000000000001,"
        "\"order\":\"stored\",\"reset\":true,\"seed\":0,\"split\":\"train\",\"variance\":\"unbiased\"}");
    struct policy again;
    CHECK_INT(parse(text, &again, &e), 0);
    CHECK(again.batches == 8 && again.momentum == p.momentum && again.unbiased && again.average == AVERAGE_CUMULATIVE);
    free(text);
    json_decref(doc);
}

TEST(policy_refuses_what_cannot_be)
{
    static const char *const cases[][2] = {
        {"{\"batch_size\": 8}", "/batches"},
        {"{\"batches\": 8}", "/batch_size"},
        {"{\"batches\": -1, \"batch_size\": 1}", "/batches"},
        {"{\"batches\": 1, \"batch_size\": 1, \"average\": \"mean\"}", "/average"},
        {"{\"batches\": 1, \"batch_size\": 1, \"average\": \"ema\", \"momentum\": 0}", "/momentum"},
        {"{\"batches\": 1, \"batch_size\": 1, \"momentum\": 1.5}", "/momentum"},
        {"{\"batches\": 1, \"batch_size\": 1, \"first\": -1}", "/first"},
        {"{\"batches\": 1, \"batch_size\": 1, \"seed\": -1}", "/seed"},
        {"{\"batches\": 1, \"batch_size\": 1, \"varianc\": \"biased\"}", "/varianc"},
        {"{\"batches\": 1, \"batch_size\": 1, \"split\": \"\"}", "/split"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct policy p;
        struct err e = {0};
        CHECK(parse(cases[i][0], &p, &e) < 0);
        CHECK_STR(e.where, cases[i][1]);
    }
    struct policy p;
    struct err e = {0};
    CHECK_INT(parse("{\"average\": \"none\"}", &p, &e), 0); /* needs no images */
    CHECK_INT(policy_samples(&p, 0, NULL, &e), 0);
}

TEST(policy_samples_in_order_and_shuffled)
{
    struct policy p;
    struct err e = {0};
    int64_t a[6], b[6];
    parse("{\"batches\": 3, \"batch_size\": 2, \"first\": 4}", &p, &e);
    CHECK_INT(policy_samples(&p, 10, a, &e), 0);
    CHECK(a[0] == 4 && a[5] == 9);
    CHECK_INT(policy_samples(&p, 9, a, &e), -ERR_INVALID);
    CHECK_STR(e.where, "/batches");
    parse("{\"batches\": 3, \"batch_size\": 2, \"order\": \"shuffled\", \"seed\": 5}", &p, &e);
    CHECK_INT(policy_samples(&p, 6, a, &e), 0);
    int seen = 0;
    for (int i = 0; i < 6; i++)
        seen |= 1 << a[i];
    CHECK_INT(seen, 63); /* a permutation */
    p.batches = 2;
    CHECK_INT(policy_samples(&p, 6, b, &e), 0);
    CHECK(memcmp(a, b, 4 * sizeof *a) == 0); /* fewer batches: a prefix */
    p.seed = 6;
    p.batches = 3;
    CHECK_INT(policy_samples(&p, 6, b, &e), 0);
    CHECK(memcmp(a, b, sizeof a) != 0);
}
