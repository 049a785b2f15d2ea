/* pickle_globals: the names a pickle may refer to and what calling them stands for. Everything else is refused. */
#ifndef PROTO_PICKLE_GLOBALS_H
#define PROTO_PICKLE_GLOBALS_H

#include <stdint.h>

enum pickle_call {
    CALL_DICT,      /* an ordered dict: empty, or from a list of pairs */
    CALL_TENSOR,    /* storage, offset, size, stride, ... */
    CALL_PARAMETER, /* its first argument */
    CALL_SIZE,      /* a tuple */
    CALL_STORAGE,   /* only named in persistent ids, never called */
    CALL_OPAQUE     /* a value nobody needs */
};

/* The row of module.name, or -1. */
int pickle_global_find(const char *module, const char *name);
enum pickle_call pickle_global_call(uint32_t row);
int pickle_global_dtype(uint32_t row); /* enum dtype of a storage class, or -1 */

#endif
