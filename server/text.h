/* text: a growing string, and the pieces of JSON documents that are written without building a tree first: exports of
 * a million rows, leases by the thousand. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text { /* zeroed: empty. Without a terminator. */
    char *p;
    size_t len, cap;
    int broken; /* memory was out: the text has holes and must not be used */
};

void text_add(struct text *t, const char *s, size_t n);
void text_put(struct text *t, const char *s);
void text_int(struct text *t, int64_t v);
void text_real(struct text *t, double v);      /* finite; the shorter of 15 and 17 digits that reads back the same */
void text_json(struct text *t, const char *s); /* as a JSON string, in quotes */
void text_clear(struct text *t);

#endif
