/* tensor: see tensor.h. Conversion, bounds, and the gather of strided views. */
#include "proto/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    size_t size;
    const char *safe, *torch;
} dtypes[DTYPE_COUNT] = {
#define DTYPE_ROW(name, bytes, safe, torch) {bytes, safe, torch},
    DTYPE_MAP(DTYPE_ROW)
#undef DTYPE_ROW
};

size_t dtype_size(enum dtype t)
{
    return dtypes[t].size;
}

const char *dtype_name(enum dtype t)
{
    return dtypes[t].safe;
}

int dtype_from_name(const char *name)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(dtypes[i].safe, name) == 0)
            return i;
    return -1;
}

int dtype_from_torch(const char *prefix, size_t n)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strlen(dtypes[i].torch) == n && memcmp(dtypes[i].torch, prefix, n) == 0)
            return i;
    return -1;
}

static float bits_to_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return bits_to_float(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f; /* subnormal, exact */
        return sign ? -magnitude : magnitude;
    }
    return bits_to_float(sign | (exponent + 112) << 23 | fraction << 13);
}

#define CONVERT(type, expression)                                                                                      \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        type v;                                                                                                        \
        memcpy(&v, (const char *)in + i * sizeof v, sizeof v);                                                         \
        out[i] = (float)(expression);                                                                                  \
    }                                                                                                                  \
    break

void dtype_to_f32(enum dtype t, const void *in, size_t n, float *out)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian and so are we");
    switch (t) {
    case DTYPE_F32:
        memcpy(out, in, n * sizeof *out);
        break;
    case DTYPE_F16:
        CONVERT(uint16_t, half_to_float(v));
    case DTYPE_BF16:
        CONVERT(uint16_t, bits_to_float((uint32_t)v << 16));
    case DTYPE_F64:
        CONVERT(double, v > 0x1.fffffefffffffp127 ? INFINITY : v < -0x1.fffffefffffffp127 ? -INFINITY : (float)v);
    case DTYPE_I64:
        CONVERT(int64_t, v);
    case DTYPE_I32:
        CONVERT(int32_t, v);
    case DTYPE_I16:
        CONVERT(int16_t, v);
    case DTYPE_I8:
        CONVERT(int8_t, v);
    case DTYPE_BOOL:
        CONVERT(uint8_t, v != 0);
    default:
        CONVERT(uint8_t, v);
    }
}

int tensor_shape(struct tensor *t, int contiguous, struct err *err)
{
    int64_t n = 1, stride = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->dims[i] < 0)
            return err_set(err, ERR_CORRUPT, t->name, "dimension %d is negative", i);
        if (contiguous)
            t->strides[i] = stride;
        int64_t step = t->dims[i] ? t->dims[i] : 1; /* an empty tensor's other sizes must multiply too */
        if (__builtin_mul_overflow(stride, step, &stride) || stride > (int64_t)1 << 60)
            return err_set(err, ERR_CORRUPT, t->name, "its shape holds more elements than any file");
        n *= t->dims[i];
    }
    t->numel = n;
    return 0;
}

int tensor_bounds(struct tensor *t, uint64_t begin, uint64_t end, struct err *err)
{
    uint64_t size = dtype_size(t->dtype), last = 0;
    t->span = 0;
    for (int i = 0; i < t->ndim && t->numel; i++) {
        uint64_t reach;
        if (t->strides[i] < 0 || __builtin_mul_overflow((uint64_t)t->strides[i], (uint64_t)(t->dims[i] - 1), &reach) ||
            __builtin_add_overflow(last, reach, &last) || last > UINT64_MAX / 16)
            return err_set(err, ERR_CORRUPT, t->name, "its strides reach outside the file");
    }
    if (t->offset < begin || t->offset > end)
        return err_set(err, ERR_CORRUPT, t->name, "it starts outside its storage");
    if (!t->numel)
        return 0;
    t->span = (last + 1) * size;
    if (t->span > end - t->offset)
        return err_set(err, ERR_CORRUPT, t->name, "needs %llu bytes, its storage has %llu", (unsigned long long)t->span,
                       (unsigned long long)(end - t->offset));
    if ((uint64_t)t->numel * size > end - begin)
        return err_set(err, ERR_UNSUPPORTED, t->name, "an expanded view: more elements than its storage has");
    return 0;
}

