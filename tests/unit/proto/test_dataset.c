/* dataset: documents, every format, transforms against Pillow and torchvision, and refusals that name the place. */
#include "proto/base/json.h"
#include "proto/dataset.h"
#include "tests/unit/proto/fixture.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct files {
    const char *a, *b; /* paths of the blobs A and B */
    size_t cut;        /* when not 0: blob A ends here */
};

static int open_blob(void *ctx, const char *sha, struct source **out, struct err *err)
{
    const struct files *f = ctx;
    const char *name = sha[0] == 'a' ? f->a : f->b;
    char path[512];
    snprintf(path, sizeof path, "%s%s", name[0] == '/' || name[0] == '.' ? "" : "tests/golden/files/", name);
    if (!f->cut || sha[0] != 'a')
        return source_open_file(path, out, err);
    struct bytes b = fixture_bytes(path);
    void *exact = realloc(b.data, f->cut); /* so that a byte too far is seen */
    return source_take_memory(exact, f->cut, out, err);
}

static struct dataset_doc *parse(const char *text, struct err *e)
{
    struct dataset_doc *d = NULL;
    json_t *doc = json_parse_strict(text, strlen(text), 16, e);
    if (doc && dataset_doc_parse(doc, &d, e) != 0)
        d = NULL;
    json_decref(doc);
    return d;
}

/* "" when all is well, else "where: text"; inspects, so every image is read. */
static const char *inspect(const char *text, struct files f, char **json)
{
    static char out[1024];
    struct err e = {0};
    struct dataset_doc *doc = parse(text, &e);
    json_t *told = doc ? dataset_inspect(doc, open_blob, &f, &e) : NULL;
    snprintf(out, sizeof out, "%s%s%s", e.where, told ? "" : ": ", told ? "" : e.text);
    if (told && json)
        *json = json_canonical(told);
    json_decref(told);
    dataset_doc_free(doc);
    return told ? "" : out;
}

static void refused(const char *text, struct files f, const char *part)
{
    const char *got = inspect(text, f, NULL);
    if (!*got || !strstr(got, part))
        test_fail(__FILE__, __LINE__, "%s: \"%s\" lacks \"%s\"", text, got, part);
}

#define ONE(format, more)                                                                                              \
    "{\"name\": \"x\", \"format\": \"" format "\", \"splits\": {\"val\": [{\"blob\": \"" SHA_A "\"}]}" more "}"
#define IDX(more)                                                                                                      \
    "{\"name\": \"x\", \"format\": \"idx\", \"splits\": {\"val\": [{\"blob\": \"" SHA_A "\", \"labels\": \"" SHA_B     \
    "\"}]}" more "}"
#define TAR(folder, more)                                                                                              \
    "{\"name\": \"x\", \"format\": \"tar\", \"splits\": {\"val\": [{\"blob\": \"" SHA_A "\", \"folder\": \"" folder    \
    "\"}]}" more "}"

TEST(dataset_documents_are_strict)
{
    struct files f = {"three.cifar", "labels.idx", 0};
    refused(ONE("cifra", ""), f,
            "/format: \"cifra\" is none of safetensors, cifar, idx, tar (did you mean "
            "\"cifar\"?)");
    refused(ONE("cifar", ", \"scael\": 1"), f, "/scael: unknown member (did you mean \"scale\"?)");
    refused(ONE("cifar", ", \"std\": [1, 0, 1]"), f, "/std/1: must be a positive number");
    refused(ONE("cifar", ", \"mean\": [1, 2]"), f, "/mean: 2 numbers for images of 3 channels");
    refused(ONE("cifar", ", \"scale\": 0"), f, "/scale");
    refused(ONE("cifar", ", \"classes\": [\"a\", \"b\", \"a\"]"), f, "/classes/2: \"a\" is in the list twice");
    refused(ONE("cifar", ", \"classes\": [\"a\", \"b\"]"), f,
            "/splits/val/0: image 2 has label 2, outside the 2 classes");
    refused(ONE("cifar", ", \"transform\": [{\"op\": \"resize\"}]"), f, "/transform/0/size: is required");
    refused(ONE("cifar", ", \"transform\": [{\"op\": \"center_crop\", \"size\": 33}]"), f,
            "/splits/val/0: an image of 32 x 32");
    refused(ONE("idx", ""), f, "/splits/val/0/labels: is required");
    refused("{\"name\": \"x\", \"format\": \"cifar\", \"splits\": {\"v/al\": [{\"blob\": \"AA\"}]}}", f,
            "/splits/v~1al/0/blob: must be a SHA-256");
    refused("{\"name\": \"x\", \"format\": \"cifar\", \"splits\": {}}", f, "/splits: 0 splits");
    refused("{\"name\": \"x\", \"format\": \"cifar\", "
            "\"splits\": {\"val\": []}}",
            f, "/splits/val: must be an array of 1");
    refused(IDX(", \"channel_order\": \"bgr\""), (struct files){"images.idx", "labels.idx", 0}, "/channel_order");
}

