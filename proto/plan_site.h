/* plan_site: one primitive layer being made: its attributes as values, its parameters by name. Functions return 0 or a
 * negative error with the place set; those that return a pointer NULL. plan_weights.c makes the layers that have
 * weights, plan_layer.c the others. */
#ifndef PROTO_PLAN_SITE_H
#define PROTO_PLAN_SITE_H

#include "proto/plan_builder.h"

struct site {
    struct plan_builder *b;
    const struct layer *l;
    struct expr_env env, full;
    struct plan_attr attr;
};
int site_no_memory(struct site *s);

/* An attribute's value, within lo to hi; `otherwise` where the document does not give it. */
int site_int(struct site *s, enum attr_id id, int64_t lo, int64_t hi, int64_t otherwise, int32_t *out);
int site_bool(struct site *s, enum attr_id id, int otherwise, int *out);
int site_float(struct site *s, enum attr_id id, double otherwise, float *out);
int site_act(struct site *s, int32_t *out); /* the activation that A_KIND names */
/* The attribute in the largest network, unless `explicit_id` says what it is. */
int site_full(struct site *s, enum attr_id id, enum attr_id explicit_id, int32_t actual, int32_t *out);
/* Kernel, dilation and padding, by default pad_of_kernel times what keeps the size. */
int site_window(struct site *s, int64_t pad_of_kernel);

/* A name given as a text stands beside the layer: it belongs to the enclosing container. The error is set. */
const char *site_name(struct site *s, enum attr_id id, const char *suffix);
/* Parameters of the largest network's size `dims`, of which the first `count` are used; without memory NULL, and the
 * error is not set. name NULL: NULL. The layer's own are called path "." suffix. */
struct param *site_param(struct site *s, const char *name, int ndim, const int32_t *dims, const int32_t *count);
struct param *site_vector(struct site *s, const char *name, int32_t full, int32_t count);
struct param *site_own(struct site *s, const char *suffix, int ndim, const int32_t *dims, const int32_t *count);
struct param *site_own_vector(struct site *s, const char *suffix, int32_t full, int32_t count);

/* Layers with weights, applied to *t. */
int plan_weights_conv(struct site *s, struct tensor *t);
int plan_weights_linear(struct site *s, struct tensor *t);
int plan_weights_norm(struct site *s, struct tensor *t);
int plan_weights_tokens(struct site *s, struct tensor *t);
int plan_weights_addparam(struct site *s, struct tensor *t);
int plan_weights_embed(struct site *s, struct tensor *t);
int plan_weights_attention(struct site *s, struct tensor *t);

#endif
