/* shape: the output shape of every primitive operator. */
#ifndef PROTO_SHAPE_H
#define PROTO_SHAPE_H

#include "proto/plan.h"

/* Shape of one sample after op. ERR_INVALID (where empty) when the inputs do not fit. *out is also read: SLICE takes
 * out->c, RESIZE and UNTOKENS out->h and out->w, ZERO all of it. */
int shape_infer(enum op_kind op, const struct plan_attr *attr, const struct param *const *params,
                const struct shape *in, int nin, struct shape *out, struct err *err);

int shape_equal(struct shape a, struct shape b);

#endif
