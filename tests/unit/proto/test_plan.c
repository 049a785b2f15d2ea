/* Plans of the spaces that ship: costs known from the references, golden texts, sharing in the merged graph. */
#include "proto/graph.h"
#include "proto/space_class.h"
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <stdlib.h>

TEST(plan_macro_known_costs)
{
    struct space *s = spaces_open("nas-bench-macro");
    /* params and FLOPs of the benchmark's own file for these codes */
    struct cost c = spaces_cost(s, "00000000");
    CHECK_INT(c.params, 387882);
    CHECK_INT(c.conv_macs, 7713280);
    c = spaces_cost(s, "00000001");
    CHECK_INT(c.params, 791594);
    CHECK_INT(c.conv_macs, 14115328);
    c = spaces_cost(s, "22222222");
    CHECK_INT(c.params, 2932586);
    CHECK_INT(c.conv_macs, space_bounds(s)->conv_macs.max);
    CHECK_NEAR((double)c.conv_macs / 1e6, 105.66, 0.005);
    space_free(s);
}

/* README of the reference: 323 M, 3.5 M parameters for its searched path; recomputed 322.92 M, 3.53 M. The BatchNorms
 * of the supernet have no affine, so their parameters are fewer than the retraining network's. */
TEST(plan_spos_known_costs)
{
    struct space *s = spaces_open("spos-shufflenetv2");
    CHECK_STR(space_architectures(s), "1099511627776"); /* 4^20 */
    struct cost c = spaces_cost(s, "2,1,0,1,2,0,2,0,2,0,2,3,0,0,0,0,3,2,3,3");
    CHECK_INT(c.conv_macs, 322918720);
    CHECK_NEAR((double)c.params / 1e6, 3.53, 0.005);
    spaces_golden(s, "2,1,0,1,2,0,2,0,2,0,2,3,0,0,0,0,3,2,3,3", "spos-shufflenetv2-published");
    /* the networks of one operator only, recomputed in the same way: 295.8, 313.7, 340.4, 358.8 M */
    static const double same[4] = {295.8, 313.7, 340.4, 358.8};
    for (int op = 0; op < 4; op++) {
        char code[41];
        for (int i = 0; i < 20; i++)
            snprintf(code + (size_t)i * 2, 3, "%d,", op);
        code[39] = '\0';
        CHECK_NEAR((double)spaces_cost(s, code).conv_macs / 1e6, same[op], 0.05);
    }
    space_free(s);
}

/* Index 0, 11 and 284 of the benchmark: 15.64737, 113.95137, 11.71521 M (with ten additions of the classifier's bias)
 * and .129306, .802426, .101306 M parameters. */
TEST(plan_nats_tss_known_costs)
{
    struct space *s = spaces_open("nats-bench-tss");
    CHECK_STR(space_architectures(s), "15625");
    const char *code =
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|";
    struct cost c = spaces_cost(s, code);
    CHECK_INT(c.conv_macs + 10, 15647370);
    CHECK_INT(c.params, 129306);
    spaces_golden(s, code, "nats-bench-tss-0");
    c = spaces_cost(s, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|");
    CHECK_INT(c.conv_macs + 10, 7783050);
    CHECK_INT(c.params, 73306);
    c = spaces_cost(s, "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|");
    CHECK_INT(c.conv_macs + 10, 7783050 + 15 * (3 * 2359296 + 262144));
    CHECK_INT(c.params, 73306 + 5 * (3 * 48608 + 5600));
    c = spaces_cost(s, "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|");
    CHECK_INT(c.conv_macs + 10, 113951370);
    CHECK_INT(c.params, 802426);
    c = spaces_cost(s, "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|");
    CHECK_INT(c.conv_macs + 10, 11715210);
    CHECK_INT(c.params, 101306);
    space_free(s);
}

static int cmp_hash(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash128));
}

static int distinct(struct hash128 *h, int n)
{
    int count = 0;
    qsort(h, (size_t)n, sizeof *h, cmp_hash);
    for (int i = 0; i < n; i++)
        count += i == 0 || cmp_hash(&h[i - 1], &h[i]) != 0;
    return count;
}

/* 3^8 codes, all different plans; identities commute within a stage: 3,969 architectures. */
TEST(plan_macro_classes)
{
    struct space *s = spaces_open("nas-bench-macro");
    static struct hash128 keys[6561], classes[6561];
    struct arena a;
    arena_init(&a, 0);
    for (int i = 0; i < 6561; i++) {
        char code[9] = "";
        int v = i;
        for (int k = 7; k >= 0; k--, v /= 3)
            code[k] = (char)('0' + v % 3);
        struct plan p;
        spaces_plan(&a, s, code, &p);
        keys[i] = p.key;
        classes[i] = p.class_key;
        arena_clear(&a);
    }
    CHECK_INT(distinct(keys, 6561), 6561);
    CHECK_INT(distinct(classes, 6561), 3969);
    space_free(s);
}

