/* demo: the committed demo's documents and files belong together. */
#include "proto/base/hash.h"
#include "proto/base/json.h"
#include "proto/checkpoint.h"
#include "proto/dataset.h"
#include "tests/unit/proto/fixture.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

static int by_hash(void *ctx, const char *sha, struct source **out, struct err *err)
{
    static const char *const names[] = {"train-images", "train-labels", "val-images", "val-labels"};
    (void)ctx;
    for (int i = 0; i < 4; i++) {
        char path[128], hex[HASH256_HEX];
        snprintf(path, sizeof path, "deploy/demo/%s.idx.gz", names[i]);
        struct bytes b = fixture_bytes(path);
        hash256_hex(b.data, b.n, hex);
        if (strcmp(hex, sha) == 0)
            return source_take_memory(b.data, b.n, out, err);
        free(b.data);
    }
    return err_set(err, ERR_NOT_FOUND, sha, "no demo file has this hash");
}

TEST(demo_data_set_is_what_its_document_says)
{
    struct err e = {0};
    struct bytes text = fixture_bytes("deploy/demo/dataset.json");
    json_t *doc = json_parse_strict((char *)text.data, text.n, 8, &e);
    struct dataset_doc *d = NULL;
    CHECK_INT(dataset_doc_parse(doc, &d, &e), 0);
    json_t *told = dataset_inspect(d, by_hash, NULL, &e);
    CHECK_STR(e.text, "");
    const json_t *splits = json_object_get(told, "splits");
    CHECK_INT(json_integer_value(json_object_get(json_object_get(splits, "train"), "images")), 2048);
    CHECK_INT(json_integer_value(json_object_get(json_object_get(splits, "val"), "images")), 2000);
    json_decref(told);
    dataset_doc_free(d);
    json_decref(doc);
    free(text.data);
}

TEST(demo_supernet_is_sound)
{
    struct err e = {0};
    struct source *s;
    struct checkpoint *c = NULL;
    CHECK_INT(source_open_file("deploy/demo/supernet.pth", &s, &e), 0);
    CHECK_INT(checkpoint_open(s, NULL, &c, &e), 0);
    CHECK_INT(checkpoint_verify(c, &e), 0);
    const struct tensor *t = checkpoint_find(c, "features.5.2.conv.3.weight");
    CHECK(t && t->dims[0] == 384 && t->dims[2] == 5);
    CHECK(checkpoint_find(c, "features.1.0.downsample.0.weight") == NULL);
    checkpoint_close(c);
    source_close(s);
}
