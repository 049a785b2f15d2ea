/* The language: documents that are refused and how, counting, activity, sampling, moves, codes. */
#include "proto/binding.h"
#include "proto/space_json.h"
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* Two stages with elastic depth and a kernel per block: a small Once-for-All. */
static const char elastic[] =
    "{\"space\":1,\"name\":\"elastic\",\"input\":[3,8,8],"
    "\"decisions\":{\"depth\":{\"count\":2,\"of\":[1,2,3]},\"kernel\":{\"count\":[2,3],\"of\":[3,5]},\"width\":[8,16]},"
    "\"code\":{\"separator\":\"-\",\"order\":[\"width\",\"depth\",\"kernel\"]},"
    "\"network\":["
    "{\"conv\":\"width\",\"name\":\"stem\"},"
    "{\"for\":\"s\",\"to\":2,\"body\":[{\"for\":\"b\",\"to\":\"depth[s]\",\"body\":["
    "{\"sum\":[{\"dwconv\":{\"kernel\":\"kernel[s][b]\"},\"name\":\"blocks.{s}.{b}\"},{\"identity\":{}}]}]}]},"
    "\"gap\",{\"linear\":10,\"name\":\"fc\"}]}";

TEST(space_counts_active_decisions_only)
{
    struct space *s = spaces_doc(elastic);
    /* per stage 2 + 4 + 8 = 14; two widths */
    CHECK_STR(space_architectures(s), "392");
    CHECK_INT(space_architectures64(s), 392);
    CHECK_INT(space_ntensors(s), 1 + 6 + 2);
    space_free(s);
}

static int code_index(char codes[][64], int n, const char *code)
{
    for (int i = 0; i < n; i++)
        if (strcmp(codes[i], code) == 0)
            return i;
    return -1;
}

TEST(space_enumerates_each_architecture_once)
{
    static char codes[392][64];
    struct space *s = spaces_doc(elastic);
    struct err err;
    int choice[9], again[9];
    for (int i = 0; i < 392; i++) {
        char code[64];
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        memcpy(again, choice, sizeof again);
        space_normalise(s, again);
        CHECK(memcmp(again, choice, sizeof again) == 0);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        CHECK(code_index(codes, i, code) < 0);
        memcpy(codes[i], code, sizeof code);
        CHECK(space_code_parse(s, code, again, &err) == 0);
        CHECK(memcmp(again, choice, sizeof again) == 0);
    }
    CHECK(space_nth(s, 392, choice, &err) < 0);
    space_free(s);
}

/* Chi-square over all 392 architectures, 39,200 draws: the 0.999 quantile for 391 degrees of freedom is 482. */
TEST(space_samples_uniformly)
{
    static char codes[392][64];
    int counts[392] = {0}, choice[9];
    struct space *s = spaces_doc(elastic);
    struct err err;
    struct rng r;
    double chi = 0;
    for (int i = 0; i < 392; i++) {
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        CHECK(space_code_print(s, choice, codes[i], sizeof codes[i], &err) == 0);
    }
    rng_seed(&r, 7, 0);
    for (int i = 0; i < 39200; i++) {
        char code[64];
        space_sample(s, &r, choice);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        int at = code_index(codes, 392, code);
        CHECK(at >= 0);
        counts[at]++;
    }
    for (int i = 0; i < 392; i++)
        chi += (counts[i] - 100.0) * (counts[i] - 100.0) / 100.0;
    CHECK(chi < 482);
    CHECK(chi > 300); /* nor is it too even */
    space_free(s);
}

/* The survey's activity is what building the plan reads; its bounds are reached. */
TEST(space_survey_agrees_with_plans)
{
    struct space *s = spaces_doc(elastic);
    struct err err;
    int choice[9];
    int64_t lo = INT64_MAX, hi = 0;
    for (int i = 0; i < 392; i++) {
        struct arena a;
        struct plan p;
        struct cost c;
        unsigned char read[9], active[9];
        arena_init(&a, 0);
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        CHECK(plan_build(&a, s, choice, space_input(s), read, &p, &err) == 0);
        space_active(s, choice, active);
        CHECK(memcmp(read, active, sizeof read) == 0);
        CHECK(cost_plan(&p, &c, &err) == 0);
        lo = c.conv_macs < lo ? c.conv_macs : lo;
        hi = c.conv_macs > hi ? c.conv_macs : hi;
        struct space_limits l = {
            .macs_min = c.conv_macs, .macs_max = c.conv_macs, .params_min = c.params, .params_max = c.params};
        CHECK_INT(space_within(s, choice, &l, &err), 1);
        l.macs_max = c.conv_macs - 1;
        CHECK_INT(space_within(s, choice, &l, &err), 0);
        arena_clear(&a);
    }
    CHECK_INT(space_bounds(s)->conv_macs.min, lo);
    CHECK_INT(space_bounds(s)->conv_macs.max, hi);
    CHECK(space_bounds(s)->conv_macs.exact);
    space_free(s);
}