/* Length of the UTF-8 sequence at s, or 0: overlong forms, surrogates and control characters are refused. */
static size_t utf8_step(const unsigned char *s, size_t n)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t len = s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (!len || len > n)
        return 0;
    uint32_t c = s[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    return c < smallest[len] || c > 0x10ffff || c >> 11 == 27 ? 0 : len;
}

int tensor_name_check(const char *name, size_t n, struct err *err)
{
    if (n == 0 || n > TENSOR_MAX_NAME)
        return err_set(err, ERR_INVALID, "", "a tensor's name has %zu bytes; 1 to %d are allowed", n, TENSOR_MAX_NAME);
    for (size_t i = 0, step; i < n; i += step) {
        step = utf8_step((const unsigned char *)name + i, n - i);
        if (!step)
            return err_set(err, ERR_INVALID, "", "a tensor's name is not printable UTF-8 at its byte %zu", i);
    }
    return 0;
}

enum { CHUNK = 1 << 16 };

static int read_contiguous(const struct tensor *t, struct source *s, float *out, struct err *err)
{
    size_t size = dtype_size(t->dtype);
    unsigned char chunk[CHUNK];
    for (int64_t done = 0; done < t->numel;) {
        int64_t n = t->numel - done < (int64_t)(CHUNK / size) ? t->numel - done : (int64_t)(CHUNK / size);
        int rc = source_read(s, t->offset + (uint64_t)done * size, chunk, (size_t)n * size, err);
        if (rc != 0)
            return rc;
        dtype_to_f32(t->dtype, chunk, (size_t)n, out + done);
        done += n;
    }
    return 0;
}

static int is_contiguous(const struct tensor *t)
{
    int64_t stride = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        if (t->dims[i] != 1 && t->strides[i] != stride)
            return 0;
        stride *= t->dims[i];
    }
    return 1;
}

static void gather(const struct tensor *t, const unsigned char *bytes, float *out)
{
    size_t size = dtype_size(t->dtype);
    int64_t index[TENSOR_MAX_DIMS] = {0}, at = 0;
    for (int64_t n = 0; n < t->numel; n++) {
        dtype_to_f32(t->dtype, bytes + (size_t)at * size, 1, out + n);
        for (int d = t->ndim - 1; d >= 0; d--) { /* an odometer over the indices */
            at += t->strides[d];
            if (++index[d] < t->dims[d])
                break;
            at -= index[d] * t->strides[d];
            index[d] = 0;
        }
    }
}

int tensor_read(const struct tensor *t, struct source *s, float *out, struct err *err)
{
    if (is_contiguous(t))
        return read_contiguous(t, s, out, err);
    if (!t->numel)
        return 0;
    unsigned char *bytes = malloc((size_t)t->span); /* within the file's own size: tensor_bounds */
    if (!bytes)
        return err_set(err, ERR_NO_MEMORY, t->name, "no memory for a view of %llu bytes", (unsigned long long)t->span);
    int rc = source_read(s, t->offset, bytes, (size_t)t->span, err);
    if (rc == 0)
        gather(t, bytes, out);
    free(bytes);
    return rc;
}

struct tensor *tensor_list_add(struct tensor_list *l, struct arena *a)
{
    if (l->count == l->capacity) {
        size_t more = l->capacity ? l->capacity * 2 : 64;
        struct tensor *items = arena_array(a, more, sizeof *items);
        if (!items)
            return NULL;
        if (l->count)
            memcpy(items, l->items, l->count * sizeof *items);
        l->items = items;
        l->capacity = more;
    }
    return &l->items[l->count++];
}
