/* search_space: a space document as strategies see it (search.h). Decides nothing: it translates option indices and
 * counts by the plan of each architecture (convolution and linear MACs, trainable parameters; cost.h). */
#ifndef SERVER_SEARCH_SPACE_H
#define SERVER_SEARCH_SPACE_H

#include "proto/space.h"
#include "server/search.h"

/* `space` must outlive *out; `input` is the shape of the images that will be scored. Bounds of the cost are the space's
 * own when `input` is the shape its document names, else unknown. */
int search_space_open(const struct space *space, struct shape input, struct search_space *out, struct err *err);
void search_space_close(struct search_space *s); /* a zeroed one is legal */

#endif
