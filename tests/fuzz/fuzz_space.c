/* fuzz_space: any bytes as a space document; what parses is planned, sampled and its codes read back.
 * libFuzzer entry; without libFuzzer it replays the corpus. */
#include "proto/cost.h"
#include "proto/space.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void plan_some(const struct space *s)
{
    static char code[SPACE_MAX_CODE];
    int choice[SPACE_MAX_DECISIONS], again[SPACE_MAX_DECISIONS];
    struct err err;
    struct rng r;
    rng_seed(&r, 1, 0);
    for (int i = 0; i < 4; i++) {
        struct arena a;
        struct plan p;
        struct cost c;
        arena_init(&a, 64 << 20);
        space_sample(s, &r, again);
        space_mutate(s, &r, again, 0.2, choice);
        if (plan_build(&a, s, choice, space_input(s), NULL, &p, &err) == 0)
            cost_plan(&p, &c, &err);
        if (space_code_print(s, choice, code, sizeof code, &err) == 0 && space_code_parse(s, code, again, &err))
            abort(); /* what was printed must be readable */
        arena_clear(&a);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct space *s;
    struct err err;
    if (space_parse((const char *)data, size, &s, &err))
        return 0;
    plan_some(s);
    space_free(s);
    return 0;
}
