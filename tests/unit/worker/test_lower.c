/* lower: which steps a merged graph becomes, what each does on the fly, what runs how often, and in which order. */
#include "tests/unit/test.h"
#include "tests/unit/worker/tiny.h"
#include "worker/engine/lower.h"

static struct lower_program lowered(struct arena *a, const struct graph *g, const struct op_backend *b,
                                    enum lower_pass pass)
{
    struct lower_program p;
    struct err err = {0};
    CHECK_INT(lower(a, g, b, pass, 4, &p, &err), 0);
    return p;
}

/* The step whose operator is the module `path`, done together with another one or not. */
static const struct lower_step *step_of(const struct lower_program *p, const char *path)
{
    for (int i = 0; i < p->nsteps + p->nfirsts; i++) {
        const struct lower_step *s = i < p->nsteps ? &p->steps[i] : &p->firsts[i - p->nsteps];
        if (strcmp(p->graph->nodes[s->head].node->path, path) == 0)
            return s;
    }
    return NULL;
}

static int bn_of(const struct lower_program *p, int32_t bn, const char *path)
{
    return bn >= 0 && strcmp(p->graph->nodes[bn].node->path, path) == 0;
}

/* stem, a residual block of two convolutions, a classifier. */
static struct plan *residual_net(struct arena *a)
{
    struct tiny t = {.arena = a};
    int stem = tiny_conv_bn_relu(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    int one = tiny_conv_bn_relu(&t, stem, "one", 32, 3, 1, 1);
    int two = tiny_bn(&t, tiny_conv(&t, one, "two", 16, 3, 1, 1), "two.bn");
    int sum = tiny_act(&t, tiny_add(&t, two, stem), ACT_RELU);
    tiny_linear(&t, tiny_gap(&t, sum), "classifier", 10);
    return tiny_plan(&t);
}

TEST(lower_scoring_folds_norm_residual_and_activation)
{
    struct arena a = {0};
    const struct plan *plan = residual_net(&a);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_SCORE);
    CHECK_INT(p.nsteps, 5); /* three convolutions, gap, classifier */
    const struct lower_step *stem = step_of(&p, "stem"), *two = step_of(&p, "two");
    CHECK(bn_of(&p, stem->store_bn, "stem.bn"));
    CHECK_INT(stem->store_act, ACT_RELU);
    CHECK_INT(stem->site.image, 1);
    CHECK(bn_of(&p, two->store_bn, "two.bn"));
    CHECK_INT(two->residual, stem->tail);
    CHECK_INT(two->store_act, ACT_RELU);
    CHECK_INT(g.nodes[two->tail].node->op, OP_ACT);
    CHECK_INT(p.bn_first[g.nnodes], 0); /* nothing is measured */
    CHECK_INT(p.is_output[step_of(&p, "classifier")->tail], 1);
    arena_clear(&a);
}

TEST(lower_calibration_measures_and_leaves_out_what_no_norm_needs)
{
    struct arena a = {0};
    const struct plan *plan = residual_net(&a);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_CALIBRATE);
    CHECK_INT(p.nsteps, 3); /* the convolutions: the sum behind the last norm is nobody's input */
    CHECK(step_of(&p, "classifier") == NULL);
    CHECK(step_of(&p, "gap") == NULL);
    const struct lower_step *two = step_of(&p, "two");
    CHECK_INT(two->measures, 1);
    CHECK_INT(two->store_bn, -1);
    CHECK_INT(two->residual, -1);
    CHECK(bn_of(&p, two->loads[0].bn, "one.bn")); /* normalised as it is read */
    CHECK_INT(two->loads[0].act, ACT_RELU);
    CHECK_INT(p.bn_first[g.nnodes], 3);
    int32_t conv = tiny_node(&g, "two");
    CHECK_INT(p.bn_first[conv + 1] - p.bn_first[conv], 1);
    CHECK_INT(p.bn_list[p.bn_first[conv]], tiny_node(&g, "two.bn"));
    arena_clear(&a);
}

TEST(lower_untracked_norms_use_their_batch_in_scoring_too)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    int x = tiny_bn_batch(&t, tiny_conv(&t, tiny_input(&t, 3, 4, 4), "conv", 8, 1, 1, 1), "free");
    tiny_gap(&t, tiny_bn(&t, tiny_conv(&t, x, "next", 8, 1, 1, 1), "kept"));
    const struct plan *plan = tiny_plan(&t);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_SCORE);
    CHECK_INT(step_of(&p, "conv")->measures, 1);
    CHECK_INT(step_of(&p, "next")->measures, 0);
    CHECK(bn_of(&p, step_of(&p, "next")->store_bn, "kept"));
    p = lowered(&a, &g, &b, LOWER_SCORE_BATCH);
    CHECK_INT(step_of(&p, "next")->measures, 1);
    CHECK_INT(step_of(&p, "next")->store_bn, -1);
    arena_clear(&a);
}