TEST(dataset_cifar_values_and_channel_order)
{
    struct err e = {0};
    struct files f = {"three.cifar", NULL, 0};
    struct dataset_doc *doc = parse(ONE("cifar", ", \"mean\": [0.5, 0.25, 0], \"std\": [2, 1, 0.5], "
                                                 "\"channel_order\": \"bgr\""),
                                    &e);
    struct dataset *d = NULL;
    CHECK_INT(dataset_open(doc, "train", open_blob, &f, &d, &e), -ERR_NOT_FOUND);
    CHECK_INT(dataset_open(doc, "val", open_blob, &f, &d, &e), 0);
    float *x = calloc(2 * 3072, sizeof *x);
    int32_t labels[2];
    CHECK_INT(dataset_load(d, (int64_t[]){2, 1}, 2, x, labels, &e), 0);
    CHECK(labels[0] == 2 && labels[1] == 1);
    CHECK_NEAR(x[0], (102 / 255.f - .5f) / 2, 1e-7); /* blue of record 2 first */
    CHECK_NEAR(x[2047], 101 / 255.f - .25f, 1e-7);
    CHECK_NEAR(x[3072 + 3071], 50 / 255.f / .5f, 1e-7);
    CHECK_INT(dataset_load(d, (int64_t[]){3}, 1, x, labels, &e), -ERR_INVALID);
    CHECK_STR(dataset_class(d, 2), "2");
    free(x);
    dataset_close(d);
    dataset_doc_free(doc);
}

TEST(dataset_inspect_tells_what_is_there)
{
    char *text = NULL;
    CHECK_STR(inspect(IDX(""), (struct files){"images.idx.gz", "labels.idx.gz", 0}, &text), "");
    CHECK_STR(
        text,
        "{\"classes\":[\"0\",\"1\",\"2\"],\"document\":{\"channel_order\":\"rgb\",\"classes\":[\"0\",\"1\",\"2\"],"
        "\"format\":\"idx\",\"name\":\"x\",\"splits\":{\"val\":[{\"blob\":\"" SHA_A "\",\"labels\":\"" SHA_B
        "\"}]},\"transform\":[]},\"image\":[1,4,3],\"splits\":{\"val\":{\"class_counts\":[1,2,2],\"images\":5}}}");
    free(text);
    CHECK_STR(inspect(IDX(""), (struct files){"images.idx", "labels.idx", 0}, NULL), "");
    CHECK_STR(inspect(ONE("safetensors", ""), (struct files){"u8.safetensors", NULL, 0}, NULL), "");
}

TEST(dataset_float_images_are_not_scaled)
{
    struct err e = {0};
    struct files f = {"f32.safetensors", NULL, 0};
    struct dataset_doc *doc = parse(ONE("safetensors", ""), &e);
    struct dataset *d = NULL;
    float x[4];
    int32_t label;
    CHECK_INT(dataset_open(doc, "val", open_blob, &f, &d, &e), 0);
    CHECK_INT(dataset_load(d, (int64_t[]){1}, 1, x, &label, &e), 0);
    CHECK(x[0] == 1 && x[3] == 1.75f && label == 0);
    dataset_close(d);
    dataset_doc_free(doc);
    refused(ONE("safetensors", ""), (struct files){"nan.safetensors", NULL, 0},
            "/splits/val/0: image 1: value 2 is not a number");
}

TEST(dataset_tar_of_class_folders)
{
    static const char *const names[] = {"folders.tar", "folders.tar.xz"};
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        struct files f = {names[i], NULL, 0};
        CHECK_STR(inspect(TAR("set/train", ", \"transform\": [{\"op\": \"resize\", \"size\": 8}, {\"op\": "
                                           "\"center_crop\", "
                                           "\"size\": 8}]"),
                          f, &text),
                  "");
        CHECK(text && strstr(text, "\"classes\":[\"ant\",\"zebra\"]") && strstr(text, "\"class_counts\":[1,2]"));
        free(text);
        refused(TAR("set/train", ""), f,
                "/splits/val/0: image 2 is 3 x 23 x 31 after the transform, the first one 3 x 9 x 12");
        refused(TAR("set", ""), f, "deeper than class/file");
        refused(TAR("set/test", ""), f, "there is set/train/zebra/b.jpg");
        refused(TAR("set/train", ", \"classes\": [\"ant\", \"zebar\"]"), f,
                "/splits/val/0: folder \"zebra\" is none of the 2 classes (did you mean \"zebar\"?)");
    }
}

