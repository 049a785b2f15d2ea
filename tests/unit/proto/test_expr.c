#include "proto/expr.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

static int lookup(void *ctx, const char *name, struct expr_name *out, struct suggest *s)
{
    (void)ctx;
    if (strcmp(name, "expand") == 0)
        *out = (struct expr_name){.kind = NAME_SLOT, .index = 0};
    else if (strcmp(name, "in") == 0)
        *out = (struct expr_name){.kind = NAME_INPUT, .index = 0};
    else if (strcmp(name, "k") == 0)
        *out = (struct expr_name){.kind = NAME_DECISION, .index = 5, .ndims = 2, .dims = {2, 3}};
    else
        return suggest_offer(s, "expand"), suggest_offer(s, "in"), suggest_offer(s, "k"), 0;
    return 1;
}

static int decide(void *ctx, int decision, struct val *out, struct err *err)
{
    (void)ctx, (void)err;
    *out = (struct val){.type = VAL_NUM, .num = 100 + decision};
    return 0;
}

static double value(const char *text)
{
    struct arena a;
    struct err err = {0};
    struct expr_scope scope = {lookup, NULL};
    struct val slots[1] = {{.type = VAL_NUM, .num = 6}};
    struct expr_env env = {.slots = slots, .in = {24, 8, 8}, .decide = decide};
    double v = -12345;
    arena_init(&a, 0);
    struct expr *x = expr_parse(&a, text, &scope, "/x", &err);
    if (!x || expr_num(x, &env, &v, &err))
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.text);
    arena_clear(&a);
    return v;
}

/* The error's text: while parsing, or while evaluating. */
static const char *error(const char *text)
{
    static struct err err;
    struct arena a;
    struct expr_scope scope = {lookup, NULL};
    struct val slots[1] = {{.type = VAL_NUM, .num = 6}};
    struct expr_env env = {.slots = slots, .in = {24, 8, 8}, .decide = decide};
    int64_t v;
    err = (struct err){0};
    arena_init(&a, 1 << 20);
    struct expr *x = expr_parse(&a, text, &scope, "/x", &err);
    if (x && expr_int(x, &env, -1000, 1000, &v, &err) == 0)
        test_fail(__FILE__, __LINE__, "%s is accepted", text);
    CHECK_STR(err.where, "/x");
    arena_clear(&a);
    return err.text;
}

TEST(expr_arithmetic)
{
    CHECK_NEAR(value("1 + 2 * 3 - 4 / 8"), 6.5, 0);
    CHECK_NEAR(value("-7 // 2"), -4, 0);
    CHECK_NEAR(value("-7 % 3"), 2, 0);
    CHECK_NEAR(value("(1 + 2) * -3"), -9, 0);
    CHECK_NEAR(value("10 - 4 - 3"), 3, 0);
    CHECK_NEAR(value("min(3, in) + max(3, in)"), 27, 0);
    CHECK_NEAR(value("floor(2.7) + ceil(2.1)"), 5, 0);
    CHECK_NEAR(value("in * expand"), 144, 0);
}

/* round8: the rule of the mobile networks, values from the references' make_divisible */
TEST(expr_round8)
{
    CHECK_NEAR(value("round8(16 * 3)"), 48, 0);
    CHECK_NEAR(value("round8(10)"), 16, 0); /* 8 would be less than 90 % of 10 */
    CHECK_NEAR(value("round8(1)"), 8, 0);
    CHECK_NEAR(value("round8(24 * 1.25)"), 32, 0);
    CHECK_NEAR(value("round(37, 4)"), 36, 0);
}

TEST(expr_logic)
{
    CHECK_NEAR(value("in == 24 && !(expand < 6) ? 1 : 2"), 1, 0);
    CHECK_NEAR(value("in != 24 || false ? 1 : expand == 3 ? 2 : 3"), 3, 0);
    CHECK_NEAR(value("in == 24 || 1 / (in - 24) == 1"), 1, 0);
    CHECK_NEAR(value("has(5, 2) + has(5, 1) * 10 + size(7) * 100"), 301, 0);
}

TEST(expr_names)
{
    CHECK_NEAR(value("[1, 2, 4][2]"), 4, 0);
    CHECK_NEAR(value("k[1][2]"), 110, 0);
    CHECK_NEAR(value("'a' == 'a'"), 1, 0);
}

TEST(expr_errors)
{
    CHECK_STR(error("exapnd * in"), "unknown name \"exapnd\" (did you mean \"expand\"?), column 1 of \"exapnd * in\"");
    CHECK(strstr(error("in + rond8(3)"), "did you mean \"round8\"") != NULL);
    CHECK(strstr(error("in +"), "ends too early, column 5") != NULL);
    CHECK(strstr(error("(in"), "\")\" is missing") != NULL);
    CHECK(strstr(error("in 3"), "unexpected text") != NULL);
    CHECK(strstr(error("in / 0"), "division by zero") != NULL);
    CHECK(strstr(error("1 / 0"), "division by zero") != NULL);
    CHECK(strstr(error("k[2][0]"), "index 2 of a list of 2") != NULL);
    CHECK(strstr(error("k[0]"), "is an array") != NULL);
    CHECK(strstr(error("in / 5"), "4.8 is not an integer") != NULL);
    CHECK(strstr(error("in * 1000"), "not between") != NULL);
    CHECK(strstr(error("'a' < 'b'"), "only be compared") != NULL);
    CHECK(strstr(error("'a'"), "a number is needed") != NULL);
    CHECK(strstr(error("0x10"), "decimal") != NULL);
}

TEST(expr_depth_is_bounded)
{
    char text[1025];
    memset(text, '(', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CHECK(strstr(error(text), "too deeply") != NULL);
    memset(text, '-', sizeof text - 1);
    CHECK(strstr(error(text), "too deeply") != NULL);
}
