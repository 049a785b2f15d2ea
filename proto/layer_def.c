/* layer_def: the primitive layers of the space language: their names, operators and attributes. What an attribute does
 * is plan_layer.c's business. */
#include "proto/space_node.h"

#include <string.h>

#define ATTRS(...) ((const unsigned char[]){__VA_ARGS__, 0})
#define A(id)      (A_##id + 1)

static const unsigned char none[] = {0};

static const struct prim_def defs[] = {
    {"identity", OP_COUNT, ACT_NONE, 0, none, 0},
    {"conv", OP_CONV, ACT_NONE, 0,
     ATTRS(A(OUT), A(KERNEL), A(KERNEL_W), A(STRIDE), A(PAD), A(PAD_W), A(DILATION), A(GROUPS), A(BIAS), A(FULL_OUT),
           A(FULL_IN), A(FULL_KERNEL), A(TRANSFORM), A(GATES)),
     1},
    {"dwconv", OP_CONV, ACT_NONE, 1,
     ATTRS(A(KERNEL), A(KERNEL_W), A(STRIDE), A(PAD), A(PAD_W), A(DILATION), A(BIAS), A(FULL_IN), A(FULL_KERNEL),
           A(TRANSFORM)),
     1},
    {"linear", OP_LINEAR, ACT_NONE, 0, ATTRS(A(OUT), A(BIAS), A(FULL_OUT), A(FULL_IN)), 1},
    {"bn", OP_BN, ACT_NONE, 0, ATTRS(A(EPS), A(AFFINE), A(STATS)), 0},
    {"layernorm", OP_LAYERNORM, ACT_NONE, 0, ATTRS(A(EPS), A(AFFINE)), 0},
    {"act", OP_ACT, ACT_NONE, 0, ATTRS(A(KIND)), 1},
    {"relu", OP_ACT, ACT_RELU, 0, none, 0},
    {"relu6", OP_ACT, ACT_RELU6, 0, none, 0},
    {"hswish", OP_ACT, ACT_HSWISH, 0, none, 0},
    {"hsigmoid", OP_ACT, ACT_HSIGMOID, 0, none, 0},
    {"swish", OP_ACT, ACT_SWISH, 0, none, 0},
    {"sigmoid", OP_ACT, ACT_SIGMOID, 0, none, 0},
    {"tanh", OP_ACT, ACT_TANH, 0, none, 0},
    {"gelu", OP_ACT, ACT_GELU, 0, none, 0},
    {"gelu_tanh", OP_ACT, ACT_GELU_TANH, 0, none, 0},
    {"softmax", OP_ACT, ACT_SOFTMAX_C, 0, none, 0},
    {"elu", OP_ACT, ACT_ELU, 0, none, 0},
    {"leaky_relu", OP_ACT, ACT_LEAKY_RELU, 0, none, 0},
    {"scale", OP_SCALE, ACT_NONE, 0, ATTRS(A(BY), A(PARAM), A(KIND)), 0},
    {"slice", OP_SLICE, ACT_NONE, 0, ATTRS(A(COUNT), A(START), A(STEP)), 1},
    {"shuffle", OP_SHUFFLE, ACT_NONE, 0, ATTRS(A(GROUPS)), 1},
    {"padc", OP_PADC, ACT_NONE, 0, ATTRS(A(BEFORE), A(AFTER)), 1},
    {"subsample", OP_SUBSAMPLE, ACT_NONE, 0, ATTRS(A(STRIDE), A(OFFSET)), 1},
    {"avgpool", OP_AVGPOOL, ACT_NONE, 0, ATTRS(A(KERNEL), A(STRIDE), A(PAD), A(CEIL), A(COUNT_PAD)), 1},
    {"maxpool", OP_MAXPOOL, ACT_NONE, 0, ATTRS(A(KERNEL), A(STRIDE), A(PAD), A(CEIL)), 1},
    {"gap", OP_GAP, ACT_NONE, 0, none, 0},
    {"resize", OP_RESIZE, ACT_NONE, 0, ATTRS(A(HEIGHT), A(WIDTH), A(MODE)), 1},
    {"rsoftmax", OP_RSOFTMAX, ACT_NONE, 0, ATTRS(A(RADIX), A(GROUPS)), 1},
    {"tokens", OP_TOKENS, ACT_NONE, 0, ATTRS(A(CLASS_TOKEN)), 0},
    {"untokens", OP_UNTOKENS, ACT_NONE, 0, ATTRS(A(HEIGHT), A(WIDTH)), 1},
    {"select", OP_SELECT, ACT_NONE, 0, ATTRS(A(INDEX), A(COUNT)), 1},
    {"addparam", OP_ADDPARAM, ACT_NONE, 0, ATTRS(A(PARAM), A(VECTOR), A(COUNT)), 1},
    {"embed", OP_EMBED, ACT_NONE, 0, ATTRS(A(OUT), A(VOCABULARY)), 2},
    {"attention", OP_ATTENTION, ACT_NONE, 0,
     ATTRS(A(HEADS), A(SCALE), A(MASK), A(MODE), A(DISTANCE), A(RELATIVE_K), A(RELATIVE_V)), 1},
    {"zero", OP_ZERO, ACT_NONE, 0, ATTRS(A(OUT), A(STRIDE)), 0},
};
enum { NDEFS = sizeof defs / sizeof *defs };

static const char *const texts[A_COUNT_OF] = {
#define ATTR_TEXT(id, text) [A_##id] = text,
    ATTR_MAP(ATTR_TEXT)
#undef ATTR_TEXT
};

const struct prim_def *prim_find(const char *name)
{
    for (int i = 0; i < NDEFS; i++)
        if (strcmp(defs[i].name, name) == 0)
            return &defs[i];
    return NULL;
}

const struct prim_def *prim_at(int i)
{
    return i < NDEFS ? &defs[i] : NULL;
}

const char *attr_text(enum attr_id id)
{
    return texts[id];
}

int attr_is_text(enum attr_id id)
{
    return id == A_TRANSFORM || id == A_GATES || id == A_MODE || id == A_KIND || id == A_PARAM || id == A_CLASS_TOKEN ||
           id == A_RELATIVE_K || id == A_RELATIVE_V;
}
