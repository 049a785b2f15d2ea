/* client: what an answer means, and when it is seen. The rest of the network part is tested against the real
 * coordinator (tests/e2e). */
#include "proto/base/clock.h"
#include "tests/unit/test.h"
#include "worker/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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
    CHECK_INT(judge(401, "<html>Log in</html>", &a), CLIENT_LATER);
    CHECK_INT(judge(426, "{}", &a), CLIENT_LATER);
    CHECK_INT(judge(426, "{\"type\":\"version\",\"retry_s\":1e300}", &a), CLIENT_VERSION);
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

static void count_answer(void *arg, const struct client_answer *answer)
{
    CHECK_INT(answer->verdict, CLIENT_OK);
    ++*(int *)arg;
}

/* An answer that lies in the socket before client_poll looks must not wait for the timeout: a worker would idle. */
TEST(client_sees_an_answer_that_came_between_two_polls)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct err err;
    char url[64], request[4096];
    int got = 0, peer = -1, listening = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listening, (struct sockaddr *)&at, sizeof at) == 0 && listen(listening, 1) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&at, &size) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    struct client *c = client_new(url, NULL, &err);
    CHECK(c != NULL);
    struct client_request r = {.method = "GET", .path = "/", .done = count_answer, .arg = &got};
    CHECK(client_send(c, &r, &err) == 0);
    for (int i = 0; i < 500; i++) { /* until the request has come */
        CHECK_INT(client_poll(c, NULL, 0, 10, &err), 0);
        struct pollfd p = {peer < 0 ? listening : peer, POLLIN, 0};
        if (poll(&p, 1, 0) == 1 && peer >= 0)
            break;
        if (p.revents)
            peer = accept(listening, NULL, NULL);
    }
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    CHECK(peer >= 0 && recv(peer, request, sizeof request, 0) > 0);
    CHECK(send(peer, answer, sizeof answer - 1, 0) == (ssize_t)sizeof answer - 1);
    struct pollfd still = {peer, POLLIN, 0};
    poll(&still, 1, 100);
    int64_t before = clock_mono_ms();
    CHECK_INT(client_poll(c, NULL, 0, 20000, &err), 0);
    CHECK_INT(got, 1);
    CHECK(clock_mono_ms() - before < 15000);
    client_free(c);
    close(peer);
    close(listening);
}