/* A bias is an affine already. */
TEST(lower_folds_no_batchnorm_into_a_bias)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    tiny_bn(&t, tiny_linear(&t, tiny_gap(&t, tiny_input(&t, 3, 4, 4)), "biased", 8), "bn");
    const struct plan *plan = tiny_plan(&t);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_SCORE);
    CHECK_INT(step_of(&p, "biased")->store_bn, -1);
    CHECK_INT(step_of(&p, "bn")->store_bn, tiny_node(&g, "bn"));
    arena_clear(&a);
}

/* Layer i of three options with weights of their own; `code` picks. */
static const struct plan *chosen(struct arena *a, const char *code)
{
    struct tiny t = {.arena = a};
    int x = tiny_conv_bn_relu(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    for (int i = 0; code[i]; i++) {
        char *name = arena_printf(a, "layer%d.%c", i, code[i]);
        x = tiny_conv_bn_relu(&t, x, name, 16, 3, 1, 1);
    }
    tiny_linear(&t, tiny_gap(&t, tiny_conv_bn_relu(&t, x, "head", 32, 1, 1, 1)), "classifier", 10);
    return tiny_plan(&t);
}

/* Equal prefixes run once, in both passes; equal candidates too. */
TEST(lower_runs_shared_prefixes_once)
{
    struct arena a = {0};
    const struct plan *plans[] = {chosen(&a, "000"), chosen(&a, "001"), chosen(&a, "002"),
                                  chosen(&a, "010"), chosen(&a, "100"), chosen(&a, "001")};
    struct graph g = tiny_graph(&a, plans, 6);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_CALIBRATE);
    int own = 1 + 2 + 3 + 5 + 5; /* stem, first and second layers, third layers, heads; no classifier */
    int convs = 0, heads = 0;
    for (int i = 0; i < p.nsteps; i++) {
        convs += p.steps[i].site.op == OP_CONV;
        heads += strcmp(g.nodes[p.steps[i].head].node->path, "head") == 0;
    }
    CHECK_INT(convs, own);
    CHECK_INT(heads, 5);
    p = lowered(&a, &g, &b, LOWER_SCORE);
    CHECK_INT(p.nsteps, own + 2 * 5);
    arena_clear(&a);
}

/* From a branching point one branch is finished before the next begins, so what is alive is about one path. */
TEST(lower_walks_depth_first)
{
    struct arena a = {0};
    const struct plan *plans[27];
    for (int i = 0; i < 27; i++)
        plans[i] = chosen(&a, arena_printf(&a, "%d%d%d", i / 9, i / 3 % 3, i % 3));
    struct graph g = tiny_graph(&a, plans, 27);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_SCORE);
    int made_at[TINY_NODES * TINY_PLANS];
    int changes = 0;
    char last[8] = "";
    for (int i = 0; i < p.nsteps; i++) {
        const struct lower_step *s = &p.steps[i];
        made_at[s->tail] = i;
        for (int k = 0; !s->site.image && k < s->site.ninputs; k++)
            CHECK(made_at[s->inputs[k]] < i && p.home[s->inputs[k]] == made_at[s->inputs[k]]);
        const char *path = g.nodes[s->head].node->path;
        if (strncmp(path, "layer0.", 7) == 0 || strncmp(path, "layer1.", 7) == 0)
            changes += strncmp(last, path, 6) != 0 || last[5] != path[5];
        if (strncmp(path, "layer", 5) == 0)
            memcpy(last, path, 6);
    }
    CHECK_INT(changes, 3 + 9); /* each of layer 0 and 1 is run as its branch is entered, never side by side */
    arena_clear(&a);
}

TEST(lower_pairs_an_expansion_with_its_depthwise)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    int stem = tiny_conv_bn_relu(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    int wide = tiny_conv_bn_relu(&t, stem, "expand", 64, 1, 1, 1);
    int deep = tiny_conv_bn_relu(&t, wide, "dw", 64, 3, 1, 64);
    tiny_gap(&t, tiny_conv_bn_relu(&t, deep, "narrow", 16, 1, 1, 1));
    const struct plan *plans[2] = {tiny_plan(&t), NULL};
    struct graph g = tiny_graph(&a, plans, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_SCORE);
    const struct lower_step *dw = step_of(&p, "dw"), *expand = step_of(&p, "expand");
    CHECK_INT(p.nfirsts, 1);
    CHECK(dw->first == expand && lower_reader(dw) == expand);
    CHECK_INT(expand->inputs[0], step_of(&p, "stem")->tail);
    CHECK(bn_of(&p, expand->store_bn, "expand.bn"));
    CHECK_INT(p.home[expand->tail], -1); /* stored nowhere */

    /* A second reader of the expanded tensor needs it stored. */
    struct tiny u = {.arena = &a};
    stem = tiny_conv_bn_relu(&u, tiny_input(&u, 3, 8, 8), "stem", 16, 3, 1, 1);
    wide = tiny_conv_bn_relu(&u, stem, "expand", 64, 1, 1, 1);
    tiny_gap(&u, tiny_conv_bn_relu(&u, wide, "other", 64, 5, 1, 64));
    plans[1] = tiny_plan(&u);
    g = tiny_graph(&a, plans, 2);
    p = lowered(&a, &g, &b, LOWER_SCORE);
    CHECK_INT(p.nfirsts, 0);
    CHECK(p.home[step_of(&p, "expand")->tail] >= 0);
    arena_clear(&a);
}