TEST(dataset_counts_must_match)
{
    refused(IDX(""), (struct files){"images.idx", "images.idx", 0}, "/splits/val/0/labels: labels have one dimension");
    refused(IDX(""), (struct files){"labels.idx", "labels.idx", 0}, "images have three or four dimensions");
    refused(ONE("cifar", ""), (struct files){"images.idx", NULL, 0}, "not a whole number of CIFAR records");
    refused(ONE("safetensors", ""), (struct files){"all.safetensors", NULL, 0},
            "/splits/val/0: images: the file has no tensor");
}

static void cut_everywhere(const char *text, const char *a, const char *b, int step)
{
    struct files f = {a, b, 0};
    char path[256];
    snprintf(path, sizeof path, "tests/golden/files/%s", a);
    struct bytes whole = fixture_bytes(path);
    CHECK_STR(inspect(text, f, NULL), "");
    for (f.cut = 1; f.cut < whole.n; f.cut += (size_t)step)
        if (!*inspect(text, f, NULL) && !(strstr(a, ".cifar") && f.cut % 3073 == 0) && !strstr(a, ".tar"))
            test_fail(__FILE__, __LINE__, "%s cut to %zu bytes is taken", a, f.cut);
    free(whole.data);
}

TEST(dataset_refuses_every_truncation)
{
    cut_everywhere(IDX(""), "images.idx", "labels.idx", 1);
    cut_everywhere(IDX(""), "images.idx.gz", "labels.idx", 1);
    cut_everywhere(ONE("safetensors", ""), "u8.safetensors", NULL, 1);
    cut_everywhere(ONE("cifar", ""), "three.cifar", NULL, 61);
}

TEST(dataset_tar_truncation_is_seen)
{
#define SQUARE ", \"transform\": [{\"op\": \"resize\", \"size\": 8}, {\"op\": \"center_crop\", \"size\": 8}]"
    struct files f = {"folders.tar", NULL, 0};
    for (f.cut = 1; f.cut <= 3 * 512 + 2048; f.cut++) /* inside the pictures, and between two of them */
        if (!*inspect(TAR("set/train", SQUARE), f, NULL))
            test_fail(__FILE__, __LINE__, "a tar cut to %zu bytes is taken", f.cut);
    struct files xz = {"folders.tar.xz", NULL, 0};
    struct bytes whole = fixture_load(xz.a);
    for (xz.cut = 1; xz.cut < whole.n - 64; xz.cut += 7)
        if (!*inspect(TAR("set/train", SQUARE), xz, NULL))
            test_fail(__FILE__, __LINE__, "a tar.xz cut to %zu bytes is taken", xz.cut);
    free(whole.data);
}

static json_t *pictures(void)
{
    struct err e = {0};
    struct bytes text = fixture_load("pictures.json");
    json_t *doc = json_parse_strict((char *)text.data, text.n, 4, &e);
    free(text.data);
    return doc;
}

static void check_pixels(const struct image *im, const json_t *all, const char *name)
{
    const json_t *want = json_object_get(all, name), *px = json_object_get(want, "pixels");
    CHECK_INT(im->h, json_integer_value(json_object_get(want, "h")));
    CHECK_INT(im->w, json_integer_value(json_object_get(want, "w")));
    CHECK_INT(im->c * im->h * im->w, json_array_size(px));
    int differ = 0;
    for (size_t i = 0; i < json_array_size(px); i++)
        differ += im->u8[i] != json_integer_value(json_array_get(px, i));
    if (differ)
        test_fail(__FILE__, __LINE__, "%s: %d of %zu pixels differ from Pillow's", name, differ, json_array_size(px));
}

TEST(image_decodes_as_pillow)
{
    static const char *const names[] = {"rgb.jpg",   "progressive.jpg", "grey.jpg",   "rgb.png",
                                        "alpha.png", "palette.png",     "one_bit.png"};
    json_t *all = pictures();
    for (int i = 0; i < 7; i++) {
        struct bytes b = fixture_load(names[i]);
        struct image im;
        struct err e = {0};
        CHECK_INT(image_decode(b.data, b.n, &im, &e), 0);
        check_pixels(&im, all, names[i]);
        image_clear(&im);
        free(b.data);
    }
    json_decref(all);
}

