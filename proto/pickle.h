/* pickle: a machine for Python's pickles (protocols 2 to 5) that executes nothing. It knows the globals that state
 * dicts are made of, by name; any other name is refused, and no name ever becomes a call. What it cannot use but knows
 * to be harmless (an optimiser's numpy scalar, argparse's namespace) becomes an opaque value.
 *
 * Memory: every instruction costs a bounded amount, so the arena grows with the pickle read; its limit is the last
 * word. Nothing recurses: values refer to each other and are walked by the reader to a depth of its choosing. */
#ifndef PROTO_PICKLE_H
#define PROTO_PICKLE_H

#include "proto/base/arena.h"
#include "proto/source.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_BIGINT, /* more than 64 bits: bytes, little-endian */
    PICKLE_FLOAT,
    PICKLE_STRING, /* text or bytes */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_GLOBAL,
    PICKLE_STORAGE, /* index: the reader's number for it */
    PICKLE_TENSOR,
    PICKLE_OPAQUE
};

struct pickle_value {
    enum pickle_kind kind;
    uint32_t index; /* of the storage; row of the global */
    union {
        int64_t i;
        double f;
        const struct pickle_string *string;
        struct pickle_seq *seq; /* tuple and list: the items; dict: key, value, key, value ... */
        const struct pickle_tensor *tensor;
    } u;
};
struct pickle_string {
    size_t n;
    char text[]; /* n bytes and a terminator */
};
struct pickle_seq {
    size_t count, capacity;
    struct pickle_value *items;
};
struct pickle_tensor {
    uint32_t storage;
    int64_t offset; /* in elements */
    int ndim;
    int64_t dims[8], strides[8];
};

/* Called for every persistent id (a tuple such as ("storage", FloatStorage, "0", "cpu", 432)): fills *out. */
typedef int pickle_persistent(void *ctx, const struct pickle_seq *id, struct pickle_value *out, struct err *err);

/* Reads one pickle and leaves the cursor behind its STOP. */
int pickle_read(struct cursor *c, struct arena *a, pickle_persistent *persistent, void *ctx, struct pickle_value *out,
                struct err *err);

int pickle_is_string(const struct pickle_value *v, const char *text);
const struct pickle_value *pickle_get(const struct pickle_value *dict,
                                      const char *key);      /* NULL when absent or no dict */
int pickle_storage_dtype(const struct pickle_value *global); /* enum dtype of torch.FloatStorage ..., or -1 */
const char *pickle_kind_name(enum pickle_kind kind);

#endif
