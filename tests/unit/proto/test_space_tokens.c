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
