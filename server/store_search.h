/* store_search: searches and their candidates as rows. */
#ifndef SERVER_STORE_SEARCH_H
#define SERVER_STORE_SEARCH_H

#include "server/db.h"
#include "server/searches.h"

struct arena;

int store_search_all(struct db *db, struct search_run **list, struct err *err); /* newest first, rows only */
/* body as the contract's SearchCreate; fills the defaults and checks what refers to the checkpoint and the data set. */
int store_search_insert(struct db *db, const json_t *body, const char *owner, struct search_run **out, struct err *err);
int store_search_strategy(struct db *db, const struct search_run *r, struct err *err);
int store_search_patch(struct db *db, struct search_run *r, const json_t *body, struct err *err);
/* finished and summary of the run: what shows when its rows are not in memory. */
int store_search_state(struct db *db, const struct search_run *r, const char *state, const json_t *error,
                       struct err *err);

int store_search_limits(const json_t *constraints, struct search_limits *out, struct err *err);
/* The shape of a data set's images after its transform. ERR_INVALID at "/dataset" when there is none. */
int store_search_image(struct db *db, int64_t dataset, struct shape *out, struct err *err);
/* The shape of an image and the number of labels in the split that is scored. */
int store_search_shape(struct db *db, const struct search_run *r, struct shape *out, int64_t *labels, struct err *err);
int store_search_space(struct db *db, int64_t space, struct space **out, struct err *err);
int store_search_blobs(struct db *db, int64_t checkpoint, int64_t dataset, unsigned char (*out)[HASH256_SIZE],
                       size_t room, size_t *n, struct err *err);
int store_search_input(struct db *db, const struct search_run *r, json_t **out,
                       struct err *err); /* job document, no candidates */

int store_search_code(struct db *db, int64_t search, uint32_t row, struct arena *a, const char **out, struct err *err);
/* One candidate as scores_get gives it; its code in a. */
int store_search_row(struct db *db, int64_t search, uint32_t row, struct arena *a, struct scores_row *out,
                     struct err *err);
int store_search_propose(struct db *db, int64_t search, const struct search_proposal *p, struct err *err);
int store_search_truth(struct db *db, int64_t search, struct scores *scores, struct err *err);

/* The same for one code: known accuracies may have come before the architecture was proposed. */
int store_search_truth_of(struct db *db, int64_t search, const char *code, struct scores *scores, struct err *err);

#endif
