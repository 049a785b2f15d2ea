/* Documents made to take forever or all memory: each is answered at once, by a figure or an error that names the place.
 * The runner's limit of a minute is what fails a test here; most would not end at all without their bound. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <stdarg.h>
#include <stdlib.h>

struct text {
    FILE *f;
    char *s;
    size_t n;
};

static void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    if (!t->f)
        t->f = open_memstream(&t->s, &t->n);
    va_start(ap, fmt);
    vfprintf(t->f, fmt, ap);
    va_end(ap);
}

static void text_repeat(struct text *t, const char *s, int n)
{
    while (n--)
        text_add(t, "%s", s);
}

static void begin(struct text *t, const char *rest)
{
    *t = (struct text){0};
    text_add(t, "{\"space\": 1, \"name\": \"nasty\", \"input\": [3, 8, 8], %s", rest);
}

/* NULL where: the document must be good, and is returned. */
static struct space *finish(struct text *t, const char *where, const char *said)
{
    struct space *s = NULL;
    text_add(t, "\"gap\", {\"name\": \"fc\", \"linear\": 2}]}");
    fclose(t->f);
    if (where)
        spaces_bad(t->s, where, said);
    else
        s = spaces_doc(t->s);
    free(t->s);
    return s;
}

/* Thirty modules, each calling the one before twice. */
TEST(nasty_modules_double)
{
    struct text t;
    begin(&t, "\"modules\": {\"m0\": {\"body\": [{\"when\": \"false\", \"relu\": {}}]}");
    for (int i = 1; i < 30; i++)
        text_add(&t, ", \"m%d\": {\"body\": [\"m%d\", \"m%d\"]}", i, i - 1, i - 1);
    text_add(&t, "}, \"network\": [\"m29\", ");
    finish(&t, "/modules/m3/body", "take more than 200000 steps");
}

TEST(nasty_loops)
{
    struct text t;
    begin(&t,
          "\"network\": [{\"for\": \"a\", \"to\": 60000, \"body\": [{\"for\": \"b\", \"to\": 60000, \"body\": []}]}, ");
    finish(&t, "/network/0/body/0/body", "steps");
    begin(&t, "\"network\": [{\"for\": \"a\", \"to\": 900, \"body\": [{\"for\": \"b\", \"to\": 900, \"body\": ["
              "{\"when\": \"false\", \"relu\": {}}]}]}, ");
    finish(&t, "/network/0/body/0/body", "steps");
    begin(
        &t,
        "\"decisions\": {\"d\": [1, 1000000]}, \"network\": [{\"for\": \"i\", \"to\": \"d\", \"body\": [\"relu\"]}, ");
    finish(&t, "/network/0", "a loop of 1000000 rounds");
}

/* An option within an option, fourteen deep, both of either kind. */
static void nest(struct text *t, int depth)
{
    if (depth == 0) {
        text_add(t, "\"identity\"");
        return;
    }
    text_add(t, "{\"choose\": \"a[%d]\", \"of\": [", depth - 1);
    nest(t, depth - 1);
    text_add(t, ", ");
    nest(t, depth - 1);
    text_add(t, "]}");
}

TEST(nasty_options_in_options)
{
    struct text t;
    struct space *s;
    begin(&t, "\"decisions\": {\"a\": {\"count\": 14, \"of\": [0, 1]}}, \"network\": [");
    nest(&t, 14);
    text_add(&t, ", ");
    fclose(t.f);
    struct err err = {0};
    CHECK(space_parse(t.s, t.n, &s, &err) < 0); /* the text is cut as well; the layers are too many before that */
    free(t.s);
    begin(&t, "\"decisions\": {\"a\": {\"count\": 9, \"of\": [0, 1]}}, \"network\": [");
    nest(&t, 9);
    text_add(&t, ", ");
    s = finish(&t, NULL, NULL);
    CHECK_STR(space_architectures(s), "512");
    space_free(s);
}

/* Forty decisions at once: as a condition, as a size, as a name, as a requirement. */
TEST(nasty_conditions)
{
    static const char decisions[] = "\"decisions\": {\"a\": {\"count\": 40, \"of\": [1, 2]}}, ";
    static const char each[] = "{\"for\": \"i\", \"to\": 40, \"body\": [{\"name\": \"c{i}\", \"conv\": \"a[i]\"}]}, ";
    struct text t;
    for (int kind = 0; kind < 4; kind++) {
        begin(&t, decisions);
        text_add(&t, kind == 3 ? "\"require\": [\"" : "\"network\": [{");
        text_add(&t, kind == 0   ? "\"when\": \""
                     : kind == 1 ? "\"conv\": \""
                     : kind == 2 ? "\"conv\": 8, \"name\": \""
                                 : "");
        for (int i = 0; i < 40; i++)
            text_add(&t, kind == 2 ? "{a[%d]}" : "a[%d] + ", i);
        text_add(&t, kind == 0   ? "0 > 60\", \"relu\": {}}, "
                     : kind == 1 ? "0\", \"name\": \"c\"}, "
                     : kind == 2 ? "\"}, "
                                 : "0 > 60\"], \"network\": [");
        text_add(&t, "%s", each);
        if (kind < 3)
            finish(&t, "/network/0", "depends on too many decisions at once");
        else
            finish(&t, "/require/0", "may read few decisions");
    }
}

