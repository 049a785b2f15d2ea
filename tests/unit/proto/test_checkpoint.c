/* checkpoint: every form against what PyTorch says is in it; refusals by name; damaged and truncated files. */
#include "proto/base/json.h"
#include "proto/checkpoint.h"
#include "tests/unit/proto/fixture.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

struct open_file {
    struct bytes bytes;
    struct source *source;
    struct checkpoint *c;
    struct err err;
};

static int open_with(const char *name, const json_t *rename, struct open_file *f)
{
    *f = (struct open_file){.bytes = fixture_load(name)};
    int rc = source_open_memory(f->bytes.data, f->bytes.n, &f->source, &f->err);
    return rc == 0 ? checkpoint_open(f->source, rename, &f->c, &f->err) : rc;
}

static void close_file(struct open_file *f)
{
    checkpoint_close(f->c);
    source_close(f->source);
    free(f->bytes.data);
}

static void check_tensor(const struct open_file *f, const char *name, const json_t *want)
{
    const struct tensor *t = checkpoint_find(f->c, name);
    CHECK(t != NULL);
    if (!t)
        return;
    const json_t *shape = json_object_get(want, "shape"), *values = json_object_get(want, "values");
    CHECK_INT(t->ndim, json_array_size(shape));
    for (int i = 0; i < t->ndim; i++)
        CHECK_INT(t->dims[i], json_integer_value(json_array_get(shape, (size_t)i)));
    size_t n = json_array_size(values);
    float *got = calloc(n + 1, sizeof *got);
    struct err e = {0};
    CHECK_INT(checkpoint_read(f->c, t, got, n, &e), 0);
    for (size_t i = 0; i < n; i++)
        if (got[i] != (float)json_number_value(json_array_get(values, i)))
            test_fail(__FILE__, __LINE__, "%s[%zu] is %.9g", name, i, got[i]);
    free(got);
}

static void check_all(const char *file, const char *format)
{
    struct open_file f;
    CHECK_INT(open_with(file, NULL, &f), 0);
    if (!f.c) {
        test_fail(__FILE__, __LINE__, "%s: %s: %s", file, f.err.where, f.err.text);
        close_file(&f);
        return;
    }
    CHECK_STR(checkpoint_format(f.c), format);
    struct bytes text = fixture_load("expected.json");
    json_t *want = json_parse_strict((char *)text.data, text.n, 8, &f.err);
    CHECK_INT(checkpoint_count(f.c), json_object_size(want));
    const char *name;
    json_t *v;
    json_object_foreach(want, name, v) check_tensor(&f, name, v);
    CHECK_INT(checkpoint_verify(f.c, &f.err), 0);
    json_decref(want);
    free(text.data);
    close_file(&f);
}

TEST(checkpoint_reads_every_form_as_pytorch_does)
{
    check_all("zip.pth", "pytorch");
    check_all("zip_protocol4.pth", "pytorch");
    check_all("legacy.pth", "pytorch-legacy");
    check_all("all.safetensors", "safetensors");
}

TEST(checkpoint_finds_the_state_dict)
{
    static const char *const files[] = {"wrapped.pth", "wrapped_legacy.pth", "nested.pth", "descriptors.pth"};
    for (int i = 0; i < 4; i++) {
        struct open_file f;
        CHECK_INT(open_with(files[i], NULL, &f), 0);
        CHECK_STR(f.err.text, "");
        if (f.c) {
            CHECK_INT(checkpoint_count(f.c), 2);
            CHECK(checkpoint_find(f.c, "conv.weight") != NULL && checkpoint_find(f.c, "half") != NULL);
            CHECK(checkpoint_find(f.c, "module.half") == NULL);
        }
        close_file(&f);
    }
}

TEST(checkpoint_reads_views_of_old_storages)
{
    struct open_file f;
    float v[2] = {0};
    CHECK_INT(open_with("legacy_view.pth", NULL, &f), 0);
    CHECK_INT(checkpoint_read(f.c, checkpoint_find(f.c, "part"), v, 2, &f.err), 0);
    CHECK(v[0] == 3 && v[1] == 5); /* elements 1 and 3 of the part that starts at 2 */
    close_file(&f);
}

