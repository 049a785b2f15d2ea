/* binding: see binding.h. */
#include "proto/binding.h"

#include "proto/base/strmap.h"

#include <stdio.h>
#include <string.h>

struct check {
    struct arena *a;
    struct binding *out;
    int max;
    struct err *err;
};

static int no_memory(struct check *c)
{
    return err_set(c->err, ERR_NO_MEMORY, "", "no memory to compare a checkpoint with a space");
}

static int problem(struct check *c, const char *tensor, const char *text)
{
    struct binding *b = c->out;
    if (b->nproblems == c->max)
        return 0;
    char *copy = arena_strdup(c->a, text);
    if (!copy)
        return no_memory(c);
    b->problems[b->nproblems++] = (struct binding_problem){tensor, copy};
    return 0;
}

int binding_same_shape(int n, const int32_t *want, int m, const int64_t *have)
{
    while (n > 1 && want[n - 1] == 1)
        n--;
    while (m > 1 && have[m - 1] == 1)
        m--;
    while (n > 1 && want[0] == 1)
        n--, want++;
    while (m > 1 && have[0] == 1)
        m--, have++;
    if (n != m)
        return 0;
    for (int i = 0; i < n; i++)
        if (want[i] != have[i])
            return 0;
    return 1;
}

static void print_shape(char *out, size_t size, int n, const int64_t *dims)
{
    size_t at = (size_t)snprintf(out, size, "(");
    for (int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (at < size)
        snprintf(out + at, size - at, ")");
}

static int misshapen(struct check *c, const char *name, int n, const int32_t *want, const struct binding_tensor *t)
{
    char w[128], h[128], text[300];
    int64_t wide[PARAM_DIMS];
    for (int i = 0; i < n; i++)
        wide[i] = want[i];
    print_shape(w, sizeof w, n, wide);
    print_shape(h, sizeof h, t->ndim, t->dims);
    snprintf(text, sizeof text, "shape %s, the space needs %s", h, w);
    c->out->nmisshapen++;
    return problem(c, name, text);
}

static int check_needed(struct check *c, const struct space *s, const struct strmap *map, unsigned char *used,
                        const struct binding_tensor *tensors)
{
    int rc = 0;
    for (int i = 0; i < space_ntensors(s) && !rc; i++) {
        int ndim;
        const int32_t *dims;
        const char *name = space_tensor(s, i, &ndim, &dims);
        size_t at;
        if (!strmap_get(map, name, &at)) {
            c->out->nmissing++;
            rc = problem(c, name, "missing");
            continue;
        }
        used[at] = 1;
        if (!binding_same_shape(ndim, dims, tensors[at].ndim, tensors[at].dims))
            rc = misshapen(c, name, ndim, dims, &tensors[at]);
        int64_t values = 1;
        for (int k = 0; k < ndim; k++)
            values *= dims[k];
        c->out->params += values;
    }
    return rc;
}

static int is_counter(const char *name)
{
    static const char suffix[] = "num_batches_tracked";
    size_t n = strlen(name);
    return n >= sizeof suffix - 1 && strcmp(name + n - (sizeof suffix - 1), suffix) == 0;
}

int binding_check(struct arena *a, const struct space *s, const struct binding_tensor *tensors, size_t n,
                  int max_problems, struct binding *out, struct err *err)
{
    struct check c = {a, out, max_problems, err};
    struct strmap map = {0};
    *out = (struct binding){0};
    unsigned char *used = arena_alloc(a, n + 1);
    const char **unused = arena_array(a, n + 1, sizeof *unused);
    out->problems = arena_array(a, (size_t)max_problems + 1, sizeof *out->problems);
    int rc = used && unused && out->problems ? 0 : no_memory(&c);
    for (size_t i = 0; i < n && !rc; i++)
        if (strmap_put(&map, tensors[i].name, i) < 0)
            rc = no_memory(&c);
    if (!rc)
        rc = check_needed(&c, s, &map, used, tensors);
    for (size_t i = 0; i < n && !rc; i++)
        if (!used[i] && !is_counter(tensors[i].name))
            unused[out->nunused++] = tensors[i].name;
    out->unused = unused;
    strmap_clear(&map);
    return rc;
}
