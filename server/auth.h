/* auth: who is calling. Secrets are 256 random bits; the database and this table hold only their SHA-256. Lookups
 * compare in constant time; bad tokens from one address are limited. It decides identity, the contract's x-roles decide
 * permission. */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "proto/api.h"
#include "proto/base/err.h"
#include "proto/base/hash.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

struct auth;
struct db;

struct auth_who {
    enum api_role role; /* API_ROLE_OPEN: nobody */
    int64_t token, worker;
    char name[201];
};

int auth_new(struct db *db, struct auth **out, struct err *err); /* reads the table of tokens */
void auth_free(struct auth *a);
int auth_reload(struct auth *a, struct err *err); /* after a commit failed */

/* Makes a secret, stores its hash, fills secret[AUTH_SECRET_TEXT]. worker 0: a person's or a program's. */
enum { AUTH_SECRET_TEXT = 72 };
int auth_create(struct auth *a, enum api_role role, const char *name, int64_t worker, char *secret, int64_t *id,
                struct err *err);
int auth_revoke(struct auth *a, int64_t id, struct err *err); /* ERR_NOT_FOUND */
int auth_revoke_worker(struct auth *a, int64_t worker, struct err *err);

/* header: the Authorization field or NULL (who becomes nobody). ERR_UNAUTHORIZED for a bad one, ERR_RATE when this
 * address sent too many bad ones. */
int auth_check(struct auth *a, const char *header, const struct sockaddr *from, int64_t now_ms, struct auth_who *who,
               struct err *err);

/* First start: writes an admin token and a join token to files of mode 0600 in dir unless such tokens exist. */
int auth_bootstrap(struct auth *a, const char *dir, struct err *err);

#endif
