/* The documents of proto/spaces: how many architectures, costs that the references print, golden plans. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* Per stage 9^2 + 9^3 + 9^4 = 7371 (Once-for-All, section 3.1), five stages, 25 or 17 resolutions; ProxylessNAS's sixth
 * stage has one block of nine kinds. The paper: all of them in 7.7 M parameters. */
TEST(docs_ofa)
{
    spaces_document("ofa-mbv3-w1.0", "543966387314312146275");
    spaces_document("ofa-mbv3-w1.2", "369897143373732259467");
    spaces_document("ofa-proxyless", "4895697485828809316475");
    struct space *s = spaces_open("ofa-mbv3-w1.0");
    CHECK_NEAR((double)space_bounds(s)->params.max / 1e6, 7.7, 0.05);
    spaces_golden(s, "5,3,3,3,5,3,3,3,7,7,3,3,5,5,7,3,3,3,5,3,3,3,3,3,4,4,3,3,6,3,4,3,4,4,4,3,6,6,6,3,2,2,3,4,3,192",
                  "ofa-mbv3-w1.0-192");
    space_free(s);
}

/* Two expansions times 15 sets of kernels in twelve layers. */
TEST(docs_mixpath_s1)
{
    spaces_document("mixpath-s1", "531441000000000000"); /* 30^12 */
}

static int cmp_hash(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash128));
}

/* Sets of nodes with an operator each: (1 + 3)^4 - 1. As architectures, multisets of one to four operators: 34. */
TEST(docs_mixpath_nb101)
{
    spaces_document("mixpath-nb101", "255");
    struct space *s = spaces_open("mixpath-nb101");
    struct hash128 classes[255];
    struct err err;
    struct arena a;
    int choice[5], distinct = 0;
    arena_init(&a, 0);
    for (int i = 0; i < 255; i++) {
        struct plan p;
        CHECK(space_nth(s, (uint64_t)i, choice, &err) == 0);
        CHECK(plan_build(&a, s, choice, space_input(s), NULL, &p, &err) == 0);
        classes[i] = p.class_key;
        arena_clear(&a);
    }
    qsort(classes, 255, sizeof *classes, cmp_hash);
    for (int i = 0; i < 255; i++)
        distinct += i == 0 || cmp_hash(&classes[i - 1], &classes[i]) != 0;
    CHECK_INT(distinct, 34);
    spaces_golden(s, "0+2:conv3x3,conv1x1,maxpool3x3,conv1x1", "mixpath-nb101-two");
    space_free(s);
}

/* AttentiveNAS: 4 x 1536 x 6912 x 128 x 81 architectures; the smallest network is the paper's A0. Costs of both ends
 * recomputed from the released code's formula: 203.39 M and 1939.34 M. BigNAS by its configuration file. */
TEST(docs_attentive)
{
    spaces_document("attentive-nas", "440301256704");
    spaces_document("big-nas", "235929600");
    struct space *s = spaces_open("attentive-nas");
    CHECK_NEAR((double)space_bounds(s)->conv_macs.min / 1e6, 203.39, 0.005);
    CHECK_NEAR((double)space_bounds(s)->conv_macs.max / 1e6, 1939.34, 0.005);
    CHECK(space_bounds(s)->conv_macs.exact);
    spaces_golden(s, "192,16,16,24,32,64,112,192,216,1792,1,3,3,3,3,3,1,3,3,3,3,3,3,3,1,4,4,4,4,6,6",
                  "attentive-nas-smallest");
    space_free(s);
}

/* The repository's MAC table (op_flops_dict) sums to 473.549240 M and 468.807608 M for these two codes; it counts the
 * classifier twice, less one addition a class: 2 x 1728 x 1000 - 1000. */
TEST(docs_bn_nas)
{
    spaces_document("bn-nas", "221502229807900608"); /* 6^6 x 7^15 */
    struct space *s = spaces_open("bn-nas");
    CHECK_INT(spaces_cost(s, "3,-1,0,4,0,-1,-1,0,4,-1,4,4,1,4,2,0,0,4,0,2,2").conv_macs, 473549240 - 1727000);
    CHECK_INT(spaces_cost(s, "0,-1,0,0,4,-1,-1,2,0,-1,4,4,3,0,2,1,0,4,2,5,2").conv_macs, 468807608 - 1727000);
    space_free(s);
}

/* Published: 348, 394, 466, 611 M (with BatchNorm counted) and 4.2, 4.9, 5.3, 6.4 M parameters; convolutions and
 * classifier alone, recomputed for the four networks: 335.14, 392.49, 450.14, 592.84 M. */
