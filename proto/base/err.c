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

static const struct err_row rows[ERR_COUNT] = {[ERR_NONE] = {200, "none", 0},
#define ERR_ROW(name, status, type, retry) [ERR_##name] = {status, type, retry},
                                               ERR_MAP(ERR_ROW)
#undef ERR_ROW
};

/* Texts quote what strangers sent, and were perhaps cut: what is no UTF-8 or no printable character becomes '?', so
 * that every error can be put into JSON and on a terminal. */
static void clean(char *s)
{
    for (unsigned char *p = (unsigned char *)s; *p;) {
        int n = *p < 0x80                 ? 1
                : *p >= 0xc2 && *p < 0xe0 ? 2
                : *p >> 4 == 14           ? 3
                : *p >= 0xf0 && *p < 0xf5 ? 4
                                          : 0,
            ok = n;
        for (int i = 1; i < n && ok; i++)
            ok = (p[i] & 0xc0) == 0x80;
        ok = ok && !(n == 1 && (*p < 0x20 || *p == 0x7f)) && !(*p == 0xe0 && p[1] < 0xa0) &&
             !(*p == 0xed && p[1] > 0x9f) && !(*p == 0xf0 && p[1] < 0x90) && !(*p == 0xf4 && p[1] > 0x8f);
        if (!ok)
            *p = '?';
        p += ok ? n : 1;
    }
}

static void fill(struct err *e, enum err_code code, const char *where, const char *fmt, va_list ap)
{
    e->code = code;
    snprintf(e->where, sizeof e->where, "%s", where ? where : "");
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    clean(e->where);
    clean(e->text);
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
    clean(e->where);
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