TEST(checkpoint_refuses_by_name)
{
    static const struct {
        const char *file, *part;
        enum err_code code;
    } cases[] = {
        {"evil.pth", "posix.system", ERR_UNSUPPORTED},
        {"evil_legacy.pth", "posix.system", ERR_UNSUPPORTED},
        {"whole_model.pth", "torch.nn.modules.linear.Linear", ERR_UNSUPPORTED},
        {"no_state_dict.pth", "a dict with \"epoch\", \"losses\"", ERR_UNSUPPORTED},
        {"complex.pth", "torch.ComplexFloatStorage", ERR_UNSUPPORTED},
        {"expanded.pth", "expanded view", ERR_UNSUPPORTED},
        {"compressed.pth", "compressed (method 8)", ERR_UNSUPPORTED},
        {"plain_pickle.pth", "neither safetensors nor", ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct open_file f;
        CHECK_INT(open_with(cases[i].file, NULL, &f), -(int)cases[i].code);
        if (!strstr(f.err.text, cases[i].part))
            test_fail(__FILE__, __LINE__, "%s: %s: %s", cases[i].file, f.err.where, f.err.text);
        close_file(&f);
    }
}

TEST(checkpoint_refuses_nan_when_read)
{
    struct open_file f;
    float v[2];
    CHECK_INT(open_with("nan.pth", NULL, &f), 0);
    CHECK_INT(checkpoint_read(f.c, checkpoint_at(f.c, 0), v, 2, &f.err), -ERR_INVALID);
    CHECK_STR(f.err.where, "weight");
    CHECK_STR(f.err.text, "element 1 is not a number");
    CHECK_INT(checkpoint_verify(f.c, &f.err), -ERR_INVALID);
    CHECK_INT(checkpoint_read(f.c, checkpoint_at(f.c, 0), v, 3, &f.err), -ERR_INVALID);
    close_file(&f);
}

TEST(checkpoint_renames)
{
    struct open_file f;
    json_t *swap = json_pack("{s:s, s:s}", "half", "conv.weight", "conv.weight", "half");
    CHECK_INT(open_with("nested.pth", swap, &f), 0);
    CHECK_INT(checkpoint_find(f.c, "half")->numel, 24);
    close_file(&f);
    json_t *wrong = json_pack("{s:s}", "hlaf", "x"), *clash = json_pack("{s:s}", "half", "conv.weight");
    CHECK_INT(open_with("nested.pth", wrong, &f), -ERR_INVALID);
    CHECK_STR(f.err.where, "/rename/hlaf");
    CHECK(strstr(f.err.text, "did you mean \"half\"?") != NULL);
    close_file(&f);
    CHECK_INT(open_with("nested.pth", clash, &f), -ERR_INVALID);
    CHECK_STR(f.err.where, "conv.weight");
    close_file(&f);
    json_decref(swap);
    json_decref(wrong);
    json_decref(clash);
}

/* Every prefix must be refused, here or when the tensors are read; the copy is exact, so that a byte too far is seen.
 */
static void truncate_everywhere(const char *file)
{
    struct bytes whole = fixture_load(file);
    for (size_t n = 0; n < whole.n; n++) {
        unsigned char *part = malloc(n ? n : 1);
        memcpy(part, whole.data, n);
        struct source *s;
        struct checkpoint *c = NULL;
        struct err e = {0};
        source_open_memory(part, n, &s, &e);
        int rc = checkpoint_open(s, NULL, &c, &e);
        if (rc == 0 || e.code == ERR_NONE || !e.text[0])
            test_fail(__FILE__, __LINE__, "%s cut to %zu bytes is taken", file, n);
        checkpoint_close(c);
        source_close(s);
        free(part);
    }
    free(whole.data);
}

TEST(checkpoint_refuses_every_truncation)
{
    truncate_everywhere("nested.pth");
    truncate_everywhere("legacy_view.pth");
    truncate_everywhere("wrapped_legacy.pth");
    truncate_everywhere("all.safetensors");
}

TEST(checkpoint_survives_every_changed_byte)
{
    static const char *const files[] = {"nested.pth", "legacy.pth", "all.safetensors"};
    for (int k = 0; k < 3; k++) {
        struct bytes b = fixture_load(files[k]);
        for (size_t i = 0; i < b.n; i++) {
            unsigned char was = b.data[i];
            b.data[i] = (unsigned char)(was ^ (i % 3 == 0 ? 0xff : i % 3 == 1 ? 1 : 0x80));
            struct source *s;
            struct checkpoint *c = NULL;
            struct err e = {0};
            source_open_memory(b.data, b.n, &s, &e);
            if (checkpoint_open(s, NULL, &c, &e) == 0)
                checkpoint_verify(c, &e);
            checkpoint_close(c);
            source_close(s);
            b.data[i] = was;
        }
        free(b.data);
    }
}

TEST(checkpoint_verify_sees_changed_weights)
{
    struct open_file f;
    CHECK_INT(open_with("nested.pth", NULL, &f), 0);
    f.bytes.data[checkpoint_find(f.c, "conv.weight")->offset + 4] ^= 1;
    CHECK_INT(checkpoint_verify(f.c, &f.err), -ERR_CORRUPT);
    CHECK_STR(f.err.where, "nested/data/0");
    close_file(&f);
}

static struct checkpoint *open_shared(const char *name, struct source **s)
{
    struct err e = {0};
    struct checkpoint *c = NULL;
    if (source_open_file(fixture_shared(name), s, &e) != 0 || checkpoint_open(*s, NULL, &c, &e) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s: %s", name, e.where, e.text);
    return c;
}

TEST(checkpoint_shared_macro_supernet)
{
    struct source *s;
    struct err e = {0};
    struct checkpoint *c = open_shared("data/weights/macro_supernet/macro.pth", &s);
    const struct tensor *t = checkpoint_find(c, "features.0.1.conv.0.weight");
    CHECK(t && t->ndim == 4 && t->dims[1] == 32);
    CHECK_INT(checkpoint_verify(c, &e), 0);
    checkpoint_close(c);
    source_close(s);
}

TEST(checkpoint_shared_resnet20)
{
    struct source *s;
    struct err e = {0};
    struct checkpoint *c = open_shared("data/weights/resnet_cifar10/resnet20-12fca82f.th", &s);
    CHECK_STR(checkpoint_format(c), "pytorch-legacy");
    const struct tensor *t = checkpoint_find(c, "layer3.2.conv2.weight");
    CHECK(t && t->numel == 64 * 64 * 9);
    CHECK_INT(checkpoint_verify(c, &e), 0);
    checkpoint_close(c);
    source_close(s);
}
