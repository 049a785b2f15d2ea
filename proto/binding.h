/* binding: does a checkpoint fit a space? Compares its tensors, by name, with all parameters of the space's largest
 * network: every option of every decision. */
#ifndef PROTO_BINDING_H
#define PROTO_BINDING_H

#include "proto/space.h"

struct binding_tensor { /* what the checkpoint has */
    const char *name;
    int ndim;
    const int64_t *dims;
};

struct binding_problem {
    const char *tensor;  /* lives as long as the space */
    const char *problem; /* lives as long as the arena */
};

struct binding {
    int nmissing, nmisshapen, nproblems; /* nproblems: entries of problems, at most the limit asked for */
    struct binding_problem *problems;
    int nunused;
    const char *const *unused; /* names of the caller's tensors that no architecture reads */
    int64_t params;            /* values of the tensors that are used */
};

/* Is a tensor of the checkpoint (have) the one the space needs (want)? Dimensions of 1 at either end may differ: (C)
 * fits (1, C), and a linear layer's (O, I) fits the (O, I, 1, 1) of a convolution over tokens. */
int binding_same_shape(int n, const int32_t *want, int m, const int64_t *have);

/* Fills *out from arena a. num_batches_tracked counters are neither needed nor unused. */
int binding_check(struct arena *a, const struct space *s, const struct binding_tensor *tensors, size_t n,
                  int max_problems, struct binding *out, struct err *err);

#endif
