/* torchfile: what torch.save wrote: the zip form (1.6 and later) and the older form of five pickles followed by the
 * storages. Nothing is executed (see pickle.h); TorchScript archives and whole pickled models are refused by name.
 *
 * The state dict is the dict of tensors found, in this order: under "state_dict", "model_state_dict", "model", "net",
 * "network", "supernet", "ema", "state_dict_ema" (each may hold one of the others again), or else the top itself.
 * "module." (DataParallel) and "_orig_mod." (torch.compile) are dropped where every name has them. Members that are no
 * tensors are ignored. */
#ifndef PROTO_TORCHFILE_H
#define PROTO_TORCHFILE_H

#include "proto/tensor.h"

enum torchfile_form { TORCHFILE_NONE, TORCHFILE_ZIP, TORCHFILE_LEGACY };

enum torchfile_form torchfile_detect(struct source *s);
/* The tensors in the order of the dict; names and list live in the arena. */
int torchfile_open(struct source *s, enum torchfile_form form, struct arena *a, struct tensor_list *out,
                   struct err *err);
int torchfile_check(struct source *s, enum torchfile_form form, struct err *err); /* the zip members' checksums */

#endif