TEST(space_moves)
{
    struct space *s = spaces_doc(elastic);
    struct rng r;
    struct err err;
    int a[9], b[9], child[9], changed = 0;
    rng_seed(&r, 3, 1);
    for (int i = 0; i < 2000; i++) {
        space_sample(s, &r, a);
        space_sample(s, &r, b);
        space_mutate(s, &r, a, 0, child);
        CHECK(memcmp(a, child, sizeof a) == 0);
        space_mutate(s, &r, a, 0.5, child);
        changed += memcmp(a, child, sizeof a) != 0;
        space_crossover(s, &r, a, a, child);
        CHECK(memcmp(a, child, sizeof a) == 0);
        space_crossover(s, &r, a, b, child);
        CHECK(child[0] == a[0] || child[0] == b[0]);
    }
    CHECK(changed > 1000);
    struct space_limits l = {.macs_max = 1};
    CHECK(space_sample_within(s, &r, &l, 100, a, &err) < 0);
    l.macs_max = space_bounds(s)->conv_macs.min + 1000;
    CHECK(space_sample_within(s, &r, &l, 10000, a, &err) == 0);
    CHECK_INT(space_within(s, a, &l, &err), 1);
    space_free(s);
}

/* Subsets, one BatchNorm for each number of paths, widths sliced from the largest. */
TEST(space_paths_and_slices)
{
    struct space *s = spaces_doc("{\"space\":1,\"name\":\"paths\",\"input\":[3,8,8],\"decisions\":{\"p\":{\"subset\":["
                                 "\"3\",\"5\",\"7\"],\"max\":2},"
                                 "\"w\":[4,8]},\"network\":[{\"conv\":\"w\",\"name\":\"stem\"},{\"name\":\"m\","
                                 "\"paths\":\"p\",\"of\":[{\"dwconv\":3},"
                                 "{\"dwconv\":5},{\"dwconv\":7}]},{\"bn\":{},\"name\":\"bns.{size(p) - "
                                 "1}\"},\"gap\",{\"linear\":2,\"name\":\"fc\"}]}");
    struct arena a;
    struct plan p;
    CHECK_STR(space_architectures(s), "12"); /* (3 + 3) x 2 */
    CHECK_INT(space_ntensors(s), 1 + 3 + 2 * 4 + 2);
    arena_init(&a, 0);
    spaces_plan(&a, s, "3+7,4", &p);
    CHECK_INT(p.nnodes, 8);
    CHECK_STR(p.nodes[2].params[0]->name, "m.0.weight");
    CHECK_INT(p.nodes[3].params[0]->dims[2], 7);
    CHECK_INT(p.nodes[3].params[0]->dims[0], 8);
    CHECK_INT(p.nodes[3].params[0]->count[0], 4);
    CHECK_STR(p.nodes[5].params[0]->name, "bns.1.weight");
    arena_clear(&a);
    space_free(s);
}

#define DOC(decisions, modules, network)                                                                               \
    "{\"space\":1,\"name\":\"x\",\"input\":[3,8,8],\"decisions\":{" decisions "},\"modules\":{" modules                \
    "},\"network\":[" network "]}"
#define TAIL ",\"gap\",{\"linear\":2,\"name\":\"fc\"}"

