/* err: the one list of what can go wrong, and the record that carries it.
 *
 * What can fail returns int: 0, or the negative code that err_set returned, and fills `struct err` once, where the
 * cause is known. Layers between only pass the code on. ERR_MAP is the single source of the HTTP status, the stable
 * problem type and the retry hint; only http.c, agent.c and the two main.c speak to the outside. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* X(name, HTTP status, problem type, may the same request succeed later?) */
#define ERR_MAP(X)                                        \
    X(BAD_REQUEST, 400, "bad-request", 0)                 \
    X(UNAUTHORIZED, 401, "unauthorized", 0)               \
    X(FORBIDDEN, 403, "forbidden", 0)                     \
    X(NOT_FOUND, 404, "not-found", 0)                     \
    X(METHOD, 405, "method-not-allowed", 0)               \
    X(CONFLICT, 409, "conflict", 0)                       \
    X(GONE, 410, "gone", 0)                               \
    X(TOO_LARGE, 413, "too-large", 0)                     \
    X(RANGE, 416, "range-not-satisfiable", 0)             \
    X(INVALID, 422, "invalid", 0)                         \
    X(CORRUPT, 422, "corrupt", 0)                         \
    X(UNSUPPORTED, 422, "unsupported", 0)                 \
    X(VERSION, 426, "version", 0)                         \
    X(RATE, 429, "rate-limited", 1)                       \
    X(INTERNAL, 500, "internal", 1)                       \
    X(IO, 500, "io", 1)                                   \
    X(NO_MEMORY, 503, "no-memory", 1)                     \
    X(BUSY, 503, "busy", 1)                               \
    X(CANCELLED, 503, "cancelled", 1)                     \
    X(NETWORK, 504, "network", 1)                         \
    X(DISK_FULL, 507, "disk-full", 1)

enum err_code {
    ERR_NONE = 0,
#define ERR_ENUM(name, status, type, retry) ERR_##name,
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
    ERR_COUNT
};

struct err {
    enum err_code code;
    char where[256]; /* JSON pointer, file offset or tensor name; empty when there is no place */
    char text[512];  /* one sentence, no newline */
};

/* Fills e (which may be NULL) and returns -code, so that `return err_set(e, ERR_INVALID, "/a", "...")` reads well. */
int err_set(struct err *e, enum err_code code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts `prefix` before e->where: a caller that knows the outer place completes the path ("/layers/3" + "/k"). */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same for system calls: the text ends with strerror(errno_value); ENOSPC and EDQUOT become ERR_DISK_FULL,
 * ENOMEM becomes ERR_NO_MEMORY, everything else ERR_IO. */
int err_errno(struct err *e, int errno_value, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

int err_status(enum err_code code);
const char *err_type(enum err_code code);
int err_retry(enum err_code code);

#endif
