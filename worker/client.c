/* client: see client.h. No token and no body is ever logged or put into an error text. */
#include "worker/client.h"
#include "proto/base/json.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_S = 15,
    STALL_BYTES = 10, /* per second, for STALL_S: a transfer slower than that is dead */
    STALL_S = 60,
    ANSWER_S = 180, /* whole exchange, blobs excepted */
    BODY_MAX = 64 << 20,
    PROBLEM_MAX = 64 << 10,
    RETRY_MAX_S = 7 * 86400
};

struct exchange {
    struct exchange *next;
    CURL *easy;
    struct curl_slist *headers;
    char *buf;
    size_t len;
    int64_t from, total;
    int started; /* the head of a blob answer was checked */
    client_sink *sink;
    client_done *done;
    void *arg;
    struct err err; /* why we aborted */
};

struct client {
    CURLM *multi;
    char *server, *tls_ca;
    struct exchange *list;
};

static void exchange_free(struct exchange *x)
{
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    free(x->buf);
    free(x);
}

struct client *client_new(const char *server, const char *tls_ca, struct err *err)
{
    size_t n = strlen(server);
    if (strncmp(server, "http://", 7) != 0 && strncmp(server, "https://", 8) != 0) {
        err_set(err, ERR_INVALID, "server", "the address must start with http:// or https://");
        return NULL;
    }
    if (strchr(server, '@') || strpbrk(server, "?# \t")) {
        err_set(err, ERR_INVALID, "server", "the address must carry neither credentials nor a query");
        return NULL;
    }
    struct client *c = calloc(1, sizeof *c);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (c) {
        c->multi = curl_multi_init();
        c->server = strdup(server);
        c->tls_ca = tls_ca && *tls_ca ? strdup(tls_ca) : NULL;
    }
    if (!c || !c->multi || !c->server) {
        client_free(c);
        err_set(err, ERR_NO_MEMORY, "client", "no memory for HTTP");
        return NULL;
    }
    while (n && c->server[n - 1] == '/')
        c->server[--n] = 0;
    curl_multi_setopt(c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 8L);
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    while (c->list) {
        struct exchange *x = c->list;
        c->list = x->next;
        curl_multi_remove_handle(c->multi, x->easy);
        exchange_free(x);
    }
    curl_multi_cleanup(c->multi);
    free(c->server);
    free(c->tls_ca);
    free(c);
    curl_global_cleanup();
}

static int collect(struct exchange *x, const char *data, size_t n, size_t limit)
{
    if (n > limit - x->len)
        return err_set(&x->err, ERR_TOO_LARGE, "network", "the answer is longer than %zu bytes", limit);
    char *p = realloc(x->buf, x->len + n + 1);
    if (!p)
        return err_set(&x->err, ERR_NO_MEMORY, "network", "no memory for an answer");
    memcpy(p + x->len, data, n);
    x->buf = p;
    x->len += n;
    p[x->len] = 0;
    return 0;
}

/* Where does this body start in the blob, and how long is the blob? A server may ignore the range (200). */
static int blob_head(struct exchange *x, long status)
{
    curl_off_t length = -1;
    curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    struct curl_header *h;
    x->started = 1;
    if (status != 206) {
        x->from = 0;
        x->total = length;
        return 0;
    }
    long long first = -1, last = -1, total = -1;
    if (curl_easy_header(x->easy, "Content-Range", 0, CURLH_HEADER, -1, &h) != CURLHE_OK ||
        sscanf(h->value, "bytes %lld-%lld/%lld", &first, &last, &total) != 3 || first != x->from || last < first ||
        last >= total)
        return err_set(&x->err, ERR_NETWORK, "network", "a partial answer without the range that was asked for");
    x->total = total;
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t n = size * count;
    long status = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    int good = status >= 200 && status < 300;
    int rc = 0;
    if (!x->sink || !good) {
        rc = collect(x, data, n, good ? BODY_MAX : PROBLEM_MAX);
    } else {
        if (!x->started)
            rc = blob_head(x, status);
        if (!rc)
            rc = x->sink(x->arg, x->from, x->total, data, n, &x->err);
        x->from += (int64_t)n;
    }
    return rc ? 0 : n;
}

static int add_header(struct exchange *x, const char *text)
{
    struct curl_slist *l = curl_slist_append(x->headers, text);
    if (l)
        x->headers = l;
    return l ? 0 : -1;
}

static int set_headers(struct exchange *x, const struct client_request *r)
{
    char line[512];
    int bad = add_header(x, "Expect:") | add_header(x, "Accept: application/json, application/octet-stream");
    if (r->body)
        bad |= add_header(x, "Content-Type: application/json");
    if (r->token) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", r->token);
        bad |= add_header(x, line);
        explicit_bzero(line, sizeof line);
    }
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    return bad;
}

static void set_limits(struct exchange *x, const struct client *c)
{
    CURL *e = x->easy;
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, x->sink ? 512L << 10 : 64L << 10);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    curl_easy_setopt(e, CURLOPT_TIMEOUT, x->sink ? 0L : (long)ANSWER_S);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "subrank-worker");
    if (c->tls_ca)
        curl_easy_setopt(e, CURLOPT_CAINFO, c->tls_ca);
}

