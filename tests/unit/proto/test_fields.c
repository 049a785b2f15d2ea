/* fields, json, suggest: what is refused, and that the place is named. */
#include "proto/base/fields.h"
#include "proto/base/json.h"
#include "proto/base/suggest.h"
#include "tests/unit/test.h"

#include <stdint.h>
#include <stdlib.h>

struct sample {
    int64_t n;
    int small, on, kind;
    double x;
    const char *name;
    char text[8];
    const json_t *list;
};
static const char *const kinds[] = {"random", "evolution", NULL};
static const struct field rows[] = {
    {"n", FIELD_INT, FIELD_REQUIRED, .min = 1, .max = 100, FIELD_AT(struct sample, n)},
    {"small", FIELD_INT, FIELD_AT(struct sample, small)},
    {"on", FIELD_BOOL, FIELD_NULL, FIELD_AT(struct sample, on)},
    {"kind", FIELD_ENUM, .choices = kinds, FIELD_AT(struct sample, kind)},
    {"x", FIELD_NUMBER, .min = 0, .max = 1, FIELD_AT(struct sample, x)},
    {"name", FIELD_STRING, FIELD_NONEMPTY, .max_len = 4, FIELD_AT(struct sample, name)},
    {"text", FIELD_TEXT, FIELD_AT(struct sample, text)},
    {"list", FIELD_ARRAY, .max_len = 2, FIELD_AT(struct sample, list)},
};

static struct err read_text(const char *text, struct sample *s)
{
    struct err e = {0};
    json_t *doc = json_parse_strict(text, strlen(text), 4, &e);
    if (doc && fields_read(doc, rows, FIELDS_COUNT(rows), s, &e) == 0)
        e.code = ERR_NONE;
    json_decref(doc);
    return e;
}

static void refused(const char *text, const char *where, const char *part)
{
    struct sample s = {0};
    struct err e = read_text(text, &s);
    CHECK(e.code != ERR_NONE);
    CHECK_STR(e.where, where);
    if (!strstr(e.text, part))
        test_fail(__FILE__, __LINE__, "%s: \"%s\" lacks \"%s\"", text, e.text, part);
}

TEST(fields_fill_a_struct_and_keep_defaults)
{
    struct sample s = {.small = 7, .on = 1, .x = .25};
    struct err e = read_text("{\"n\": 3, \"kind\": \"evolution\", \"text\": \"1234567\", \"on\": null}", &s);
    CHECK_INT(e.code, 0);
    CHECK_INT(s.n, 3);
    CHECK_INT(s.small, 7);
    CHECK_INT(s.on, 1);
    CHECK_INT(s.kind, 1);
    CHECK_STR(s.text, "1234567");
    CHECK_NEAR(s.x, .25, 0);
    CHECK_INT(read_text("{\"n\": 3, \"x\": 1, \"on\": false}", &s).code, 0);
    CHECK_NEAR(s.x, 1, 0);
    CHECK_INT(s.on, 0);
}

TEST(fields_refuse_and_name_the_place)
{
    refused("{}", "/n", "required");
    refused("{\"n\": 3, \"kin\": 1}", "/kin", "did you mean \"kind\"?");
    refused("{\"n\": 3, \"a/b~\": 1}", "/a~1b~0", "unknown member");
    refused("{\"n\": 0}", "/n", "outside 1 to 100");
    refused("{\"n\": 1.5}", "/n", "must be an integer, not a number");
    refused("{\"n\": 1, \"small\": 3000000000}", "/small", "32 bits");
    refused("{\"n\": 1, \"kind\": \"evolutoin\"}", "/kind", "did you mean \"evolution\"?");
    refused("{\"n\": 1, \"x\": 1.01}", "/x", "outside");
    refused("{\"n\": 1, \"name\": \"abcde\"}", "/name", "5 bytes");
    refused("{\"n\": 1, \"name\": \"\"}", "/name", "empty");
    refused("{\"n\": 1, \"text\": \"12345678\"}", "/text", "8 bytes");
    refused("{\"n\": 1, \"list\": [1,2,3]}", "/list", "3 elements");
    refused("{\"n\": 1, \"list\": null}", "/list", "must be an array, not null");
    refused("[]", "", "must be an object, not an array");
}

TEST(json_is_strict)
{
    refused("{\"n\": 1, \"n\": 2}", "line 1, column 12 (byte 12)", "duplicate object key");
    refused("{\"n\": 1}\n x", "line 2, column 2 (byte 11)", "end of file expected");
    refused("{\"list\": [[[[1]]]]}", "byte 12", "deeper than 4");
    refused("", "line 1, column 0 (byte 0)", "not valid JSON");
    refused("{\"n\": 123456789012345678901}", "line 1, column 27 (byte 27)", "big");
    refused("{\"n\\u0000\": 1}", "line 1, column 10 (byte 10)", "\\u0000");
    struct sample s = {0};
    CHECK_INT(read_text("{\"n\": 1, \"text\": \"[[[\\\"[\"}", &s).code, 0); /* brackets in strings do not nest */
}

TEST(json_pointers_nest_outwards)
{
    struct err e = {0};
    err_set(&e, ERR_INVALID, "", "x");
    json_err_member(&e, "k%d");
    json_err_index(&e, 3);
    json_err_member(&e, "layers");
    CHECK_STR(e.where, "/layers/3/k%d");
    char buf[32];
    CHECK_STR(json_pointer(buf, sizeof buf, "/a", "b/c"), "/a/b~1c");
}

TEST(json_canonical_text_ignores_order)
{
    struct err e = {0};
    json_t *a = json_parse_strict("{\"b\": 0.1, \"a\": [1, 2]}", 23, 4, &e);
    char *text = json_canonical(a);
    CHECK_STR(text, "{\"a\":[1,2],\"b\":0.10000000000000001}");
    free(text);
    json_decref(a);
}

TEST(suggest_finds_the_nearest)
{
    CHECK_INT(suggest_distance("kitten", "sitting"), 3);
    CHECK_INT(suggest_distance("exapnd", "expand"), 1);
    CHECK_INT(suggest_distance("", "abc"), 3);
    struct suggest s;
    suggest_init(&s, "exapnd");
    suggest_offer(&s, "kernel");
    suggest_offer(&s, "expand");
    suggest_offer(&s, "expands");
    CHECK_STR(suggest_hint(&s), " (did you mean \"expand\"?)");
    suggest_init(&s, "k");
    suggest_offer(&s, "width");
    suggest_offer(&s, "z");
    CHECK_STR(suggest_hint(&s), "");
}
