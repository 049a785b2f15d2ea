/* Data set files. The first byte picks the format (and a transform), the rest is the file; for idx the first half is
 * the images' file and the second the labels'. Any bytes give a data set or an error. */
#include "proto/base/json.h"
#include "proto/dataset.h"

#include <assert.h>
#include <stdio.h>

struct halves {
    const uint8_t *data;
    size_t n, split;
};

static int open_half(void *ctx, const char *sha, struct source **out, struct err *err)
{
    const struct halves *h = ctx;
    if (sha[0] == 'a')
        return source_open_memory(h->data, h->split, out, err);
    return source_open_memory(h->data + h->split, h->n - h->split, out, err);
}

static struct dataset_doc *document(unsigned pick)
{
    static const char *const formats[] = {"safetensors", "cifar", "idx", "tar"};
    static const char *const steps[] = {"", "{\"op\":\"resize\",\"size\":5}", "{\"op\":\"center_crop\",\"size\":3}",
                                        "{\"op\":\"resize\",\"size\":9},{\"op\":\"pad\",\"size\":1}"};
    char text[512], sha[2][65];
    for (int i = 0; i < 64; i++) {
        sha[0][i] = 'a';
        sha[1][i] = 'b';
    }
    sha[0][64] = sha[1][64] = 0;
    int idx = pick % 4 == 2;
    int n =
        snprintf(text, sizeof text,
                 "{\"name\":\"f\",\"format\":\"%s\",\"splits\":{\"v\":[{\"blob\":\"%s\"%s%s%s}]},\"transform\":[%s]}",
                 formats[pick % 4], sha[0], idx ? ",\"labels\":\"" : "", idx ? sha[1] : "", idx ? "\"" : "",
                 steps[pick / 4 % 4]);
    struct dataset_doc *doc = NULL;
    struct err e = {0};
    json_t *j = json_parse_strict(text, (size_t)n, 16, &e);
    if (j)
        dataset_doc_parse(j, &doc, &e);
    assert(doc);
    json_decref(j);
    return doc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    struct halves h = {data + 1, n - 1, data[0] % 4 == 2 ? (n - 1) / 2 : n - 1};
    struct dataset_doc *doc = document(data[0]);
    struct err e = {0};
    json_t *told = dataset_inspect(doc, open_half, &h, &e);
    assert(told || (e.code != ERR_NONE && e.text[0]));
    json_decref(told);
    dataset_doc_free(doc);
    return 0;
}
