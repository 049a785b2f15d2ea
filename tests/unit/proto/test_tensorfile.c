/* tensorfile: what is written is read back; headers that lie are refused by the tensor's name. */
#include "proto/checkpoint.h"
#include "proto/tensorfile.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

struct buffer {
    unsigned char bytes[4096];
    size_t n;
};

static int append(void *ctx, const void *data, size_t n, struct err *err)
{
    struct buffer *b = ctx;
    if (n > sizeof b->bytes - b->n)
        return err_set(err, ERR_TOO_LARGE, "", "full");
    memcpy(b->bytes + b->n, data, n);
    b->n += n;
    return 0;
}

TEST(tensorfile_written_is_read)
{
    static const float weights[6] = {1, -2, 3.5f, 0, 1e-30f, 6};
    static const int64_t count = 42, dims[] = {2, 3}, none[] = {0, 5};
    const struct tensorfile_entry entries[] = {
        {"a.weight", DTYPE_F32, 2, dims}, {"empty", DTYPE_F32, 2, none}, {"a.count", DTYPE_I64, 0, NULL}};
    struct buffer b = {.n = 0};
    struct err e = {0};
    struct tensorfile_writer w;
    json_t *meta = json_pack("{s:s}", "code", "012");
    CHECK_INT(tensorfile_begin(&w, entries, 3, meta, append, &b, &e), 0);
    CHECK_INT(tensorfile_write(&w, weights, sizeof weights, &e), 0);
    CHECK_INT(tensorfile_end(&w, &e), -ERR_INTERNAL);
    CHECK_INT(tensorfile_write(&w, NULL, 0, &e), 0);
    CHECK_INT(tensorfile_write(&w, &count, sizeof count, &e), 0);
    CHECK_INT(tensorfile_end(&w, &e), 0);
    CHECK_INT(b.n, w.size);
    struct source *s;
    struct checkpoint *c = NULL;
    source_open_memory(b.bytes, b.n, &s, &e);
    CHECK_INT(checkpoint_open(s, NULL, &c, &e), 0);
    float got[6];
    CHECK_INT(checkpoint_read(c, checkpoint_find(c, "a.weight"), got, 6, &e), 0);
    CHECK(memcmp(got, weights, sizeof got) == 0);
    CHECK_INT(checkpoint_read(c, checkpoint_find(c, "a.count"), got, 1, &e), 0);
    CHECK(got[0] == 42 && checkpoint_find(c, "empty")->numel == 0);
    CHECK_INT(checkpoint_find(c, "a.weight")->offset % 8, 0);
    checkpoint_close(c);
    source_close(s);
    json_decref(meta);
}

static void refused(const char *header, size_t data, const char *where, const char *part)
{
    struct buffer b = {.n = 8};
    struct err e = {0};
    struct source *s;
    struct arena a;
    struct tensor_list list = {0};
    b.bytes[0] = (unsigned char)strlen(header);
    b.bytes[1] = (unsigned char)(strlen(header) >> 8);
    append(&b, header, strlen(header), &e);
    b.n += data;
    source_open_memory(b.bytes, b.n, &s, &e);
    arena_init(&a, 0);
    CHECK(tensorfile_open(s, &a, &list, &e) < 0);
    CHECK_STR(e.where, where);
    if (!strstr(e.text, part))
        test_fail(__FILE__, __LINE__, "%s: \"%s\" lacks \"%s\"", header, e.text, part);
    arena_clear(&a);
    source_close(s);
}

TEST(tensorfile_refuses_lying_headers)
{
#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
    refused("{\"w\":" T("F32", "[2]", "[0,8]") "}", 4, "w", "outside the file's 4 bytes");
    refused("{\"w\":" T("F32", "[2]", "[0,4]") "}", 4, "w", "does not have the 4 bytes");
    refused("{\"w\":" T("F8_E4M3", "[4]", "[0,4]") "}", 4, "w", "dtype \"F8_E4M3\" is not read");
    refused("{\"w\":" T("U8", "[4]", "[0,4]") ",\"v\":" T("U8", "[4]", "[2,6]") "}", 6, "v", "overlaps");
    refused("{\"w\":" T("U8", "[2]", "[0,2]") ",\"v\":" T("U8", "[2]", "[4,6]") "}", 6, "v", "gap");
    refused("{\"w\":" T("U8", "[2]", "[0,2]") "}", 6, "", "4 bytes at the end belong to no tensor");
    refused("{\"w\":" T("U8", "[2]", "[0,2]") ",\"w\":" T("U8", "[2]",
            "[0,2]") "}", 2, "line 1, column 56 (byte 56)", "duplicate");
    refused("{\"w\":" T("U8", "[-1]", "[0,2]") "}", 2, "w", "integers of 0 or more");
    refused("{\"w\":" T("F64", "[4294967296,4294967296]", "[0,2]") "}", 2, "w", "more elements than any file");
    refused("{\"w\":" T("F64", "[1152921504606846976]", "[0,8]") "}", 8, "w", "does not have the 8 bytes");
    refused("{\"w\":" T("U8", "[0,4611686018427387904,4]", "[0,0]") "}", 0, "w", "more elements than any file");
    refused("{\"w\":{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}}", 1, "w",
            "\"data_offsets\" must be an array, not nothing");
    refused("{\"w\\u0007\":" T("U8", "[1]", "[0,1]") "}", 1, "", "not printable");
    refused("[1]", 1, "byte 8", "must be an object");
}