static int prepare(struct client *c, struct exchange *x, const struct client_request *r)
{
    char url[1024], range[64];
    if (snprintf(url, sizeof url, "%s%s", c->server, r->path) >= (int)sizeof url || set_headers(x, r))
        return -1;
    set_limits(x, c);
    curl_easy_setopt(x->easy, CURLOPT_URL, url);
    curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    if (r->body) {
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(r->body));
        if (curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS, r->body))
            return -1;
    }
    if (r->sink && r->from > 0) {
        snprintf(range, sizeof range, "%lld-", (long long)r->from);
        curl_easy_setopt(x->easy, CURLOPT_RANGE, range);
    }
    return curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, r->method) ? -1 : 0;
}

int client_send(struct client *c, const struct client_request *r, struct err *err)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x)
        x->easy = curl_easy_init();
    if (!x || !x->easy) {
        free(x);
        return err_set(err, ERR_NO_MEMORY, r->path, "no memory for a request");
    }
    x->from = r->from;
    x->total = -1;
    x->sink = r->sink;
    x->done = r->done;
    x->arg = r->arg;
    if (prepare(c, x, r) || curl_multi_add_handle(c->multi, x->easy)) {
        exchange_free(x);
        return err_set(err, ERR_NO_MEMORY, r->path, "cannot prepare a request");
    }
    x->next = c->list;
    c->list = x;
    return 0;
}

static void unlink_exchange(struct client *c, struct exchange *x)
{
    struct exchange **p = &c->list;
    while (*p != x)
        p = &(*p)->next;
    *p = x->next;
    curl_multi_remove_handle(c->multi, x->easy);
}

void client_cancel(struct client *c, void *arg)
{
    for (struct exchange *x = c->list, *next; x; x = next) {
        next = x->next;
        if (x->arg == arg) {
            unlink_exchange(c, x);
            exchange_free(x);
        }
    }
}

size_t client_pending(const struct client *c)
{
    size_t n = 0;
    for (const struct exchange *x = c->list; x; x = x->next)
        n++;
    return n;
}

static enum client_verdict verdict_of(int status)
{
    if (status >= 200 && status < 300)
        return CLIENT_OK;
    if (status == 401)
        return CLIENT_DENIED;
    if (status == 426)
        return CLIENT_VERSION;
    return status >= 500 || status == 429 || status == 408 || status == 0 ? CLIENT_LATER : CLIENT_FINAL;
}

void client_judge(int status, const char *body, size_t len, struct client_answer *out)
{
    memset(out, 0, sizeof *out);
    out->status = status;
    out->verdict = verdict_of(status);
    out->body = body;
    out->len = len;
    if (out->verdict == CLIENT_OK)
        return;
    json_t *doc = len ? json_parse_strict(body, len, JSON_DEPTH, NULL) : NULL;
    const char *type = json_string_value(json_object_get(doc, "type"));
    const char *detail = json_string_value(json_object_get(doc, "detail"));
    if (!type && out->verdict != CLIENT_FINAL) /* a proxy's 401 says nothing about our key */
        out->verdict = CLIENT_LATER;
    double retry_s = json_number_value(json_object_get(doc, "retry_s"));
    if (retry_s > 0)
        out->retry_ms = (int64_t)((retry_s < RETRY_MAX_S ? retry_s : RETRY_MAX_S) * 1000);
    if (status >= 300 && status < 400)
        err_set(&out->err, ERR_NETWORK, "redirect",
                "HTTP %d: redirects are not followed; set --server to the new place", status);
    else
        err_set(&out->err, out->verdict == CLIENT_LATER ? ERR_BUSY : ERR_INVALID, type ? type : "http",
                "HTTP %d%s%.300s", status, detail ? ": " : "", detail ? detail : "");
    json_decref(doc);
}

static void finish(struct client *c, struct exchange *x, CURLcode code)
{
    struct client_answer a;
    long status = 0;
    curl_off_t after = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->easy, CURLINFO_RETRY_AFTER, &after);
    if (code == CURLE_OK) {
        client_judge((int)status, x->buf ? x->buf : "", x->len, &a);
    } else {
        client_judge(0, "", 0, &a);
        if (x->err.code)
            a.err = x->err;
        else
            err_set(&a.err, ERR_NETWORK, "network", "%s", curl_easy_strerror(code));
    }
    if (a.verdict != CLIENT_OK && after > 0 && a.retry_ms == 0)
        a.retry_ms = (after < RETRY_MAX_S ? after : RETRY_MAX_S) * 1000;
    unlink_exchange(c, x);
    x->done(x->arg, &a);
    exchange_free(x);
}

static int finish_all(struct client *c)
{
    int left, count = 0;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left)) != NULL;) {
        struct exchange *x = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
        finish(c, x, code);
        count++;
    }
    return count;
}

int client_poll(struct client *c, struct pollfd *fds, size_t n, int timeout_ms, struct err *err)
{
    struct curl_waitfd extra[8];
    int running;
    if (n > 8)
        return err_set(err, ERR_INTERNAL, "client_poll", "too many descriptors");
    for (size_t i = 0; i < n; i++)
        extra[i] = (struct curl_waitfd){fds[i].fd,
                                        (short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN : 0) |
                                                (fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT : 0)),
                                        0};
    CURLMcode rc = curl_multi_perform(c->multi, &running);
    if (finish_all(c)) /* an answer that was already there wakes no poll, and our caller has news to act on */
        timeout_ms = 0;
    if (!rc)
        rc = curl_multi_poll(c->multi, extra, (unsigned)n, timeout_ms, NULL);
    if (!rc)
        rc = curl_multi_perform(c->multi, &running);
    for (size_t i = 0; i < n; i++)
        fds[i].revents = extra[i].revents;
    finish_all(c);
    return rc ? err_set(err, ERR_INTERNAL, "client_poll", "%s", curl_multi_strerror(rc)) : 0;
}
