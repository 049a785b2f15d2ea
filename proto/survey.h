/* survey: the state of one walk through all architectures of a space, shared by the files that make it: survey_worlds.c
 * (tables of values, one entry at a time), survey_facts.c (parameters and costs), survey_names.c (names of tensors and
 * modules), survey_branches.c (choices, loops, branches), space_survey.c (the walk itself). */
#ifndef PROTO_SURVEY_H
#define PROTO_SURVEY_H

#include "proto/base/strmap.h"
#include "proto/plan_builder.h"
#include "proto/space_tab.h"

enum { SURVEY_MAX_NAMED = 512 }; /* named tensors alive */

/* Elements of tables have no padding: they are compared as bytes. */
struct slot_value {
    double num[2];
    const char *str[2];
    int32_t type[2];
};
struct tensor_value {
    int32_t c, h, w, full, defined;
};
struct path_value {
    const char *path; /* interned */
    int32_t npath, nparent;
};
struct layer_value {
    struct cost_term cost;
    struct tensor_value tensor;
    int32_t zero;
};
struct int_value {
    int64_t v;
};

struct named_tab {
    int name;
    int64_t index;
    struct tab value;
};

struct survey {
    struct space *s;
    struct arena arena; /* dies with the survey */
    struct plan_builder b;
    struct frame frame; /* concrete values of one entry */
    int choice[SPACE_MAX_DECISIONS];
    unsigned char known[SPACE_MAX_DECISIONS], reads[SPACE_MAX_DECISIONS];
    struct tab *slots; /* [SPACE_MAX_SLOTS] of the current body */
    struct tab guard, path, cur;
    struct named_tab *named;
    int nnamed, named_base, depth, steps, site;
    struct strmap strings, tensors;
    int *tensor_site; /* which layer named a tensor first */
    struct err *err;
};

/* One entry: plan_build's state is concrete; out is the entry's element. */
typedef int world_fn(struct survey *sv, const void *ctx, void *out);

/* The decisions that the slots of expressions depend on. */
struct refs {
    struct survey *sv;
    struct dom dom;
    int rc;
};

/* ---- survey_worlds.c ---- */

int survey_no_memory(struct survey *sv);
/* [d->size]: which entries may occur; NULL when all may, or without memory. The caller frees it. */
unsigned char *survey_care(const struct survey *sv, const struct dom *d);
/* The same pointer for equal texts, as long as the space; NULL without memory. */
const char *survey_intern(struct survey *sv, const char *text);
/* out = fn for every entry of start and of the decisions that fn turns out to read. */
int survey_entries(struct survey *sv, const struct dom *start, world_fn *fn, const void *ctx, size_t elem,
                   struct tab *out);
void survey_expr_refs(struct refs *r, const struct expr *x);
void survey_tmpl_refs(struct refs *r, const struct tmpl *t);
/* The same for the decisions that an expression depends on. */
int survey_expr(struct survey *sv, const struct expr *x, world_fn *fn, const void *ctx, size_t elem, struct tab *out);
/* World functions of an expression: struct int_value, struct slot_value, a byte. */
int survey_eval_int(struct survey *sv, const void *ctx, void *out);
int survey_eval_slot(struct survey *sv, const void *ctx, void *out);
int survey_set_slot(struct survey *sv, int slot, int64_t v);
int survey_eval_when(struct survey *sv, const void *ctx, void *out);
/* *t = which ? *t : otherwise, wherever the guard holds. */
int survey_join(struct survey *sv, struct tab *t, const struct tab *otherwise, const struct tab *which);

/* ---- survey_facts.c ---- */

/* Reads parameters and costs off the nodes that a step has made after the placeholder. */
int survey_record(struct survey *sv, const struct layer *l, struct cost_term *cost);
void survey_put_tensor(struct tensor_value *out, const struct tensor *t);
/* The result of a layer (struct layer_value) becomes the current tensor; its cost is noted. */
int survey_accept(struct survey *sv, struct tab *layer);
int survey_prim(struct survey *sv, const struct layer *l);

/* ---- survey_names.c ---- */

int survey_ref_index(struct survey *sv, const struct tensor_ref *r, int64_t *index);
int survey_find_named(struct survey *sv, const struct tensor_ref *r, struct tab *out);
int survey_set_named(struct survey *sv, int name, int64_t index, const struct tab *value, const char *where);
int survey_take_named(struct survey *sv, const struct tensor_ref *r);
int survey_enter_name(struct survey *sv, const struct layer *l, int number);
int survey_name_block(struct survey *sv, const struct tmpl *t);

/* ---- survey_branches.c ---- */

/* Narrows the guard to `keep` (a table that is 0 outside the guard). Returns the old one. */
struct tab survey_narrow(struct survey *sv, const struct tab *keep);
int survey_choose(struct survey *sv, const struct layer *l);
int survey_for(struct survey *sv, const struct layer *l);
int survey_branches(struct survey *sv, const struct layer *l);

/* ---- space_survey.c ---- */

/* *keep: where the layer is not left out. */
int survey_layer(struct survey *sv, const struct layer *l, int number, struct tab *keep);

#endif