/* 5^6 cells; NAS-Bench-201's paper (section 2.1) counts 6,466 after its rule of isomorphism. */
TEST(plan_nats_tss_classes)
{
    struct space *s = spaces_open("nats-bench-tss");
    static struct hash128 classes[15625];
    struct arena a;
    struct err err;
    int choice[6];
    arena_init(&a, 0);
    for (int i = 0; i < 15625; i++) {
        struct plan p;
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        classes[i] = space_class_key(s, choice, space_input(s));
        if (i % 500)
            continue;
        CHECK(plan_build(&a, s, choice, space_input(s), NULL, &p, &err) == 0);
        CHECK(memcmp(&p.class_key, &classes[i], sizeof *classes) == 0);
        arena_clear(&a);
    }
    CHECK_INT(distinct(classes, 15625), 6466);
    space_free(s);
}

TEST(plan_macro_table)
{
    FILE *f = spaces_shared("data/tables/nas_bench_macro/nas_bench_macro_c10.csv");
    struct space *s = spaces_open("nas-bench-macro");
    char line[256], code[16];
    int rows = 0;
    long long params, macs;
    CHECK(fgets(line, sizeof line, f) != NULL);
    while (fgets(line, sizeof line, f)) {
        CHECK_INT(sscanf(line, "%8[0-2],%*f,%*f,%*f,%*f,%*f,%lld,%lld", code, &params, &macs), 3);
        struct cost c = spaces_cost(s, code);
        CHECK_INT(c.params, params);
        CHECK_INT(c.conv_macs, macs);
        rows++;
    }
    CHECK_INT(rows, 6561);
    fclose(f);
    space_free(s);
}

TEST(plan_golden)
{
    struct space *s = spaces_open("nas-bench-macro");
    spaces_golden(s, "00000000", "nas-bench-macro-00000000");
    spaces_golden(s, "22120012", "nas-bench-macro-22120012");
    space_free(s);
    static const char *const resnets[] = {"cifar-resnet20", "cifar-resnet32", "cifar-resnet44", "cifar-resnet56"};
    for (int i = 0; i < 4; i++) {
        s = spaces_open(resnets[i]);
        spaces_golden(s, "", resnets[i]);
        space_free(s);
    }
}

/* Parameters of the published networks: 0.27, 0.46, 0.66, 0.85 M (He et al. 2015, table 6). */
TEST(plan_resnet_costs)
{
    static const struct {
        const char *name;
        int params;
    } rows[] = {
        {"cifar-resnet20", 269722}, {"cifar-resnet32", 464154}, {"cifar-resnet44", 658586}, {"cifar-resnet56", 853018}};
    for (int i = 0; i < 4; i++) {
        struct space *s = spaces_open(rows[i].name);
        CHECK_INT(space_ndecisions(s), 0);
        CHECK_INT(spaces_cost(s, "").params, rows[i].params);
        space_free(s);
    }
}

TEST(plan_merge_shares_prefixes)
{
    struct space *s = spaces_open("nas-bench-macro");
    struct arena a;
    struct plan p[3];
    const struct plan *all[3] = {&p[0], &p[1], &p[2]};
    struct graph g;
    struct err err;
    arena_init(&a, 0);
    spaces_plan(&a, s, "22222221", &p[0]);
    spaces_plan(&a, s, "22222222", &p[1]);
    spaces_plan(&a, s, "22222221", &p[2]);
    CHECK(graph_merge(&a, all, 3, &g, &err) == 0);
    CHECK_INT(g.nplans, 3);
    CHECK_INT(g.outputs[0], g.outputs[2]);
    CHECK_INT(g.nodes[g.outputs[0]].uses, 2);
    /* the last layer (9 nodes with its sum) and the tail (5) differ: 64 shared nodes, twice 14 */
    CHECK_INT(p[0].nnodes, 78);
    CHECK_INT(g.nnodes, 64 + 2 * 14);
    for (int i = 0; i < g.nnodes; i++)
        for (int k = 0; k < g.nodes[i].node->ninputs; k++)
            CHECK(g.nodes[i].inputs[k] < i);
    arena_clear(&a);
    space_free(s);
}
