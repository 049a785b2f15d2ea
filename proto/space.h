/* space: the search space document. It names decisions and the network they shape; parsed once into a compact form that
 * plan_build walks. The language is described in README ("Your own space") and by the documents in proto/spaces/.
 *
 * An architecture is an array `choice` of space_ndecisions() option indices. A decision is active under it when the
 * network reads it while it is built; others are normalised to option 0, so equal architectures have equal codes.
 * A space is immutable after parsing: any number of threads may read it. */
#ifndef PROTO_SPACE_H
#define PROTO_SPACE_H

#include "proto/base/err.h"
#include "proto/base/rng.h"
#include "proto/plan.h"

#include <jansson.h>
#include <stddef.h>

enum {
    SPACE_VERSION = 1,
    SPACE_MAX_DECISIONS = 1024,
    SPACE_MAX_OPTIONS = 1024,
    SPACE_MAX_BLOCKS = 256,
    SPACE_MAX_NODES = 20000,   /* of one plan */
    SPACE_MAX_CODE = 8192,     /* bytes of a code with its terminator */
    SPACE_MAX_BYTES = 1 << 20, /* of a document */
    SPACE_MAX_MEMORY = 32 << 20
};

struct space;

/* A new space, or NULL. ERR_BAD_REQUEST: no JSON; ERR_INVALID with err->where = JSON pointer of the offending value. */
int space_parse(const char *text, size_t len, struct space **out, struct err *err);
int space_parse_json(const json_t *doc, struct space **out, struct err *err);
void space_free(struct space *s);

const char *space_name(const struct space *s);
struct shape space_input(const struct space *s); /* the input shape that the document names */

/* Decisions, in the order of the document. */
int space_ndecisions(const struct space *s);
const char *space_decision_name(const struct space *s, int decision); /* "layer[3]" */
int space_noptions(const struct space *s, int decision);
const char *space_option(const struct space *s, int decision, int option); /* as text: "mb3_k3", "5" */

int space_nblocks(const struct space *s); /* sections marked with "block" */
const char *space_block(const struct space *s, int block);

/* Code to decisions and back, in the document's encoding. A space without decisions has the empty code.
 * ERR_INVALID with where "code"; print needs at most SPACE_MAX_CODE bytes. */
int space_code_parse(const struct space *s, const char *code, int *choice, struct err *err);
int space_code_print(const struct space *s, const int *choice, char *out, size_t size, struct err *err);

/* Builds the plan of one architecture for images of shape `input`. active (may be NULL): [ndecisions] set to 1 or 0.
 * ERR_INVALID when the network cannot be built (where = JSON pointer), ERR_TOO_LARGE beyond SPACE_MAX_NODES. */
int plan_build(struct arena *a, const struct space *s, const int *choice, struct shape input, unsigned char *active,
               struct plan *out, struct err *err);

#endif
