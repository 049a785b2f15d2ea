/* The documents of elastic ResNets, width lists and cells: how many architectures, costs that the references print,
 * golden plans. */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

/* Depths 117 = 3^2 + 3^3 + 3^4 (expansions of 2, 3 or 4 blocks) for three stages, 1053 for the one of four to six; the
 * stem's block, six widths, 25 resolutions. With expansion 1/4, full width and 3, 4, 6, 3 blocks it is ResNet-50 but
 * for the stem's three 3x3 convolutions: torchvision's documentation gives 25,557,032 parameters and 4.09 G. */
TEST(docs_ofa_resnet50d)
{
    spaces_document("ofa-resnet50d", "61472869924050");
    struct space *s = spaces_open("ofa-resnet50d");
    struct cost c =
        spaces_cost(s, "2,1,2,2,1,0.25,0.25,0.25,0.2,0.25,0.25,0.25,0.25,0.25,0.25,0.25,0.25,0.25,0.25,0.25,"
                       "0.25,0.25,0.2,2,2,2,2,2,2,224");
    int64_t stem = 27 * 32 + 9 * 32 * 32 + 9 * 32 * 64 - 147 * 64;
    CHECK_INT(c.params, 25557032 + stem + 4 * 32);
    CHECK_NEAR((double)(c.conv_macs - stem * 112 * 112) / 1e9, 4.09, 0.005);
    spaces_golden(s,
                  "0,0,1,2,0,0.35,0.2,0.2,0.25,0.2,0.35,0.2,0.2,0.25,0.2,0.35,0.2,0.25,0.2,0.25,0.35,0.2,0.2,0,1,2,0,"
                  "1,2,132",
                  "ofa-resnet50d-132");
    space_free(s);
}

/* The benchmark's table: 1111111 has 125,418 parameters and 14,285,312 MACs, 1111112 144,874 and 15,336,448. */
TEST(docs_channel_bench)
{
    spaces_document("channel-bench-mobilenet", "16384"); /* 4^7 */
    spaces_document("channel-bench-resnet", "16384");
    struct space *s = spaces_open("channel-bench-mobilenet");
    struct cost c = spaces_cost(s, "1111111");
    CHECK_INT(c.params, 125418);
    CHECK_INT(c.conv_macs, 14285312);
    c = spaces_cost(s, "1111112");
    CHECK_INT(c.params, 144874);
    CHECK_INT(c.conv_macs, 15336448);
    spaces_golden(s, "1234321", "channel-bench-mobilenet-1234321");
    space_free(s);
    s = spaces_open("channel-bench-resnet");
    spaces_golden(s, "1234321", "channel-bench-resnet-1234321");
    space_free(s);
}

/* Pairs of inputs 1 x 3 x 6 x 10, squared for two kinds of cells, times the operators of the 16 edges that are taken.
 */
TEST(docs_darts)
{
    spaces_document("darts", "1076746950455072400"); /* 180^2 7^16 */
    spaces_document("darts-s1", "2123366400");       /* 180^2 2^16 */
    spaces_document("darts-s2", "2123366400");
    spaces_document("darts-s3", "2123366400"); /* a genotype has no "none" */
    spaces_document("darts-s4", "32400");      /* nor noise */
    struct space *s = spaces_open("darts");
    spaces_golden(s,
                  "sep_conv_3x3,sep_conv_5x5~0+1 skip_connect,dil_conv_3x3~0+2 max_pool_3x3,dil_conv_5x5~1+3 "
                  "avg_pool_3x3,skip_connect~0+4 | max_pool_3x3,skip_connect~0+1 avg_pool_3x3,skip_connect~1+2 "
                  "sep_conv_5x5,dil_conv_5x5~0+3 sep_conv_3x3,skip_connect~2+4",
                  "darts-all");
    space_free(s);
    s = spaces_open("darts-s1");
    spaces_golden(s,
                  "0+1 0+2 1+3 3+4 0+1 1+2 2+3 0+4 dil_conv_3x3 skip_connect dil_conv_5x5 skip_connect skip_connect "
                  "max_pool_3x3 sep_conv_3x3 skip_connect skip_connect skip_connect max_pool_3x3 skip_connect "
                  "dil_conv_5x5 dil_conv_3x3 avg_pool_3x3 dil_conv_3x3 max_pool_3x3 avg_pool_3x3 skip_connect "
                  "max_pool_3x3 max_pool_3x3 skip_connect dil_conv_5x5 avg_pool_3x3 max_pool_3x3 skip_connect "
                  "skip_connect dil_conv_5x5",
                  "darts-s1");
    space_free(s);
    s = spaces_open("darts-s3");
    spaces_golden(s,
                  "sep_conv_3x3,skip_connect~0+1 skip_connect,sep_conv_3x3~0+2 sep_conv_3x3,skip_connect~1+3 "
                  "skip_connect,skip_connect~0+4 | sep_conv_3x3,skip_connect~0+1 skip_connect,sep_conv_3x3~1+2 "
                  "sep_conv_3x3,sep_conv_3x3~0+3 sep_conv_3x3,skip_connect~2+4",
                  "darts-s3");
    space_free(s);
}

/* A cell: any non-empty set of two operators on each of 2, 3, 4, 5 edges: 246,517,425. Fourteen cells. */
TEST(docs_gold_nas)
{
    static const char *const cells[2] = {
        "skip~0+sep~0+skip~1 sep~2 skip~0+sep~0+skip~1+sep~1+skip~3 skip~1+sep~2+skip~3+sep~4",
        "sep~1 skip~0+sep~1+skip~2 skip~3 skip~0+sep~0+skip~1+sep~1+skip~2+sep~2+skip~3+sep~3+skip~4+sep~4"};
    char code[SPACE_MAX_CODE];
    size_t n = 0;
    spaces_document("gold-nas",
                    "306102387646404229468171082522114503630685529015671894964889323281360234686048305655249"
                    "7855115218795835971832275390625");
    struct space *s = spaces_open("gold-nas");
    for (int c = 0; c < 14; c++)
        n += (size_t)snprintf(code + n, sizeof code - n, "%s%s", c ? " | " : "", cells[c % 2]);
    spaces_golden(s, code, "gold-nas");
    space_free(s);
}

/* ResNeXt-50 (32x4d) has 25,028,904 parameters and 4.23 G (torchvision's documentation); its 3x3 convolutions have a
 * 32nd of the dense ones' weights. */
TEST(docs_resnext_dgconv)
{
    spaces_document("resnext-dgconv", "1");
    struct space *s = spaces_open("resnext-dgconv");
    struct cost c = spaces_cost(s, "");
    int64_t weights = 0, macs = 0;
    static const int64_t blocks[4] = {3, 4, 6, 3};
    for (int i = 0; i < 4; i++) { /* all 3x3 convolutions of a stage have the stage's size */
        int64_t masked = 9 * (128LL << i) * (128LL << i) / 32 * 31 * blocks[i], side = 56 >> i;
        weights += masked;
        macs += masked * side * side;
    }
    CHECK_INT(c.params, 25028904 + weights);
    CHECK_NEAR((double)(c.conv_macs - macs) / 1e9, 4.23, 0.005);
    spaces_golden(s, "", "resnext-dgconv");
    space_free(s);
}
