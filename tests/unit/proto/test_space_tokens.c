/* The documents of proto/spaces with attention: how many architectures, costs that the references print, golden plans.
 */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

/* AutoFormer-T's supernet (microsoft/Cream, experiments/supernet/supernet-T.yaml): three widths times 4^12 + 4^13 +
 * 4^14 pairs of ratio and heads. */
TEST(docs_vit_autoformer)
{
    spaces_document("vit-autoformer", "1056964608");
    struct space *s = spaces_open("vit-autoformer");
    spaces_golden(s, "12,3.5,4,3.5,4,3.5,4,3.5,4,3.5,4,3.5,4,3.5,3.5,3,4,4,3,3,4,4,3,3,4,4,3,3,3,216",
                  "vit-autoformer-12-216");
    space_free(s);
}

/* An encoder of one block by hand, at 192 channels, 3 heads, ratio 3.5, 197 tokens: what a block adds to the costs. */
TEST(docs_vit_block)
{
    struct space *s = spaces_open("vit-autoformer");
    const char *rest = "3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3.5,3,3,3,3,3,3,3,3,3,3,3,3,3,3,192";
    char code[2][256];
    snprintf(code[0], sizeof code[0], "12,%s", rest);
    snprintf(code[1], sizeof code[1], "13,%s", rest);
    struct cost small = spaces_cost(s, code[0]), large = spaces_cost(s, code[1]);
    int64_t weights = 192 * 576 + 192 * 192 + 2 * 192 * 672;
    CHECK_INT(large.conv_macs - small.conv_macs, 197 * weights + 2 * 192 * 197 * 197);
    CHECK_INT(large.params - small.params, weights + 576 + 192 + 672 + 192 + 4 * 192 + 4 * 30 * 64);
    space_free(s);
}

static const struct {
    const char *code;
    double madds;                           /* published, 1e9 */
} hytra[] = {{"5554 4443 3333 3111", 4.1},  /* ResNet50-T */
             {"5554 4443 3333 3000", 3.9},  /* BoT50-T */
             {"5444 3233 3323 0111", 3.9},  /* DNA-T */
             {"5433 3230 0010 0000", 3.4}}; /* BossNet-T0 without SE */

/* 2,818,103 paths: all sequences of 16 layers whose scale stays or falls by one, two operators at the lower two scales.
 * With the released supernet's scales for each block (4, 3, 2, 2) 2,777,600 of them are left, by the same recursion.
 * MAdds from the paper's table of the six HyTra models: their networks halve by an average pool and a 1x1 convolution
 * where the supernet has a 3x3 one, and start without its depthwise down-sampling. */
TEST(docs_bossnas_hytra)
{
    spaces_document("bossnas-hytra", "2818103");
    struct space *s = spaces_open("bossnas-hytra");
    int64_t shortcuts = (int64_t)8 * 784 * 512 * 256 * 3, start = 64 * 3136 + 64 * 64 * 3136;
    for (size_t i = 0; i < sizeof hytra / sizeof *hytra; i++) {
        struct cost c = spaces_cost(s, hytra[i].code);
        CHECK_NEAR((double)(c.conv_macs - shortcuts - start) / 1e9, hytra[i].madds, 0.05);
    }
    spaces_golden(s, "5444 4222 2333 1100", "bossnas-hytra-all-scales");
    spaces_golden(s, "2000 0000 0000 0000", "bossnas-hytra-attention");
    space_free(s);
}

TEST(docs_bossnas_hytra_released_scales)
{
    static char text[65536];
    FILE *f = fopen("proto/spaces/bossnas-hytra.json", "r");
    CHECK(f != NULL);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    char *at = strstr(text, "\"scales\": [4, 4, 4, 4]");
    CHECK(at != NULL);
    memcpy(at, "\"scales\": [4, 3, 2, 2]", strlen("\"scales\": [4, 3, 2, 2]"));
    struct space *s = spaces_doc(text);
    CHECK_STR(space_architectures(s), "2777600");
    space_free(s);
}
