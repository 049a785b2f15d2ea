/* client: what an answer means. The network part is tested against the real coordinator (tests/e2e). */
#include "tests/unit/test.h"
#include "worker/client.h"

static enum client_verdict judge(int status, const char *body, struct client_answer *a)
{
    client_judge(status, body, strlen(body), a);
    return a->verdict;
}

TEST(client_judges_answers)
{
    struct client_answer a;
    CHECK_INT(judge(201, "{}", &a), CLIENT_OK);
    CHECK_INT(judge(503, "{\"type\":\"busy\",\"detail\":\"later\",\"retry_s\":2.5}", &a), CLIENT_LATER);
    CHECK_INT(a.retry_ms, 2500);
    CHECK_STR(a.err.where, "busy");
    CHECK_INT(judge(429, "not json", &a), CLIENT_LATER);
    CHECK_INT(judge(408, "", &a), CLIENT_LATER);
    CHECK_INT(judge(0, "", &a), CLIENT_LATER);
    CHECK_INT(judge(401, "{\"type\":\"unauthorized\"}", &a), CLIENT_DENIED);
    CHECK_INT(judge(426, "{\"retry_s\":1e300}", &a), CLIENT_VERSION);
    CHECK_INT(a.retry_ms, 7LL * 86400 * 1000);
    CHECK_INT(judge(422, "{\"type\":\"invalid\",\"retry_s\":-5,\"detail\":7}", &a), CLIENT_FINAL);
    CHECK_INT(a.retry_ms, 0);
    CHECK_INT(judge(404, "[]", &a), CLIENT_FINAL);
    CHECK_INT(judge(302, "", &a), CLIENT_FINAL);
    CHECK_STR(a.err.where, "redirect");
}

TEST(client_refuses_addresses_that_are_not_http)
{
    struct err err;
    CHECK(client_new("file:///etc/passwd", NULL, &err) == NULL);
    CHECK(client_new("http://user:secret@host", NULL, &err) == NULL);
    CHECK(strstr(err.text, "secret") == NULL);
    CHECK(client_new("", NULL, &err) == NULL);
    struct client *c = client_new("http://127.0.0.1:1/", NULL, &err);
    CHECK(c != NULL);
    client_free(c);
}