TEST(image_refuses_every_truncation)
{
    static const char *const names[] = {"rgb.jpg", "progressive.jpg", "rgb.png", "palette.png"};
    for (int i = 0; i < 4; i++) {
        struct bytes b = fixture_load(names[i]);
        for (size_t n = 0; n + 2 < b.n; n++) { /* the end marks themselves may go missing */
            unsigned char *part = malloc(n ? n : 1);
            memcpy(part, b.data, n);
            struct image im;
            struct err e = {0};
            if (image_decode(part, n, &im, &e) == 0) {
                test_fail(__FILE__, __LINE__, "%s cut to %zu of %zu bytes is taken", names[i], n, b.n);
                image_clear(&im);
            }
            free(part);
        }
        free(b.data);
    }
}

TEST(transform_agrees_with_torchvision)
{
    json_t *all = pictures();
    struct bytes b = fixture_load("rgb.jpg");
    struct err e = {0};
    static const struct transform small[] = {{TRANSFORM_RESIZE, 14}, {TRANSFORM_CENTER_CROP, 11}, {TRANSFORM_PAD, 1}};
    static const struct transform large[] = {{TRANSFORM_RESIZE, 37}};
    struct image im;
    image_decode(b.data, b.n, &im, &e);
    CHECK_INT(transform_apply(small, 3, &im, &e), 0);
    check_pixels(&im, all, "small");
    image_clear(&im);
    image_decode(b.data, b.n, &im, &e);
    CHECK_INT(transform_apply(large, 1, &im, &e), 0);
    check_pixels(&im, all, "large");
    image_clear(&im);
    free(b.data);
    json_decref(all);
}

TEST(transform_crops_half_pixels_to_even)
{
    struct image im;
    struct err e = {0};
    image_alloc(&im, 1, 6, 10, 0, &e);
    for (int i = 0; i < 60; i++)
        im.u8[i] = (unsigned char)i;
    CHECK_INT(transform_apply(&(struct transform){TRANSFORM_CENTER_CROP, 5}, 1, &im, &e), 0);
    CHECK_INT(im.u8[0], 2); /* Python's round(.5) is 0 and round(2.5) is 2 */
    image_clear(&im);
}

static const struct bytes *damaged; /* what open_damaged serves as blob A */

static int open_damaged(void *ctx, const char *sha, struct source **out, struct err *err)
{
    return sha[0] == 'a' ? source_open_memory(damaged->data, damaged->n, out, err) : open_blob(ctx, sha, out, err);
}

TEST(dataset_refuses_every_damaged_gzip_byte)
{
    struct bytes b = fixture_load("images.idx.gz");
    struct files f = {"images.idx.gz", "labels.idx", 0};
    struct err e = {0};
    struct dataset_doc *doc = parse(IDX(""), &e);
    damaged = &b;
    for (size_t i = 10; i < b.n; i++) { /* after the header, whose time and system mean nothing */
        struct dataset *d = NULL;
        if (i == b.n - 9) /* the last byte of deflate data ends in unused bits */
            continue;
        b.data[i] ^= 0x10;
        if (dataset_open(doc, "val", open_damaged, &f, &d, &e) == 0)
            test_fail(__FILE__, __LINE__, "byte %zu of %zu changed, and taken", i, b.n);
        dataset_close(d);
        b.data[i] ^= 0x10;
    }
    dataset_doc_free(doc);
    free(b.data);
}

TEST(dataset_shared_flowers)
{
    char *text = NULL;
    struct files f = {fixture_shared("data/flowers5-224/flowers5-224.tar"), NULL, 0};
    CHECK_STR(inspect(TAR("flowers/val", ""), f, &text), "");
    CHECK(text && strstr(text, "\"class_counts\":[110,122,93,103,122]") && strstr(text, "\"image\":[3,224,224]"));
    free(text);
}

TEST(dataset_shared_fashion_mnist)
{
    char *text = NULL, images[600];
    snprintf(images, sizeof images, "%s", fixture_shared("data/fashion-mnist/t10k-images-idx3-ubyte.gz"));
    struct files f = {images, fixture_shared("data/fashion-mnist/t10k-labels-idx1-ubyte.gz"), 0};
    CHECK_STR(inspect(IDX(""), f, &text), "");
    CHECK(text && strstr(text, "\"class_counts\":[1000,1000,1000,1000,1000,1000,1000,1000,1000,1000]"));
    free(text);
}

TEST(dataset_shared_cifar)
{
    char *text = NULL;
    struct files f = {fixture_shared("data/weights/macro_supernet/val.bin"), NULL, 0};
    CHECK_STR(inspect(ONE("cifar", ", \"mean\": [0.4914, 0.4822, 0.4465], \"std\": [0.247, 0.2435, 0.2616]"), f, &text),
              "");
    CHECK(text && strstr(text, "\"images\":4000"));
    free(text);
}
