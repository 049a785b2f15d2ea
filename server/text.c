/* text: see text.h. */
#include "server/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_add(struct text *t, const char *s, size_t n)
{
    if (t->broken || !n) /* nothing may come from nowhere */
        return;
    if (t->len + n > t->cap) {
        size_t cap = t->cap ? t->cap : 1024;
        while (cap < t->len + n)
            cap *= 2;
        char *p = realloc(t->p, cap);
        if (!p) {
            t->broken = 1;
            return;
        }
        t->p = p;
        t->cap = cap;
    }
    memcpy(t->p + t->len, s, n);
    t->len += n;
}

void text_put(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_real(struct text *t, double v)
{
    char s[40];
    int n = snprintf(s, sizeof s, "%.15g", v);
    if (strtod(s, NULL) != v)
        n = snprintf(s, sizeof s, "%.17g", v);
    text_add(t, s, (size_t)n);
}

void text_int(struct text *t, int64_t v)
{
    char s[24], *end = s + sizeof s, *p = end;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    text_add(t, p, (size_t)(end - p));
}

static int is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

void text_json(struct text *t, const char *s)
{
    text_add(t, "\"", 1);
    while (*s) {
        size_t n = 0;
        while (is_plain((unsigned char)s[n]))
            n++;
        text_add(t, s, n);
        s += n;
        if (*s) {
            char u[8];
            text_add(t, u, (size_t)snprintf(u, sizeof u, "\\u%04x", (unsigned)*s++));
        }
    }
    text_add(t, "\"", 1);
}

void text_clear(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}