/* A wide 1x1 whose BatchNorm is the network's last, or not. */
static const struct plan *ending(struct arena *a, int goes_on)
{
    struct tiny t = {.arena = a};
    int x = tiny_conv_bn_relu(&t, tiny_input(&t, 3, 8, 8), "stem", 16, 3, 1, 1);
    x = tiny_conv_bn_relu(&t, x, "wide", 64, 1, 1, 1);
    if (goes_on)
        x = tiny_conv_bn_relu(&t, x, "more", 16, 3, 1, 1);
    tiny_gap(&t, x);
    return tiny_plan(&t);
}

TEST(lower_foresees_statistics_of_what_is_not_computed)
{
    struct arena a = {0};
    struct op_backend b = tiny_backend();
    const struct plan *plans[2] = {ending(&a, 0), ending(&a, 1)};
    struct graph g = tiny_graph(&a, plans, 1);
    struct lower_program p = lowered(&a, &g, &b, LOWER_CALIBRATE);
    CHECK_INT(step_of(&p, "wide")->foresees, 1);
    CHECK_INT(step_of(&p, "wide")->measures, 1);
    CHECK_INT(step_of(&p, "stem")->foresees, 0);
    p = lowered(&a, &g, &b, LOWER_SCORE);
    CHECK_INT(step_of(&p, "wide")->foresees, 0);
    p = lowered(&a, &g, &b, LOWER_SCORE_BATCH);
    CHECK_INT(step_of(&p, "wide")->foresees, 0);
    g = tiny_graph(&a, plans + 1, 1);
    p = lowered(&a, &g, &b, LOWER_CALIBRATE);
    CHECK_INT(step_of(&p, "wide")->foresees, 0);

    /* In company each keeps its own: the one that ends is foreseen, the other measured. */
    g = tiny_graph(&a, plans, 2);
    p = lowered(&a, &g, &b, LOWER_CALIBRATE);
    int foreseen = 0, measured = 0;
    for (int i = 0; i < p.nsteps; i++)
        if (strcmp(g.nodes[p.steps[i].head].node->path, "wide") == 0)
            *(p.steps[i].foresees ? &foreseen : &measured) += 1;
    CHECK_INT(foreseen, 1);
    CHECK_INT(measured, 1);
    arena_clear(&a);
}

TEST(lower_names_the_operator_it_refuses)
{
    struct arena a = {0};
    struct tiny t = {.arena = &a};
    int x = tiny_conv(&t, tiny_input(&t, 3, 4, 4), "conv", 7, 1, 1, 1);
    tiny_act(&t, x, ACT_RELU);
    t.nodes[t.n - 1].op = OP_SHUFFLE; /* refused for an odd number of channels */
    t.nodes[t.n - 1].path = "mix";
    tiny_gap(&t, t.n - 1);
    const struct plan *plan = tiny_plan(&t);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p;
    struct err err = {0};
    CHECK_INT(lower(&a, &g, &b, LOWER_SCORE, 4, &p, &err), -ERR_UNSUPPORTED);
    CHECK_STR(err.where, "mix");
    CHECK(strstr(err.text, "tiny") && strstr(err.text, "shuffle") && strstr(err.text, "odd number"));
    CHECK_INT(p.culprit, tiny_node(&g, "mix"));
    arena_clear(&a);
}

TEST(lower_bind_names_the_parameter_that_cannot_be_used)
{
    struct arena a = {0};
    const struct plan *plan = residual_net(&a);
    struct graph g = tiny_graph(&a, &plan, 1);
    struct op_backend b = tiny_backend();
    struct lower_program p = lowered(&a, &g, &b, LOWER_SCORE);
    struct tiny_source source = {.broken = "two.weight"};
    struct params *ps = params_new(tiny_params_source(&source));
    struct err err = {0};
    CHECK_INT(lower_bind(&p, ps, &err), -ERR_INVALID);
    CHECK_STR(err.where, "two.weight");
    CHECK_INT(p.culprit, tiny_node(&g, "two"));
    CHECK(step_of(&p, "stem")->params[0] != NULL);
    params_free(ps);
    arena_clear(&a);
}
