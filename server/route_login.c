/* route_login: exchanges a token for a session cookie and back; and session.h's check.
 *
 * A cookie is sent by the browser whoever made the page. SameSite=Strict keeps it from other sites, but a "site" there
 * ignores ports, so a changing request must also carry X-Subrank: a page of another origin cannot add a header without
 * asking first, and nothing here ever permits it. */
#include "proto/base/clock.h"
#include "server/db.h"
#include "server/request.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/session.h"

#include <stdio.h>
#include <string.h>

enum { LIFETIME_S = 12 * 3600, SECRET_BYTES = 32, SECRET_TEXT = 2 * SECRET_BYTES + 1, COOKIE_NAME = 24 };

/* Cookies are shared by all ports of a host: the name tells two coordinators on one machine apart. */
static void cookie_name(const struct server *s, char out[COOKIE_NAME])
{
    const char *port = strrchr(s->url, ':');
    snprintf(out, COOKIE_NAME, "subrank_%.10s", port ? port + 1 : "");
}

static int hash_cookie(const struct server *s, const struct request *rq, unsigned char hash[HASH256_SIZE])
{
    char name[COOKIE_NAME];
    struct hash256 h;
    cookie_name(s, name);
    const char *value = request_cookie(rq, name);
    if (!value || strlen(value) != SECRET_TEXT - 1)
        return 0;
    hash256_init(&h);
    hash256_update(&h, value, SECRET_TEXT - 1);
    hash256_final(&h, hash);
    return 1;
}

/* Browsers say where a request comes from; programs that are no browsers need no cookie. */
static int own_page(const struct request *rq, int changes, struct err *err)
{
    const char *site = request_header(rq, "Sec-Fetch-Site"), *origin = request_header(rq, "Origin"),
               *host = request_header(rq, "Host");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return err_set(err, ERR_FORBIDDEN, "header Sec-Fetch-Site", "the request comes from another site");
    const char *authority = origin ? strstr(origin, "://") : NULL;
    if (origin && (!authority || !host || strcmp(authority + 3, host) != 0))
        return err_set(err, ERR_FORBIDDEN, "header Origin", "the request comes from another origin");
    if (changes && !request_header(rq, "X-Subrank"))
        return err_set(err, ERR_FORBIDDEN, "header X-Subrank", "is needed with a session cookie");
    return 0;
}

int session_check(struct server *s, const struct request *rq, struct auth_who *who, struct err *err)
{
    unsigned char hash[HASH256_SIZE];
    if (!hash_cookie(s, rq, hash))
        return 0;
    sqlite3_stmt *st = db_query(s->db, SQL_SESSION_GET, "bi", hash, sizeof hash, clock_wall_ms());
    struct auth_who found = {.role = API_ROLE_OPEN};
    int rc = db_step(st, err);
    if (rc > 0) {
        found.token = sqlite3_column_int64(st, 0);
        found.role = (enum api_role)api_role_parse(db_text(st, 1));
        snprintf(found.name, sizeof found.name, "%s", db_text(st, 2));
    }
    db_done(st);
    if (rc <= 0)
        return rc;
    enum api_method m = request_operation(rq)->method;
    if ((rc = own_page(rq, m != API_GET && m != API_HEAD, err)) < 0)
        return rc;
    *who = found;
    return 0;
}

static void set_cookie(const struct server *s, struct request *rq, const char *value, int seconds)
{
    char name[COOKIE_NAME], text[240];
    cookie_name(s, name);
    snprintf(text, sizeof text, "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", name, value, seconds,
             *s->config->tls_cert ? "; Secure" : "");
    request_set_header(rq, "Set-Cookie", text);
}

static int begin(struct server *s, struct request *rq, const struct auth_who *who, struct err *err)
{
    unsigned char random[SECRET_BYTES], hash[HASH256_SIZE];
    char secret[SECRET_TEXT];
    struct hash256 h;
    int64_t now = clock_wall_ms();
    if (hash_random(random, sizeof random) < 0)
        return err_set(err, ERR_INTERNAL, "", "the kernel gave no random bytes");
    hash_hex(random, sizeof random, secret);
    hash256_init(&h);
    hash256_update(&h, secret, sizeof secret - 1);
    hash256_final(&h, hash);
    int rc = db_exec(s->db, err, SQL_SESSION_TRIM, "ii", who->token, now);
    if (rc >= 0)
        rc = db_exec(s->db, err, SQL_SESSION_INSERT, "bii", hash, sizeof hash, who->token,
                     now + (int64_t)LIFETIME_S * 1000);
    if (rc >= 0)
        set_cookie(s, rq, secret, LIFETIME_S);
    return rc < 0 ? rc : 0;
}

int route_login(struct server *s, struct request *rq, struct err *err)
{
    char header[240];
    struct auth_who who;
    int rc = own_page(rq, 1, err);
    if (rc < 0)
        return rc;
    snprintf(header, sizeof header, "Bearer %s", json_string_value(json_object_get(request_body(rq), "token")));
    rc = auth_check(s->auth, header, request_address(rq), clock_mono_ms(), &who, err);
    explicit_bzero(header, sizeof header);
    if (rc < 0) {
        snprintf(err->where, sizeof err->where, "/token");
        return rc;
    }
    if (!(who.role & (API_ROLE_READ | API_ROLE_SUBMIT | API_ROLE_ADMIN)))
        return err_set(err, ERR_FORBIDDEN, "/token", "a token of role %s is for machines, not for a browser",
                       api_role_name(who.role));
    if ((rc = begin(s, rq, &who, err)) < 0)
        return rc;
    request_identify(rq, &who);
    return route_getSession(s, rq, err);
}

int route_logout(struct server *s, struct request *rq, struct err *err)
{
    unsigned char hash[HASH256_SIZE];
    int rc = hash_cookie(s, rq, hash) ? db_exec(s->db, err, SQL_SESSION_END, "b", hash, sizeof hash) : 0;
    set_cookie(s, rq, "", 0);
    return rc < 0 ? rc : request_empty(rq, 204);
}
