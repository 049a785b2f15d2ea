/* space_node: the compact form of a space document, shared by the files that parse (space_parser.h),
 * walk (plan_build.c, survey.h) and describe it (space_code.c, space_json.c); nobody else looks inside. */
#ifndef PROTO_SPACE_NODE_H
#define PROTO_SPACE_NODE_H

#include "proto/expr.h"
#include "proto/space.h"

enum {
    SPACE_MAX_LAYERS = 20000, /* of a document */
    SPACE_MAX_SLOTS = 64,     /* arguments, let names and loop counters of one body */
    SPACE_MAX_DEPTH = 48,     /* layers inside layers, module calls included */
    SPACE_MAX_STEPS = 200000, /* layers visited while one plan is made */
    SPACE_MAX_BRANCHES = 64,
    SPACE_MAX_PATH = 512,    /* bytes of a module path */
    SPACE_MAX_TENSORS = 256, /* named tensors alive */
    SPACE_MAX_DIM = 1 << 20
};

struct tmpl { /* a text with {expressions} inside */
    int n;
    const struct tmpl_piece {
        const char *text; /* NULL: the expression */
        size_t len;
        struct expr *expr;
    } * pieces;
    const char *where;
};

struct tensor_ref {     /* "x", "node[i]" */
    int name;           /* interned */
    struct expr *index; /* NULL: none */
    const char *where;
};

/* Attributes of primitive layers. A_KIND, A_MODE and the name-like ones are texts, the others numbers or booleans. */
#define ATTR_MAP(X)                                                                                                    \
    X(OUT, "out")                                                                                                      \
    X(KERNEL, "kernel")                                                                                                \
    X(KERNEL_W, "kernel_w")                                                                                            \
    X(STRIDE, "stride")                                                                                                \
    X(PAD, "pad") X(PAD_W, "pad_w") X(DILATION, "dilation") X(GROUPS, "groups") X(BIAS, "bias")                        \
        X(FULL_OUT, "full_out") X(FULL_IN, "full_in") X(FULL_KERNEL, "full_kernel") X(TRANSFORM, "transform")          \
            X(GATES, "gates") X(EPS, "eps") X(AFFINE, "affine") X(STATS, "stats") X(CEIL, "ceil")                      \
                X(COUNT_PAD, "count_pad") X(START, "start") X(STEP, "step") X(COUNT, "count") X(BEFORE, "before")      \
                    X(AFTER, "after") X(OFFSET, "offset") X(HEIGHT, "height") X(WIDTH, "width") X(MODE, "mode")        \
                        X(KIND, "kind") X(BY, "by") X(PARAM, "param") X(HEADS, "heads") X(SCALE, "scale")              \
                            X(RADIX, "radix") X(CLASS_TOKEN, "class_token") X(INDEX, "index")                          \
                                X(VOCABULARY, "vocabulary") X(MASK, "mask") X(VECTOR, "vector")                        \
                                    X(DISTANCE, "distance") X(RELATIVE_K, "relative_k") X(RELATIVE_V, "relative_v")

enum attr_id {
#define ATTR_ENUM(id, text) A_##id,
    ATTR_MAP(ATTR_ENUM)
#undef ATTR_ENUM
        A_COUNT_OF
};

struct prim_def { /* one kind of primitive layer: layer_def.c has the table */
    const char *name;
    enum op_kind op; /* OP_COUNT: identity */
    enum act_kind act;
    int depthwise;
    const unsigned char *attrs; /* attr_id + 1, 0 ends; the first is the one a bare value means */
    int required;               /* how many of them must be given */
};
const struct prim_def *prim_find(const char *name);
const struct prim_def *prim_at(int i); /* NULL past the end */
const char *attr_text(enum attr_id id);
int attr_is_text(enum attr_id id);

