/* search_survey: see search_survey.h. For pictures of the shape that the space names, costs come from its tables; for
 * others each architecture is planned, as the strategies do. */
#include "server/search_survey.h"

#include "proto/base/arena.h"
#include "proto/base/clock.h"
#include "proto/cost.h"

#include <gmp.h>
#include <stdlib.h>
#include <string.h>

struct survey_job {
    const struct space *space;
    struct shape image;
    int own; /* image is the space's own shape */
    const struct search_limits *limits;
    int *choice;
    struct search_survey *out;
};

static int find_cost(const struct survey_job *j, int64_t *macs, int64_t *params, struct err *err)
{
    if (j->own)
        return space_cost(j->space, j->choice, macs, params, err);
    struct arena arena;
    struct plan plan;
    struct cost c;
    arena_init(&arena, 0);
    int rc = plan_build(&arena, j->space, j->choice, j->image, NULL, &plan, err);
    if (rc >= 0 && (rc = cost_plan(&plan, &c, err)) >= 0) {
        *macs = c.conv_macs;
        *params = c.params;
    }
    arena_clear(&arena);
    return rc;
}

static void widen(int64_t range[2], int64_t v, int first)
{
    range[0] = first || v < range[0] ? v : range[0];
    range[1] = first || v > range[1] ? v : range[1];
}

static void note(const struct survey_job *j, int64_t macs, int64_t params)
{
    const struct search_limits *l = j->limits;
    struct search_survey *s = j->out;
    int out[SURVEY_LIMITS] = {
        [SURVEY_MACS_MIN] = (uint64_t)macs < l->macs_min,
        [SURVEY_MACS_MAX] = l->macs_max && (uint64_t)macs > l->macs_max,
        [SURVEY_PARAMS_MIN] = (uint64_t)params < l->params_min,
        [SURVEY_PARAMS_MAX] = l->params_max && (uint64_t)params > l->params_max,
    };
    int any = 0;
    for (int i = 0; i < SURVEY_LIMITS; i++) {
        s->outside[i] += (uint64_t)out[i];
        any |= out[i];
    }
    widen(s->macs, macs, s->looked_at == 0);
    widen(s->params, params, s->looked_at == 0);
    s->looked_at++;
    s->feasible += !any;
}

/* rng NULL: architectures 0, 1, 2, ... instead of random ones. */
static int look(const struct survey_job *j, struct rng *rng, uint64_t most, struct err *err)
{
    int64_t end = clock_mono_ms() + SURVEY_MS, macs, params;
    memset(j->out, 0, sizeof *j->out);
    do {
        int rc = 0;
        if (rng)
            space_sample(j->space, rng, j->choice);
        else
            rc = space_nth(j->space, j->out->looked_at, j->choice, err);
        if (rc < 0 || (rc = find_cost(j, &macs, &params, err)) < 0)
            return rc;
        note(j, macs, params);
    } while (j->out->looked_at < most && clock_mono_ms() < end);
    return 0;
}

int search_survey(const struct space *space, struct shape image, const struct search_limits *limits,
                  struct search_survey *out, struct err *err)
{
    struct shape own = space_input(space);
    struct survey_job j = {.space = space,
                           .image = image,
                           .own = own.c == image.c && own.h == image.h && own.w == image.w,
                           .limits = limits,
                           .choice = calloc((size_t)space_ndecisions(space) + 1, sizeof(int)),
                           .out = out};
    if (!j.choice)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to look at architectures");
    uint64_t all = space_architectures64(space);
    int rc = 0;
    out->exact = 0;
    if (all <= SURVEY_COUNTED) {
        rc = look(&j, NULL, all, err);
        out->exact = rc >= 0 && out->looked_at == all;
    }
    if (rc >= 0 && !out->exact) { /* the first of an enumeration are no sample */
        struct rng rng;
        rng_seed(&rng, 0, 0);
        rc = look(&j, &rng, SURVEY_DRAWS, err);
    }
    free(j.choice);
    return rc;
}

char *search_survey_estimate(const char *total, const struct search_survey *found)
{
    mpz_t n;
    char *text = NULL;
    if (mpz_init_set_str(n, total, 10) == 0) {
        mpz_mul_ui(n, n, found->feasible);
        mpz_add_ui(n, n, found->looked_at / 2);
        mpz_fdiv_q_ui(n, n, found->looked_at);
        if ((text = malloc(mpz_sizeinbase(n, 10) + 2)))
            mpz_get_str(text, 10, n);
    }
    mpz_clear(n);
    return text;
}
