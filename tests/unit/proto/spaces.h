/* spaces: spaces of proto/spaces/ for tests, plans as text, golden files, files of the shared directory. */
#ifndef UNIT_PROTO_SPACES_H
#define UNIT_PROTO_SPACES_H

#include "proto/cost.h"
#include "proto/space.h"

#include <stdio.h>

struct space *spaces_open(const char *name); /* "nas-bench-macro"; fails the test when it does not parse */
struct space *spaces_doc(const char *text);  /* the same for a text */
void spaces_bad(const char *text, const char *where, const char *said); /* must be refused so */

/* Plan of a code; the arena's. NULL choice text means the space without decisions. */
void spaces_plan(struct arena *a, const struct space *s, const char *code, struct plan *p);
struct cost spaces_cost(const struct space *s, const char *code);

void spaces_round_trips(const struct space *s); /* samples, mutants and crossings: codes, activity, plans, bounds */
void spaces_document(const char *name, const char *architectures); /* opens, counts, round trips */

/* Compares the plan's text with tests/golden/plans/<file>.txt; SUBRANK_GOLDEN=write writes it. */
void spaces_golden(const struct space *s, const char *code, const char *file);

/* Opens a file of the shared directory (SUBRANK_SHARED or ../shared); skips the test when it is absent. */
FILE *spaces_shared(const char *path);

#endif
