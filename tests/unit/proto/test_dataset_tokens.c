/* Texts as a data set: token ids become numbers of the network's input as they are; anything else is refused. */
#include "proto/base/json.h"
#include "proto/dataset.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file {
    const char *head;
    const void *data;
    size_t n;
};

static int open_file(void *ctx, const char *sha, struct source **out, struct err *err)
{
    const struct file *f = ctx;
    uint64_t len = strlen(f->head);
    unsigned char *p = malloc(8 + len + f->n);
    (void)sha;
    if (!p)
        abort();
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(len >> 8 * i);
    memcpy(p + 8, f->head, len);
    memcpy(p + 8 + len, f->data, f->n);
    return source_take_memory(p, 8 + len + f->n, out, err);
}

static struct dataset_doc *document(void)
{
    struct err e = {0};
    struct dataset_doc *d = NULL;
    json_t *doc = json_pack("{s:s, s:s, s:{s:[{s:s}]}}", "name", "texts", "format", "safetensors", "splits", "val",
                            "blob", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    CHECK(dataset_doc_parse(doc, &d, &e) == 0);
    json_decref(doc);
    return d;
}

static const char two_by_three[] = "{\"tokens\":{\"dtype\":\"I32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                                   "\"labels\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[24,26]}}";

TEST(dataset_tokens_are_numbers)
{
    unsigned char data[26] = {0};
    const int32_t ids[6] = {101, 30521, 0, 7, 256, 65536};
    const int64_t both[2] = {1, 0};
    memcpy(data, ids, sizeof ids);
    data[24] = 2;
    struct file f = {two_by_three, data, sizeof data};
    struct dataset_doc *doc = document();
    struct dataset *d = NULL;
    struct err e = {0};
    float x[6];
    int32_t labels[2];
    int shape[3];
    CHECK(dataset_open(doc, "val", open_file, &f, &d, &e) == 0);
    CHECK_INT(dataset_count(d), 2);
    dataset_shape(d, shape);
    CHECK(shape[0] == 1 && shape[1] == 3 && shape[2] == 1);
    CHECK(dataset_load(d, both, 2, x, labels, &e) == 0);
    for (int i = 0; i < 6; i++)
        CHECK(x[i] == (float)ids[(i + 3) % 6]);
    CHECK(labels[0] == 0 && labels[1] == 2);
    dataset_close(d);
    dataset_doc_free(doc);
}

/* (N, C, T) of I64: ids and two more rows. */
TEST(dataset_tokens_have_channels)
{
    int64_t data[7] = {5, 6, 0, 1, 0, 1, 0}, zero = 0;
    struct file f = {"{\"tokens\":{\"dtype\":\"I64\",\"shape\":[1,3,2],\"data_offsets\":[0,48]},"
                     "\"labels\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[48,56]}}",
                     data, sizeof data};
    struct dataset_doc *doc = document();
    struct dataset *d = NULL;
    struct err e = {0};
    float x[6];
    CHECK(dataset_open(doc, "val", open_file, &f, &d, &e) == 0);
    CHECK(dataset_load(d, &zero, 1, x, NULL, &e) == 0);
    for (int i = 0; i < 6; i++)
        CHECK(x[i] == (float)data[i]);
    dataset_close(d);
    dataset_doc_free(doc);
}

static void refused(const char *head, const void *data, size_t n, const char *said)
{
    struct file f = {head, data, n};
    struct dataset_doc *doc = document();
    struct dataset *d = NULL;
    struct err e = {0};
    CHECK(dataset_open(doc, "val", open_file, &f, &d, &e) < 0);
    if (!strstr(e.text, said))
        test_fail(__FILE__, __LINE__, "%s: %s", e.where, e.text);
    dataset_close(d);
    dataset_doc_free(doc);
}

TEST(dataset_tokens_refused)
{
    unsigned char data[26] = {0};
    int32_t large = 1 << 25;
    memcpy(data, &large, sizeof large);
    refused(two_by_three, data, sizeof data, "no token id");
    refused("{\"tokens\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
            "\"labels\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[24,26]}}",
            data, sizeof data, "must be I64, I32 or U8");
    refused("{\"tokens\":{\"dtype\":\"I32\",\"shape\":[6],\"data_offsets\":[0,24]},"
            "\"labels\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[24,26]}}",
            data, sizeof data, "two or three dimensions");
    refused("{\"tokens\":{\"dtype\":\"U8\",\"shape\":[2,0],\"data_offsets\":[0,0]},"
            "\"labels\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
            data, 2, "texts of 1 x 0");
}
