/* suggest: "did you mean": the offered name nearest to a misspelt word by edit distance (insertions, deletions,
 * substitutions and swaps of neighbours, each 1), when it is near enough to be worth saying. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

enum { SUGGEST_HINT = 128 };

struct suggest {
    const char *word, *best; /* best: NULL while nothing is near enough */
    int distance;
    char hint[SUGGEST_HINT];
};

int suggest_distance(const char *a, const char *b); /* of words up to 64 bytes; INT_MAX for longer ones */

void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *name); /* name must outlive s */
const char *suggest_hint(struct suggest *s);             /* " (did you mean \"expand\"?)", or "" ; lives in s */

#endif
