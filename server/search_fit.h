/* search_fit: can the pictures of a data set go through the networks of a space, and are its labels outputs of them?
 * Asked when a search is made, so that a mistake is not told by every worker for every candidate. */
#ifndef SERVER_SEARCH_FIT_H
#define SERVER_SEARCH_FIT_H

#include "proto/base/err.h"
#include "proto/shape.h"
#include "proto/space.h"

#include <jansson.h>
#include <stdint.h>

/* image: of the data set after its transform; labels: the largest label of the split that is scored, plus one. The
 * first architecture stands for all: they share input and outputs. ERR_INVALID at "/dataset". */
int search_fit(const struct space *space, struct shape image, int64_t labels, struct err *err);

/* The number of labels of a split, from a data set's stored description. */
int64_t search_fit_labels(const json_t *described, const char *split);

#endif