TEST(docs_dna)
{
    static const struct {
        const char *code;
        double macs, params;
    } rows[] = {{"3x24:430 4x40:3340 4x80:2340 4x96:1441 5x160:14441 0", 335.14, 4.243},
                {"3x24:342 3x40:2420 4x80:1440 4x96:1441 5x192:24442 0", 392.49, 4.918},
                {"2x24:100 4x40:1101 4x80:1011 4x112:0114 4x192:14110 0", 450.14, 5.274},
                {"3x24:212 4x40:2222 4x80:2112 4x112:2121 5x192:21112 0", 592.84, 6.409}};
    struct space *s = spaces_open("dna");
    for (int i = 0; i < 4; i++) {
        struct cost c = spaces_cost(s, rows[i].code);
        CHECK_NEAR((double)c.conv_macs / 1e6, rows[i].macs, 0.005);
        CHECK_NEAR((double)c.params / 1e6, rows[i].params, 0.0005);
    }
    space_free(s);
    /* (6^2 + 6^3)(6^3 + 6^4) 6^4 (2 x 6^4)(6^4 + 2 x 6^5) 6 */
    spaces_document("dna", "129387384795561984");
}

static void check_bossnas(const struct space *s, const char *code, int64_t table_macs, int64_t table_params)
{
    struct cost c = spaces_cost(s, code);
    int64_t convs = 16 * 24 + 24 * 40 + 40 * 80 + 80 * 112 + 112 * 192;
    int64_t macs = 16 * 24 * 56 * 56 + 24 * 40 * 28 * 28 + (40 * 80 + 80 * 112) * 14 * 14 + 112 * 192 * 7 * 7;
    CHECK_INT(c.conv_macs, table_macs + macs);
    CHECK_INT(c.params, table_params + convs + 2 * (24 + 40 + 80 + 112 + 192));
}

/* The trained networks of BossNAS's ranking experiment have no shortcut where shapes change: the table's 486,885,472
 * MACs and 5,656,456 parameters and the five shortcuts' convolutions and BatchNorms. */
TEST(docs_bossnas_mbconv)
{
    spaces_document("bossnas-mbconv", "68719476736"); /* 4^18 */
    struct space *s = spaces_open("bossnas-mbconv");
    check_bossnas(s, "11 1111 1101 1011 1101", 486885472, 5656456);
    space_free(s);
}

/* All 23 of them. */
TEST(docs_bossnas_mbconv_table)
{
    FILE *f = spaces_shared("data/tables/bossnas/mbconv23_imagenet.csv");
    struct space *s = spaces_open("bossnas-mbconv");
    char line[256], code[32];
    long long macs, params;
    int rows = 0;
    CHECK(fgets(line, sizeof line, f) != NULL);
    for (; fgets(line, sizeof line, f); rows++) {
        CHECK_INT(sscanf(line, "%22[0-3-],%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%*f,%*f,%lld,%lld", code, &macs, &params),
                  3);
        for (char *dash = code; (dash = strchr(dash, '-'));)
            *dash = ' ';
        check_bossnas(s, code, macs, params);
    }
    CHECK_INT(rows, 23);
    fclose(f);
    space_free(s);
}

/* NATS-Bench's sample records, index 0, 11 and 284: 4.481114, 6.84065, 21.827994 M (with ten additions of the
 * classifier's bias) and .011714, .049202, .144834 M parameters; the largest of its table: 274.40 M, .7137 M. */
TEST(docs_nats_sss)
{
    spaces_document("nats-bench-sss", "32768"); /* 8^5 */
    struct space *s = spaces_open("nats-bench-sss");
    struct cost c = spaces_cost(s, "8:8:8:8:8");
    CHECK_INT(c.conv_macs + 10, 4481114);
    CHECK_INT(c.params, 11714);
    c = spaces_cost(s, "8:8:8:16:32");
    CHECK_INT(c.conv_macs + 10, 6840650);
    CHECK_INT(c.params, 49202);
    c = spaces_cost(s, "8:8:40:32:40");
    CHECK_INT(c.conv_macs + 10, 21827994);
    CHECK_INT(c.params, 144834);
    c = spaces_cost(s, "64:64:64:64:64");
    CHECK_NEAR((double)c.conv_macs / 1e6, 274.40, 0.005);
    CHECK_NEAR((double)c.params / 1e6, 0.7137, 0.00005);
    spaces_golden(s, "16:24:24:64:8", "nats-bench-sss-16-24-24-64-8");
    space_free(s);
}