enum layer_kind {
    L_PRIM,   /* def, attr */
    L_LIST,   /* kids, one after another */
    L_CALL,   /* module, args; from: extra tensors */
    L_CHOOSE, /* select: index of the kid to take */
    L_PATHS,  /* select: mask of kids; reduce */
    L_REDUCE, /* kids are branches of one input; reduce */
    L_FOR,    /* slot counts from `first` below `select`; kids[0] is the body */
    L_LET     /* slot = select */
};
enum reduce_kind { REDUCE_SUM, REDUCE_MEAN, REDUCE_CONCAT, REDUCE_MUL, REDUCE_MAX };

struct layer {
    enum layer_kind kind;
    const char *where;
    struct tmpl *name, *block;
    struct expr *when;
    struct tensor_ref *from, *as;
    int nfrom;
    const struct prim_def *def;
    struct expr **attr; /* [A_COUNT_OF], L_PRIM */
    struct tmpl **text; /* [A_COUNT_OF], L_PRIM: attributes that are texts */
    struct layer **kids;
    int nkids;
    int numbered; /* kids without a name are called by their index */
    struct expr *select, *first;
    int slot;
    enum reduce_kind reduce;
    struct module *module;
    struct expr **args; /* [module->nargs] */
};

struct module {
    const char *name;
    int nargs, nslots, ninputs;
    const char **arg_names;
    struct expr **defaults; /* NULL: required */
    int *inputs;            /* interned tensor names that `from` is bound to */
    struct layer *body;
    int state; /* 0 not compiled yet, 1 being compiled, 2 done */
};

struct decision {
    const char *name; /* "layer[3]" */
    int noptions;
    struct val *values;  /* [noptions] */
    const char **labels; /* [noptions] */
    struct val full;     /* the value in the largest network: the largest number, or all members of a subset */
    int symbols;         /* options are texts: none is larger, the actual one stands in the largest network too */
};

struct decision_array {
    const char *name;
    int first, ndims, dims[EXPR_MAX_DIMS];
};

struct code_piece { /* literal text, then a decision (-1: none) */
    const char *text;
    int decision;
};

struct space_tensor { /* one parameter of the largest network */
    const char *name;
    int ndim;
    int32_t dims[PARAM_DIMS];
};

struct tab;
struct bucket;
enum { TERM_CONV_MACS, TERM_ALL_MACS, TERM_PARAMS, TERM_KINDS };

struct space_facts { /* what the survey found: it holds for every architecture */
    int ntensors;
    struct space_tensor *tensors;
    struct tab *activity; /* [ndecisions] byte tables: is the decision read? */
    const char **read_at; /* [ndecisions] path of the module that reads it first */
    int nterms;
    struct tab *terms; /* struct cost_term tables whose sum is the cost of an architecture */
    int shared;        /* a parameter is used in two places: parameters do not simply add up */
};
struct cost_term {
    int64_t v[TERM_KINDS];
};

struct space_dag { /* space_class.h: edges first, first + 1, ... between `nodes` nodes */
    int first, nodes, zero, identity;
};

struct space {
    struct arena arena;
    const char *name;
    struct shape input;
    json_t *doc;
    int ndecisions, narrays;
    struct decision *decisions;
    struct decision_array *arrays;
    int ncode;
    struct code_piece *code;
    int code_by_index;
    int nconstants;
    const char **constant_names;
    struct table *constants;
    int nmodules;
    struct module *modules;
    struct module *network; /* a module without arguments */
    int ntensors;           /* interned tensor names */
    const char *tensors[SPACE_MAX_TENSORS];
    int nblocks;
    const char *blocks[SPACE_MAX_BLOCKS];
    const struct space_dag *dag; /* NULL: classes are those of plans */
    int nrequirements;
    struct space_requirement *requirements;
    struct space_facts facts;
    struct bucket *buckets; /* [ndecisions] in the order of drawing: space_count.c */
    char *count;            /* number of architectures, decimal */
    uint64_t count64;       /* the same, UINT64_MAX when it does not fit */
    struct space_bounds bounds;
};

/* Walks every architecture at once: fills facts and blocks, finds errors that only some architectures have. */
int space_survey(struct space *s, struct err *err);
int space_count_prepare(struct space *s, struct err *err); /* fills buckets, count, bounds */
int space_bounds_prepare(struct space *s, struct err *err);
void space_count_clear(struct space *s);

#endif
