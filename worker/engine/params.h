/* params: the parameters of one checkpoint as the back end wants them.
 *
 * A plan names slices of checkpoint tensors (proto/plan.h). This room reads them, makes the derived ones (learned
 * kernel transforms, group masks), checks that every value is finite and packs them for an operator, once for as long
 * as the checkpoint is in use: all candidates and all jobs share a packed tensor. A tensor that is taken whole is held
 * packed only; one that slices are taken from stays as it was read, too. It decides nothing about the checkpoint's
 * format: tensors come from a callback. */
#ifndef ENGINE_PARAMS_H
#define ENGINE_PARAMS_H

#include "worker/engine/op.h"

/* A whole tensor of the checkpoint, dense float32 of p->dims: `out` holds the product of dims. 0, or an error that
 * names the tensor (missing, other shape, other type). */
struct params_source {
    int (*read)(void *ctx, const struct param *p, float *out, struct err *err);
    void *ctx;
};

struct params; /* the cache; used by one thread */

struct params *params_new(struct params_source source); /* NULL: no memory */
void params_free(struct params *ps);

/* Parameter `index` of the site, packed by the row (or padded: op.h). The answer lives as long as `ps`.
 * ERR_INVALID when a value is NaN or infinite, err->where naming the tensor. */
int params_get(struct params *ps, const struct op_row *row, const struct op_site *site, int index, const float **out,
               struct err *err);

/* The same for a vector that no row packs (BatchNorm): [padded c], lanes past c zero. */
int params_vector(struct params *ps, const struct param *p, const float **out, struct err *err);

size_t params_bytes(const struct params *ps); /* held now */

int params_dense(struct params *ps, const struct param *p, float *out,
                 struct err *err); /* as proto/param_values.h makes them */

#endif
