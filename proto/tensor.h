/* tensor: what a checkpoint file says of one tensor, whatever the file's format, and how its bytes become float32.
 * Both readers end in a list of these; none of them copies data. */
#ifndef PROTO_TENSOR_H
#define PROTO_TENSOR_H

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/source.h"

#include <stddef.h>
#include <stdint.h>

/* X(name, bytes, safetensors' name, the prefix of PyTorch's storage class) */
#define DTYPE_MAP(X)                                                                                                   \
    X(F32, 4, "F32", "Float")                                                                                          \
    X(F16, 2, "F16", "Half")                                                                                           \
    X(BF16, 2, "BF16", "BFloat16")                                                                                     \
    X(F64, 8, "F64", "Double")                                                                                         \
    X(I64, 8, "I64", "Long")                                                                                           \
    X(I32, 4, "I32", "Int")                                                                                            \
    X(I16, 2, "I16", "Short")                                                                                          \
    X(I8, 1, "I8", "Char")                                                                                             \
    X(U8, 1, "U8", "Byte")                                                                                             \
    X(BOOL, 1, "BOOL", "Bool")

enum dtype {
#define DTYPE_ENUM(name, bytes, safe, torch) DTYPE_##name,
    DTYPE_MAP(DTYPE_ENUM)
#undef DTYPE_ENUM
        DTYPE_COUNT
};
enum { TENSOR_MAX_DIMS = 8, TENSOR_MAX_NAME = 512 };

struct tensor {
    const char *name; /* UTF-8, no control characters */
    enum dtype dtype;
    int ndim; /* 0: a scalar */
    int64_t dims[TENSOR_MAX_DIMS];
    int64_t strides[TENSOR_MAX_DIMS]; /* in elements, not negative */
    int64_t numel;                    /* product of dims; numel * size of the dtype <= size of the source */
    uint64_t offset;                  /* of the first element, from the start of the source */
    uint64_t span;                    /* bytes from the first element to the end of the last; 0 when empty */
};
struct tensor_list {
    struct tensor *items;
    size_t count, capacity;
};

size_t dtype_size(enum dtype t);
const char *dtype_name(enum dtype t);                                  /* "F32" */
int dtype_from_name(const char *name);                                 /* safetensors' name -> enum dtype, or -1 */
int dtype_from_torch(const char *prefix, size_t n);                    /* "Float" -> DTYPE_F32, or -1 */
void dtype_to_f32(enum dtype t, const void *in, size_t n, float *out); /* in: little-endian, any alignment */

/* Fills numel and, when `contiguous`, the strides; ERR_CORRUPT for a product that cannot be. where = name. */
int tensor_shape(struct tensor *t, int contiguous, struct err *err);
/* Fills span and checks that [offset, offset + span) lies inside [begin, end) and that no element is counted twice. */
int tensor_bounds(struct tensor *t, uint64_t begin, uint64_t end, struct err *err);
int tensor_name_check(const char *name, size_t n, struct err *err); /* UTF-8, printable, 1 to TENSOR_MAX_NAME bytes */

/* All elements in row-major order as float32; out holds numel. */
int tensor_read(const struct tensor *t, struct source *s, float *out, struct err *err);

struct tensor *tensor_list_add(struct tensor_list *l, struct arena *a); /* zeroed; NULL without memory */

#endif
