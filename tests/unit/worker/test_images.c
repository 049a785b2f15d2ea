/* images: each picture is decoded once, whoever asks for it and how often, and comes back in the order asked for. */
#include "proto/base/json.h"
#include "proto/source.h"
#include "tests/unit/test.h"
#include "worker/engine/images.h"

#include <stdlib.h>

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

enum { COUNT = 100, RECORD = 3073, PIXELS = 3072 };

struct file {          /* CIFAR records: label i % 10, then every byte i */
    int opens, images; /* opened; pictures read */
};

struct counting { /* a source of it */
    struct source source;
    struct file *file;
};

static int read_at(struct source *s, uint64_t at, void *out, size_t n, struct err *err)
{
    const struct counting *c = (const struct counting *)(void *)s;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        uint64_t byte = at + i;
        ((unsigned char *)out)[i] = (unsigned char)(byte % RECORD ? byte / RECORD : byte / RECORD % 10);
        if (byte % RECORD == 1)
            __atomic_fetch_add(&c->file->images, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static void close_counting(struct source *s)
{
    free(s);
}

static int open_blob(void *ctx, const char *sha, struct source **out, struct err *err)
{
    (void)sha;
    (void)err;
    struct counting *c = calloc(1, sizeof *c);
    *c = (struct counting){.source = {COUNT * RECORD, read_at, close_counting}, .file = ctx};
    c->file->opens++;
    *out = &c->source;
    return 0;
}

static struct images *opened(struct file *f)
{
    const char *text = "{\"name\": \"x\", \"format\": \"cifar\", \"splits\": {\"val\": [{\"blob\": \"" SHA_A "\"}]}}";
    struct err err = {0};
    struct images *im = NULL;
    json_t *doc = json_parse_strict(text, strlen(text), 16, &err);
    CHECK_INT(images_open(doc, open_blob, f, &im, &err), 0);
    json_decref(doc);
    int64_t count;
    struct shape shape;
    CHECK_INT(images_split(im, "val", &count, &shape, &err), 0);
    CHECK_INT(count, COUNT);
    CHECK(shape.c == 3 && shape.h == 32 && shape.w == 32);
    f->images = 0; /* labels are read when a split is opened; pictures may be passed over then */
    return im;
}

TEST(images_are_decoded_once)
{
    struct file f = {0};
    struct images *im = opened(&f);
    int64_t want[COUNT], again[] = {50, 3, 50};
    const float *x[COUNT], *y[3];
    int32_t labels[COUNT];
    struct err err = {0};
    for (int i = 0; i < 60; i++)
        want[i] = i;
    CHECK_INT(images_missing_bytes(im, "val", want, 60), 60 * PIXELS * 4);
    CHECK_INT(images_get(im, "val", want, 60, 3, x, labels, &err), 0);
    CHECK_INT(f.images, 60);
    CHECK_INT(images_bytes(im), 60 * PIXELS * 4);
    CHECK_INT(images_get(im, "val", again, 3, 1, y, NULL, &err), 0);
    CHECK(y[0] == x[50] && y[1] == x[3] && y[2] == x[50]);
    for (int i = 0; i < COUNT; i++)
        want[i] = COUNT - 1 - i;
    CHECK_INT(images_missing_bytes(im, "val", want, COUNT), 40 * PIXELS * 4);
    CHECK_INT(images_get(im, "val", want, COUNT, 2, x, labels, &err), 0);
    CHECK_INT(f.images, COUNT);
    CHECK_INT(images_bytes(im), COUNT * PIXELS * 4);
    CHECK_INT(f.opens, 1);
    CHECK(x[99 - 50] == y[0]);
    images_close(im);
}

TEST(images_come_in_the_order_asked_for_with_their_labels)
{
    struct file f = {0};
    struct images *im = opened(&f);
    const int64_t want[] = {97, 0, 41, 97};
    const float *x[4];
    int32_t labels[4];
    struct err err = {0};
    CHECK_INT(images_get(im, "val", want, 4, 4, x, labels, &err), 0);
    CHECK_INT(f.images, 3);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(labels[i], want[i] % 10);
        for (int k = 0; k < PIXELS; k += PIXELS - 1) /* bytes are divided by 255 */
            CHECK_NEAR((double)x[i][k], (double)want[i] / 255, 1e-6);
    }
    images_close(im);
}

TEST(images_split_that_is_not_there)
{
    struct file f = {0};
    struct images *im = opened(&f);
    int64_t count;
    struct shape shape;
    struct err err = {0};
    CHECK_INT(images_split(im, "test", &count, &shape, &err), -ERR_NOT_FOUND);
    CHECK_INT(f.opens, 1);
    images_close(im);
}
