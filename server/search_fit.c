/* search_fit: plans one architecture for the pictures and looks at what comes out. */
#include "server/search_fit.h"

#include "proto/base/arena.h"
#include "proto/plan.h"

#include <stdio.h>
#include <stdlib.h>

static int check_output(const struct plan *p, int64_t labels, struct err *err)
{
    struct shape out = p->nodes[p->output].out;
    if (out.h != 1 || out.w != 1)
        return err_set(err, ERR_INVALID, "/dataset",
                       "for its pictures the network's output is %d x %d x %d, not one number a class", out.c, out.h,
                       out.w);
    if (labels > out.c)
        return err_set(err, ERR_INVALID, "/dataset", "it has the label %lld, the network only %d outputs",
                       (long long)labels - 1, out.c);
    return 0;
}

int search_fit(const struct space *space, struct shape image, int64_t labels, struct err *err)
{
    struct shape own = space_input(space);
    if (image.c != own.c) /* height and width may differ: most networks take any */
        return err_set(err, ERR_INVALID, "/dataset",
                       "its pictures of %d x %d x %d have %d channels, the space takes %d", image.c, image.h, image.w,
                       image.c, own.c);
    int *choice = calloc((size_t)space_ndecisions(space) + 1, sizeof *choice);
    struct arena a;
    struct plan p;
    if (!choice)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to plan an architecture");
    arena_init(&a, 0);
    space_normalise(space, choice);
    int rc = plan_build(&a, space, choice, image, NULL, &p, err);
    if (rc == -ERR_INVALID) {
        char place[sizeof err->where], why[sizeof err->text];
        snprintf(place, sizeof place, "%s", err->where);
        snprintf(why, sizeof why, "%s", err->text);
        err_set(err, ERR_INVALID, "/dataset", "its pictures of %d x %d x %d do not fit the space at %.100s: %.300s",
                image.c, image.h, image.w, place, why);
    }
    if (rc >= 0)
        rc = check_output(&p, labels, err);
    arena_clear(&a);
    free(choice);
    return rc;
}

int64_t search_fit_labels(const json_t *described, const char *split)
{
    const json_t *row = json_object_get(json_object_get(described, "splits"), split);
    const json_t *counts = json_object_get(row, "class_counts");
    int64_t n = (int64_t)json_array_size(counts);
    while (n > 0 && json_integer_value(json_array_get(counts, (size_t)n - 1)) == 0)
        n--;
    return n;
}