/* README of the reference: 27.1 M parameters for the network searched on ImageNet; recomputed 5.332 G, 27.046 M, and
 * 5.254 G, 27.039 M for the one searched for transfer. */
TEST(docs_pi_nas)
{
    spaces_document("pi-nas-resnest50", "4294967296"); /* 4^16 */
    struct space *s = spaces_open("pi-nas-resnest50");
    struct cost c = spaces_cost(s, "3 0 1 3 2 3 1 2 0 3 2 1 3 0 3 2");
    CHECK_NEAR((double)c.conv_macs / 1e9, 5.332, 0.0005);
    CHECK_NEAR((double)c.params / 1e6, 27.046, 0.0005);
    c = spaces_cost(s, "3 3 3 3 1 1 3 3 3 0 0 1 1 0 2 1");
    CHECK_NEAR((double)c.conv_macs / 1e9, 5.254, 0.0005);
    CHECK_NEAR((double)c.params / 1e6, 27.039, 0.0005);
    space_free(s);
}

/* One random architecture of each document that has no other golden plan. */
TEST(docs_plans)
{
    static const struct {
        const char *name, *code;
    } rows[] = {
        {"big-nas", "288,40,24,24,48,88,128,216,320,1280,1,3,3,4,3,2,1,3,3,3,3,3,5,3,1,6,6,6,6,6,6"},
        {"bn-nas", "0,5,5,1,3,0,1,3,0,4,-1,0,1,0,3,-1,2,3,0,0,0"},
        {"bossnas-mbconv", "21 1233 2320 2313 3221"},
        {"darts-s2", "skip_connect,sep_conv_3x3~0+1 sep_conv_3x3,skip_connect~1+2 sep_conv_3x3,sep_conv_3x3~0+3 "
                     "skip_connect,sep_conv_3x3~2+4 | skip_connect,skip_connect~0+1 skip_connect,sep_conv_3x3~0+2 "
                     "sep_conv_3x3,sep_conv_3x3~2+3 sep_conv_3x3,skip_connect~0+4"},
        {"darts-s4", "sep_conv_3x3,sep_conv_3x3~0+1 sep_conv_3x3,sep_conv_3x3~1+2 sep_conv_3x3,sep_conv_3x3~0+3 "
                     "sep_conv_3x3,sep_conv_3x3~2+4 | sep_conv_3x3,sep_conv_3x3~0+1 sep_conv_3x3,sep_conv_3x3~0+2 "
                     "sep_conv_3x3,sep_conv_3x3~2+3 sep_conv_3x3,sep_conv_3x3~0+4"},
        {"dna", "3x24:152 4x40:5020 4x80:5340 4x112:4525 5x192:45215 4"},
        {"mixpath-s1", "6:3+5+7,6:7,6:3+7,3:3+9,3:3+5+7,6:5+7,6:3+9,3:9,3:3+5+7,3:7+9,6:3+5+9,3:5+9"},
        {"ofa-mbv3-w1.2",
         "7,5,7,5,7,7,7,7,7,5,7,3,5,3,7,7,7,5,3,3,4,4,6,3,3,6,3,4,3,4,6,3,6,4,4,6,3,4,4,6,4,4,3,4,4,224"},
        {"ofa-proxyless",
         "7,5,7,5,7,7,7,7,7,5,7,3,5,3,7,7,7,5,3,3,5,4,3,6,3,6,3,3,4,4,6,6,3,4,3,4,6,4,3,4,6,4,4,4,3,4,4,156"},
        {"pi-nas-resnest50", "2 1 1 2 3 3 2 3 2 0 2 3 1 3 3 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct space *s = spaces_open(rows[i].name);
        spaces_golden(s, rows[i].code, rows[i].name);
        space_free(s);
    }
}

/* The example of proto/spaces/README.md, as it stands there. */
TEST(docs_readme_example)
{
    static char text[65536];
    FILE *f = fopen("proto/spaces/README.md", "r");
    CHECK(f != NULL);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    char *begin = strstr(text, "```json\n"), *end = begin ? strstr(begin + 8, "```") : NULL;
    CHECK(end != NULL);
    *end = '\0';
    struct space *s = spaces_doc(begin + 8);
    struct err err;
    int choice[9];
    char code[SPACE_MAX_CODE];
    CHECK_STR(space_architectures(s), "272");
    CHECK(space_code_parse(s, "2-residual-skip-conv-conv-5-5-5-5", choice, &err) == 0);
    space_normalise(s, choice);
    CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
    CHECK_STR(code, "2-residual-skip-conv-conv-5-3-3-3");
    spaces_round_trips(s);
    space_free(s);
}
