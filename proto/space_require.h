/* space_require: which combinations of decisions a space leaves out.
 *
 * A document may say {"require": ["a + b <= 4", {"for": "i", "start": 0, "to": 15, "that": "k[i + 1] <= k[i]"}]}:
 * expressions over constants and decisions that every architecture makes true. Each becomes a table over the few
 * decisions it reads. Counting, drawing and bounds multiply these tables in, so they stay exact; the survey does not
 * look at combinations that are left out, nor may a document's network be built for one. */
#ifndef PROTO_SPACE_REQUIRE_H
#define PROTO_SPACE_REQUIRE_H

#include "proto/space_parser.h"
#include "proto/space_tab.h"

enum { SPACE_MAX_REQUIREMENTS = 1024 };

struct space_requirement {
    struct tab tab;   /* of bytes: is the combination allowed? */
    const char *text; /* "/require/1 (i = 3)" */
};

int space_require_read(struct space_parser *p, const json_t *doc); /* doc may be NULL */

/* ERR_INVALID unless each decision that is read here is read by every architecture's network. After the survey. */
int space_require_check(const struct space *s, struct err *err);

/* care[w] = 1 where entry w of d may occur, 0 where a requirement over decisions of d alone forbids it. [d->size] */
void space_require_mark(const struct space *s, const struct dom *d, unsigned char *care);

#endif