TEST(space_errors_name_the_place)
{
    spaces_bad("[]", "", "object");
    spaces_bad("{\"space\":2,\"name\":\"x\"}", "/space", "version");
    spaces_bad("{\"space\":1,\"nmae\":\"x\"}", "/nmae", "did you mean \"name\"");
    spaces_bad(DOC("", "", "{\"conv\":{\"out\":8},\"name\":\"c\"}"), "/network", "logits");
    spaces_bad(DOC("", "", "{\"conv\":{\"out\":8,\"kernal\":3}}" TAIL), "/network/0/conv", "did you mean \"kernel\"");
    spaces_bad(DOC("", "", "{\"convv\":{\"out\":8}}" TAIL), "/network/0", "did you mean \"conv\"");
    spaces_bad(DOC("", "", "\"BatchNorm2d\"" TAIL), "/network/0", "did you mean \"bn\"");
    spaces_bad(DOC("", "", "{\"conv\":{\"out\":8,\"filters\":3}}" TAIL), "/network/0/conv", "it has out, kernel, ");
    spaces_bad(DOC("", "", "{\"when\":\"in = 3\",\"relu\":{}}" TAIL), "/network/0/when", "equality is \"==\"");
    spaces_bad(DOC("", "", "{\"seq\":[{\"conv\":8}]},{\"seq\":[{\"conv\":8}]}" TAIL), "/network/1/seq/0",
               "two layers need two names");
    spaces_bad(DOC("", "", "{\"conv\":{\"out\":\"in * 0.5\"}}" TAIL), "/network/0/conv/out", "1.5 is not an integer");
    spaces_bad(DOC("\"k\":[3,5]", "", "{\"conv\":8}" TAIL), "/decisions/k", "no architecture reads");
    spaces_bad(DOC("\"k\":[3,5]", "\"m\":{\"args\":[\"expand\"],\"body\":[{\"conv\":{\"out\":\"exapnd * in\"}}]}",
                   "{\"choose\":\"k == 3 ? 0 : 1\",\"of\":[\"identity\",{\"m\":{\"expand\":3}}]}" TAIL),
               "/modules/m/body/0/conv/out", "unknown name \"exapnd\" (did you mean \"expand\"?)");
    spaces_bad(DOC("", "\"block\":{\"body\":[\"relu\"]}", "\"block\"" TAIL), "/modules/block", "take another name");
    spaces_bad(DOC("", "\"m\":{\"body\":[\"m\"]}", "\"m\"" TAIL), "/modules/m/body/0", "contains itself");
    spaces_bad(DOC("\"k\":{\"count\":2,\"of\":[3,5]}", "", "{\"dwconv\":\"k[2]\"}" TAIL), "/network/0/dwconv",
               "index 2 of a list of 2");
    spaces_bad(DOC("", "", "{\"sum\":[{\"conv\":8},\"identity\"]}" TAIL), "/network/0", "unequal shapes");
    spaces_bad(DOC("", "", "{\"from\":\"y\",\"relu\":{}}" TAIL), "/network/0/from", "no tensor is called \"y\"");
    spaces_bad(DOC("", "", "{\"choose\":0,\"body\":[],\"of\":[\"relu\"]}" TAIL), "/network/0",
               "\"body\" does not belong");
    spaces_bad(DOC("", "", "{\"act\":\"rellu\"}" TAIL), "/network/0/act", "did you mean \"relu\"");
}

/* An error that only some architectures have is found when the document is read. */
TEST(space_errors_in_any_branch)
{
    spaces_bad(DOC("\"a\":[0,1],\"b\":[0,1]", "",
                   "{\"choose\":\"a\",\"of\":[\"identity\",{\"choose\":\"b\",\"of\":[\"identity\",{\"conv\":{\"out\":8,"
                   "\"groups\":2},\"name\":\"c\"}]}]}" TAIL),
               "/network/0/of/1/of/1", "groups");
    spaces_bad(DOC("\"a\":[0,1]", "",
                   "{\"choose\":\"a\",\"of\":[\"identity\",{\"conv\":8,\"name\":\"c\"}]},{\"conv\":\"in == 8 ? 0 : "
                   "4\",\"name\":\"d\"}" TAIL),
               "/network/1/conv", "not between");
}

#define STEM  "{\"name\":\"s\",\"conv\":8},"
#define MAYBE "{\"when\":\"d == 1\",\"name\":\"c\",\"conv\":8,\"as\":\"x[3]\"},"

/* A tensor may be taken wherever the condition holds under which it was named; where some network has none, or an index
 * that a decision moves could mean several, the document is refused. */
TEST(space_tensors_of_some_networks)
{
    struct space *s = spaces_doc(DOC("\"d\":[0,1]", "",
                                     STEM MAYBE "{\"sum\":[\"identity\",{\"when\":\"d == 1\",\"from\":\"x[2 + d]\","
                                                "\"relu\":{}}]}" TAIL));
    CHECK_STR(space_architectures(s), "2");
    spaces_round_trips(s);
    space_free(s);
    spaces_bad(DOC("\"d\":[0,1]", "", STEM MAYBE "{\"sum\":[\"identity\",{\"from\":\"x[3]\",\"relu\":{}}]}" TAIL),
               "/network/2/sum/1/from", "some architectures have no tensor \"x\" here");
    spaces_bad(DOC("\"d\":[1,2,3]", "",
                   STEM "{\"for\":\"i\",\"to\":\"d\",\"body\":[{\"name\":\"c{i}\",\"conv\":8,\"as\":\"n[i]\"}]},"
                        "{\"from\":\"n[d - 1]\",\"relu\":{}}" TAIL),
               "/network/2/from", "may not depend on decisions");
}

