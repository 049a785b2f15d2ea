/* window: see window.h. */
#include "worker/engine/window.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the plans of the candidates");
}

static int compare_codes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int window_open(struct window *w, const json_t *codes, struct err *err)
{
    size_t n = json_array_size(codes);
    arena_init(&w->arena, 0);
    w->codes = calloc(n + 1, sizeof(const char *));
    if (!w->codes)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        w->codes[i] = json_string_value(json_array_get(codes, i));
        if (!w->codes[i])
            return err_set(err, ERR_INVALID, "/candidates", "candidate %zu is no string", i);
    }
    qsort(w->codes, n, sizeof(const char *), compare_codes);
    w->of = (int64_t)n;
    return 0;
}

void window_close(struct window *w)
{
    free(w->codes);
    w->codes = NULL;
    arena_clear(&w->arena);
}

static int build_plan(struct window *w, const char *code, struct plan *out, struct err *err)
{
    int *choice = calloc((size_t)space_ndecisions(w->space) + 1, sizeof *choice);
    if (!choice)
        return no_memory(err);
    int rc = space_code_parse(w->space, code, choice, err);
    if (!rc)
        rc = plan_build(&w->arena, w->space, choice, w->input, NULL, out, err);
    free(choice);
    if (rc)
        return rc;
    struct shape logits = out->nodes[out->output].out;
    if (logits.h != 1 || logits.w != 1)
        return err_set(err, ERR_INVALID, out->nodes[out->output].path,
                       "the network's output is %d x %d x %d, not a vector", logits.c, logits.h, logits.w);
    if (w->label_max >= logits.c)
        return err_set(err, ERR_INVALID, out->nodes[out->output].path,
                       "the network has %d outputs, the data set a label %d", logits.c, w->label_max);
    return 0;
}

static int refuse(const struct window *w, int64_t i, const struct err *why, struct err *err)
{
    if (i >= w->told && w->refused(w->ctx, w->codes[i], why))
        return err_set(err, ERR_CANCELLED, "", "the job was cancelled");
    return 0;
}

int window_fill(struct window *w, struct err *err)
{
    int64_t left = w->of - w->first, n = left < WINDOW_MOST ? left : WINDOW_MOST;
    arena_clear(&w->arena);
    struct plan *plans = arena_array(&w->arena, (size_t)n, sizeof *plans);
    w->candidates = arena_array(&w->arena, (size_t)n, sizeof *w->candidates);
    w->place = arena_array(&w->arena, (size_t)n, sizeof *w->place);
    if (!plans || !w->candidates || !w->place)
        return no_memory(err);
    w->n = 0;
    w->end = w->first + n;
    int rc = 0;
    for (int64_t i = w->first; !rc && i < w->end; i++) {
        struct err why = {0};
        int bad = build_plan(w, w->codes[i], &plans[w->n], &why);
        if (bad == -ERR_NO_MEMORY)
            return no_memory(err);
        if (bad) {
            rc = refuse(w, i, &why, err);
        } else {
            w->place[w->n] = i;
            w->candidates[w->n].plan = &plans[w->n];
            w->n++;
        }
    }
    w->told = w->end;
    return rc;
}

void window_move(struct window *w, int waiting)
{
    w->first = waiting ? w->place[w->n - waiting] : w->end;
}

const char *window_code(const struct window *w, int candidate)
{
    return w->codes[w->place[candidate]];
}
