/* checkpoint: a file of named tensors, whatever its format (told by content): safetensors, PyTorch's zip form,
 * PyTorch's older form. Opening reads the directory only; tensors are read one by one as float32. */
#ifndef PROTO_CHECKPOINT_H
#define PROTO_CHECKPOINT_H

#include "proto/tensor.h"

#include <jansson.h>

struct checkpoint;

/* Borrows the source until the close. rename: {"their name": "our name"} or NULL; every left side must be in the file
 * (after "module." is dropped), no right side may meet another name. Errors: ERR_UNSUPPORTED, ERR_CORRUPT (where: byte,
 * member or tensor), ERR_INVALID for the rename table (where: "/rename/..."). */
int checkpoint_open(struct source *s, const json_t *rename, struct checkpoint **out, struct err *err);
void checkpoint_close(struct checkpoint *c); /* NULL is fine */

const char *checkpoint_format(const struct checkpoint *c); /* "safetensors", "pytorch" or "pytorch-legacy" */
size_t checkpoint_count(const struct checkpoint *c);
const struct tensor *checkpoint_at(const struct checkpoint *c, size_t i);
const struct tensor *checkpoint_find(const struct checkpoint *c, const char *name); /* NULL when absent */

/* All elements as float32, row-major; n must be the tensor's numel (ERR_INVALID). A NaN or infinity is refused
 * (ERR_INVALID): no network with one can be scored. May run in several threads if the source's read_at may. */
int checkpoint_read(const struct checkpoint *c, const struct tensor *t, float *out, size_t n, struct err *err);

/* Reads the whole file once against its own checksums (PyTorch's zip form has them) and tensors for NaN or infinity. */
int checkpoint_verify(const struct checkpoint *c, struct err *err);

#endif