static int count_nodes(const struct space *s, const char *code)
{
    struct arena a;
    struct plan p;
    arena_init(&a, 0);
    spaces_plan(&a, s, code, &p);
    int n = p.nnodes;
    arena_clear(&a);
    return n;
}

#define ROUNDS(body)                                                                                                   \
    "{\"sum\":[\"identity\",{\"for\":\"i\",\"to\":2,\"body\":[{\"let\":{\"y\":\"p[i]\"}},{\"when\":\"y == "            \
    "1\",\"relu\":{}}" body "]}]}"

/* Among branches a round is one, none when its only layer is left out; with more layers it stays. Some branch must be
 * left in every network. */
TEST(space_empty_rounds)
{
    struct space *s = spaces_doc(DOC("\"p\":{\"count\":2,\"of\":[0,1]}", "", STEM ROUNDS("") TAIL));
    CHECK_INT(count_nodes(s, "0,0"), 4);     /* input, conv, gap, linear */
    CHECK_INT(count_nodes(s, "1,0"), 4 + 2); /* an activation and the sum */
    CHECK_INT(count_nodes(s, "1,1"), 4 + 3);
    space_free(s);
    s = spaces_doc(DOC("\"p\":{\"count\":2,\"of\":[0,1]}", "", STEM ROUNDS(",\"tanh\"") TAIL));
    CHECK_INT(count_nodes(s, "0,0"), 4 + 3);
    CHECK_INT(count_nodes(s, "1,0"), 4 + 4);
    space_free(s);
    spaces_bad(DOC("\"p\":{\"count\":2,\"of\":[0,1]}", "",
                   STEM "{\"sum\":[{\"for\":\"i\",\"to\":2,\"body\":[{\"when\":\"p[i] == 1\",\"relu\":{}}]}]}" TAIL),
               "/network/1", "no branch is left");
}

/* A document cannot use unbounded time: loops within loops stop. */
TEST(space_bounded)
{
    spaces_bad(DOC("", "",
                   "{\"for\":\"i\",\"to\":1000000,\"body\":[{\"for\":\"j\",\"to\":1000000,\"body\":[\"relu\"]}]}" TAIL),
               "/network/0", "");
    spaces_bad(DOC("", "", "{\"for\":\"i\",\"to\":100000,\"body\":[\"relu\"]}" TAIL), "/network/0/body", "steps");
}

TEST(binding_lists_problems)
{
    struct space *s = spaces_doc(elastic);
    struct arena a;
    struct binding b;
    struct err err;
    int64_t dims[64][4];
    struct binding_tensor t[64];
    int n = space_ntensors(s);
    arena_init(&a, 0);
    for (int i = 0; i < n; i++) {
        const int32_t *d;
        t[i].name = space_tensor(s, i, &t[i].ndim, &d);
        t[i].dims = dims[i];
        for (int k = 0; k < t[i].ndim; k++)
            dims[i][k] = d[k];
    }
    t[n] = (struct binding_tensor){"extra", 1, dims[0]};
    t[n + 1] = (struct binding_tensor){"bn.num_batches_tracked", 0, dims[0]};
    CHECK(binding_check(&a, s, t, (size_t)n + 2, 100, &b, &err) == 0);
    CHECK_INT(b.nproblems, 0);
    CHECK_INT(b.nunused, 1);
    CHECK_STR(b.unused[0], "extra");
    dims[1][0]++;
    CHECK(binding_check(&a, s, t, (size_t)n - 1, 100, &b, &err) == 0);
    CHECK_INT(b.nmissing, 1);
    CHECK_INT(b.nmisshapen, 1);
    CHECK_INT(b.nproblems, 2);
    CHECK(strstr(b.problems[0].problem, "the space needs (16, 1, 5, 5)") != NULL);
    arena_clear(&a);
    space_free(s);
}

TEST(space_json_says_what_is_active)
{
    struct space *s = spaces_doc(elastic);
    struct err err;
    int choice[9];
    CHECK(space_code_parse(s, "8-1-2-5-5-5-3-3-5", choice, &err) == 0);
    json_t *v = space_plan_json(s, choice, &err);
    CHECK_STR(json_string_value(json_object_get(v, "code")), "8-1-2-5-3-3-3-3-3");
    CHECK_INT(json_object_size(json_object_get(v, "active")), 1 + 2 + 1 + 2);
    json_decref(v);
    v = space_describe_json(s, &err);
    CHECK_STR(json_string_value(json_object_get(v, "architectures")), "392");
    CHECK_INT(json_array_size(json_object_get(v, "decisions")), 9);
    json_decref(v);
    space_free(s);
}
