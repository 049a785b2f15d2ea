/* suggest: see suggest.h. Three rows of the dynamic programme, on the stack, for short words only. */
#include "proto/base/suggest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WORD = 64 };

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

int suggest_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > MAX_WORD || m > MAX_WORD)
        return INT_MAX;
    int rows[3][MAX_WORD + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = before[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            int swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        int *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

void suggest_init(struct suggest *s, const char *word)
{
    *s = (struct suggest){.word = word, .distance = 1 + (int)(strlen(word) / 3)};
}

void suggest_offer(struct suggest *s, const char *name)
{
    int d = suggest_distance(s->word, name);
    /* The first offer may lie at the limit; later ones must be nearer. A word shares something with what it means. */
    if ((d < s->distance || (!s->best && d == s->distance)) && d < (int)strlen(name)) {
        s->best = name;
        s->distance = d;
    }
}

const char *suggest_hint(struct suggest *s)
{
    s->hint[0] = 0;
    if (s->best)
        snprintf(s->hint, sizeof s->hint, " (did you mean \"%s\"?)", s->best);
    return s->hint;
}
