/* pickle_globals: see pickle_globals.h. */
#include "proto/pickle_globals.h"

#include "proto/tensor.h"

#include <stddef.h>
#include <string.h>

#define STORAGE_ROW(name, bytes, safe, prefix)                                                                         \
    {"torch", prefix "Storage", CALL_STORAGE, DTYPE_##name},                                                           \
        {"torch.cuda", prefix "Storage", CALL_STORAGE, DTYPE_##name},

static const struct {
    const char *module, *name;
    enum pickle_call call;
    int dtype;
} rows[] = {
    DTYPE_MAP(STORAGE_ROW){"collections", "OrderedDict", CALL_DICT, -1},
    {"collections", "defaultdict", CALL_DICT, -1},
    {"collections", "Counter", CALL_DICT, -1},
    {"torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, -1},
    {"torch._utils", "_rebuild_tensor", CALL_TENSOR, -1},
    {"torch._utils", "_rebuild_parameter", CALL_PARAMETER, -1},
    {"torch._utils", "_rebuild_parameter_with_state", CALL_PARAMETER, -1},
    {"torch.nn.parameter", "Parameter", CALL_PARAMETER, -1},
    {"torch", "Size", CALL_SIZE, -1},
    {"torch", "device", CALL_OPAQUE, -1},
    {"torch", "float32", CALL_OPAQUE, -1},
    {"torch", "float16", CALL_OPAQUE, -1},
    {"torch", "bfloat16", CALL_OPAQUE, -1},
    {"torch", "float64", CALL_OPAQUE, -1},
    {"torch", "int64", CALL_OPAQUE, -1},
    {"torch", "int32", CALL_OPAQUE, -1},
    {"torch.serialization", "_get_layout", CALL_OPAQUE, -1},
    {"numpy.core.multiarray", "scalar", CALL_OPAQUE, -1},
    {"numpy._core.multiarray", "scalar", CALL_OPAQUE, -1},
    {"numpy.core.multiarray", "_reconstruct", CALL_OPAQUE, -1},
    {"numpy._core.multiarray", "_reconstruct", CALL_OPAQUE, -1},
    {"numpy", "ndarray", CALL_OPAQUE, -1},
    {"numpy", "dtype", CALL_OPAQUE, -1},
    {"_codecs", "encode", CALL_OPAQUE, -1},
    {"argparse", "Namespace", CALL_OPAQUE, -1},
    {"pathlib", "PosixPath", CALL_OPAQUE, -1},
    {"datetime", "datetime", CALL_OPAQUE, -1},
    {"builtins", "set", CALL_OPAQUE, -1},
    {"builtins", "frozenset", CALL_OPAQUE, -1},
    {"builtins", "complex", CALL_OPAQUE, -1},
    {"builtins", "int", CALL_OPAQUE, -1},
    {"builtins", "float", CALL_OPAQUE, -1},
    {"builtins", "list", CALL_OPAQUE, -1},
    {"builtins", "dict", CALL_OPAQUE, -1},
    {"builtins", "slice", CALL_OPAQUE, -1},
    {"builtins", "range", CALL_OPAQUE, -1},
    {"__builtin__", "set", CALL_OPAQUE, -1},
    {"__builtin__", "frozenset", CALL_OPAQUE, -1},
    {"__builtin__", "complex", CALL_OPAQUE, -1},
    {"__builtin__", "int", CALL_OPAQUE, -1},
    {"__builtin__", "long", CALL_OPAQUE, -1},
    {"__builtin__", "float", CALL_OPAQUE, -1},
    {"__builtin__", "list", CALL_OPAQUE, -1},
    {"__builtin__", "dict", CALL_OPAQUE, -1},
    {"__builtin__", "slice", CALL_OPAQUE, -1},
    {"__builtin__", "xrange", CALL_OPAQUE, -1},
};

int pickle_global_find(const char *module, const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].module, module) == 0 && strcmp(rows[i].name, name) == 0)
            return (int)i;
    return -1;
}

enum pickle_call pickle_global_call(uint32_t row)
{
    return rows[row].call;
}

int pickle_global_dtype(uint32_t row)
{
    return rows[row].dtype;
}
