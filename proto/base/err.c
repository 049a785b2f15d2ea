/* err: fills error records; decides nothing about who hears of them. */
#include "proto/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    int status;
    const char *type;
    int retry;
};

static const struct err_row rows[ERR_COUNT] = {
    [ERR_NONE] = {200, "none", 0},
#define ERR_ROW(name, status, type, retry) [ERR_##name] = {status, type, retry},
    ERR_MAP(ERR_ROW)
#undef ERR_ROW
};

static void fill(struct err *e, enum err_code code, const char *where, const char *fmt, va_list ap)
{
    e->code = code;
    snprintf(e->where, sizeof e->where, "%s", where ? where : "");
    vsnprintf(e->text, sizeof e->text, fmt, ap);
}

int err_set(struct err *e, enum err_code code, const char *where, const char *fmt, ...)
{
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, code, where, fmt, ap);
        va_end(ap);
    }
    return -(int)code;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e)
        return;
    char outer[sizeof e->where], inner[sizeof e->where];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(outer, sizeof outer, fmt, ap);
    va_end(ap);
    memcpy(inner, e->where, sizeof inner);
    size_t n = strlen(outer);
    memcpy(e->where, outer, n + 1);
    snprintf(e->where + n, sizeof e->where - n, "%s", inner);
}

int err_errno(struct err *e, int errno_value, const char *where, const char *fmt, ...)
{
    enum err_code code = errno_value == ENOSPC || errno_value == EDQUOT ? ERR_DISK_FULL
                         : errno_value == ENOMEM                        ? ERR_NO_MEMORY
                                                                        : ERR_IO;
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        fill(e, code, where, fmt, ap);
        va_end(ap);
        size_t n = strlen(e->text);
        snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(errno_value));
    }
    return -(int)code;
}

int err_status(enum err_code code)
{
    return rows[code].status;
}

const char *err_type(enum err_code code)
{
    return rows[code].type;
}

int err_retry(enum err_code code)
{
    return rows[code].retry;
}