TEST(nasty_requirements)
{
    struct text t;
    begin(&t, "\"decisions\": {\"a\": {\"count\": 30, \"of\": [8, 16, 24, 32]}}, \"require\": [\"true\"");
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < i; j++)
            text_add(&t, ", \"a[%d] != a[%d] || a[%d] > 8\"", i, j, i);
    text_add(&t,
             "], \"network\": [{\"for\": \"i\", \"to\": 30, \"body\": [{\"name\": \"c{i}\", \"conv\": \"a[i]\"}]}, ");
    finish(&t, "/decisions", "too many decisions hang together");
}

/* Tables of two widths of 256 options each, a thousand times: the survey's memory has an end. */
TEST(nasty_tables)
{
    struct text t;
    begin(&t, "\"decisions\": {\"w\": {\"count\": 1000, \"of\": [1");
    for (int i = 2; i <= 256; i++)
        text_add(&t, ", %d", i);
    text_add(
        &t,
        "]}}, \"network\": [{\"for\": \"i\", \"to\": 1000, \"body\": [{\"name\": \"c{i}\", \"conv\": \"w[i]\"}]}, ");
    finish(&t, "/network/0/body/0", "too entangled to be surveyed in memory");
}

/* A thousand decisions in a chain, and one that all layers share: counted, with exact bounds. */
TEST(nasty_many_decisions)
{
    struct text t;
    begin(&t,
          "\"decisions\": {\"w\": {\"count\": 1000, \"of\": [8, 16, 24, 32, 40, 48, 56, 64]}, \"k\": {\"count\": 24, "
          "\"of\": [1, 3, 5]}}, \"network\": [{\"for\": \"i\", \"to\": 1000, \"body\": [{\"name\": \"c{i}\", \"conv\": "
          "{\"out\": \"w[i]\", \"kernel\": \"k[0]\"}}]}, {\"for\": \"i\", \"to\": 24, \"body\": [{\"name\": \"d{i}\", "
          "\"dwconv\": \"k[i]\"}]}, ");
    struct space *s = finish(&t, NULL, NULL);
    CHECK_INT(strlen(space_architectures(s)), 915); /* 8^1000 3^24 */
    CHECK(space_bounds(s)->conv_macs.exact);
    space_free(s);
    begin(&t,
          "\"decisions\": {\"d\": {\"count\": 200, \"of\": [0, 1, 2, 3]}, \"k\": {\"count\": [200, 3], \"of\": [1, 3, "
          "5]}}, \"network\": [{\"for\": \"s\", \"to\": 200, \"body\": [{\"for\": \"b\", \"to\": \"d[s]\", \"body\": "
          "[{\"sum\": [\"identity\", {\"name\": \"b{s}.{b}\", \"dwconv\": \"k[s][b]\"}]}]}]}, ");
    s = finish(&t, NULL, NULL);
    CHECK_INT(strlen(space_architectures(s)), 321); /* (1 + 3 + 9 + 27)^200 = 40^200 */
    space_free(s);
}

TEST(nasty_texts)
{
    struct text t;
    begin(&t, "\"network\": [{\"name\": \"c\", \"conv\": \"");
    text_repeat(&t, "-", 50000);
    text_add(&t, "8\"}, ");
    finish(&t, "/network/0/conv", "an expression may have 1024 characters");
    begin(&t, "\"network\": [{\"name\": \"c\", \"conv\": \"");
    text_repeat(&t, "1 ? (", 150);
    text_add(&t, "8\"}, ");
    finish(&t, "/network/0/conv", "");
    begin(&t, "\"network\": [{\"conv\": 8, \"name\": \"");
    text_repeat(&t, "n", 100000);
    text_add(&t, "\"}, ");
    finish(&t, "/network/0", "longer than");
    begin(&t, "\"network\": [");
    text_repeat(&t, "[", 100000);
    finish(&t, "byte 124", "nested deeper than 64 levels");
    begin(&t, "\"network\": [{\"let\": {\"x0\": 2");
    for (int i = 1; i < 60; i++)
        text_add(&t, ", \"x%d\": \"x%d * x%d\"", i, i - 1, i - 1);
    text_add(&t, "}}, {\"name\": \"c\", \"conv\": \"x59\"}, ");
    finish(&t, "/network/0/let/x10", "not a finite number");
}

TEST(nasty_sizes)
{
    struct text t;
    begin(&t, "\"network\": [{\"name\": \"c\", \"conv\": {\"out\": 1048576, \"kernel\": 1, \"pad\": 1000}}, ");
    finish(&t, "/network/0", "");
    begin(&t, "\"network\": [{\"for\": \"i\", \"to\": 5000, \"body\": [{\"relu\": {}, \"as\": \"n[i]\"}]}, ");
    finish(&t, "/network/0/body/0/as", "named tensors");
    begin(&t, "\"network\": [{\"sum\": [");
    text_repeat(&t, "\"relu\", ", 19000);
    text_add(&t, "\"relu\"]}, ");
    finish(&t, "/network/0/sum/64", "more than 64 branches");
}
