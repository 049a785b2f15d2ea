/* The documents of proto/spaces with attention: how many architectures, costs that the references print, golden plans.
 */
#include "tests/unit/proto/spaces.h"
#include "tests/unit/test.h"

#include <stdlib.h>

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

/* The code lists fourteen layers whatever the depth: those that are not there take their first options, so that every
 * architecture has one code. */
TEST(docs_vit_codes_are_canonical)
{
    struct space *s = spaces_open("vit-autoformer");
    struct arena a;
    struct err err;
    struct plan p[2];
    int choice[SPACE_MAX_DECISIONS];
    char code[SPACE_MAX_CODE];
    static const char *const same[2] = {
        "12,3.5,4,3.5,4,3.5,4,3.5,4,3.5,4,3.5,4,4,4,3,4,4,3,3,4,4,3,3,4,4,3,4,4,216",
        "12,3.5,4,3.5,4,3.5,4,3.5,4,3.5,4,3.5,4,3.5,3.5,3,4,4,3,3,4,4,3,3,4,4,3,3,3,216"};
    arena_init(&a, 0);
    for (int i = 0; i < 2; i++) {
        spaces_plan(&a, s, same[i], &p[i]);
        CHECK(space_code_parse(s, same[i], choice, &err) == 0);
        space_normalise(s, choice);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        CHECK_STR(code, same[1]);
    }
    CHECK(memcmp(&p[0].key, &p[1].key, sizeof p[0].key) == 0);
    arena_clear(&a);
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

/* EfficientBERT (cheneydon/efficient-bert at e4b3025): sixteen pairs of stack and ratio; formulas of four places for a
 * combination with x or none (three of them with x or one of seven functions of x), two for a function or none. */
TEST(docs_efficientbert)
{
    spaces_document("efficientbert-ffn", "2193086293936447565180567409393664"); /* (16 x 22 x 4 x 8 x 4 x 8)^6 */
    struct space *s = spaces_open("efficientbert-ffn");
    spaces_golden(s,
                  "4_2 tanh x gelu x x gelu, 2_1 elu x gelu x x gelu, 1_2 sigmoid x relu x x gelu, "
                  "2_2 x x gelu x max tanh, 1_2 x x relu mul x gelu, 2_3 leaky_relu x gelu x x gelu",
                  "efficientbert-final");
    space_free(s);
}

/* Parameters as the reference counts them: without pooler and classifier, with its layer that fits the teacher's
 * width and all 512 places. */
static double efficientbert(const struct space *s, const char *code)
{
    int64_t n = spaces_cost(s, code).params - 540 * 541 - 3 * 541 + 768 * 541 + (512 - 128) * 540;
    return (double)n / 1e6;
}

/* Sums of the reference's table of parameters: 15.74 M for the published network, 15.40 M for the one that its third
 * stage starts from. */
TEST(docs_efficientbert_published)
{
    struct space *s = spaces_open("efficientbert-ffn");
    CHECK_NEAR(efficientbert(s, "4_2 tanh x gelu x x gelu, 2_1 elu x gelu x x gelu, 1_2 sigmoid x relu x x gelu, "
                                "2_2 x x gelu x max tanh, 1_2 x x relu mul x gelu, 2_3 leaky_relu x gelu x x gelu"),
               15.74, 0.005);
    CHECK_NEAR(efficientbert(s, "4_2 tanh x gelu x x gelu, 2_1 elu x gelu x x gelu, 1_4 sigmoid x relu x x gelu, "
                                "4_4 x x gelu x max tanh, 1_3 x x relu mul x gelu, 2_4 leaky_relu x gelu x x gelu"),
               15.40, 0.005);
    space_free(s);
}

/* Of the 16^6 sets of pairs 4.48 M (26.7 %) have 15 to 16 M parameters, by that table: formulas have no weights, so
 * this is their share of uniform architectures too; 4.5 standard deviations. */
TEST(docs_efficientbert_window)
{
    struct space *s = spaces_open("efficientbert-ffn");
    struct rng r;
    struct err err;
    int choice[SPACE_MAX_DECISIONS], inside = 0, n = 1500;
    rng_seed(&r, 31, 0);
    for (int i = 0; i < n; i++) {
        char code[SPACE_MAX_CODE];
        space_sample(s, &r, choice);
        CHECK(space_code_print(s, choice, code, sizeof code, &err) == 0);
        double params = efficientbert(s, code);
        inside += params >= 15 && params <= 16;
    }
    CHECK_NEAR((double)inside / n, 0.267, 4.5 * 0.4424 / 38.73);
    space_free(s);
}

/* Its models/configs.py lists parameters in millions: embeddings and fit, one attention, one layer's FFNs of each pair.
 */
TEST(docs_efficientbert_table)
{
    char line[512];
    double fixed, attention, pair[16];
    struct space *s = spaces_open("efficientbert-ffn");
    FILE *f = spaces_shared("data/tables/efficientbert/param_tables.csv");
    CHECK(fgets(line, sizeof line, f) && fgets(line, sizeof line, f));
    fclose(f);
    char *at = line;
    CHECK(strtol(at, &at, 10) == 540 && strtol(at + 1, &at, 10) == 6);
    fixed = strtod(at + 1, &at);
    attention = strtod(at + 1, &at);
    for (int i = 0; i < 16; i++)
        pair[i] = strtod(at + 1, &at);
    for (int i = 0; i < 16; i++) {
        char code[SPACE_MAX_CODE];
        size_t n = 0;
        for (int l = 0; l < 6; l++)
            n += (size_t)snprintf(code + n, sizeof code - n, "%s%d_%d x x gelu x x gelu", l ? ", " : "", i / 4 + 1,
                                  i % 4 + 1);
        CHECK_NEAR(efficientbert(s, code), fixed + 6 * attention + 6 * pair[i], 0.001);
    }
    space_free(s);
}
