/* score_cache: what outlives a score job in a compute process: the parsed space, the checkpoint with its packed
 * weights, the decoded images; the last of each kind. Handed out pointers live until the next call for that kind. */
#ifndef ENGINE_SCORE_CACHE_H
#define ENGINE_SCORE_CACHE_H

#include "proto/space.h"
#include "worker/engine/images.h"
#include "worker/engine/params.h"
#include "worker/engine/score.h"

int score_cache_space(struct score_cache *c, const json_t *document, struct space **out, struct err *err);
int score_cache_images(struct score_cache *c, const json_t *document, const struct score_files *files,
                       struct images **out, struct err *err);
/* `checkpoint`: {"blob", "rename"?} of the job; `backend`: packed weights belong to it. */
int score_cache_params(struct score_cache *c, const json_t *checkpoint, const char *backend,
                       const struct score_files *files, struct params **out, struct err *err);

#endif
