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

/* ---- the whole space ---- */

const char *space_architectures(const struct space *s); /* how many, decimal, exact */
uint64_t space_architectures64(const struct space *s);  /* the same; UINT64_MAX when it does not fit */

struct space_bounds { /* smallest and largest cost of any architecture, cost.h's conventions */
    struct space_bound {
        int64_t min, max;
        int exact; /* 0: no architecture is outside, but the ends may not be reached */
    } conv_macs, all_macs, params;
};
const struct space_bounds *space_bounds(const struct space *s);

/* 1 when the architecture satisfies the document's "require", 0 with ERR_INVALID in *err (may be NULL) when not. What
 * parses, is drawn, mutated or crossed satisfies it; nothing here takes a choice that does not. */
int space_allowed(const struct space *s, const int *choice, struct err *err);

/* active: [ndecisions] filled with 0 or 1. normalise: inactive decisions become option 0. */
void space_active(const struct space *s, const int *choice, unsigned char *active);
void space_normalise(const struct space *s, int *choice);

/* Architecture number `index` (< space_architectures64), each once; the order is fixed by the document. */
int space_nth(const struct space *s, uint64_t index, int *choice, struct err *err);

/* Every architecture with the same probability. */
void space_sample(const struct space *s, struct rng *r, int *choice);
/* Every active decision is drawn anew with probability p, uniformly from all its options, the present one included;
 * again, as often as "require" refuses what comes out, up to a bound: then the child is the (first) parent. */
void space_mutate(const struct space *s, struct rng *r, const int *parent, double p, int *child);
/* Every decision from either parent with probability 1/2. */
void space_crossover(const struct space *s, struct rng *r, const int *a, const int *b, int *child);

/* cost.h's conv_macs and params for the input that the document names, from tables: as a plan's, and much sooner. */
int space_cost(const struct space *s, const int *choice, int64_t *conv_macs, int64_t *params, struct err *err);

/* What an architecture must satisfy; max 0: no limit. By cost.h's conv_macs and params. */
struct space_limits {
    int64_t macs_min, macs_max, params_min, params_max;
};
/* 1 when the architecture is inside, 0 when not, < 0 on failure. */
int space_within(const struct space *s, const int *choice, const struct space_limits *l, struct err *err);
/* Uniform over the architectures inside, by rejection: at most `tries` draws, then ERR_INVALID. */
int space_sample_within(const struct space *s, struct rng *r, const struct space_limits *l, int tries, int *choice,
                        struct err *err);

/* ---- parameters of the supernet ---- */

int space_ntensors(const struct space *s);
const char *space_tensor(const struct space *s, int i, int *ndim, const int32_t **dims);

/* Builds the plan of one architecture for images of shape `input`. active (may be NULL): [ndecisions] set to 1 or 0.
 * ERR_INVALID when the network cannot be built (where = JSON pointer), ERR_TOO_LARGE beyond SPACE_MAX_NODES. */
int plan_build(struct arena *a, const struct space *s, const int *choice, struct shape input, unsigned char *active,
               struct plan *out, struct err *err);

#endif
