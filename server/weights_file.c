/* weights_file: see weights_file.h. */
#include "server/weights_file.h"

#include "proto/base/strmap.h"
#include "proto/checkpoint.h"
#include "proto/param_values.h"
#include "proto/space.h"
#include "proto/tensorfile.h"
#include "server/blob_source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BN_MEAN = 2, BN_VAR = 3 };

struct item {
    const struct param *param;
    const float *measured; /* NULL: the checkpoint's values */
};

struct weights_file {
    struct arena arena;
    struct space *space;
    struct plan plan;
    struct source *source;
    struct checkpoint *checkpoint;
    json_t *rename, *statistics;
    struct strmap names;
    struct item *items;
    struct tensorfile_entry *entries;
    size_t count;
    struct tensorfile_writer writer;
    float *tensor; /* the whole tensor read last */
    char *ready;   /* made, sent up to `at` */
    size_t at, len, cap;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the weights");
}

void weights_source_clear(struct weights_source *src)
{
    free(src->database);
    free(src->space);
    free(src->code);
    free(src->rename);
    free(src->statistics);
    free(src->metadata);
    memset(src, 0, sizeof *src);
}

/* ---- what is in it */

static int make_plan(struct weights_file *f, const struct weights_source *src, struct err *err)
{
    int choice[SPACE_MAX_DECISIONS];
    int rc = space_parse(src->space, strlen(src->space), &f->space, err);
    if (rc >= 0)
        rc = space_code_parse(f->space, src->code, choice, err);
    return rc < 0 ? rc : plan_build(&f->arena, f->space, choice, src->input, NULL, &f->plan, err);
}

/* The measured values of a BatchNorm's mean or variance; *out NULL when there are none. */
static int find_measured(struct weights_file *f, const struct plan_node *n, int index, const float **out,
                         struct err *err)
{
    const json_t *both = json_object_get(f->statistics, n->path);
    const json_t *list = json_object_get(both, index == BN_MEAN ? "mean" : "var");
    *out = NULL;
    if (!both)
        return 0;
    float *v = arena_array(&f->arena, (size_t)n->out.c, sizeof *v);
    if (!v)
        return no_memory(err);
    if (json_array_size(list) != (size_t)n->out.c)
        return err_set(err, ERR_CORRUPT, n->path, "%zu statistics for %d channels", json_array_size(list), n->out.c);
    for (int32_t i = 0; i < n->out.c; i++) {
        const json_t *one = json_array_get(list, (size_t)i);
        v[i] = (float)json_number_value(one);
        if (!json_is_number(one) || !isfinite(v[i]))
            return err_set(err, ERR_CORRUPT, n->path, "statistic %d is no finite number", i);
    }
    *out = v;
    return 0;
}

static const char *name_of(const struct param *p)
{
    while (p->kind != PARAM_SLICE)
        p = p->base;
    return p->name;
}

/* Are these the tensor's dimensions, from `lead` on? */
static int fits(const struct param *p, const struct tensor *t, int lead)
{
    int same = 1;
    for (int i = 0; i < t->ndim && same; i++)
        same = t->dims[i] == p->dims[lead + i];
    return same;
}

/* The parameter's size in as many dimensions as its tensor has in the checkpoint: a linear layer's weight has two,
 * though over tokens it is planned as a convolution's four. Returns how many. */
static int shape_of(const struct weights_file *f, const struct param *p, int64_t dims[PARAM_DIMS])
{
    const struct tensor *t = p->kind == PARAM_SLICE ? checkpoint_find(f->checkpoint, p->name) : NULL;
    int lead = 0, ndim = p->ndim;
    for (int k = 0; t && t->ndim < p->ndim && k <= p->ndim - t->ndim; k++)
        if (fits(p, t, k)) {
            lead = k;
            ndim = t->ndim;
            break;
        }
    for (int i = 0; i < ndim; i++)
        dims[i] = p->count[lead + i];
    return ndim;
}

static int add_item(struct weights_file *f, const struct param *p, const float *measured, struct err *err)
{
    size_t at;
    const char *name = name_of(p);
    if (strmap_get(&f->names, name, &at)) {
        const struct item *was = &f->items[at];
        if (!measured && !was->measured && param_cmp(was->param, p) == 0)
            return 0; /* shared inside the network */
        return err_set(err, ERR_UNSUPPORTED, name,
                       "the architecture uses this tensor with two different values; a state dict holds one");
    }
    int64_t *dims = arena_array(&f->arena, PARAM_DIMS, sizeof *dims);
    if (!dims || strmap_put(&f->names, name, f->count) < 0)
        return no_memory(err);
    int ndim = shape_of(f, p, dims);
    f->items[f->count] = (struct item){p, measured};
    f->entries[f->count++] = (struct tensorfile_entry){name, DTYPE_F32, ndim, dims};
    return 0;
}

static int add_node(struct weights_file *f, const struct plan_node *n, struct err *err)
{
    int rc = 0;
    for (int k = 0; k < n->nparams && rc >= 0; k++) {
        const float *measured = NULL;
        if (!n->params[k])
            continue;
        if (n->op == OP_BN && (k == BN_MEAN || k == BN_VAR))
            rc = find_measured(f, n, k, &measured, err);
        if (rc >= 0)
            rc = add_item(f, n->params[k], measured, err);
    }
    return rc;
}

static int list_items(struct weights_file *f, struct err *err)
{
    size_t most = 0;
    for (int i = 0; i < f->plan.nnodes; i++)
        most += (size_t)f->plan.nodes[i].nparams;
    f->items = arena_array(&f->arena, most + 1, sizeof *f->items);
    f->entries = arena_array(&f->arena, most + 1, sizeof *f->entries);
    int rc = f->items && f->entries ? 0 : no_memory(err);
    for (int i = 0; i < f->plan.nnodes && rc >= 0; i++)
        rc = add_node(f, &f->plan.nodes[i], err);
    return rc;
}

/* ---- its bytes */

static int append(void *ctx, const void *data, size_t n, struct err *err)
{
    struct weights_file *f = ctx;
    if (f->len + n > f->cap) {
        char *p = realloc(f->ready, f->len + n);
        if (!p)
            return no_memory(err);
        f->ready = p;
        f->cap = f->len + n;
    }
    memcpy(f->ready + f->len, data, n);
    f->len += n;
    return 0;
}

static int read_whole(void *ctx, const struct param *p, const float **out, struct err *err)
{
    struct weights_file *f = ctx;
    const struct tensor *t = checkpoint_find(f->checkpoint, p->name);
    if (!t)
        return err_set(err, ERR_NOT_FOUND, p->name, "the checkpoint has no such tensor");
    free(f->tensor);
    f->tensor = malloc((size_t)t->numel * sizeof *f->tensor + 1);
    *out = f->tensor;
    size_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= (size_t)p->dims[i];
    return f->tensor ? checkpoint_read(f->checkpoint, t, f->tensor, n, err) : no_memory(err);
}

static int make_next(struct weights_file *f, struct err *err)
{
    const struct item *it = &f->items[f->writer.next];
    size_t n = param_count(it->param);
    if (it->measured)
        return tensorfile_write(&f->writer, it->measured, n * sizeof(float), err);
    float *values = malloc(n * sizeof *values + 1);
    int rc = values ? param_values(&(struct param_reader){read_whole, f}, it->param, values, err) : no_memory(err);
    if (rc >= 0)
        rc = tensorfile_write(&f->writer, values, n * sizeof(float), err);
    free(values);
    return rc;
}

int64_t weights_file_read(struct weights_file *f, char *buf, size_t max, struct err *err)
{
    size_t done = 0;
    while (done < max) {
        if (f->at == f->len) {
            f->at = f->len = 0;
            if (f->writer.next == f->count)
                break;
            int rc = make_next(f, err);
            if (rc < 0)
                return rc;
        }
        size_t n = f->len - f->at < max - done ? f->len - f->at : max - done;
        memcpy(buf + done, f->ready + f->at, n);
        f->at += n;
        done += n;
    }
    return (int64_t)done;
}

int64_t weights_file_size(const struct weights_file *f)
{
    return (int64_t)f->writer.size;
}

/* ---- life */

static int parse(const char *text, json_t **out, struct err *err)
{
    *out = text ? json_loads(text, 0, NULL) : NULL;
    return text && !*out ? no_memory(err) : 0;
}

int weights_file_open(const struct weights_source *src, struct weights_file **out, struct err *err)
{
    struct weights_file *f = *out = calloc(1, sizeof *f);
    json_t *metadata = NULL;
    if (!f)
        return no_memory(err);
    arena_init(&f->arena, 0);
    int rc = parse(src->rename, &f->rename, err);
    if (rc >= 0 && (rc = parse(src->statistics, &f->statistics, err)) >= 0 &&
        (rc = parse(src->metadata, &metadata, err)) >= 0 && (rc = make_plan(f, src, err)) >= 0 &&
        (rc = blob_source_open(src->database, src->blob, src->size, &f->source, err)) >= 0 &&
        (rc = checkpoint_open(f->source, f->rename, &f->checkpoint, err)) >= 0 && (rc = list_items(f, err)) >= 0)
        rc = tensorfile_begin(&f->writer, f->entries, f->count, metadata, append, f, err);
    json_decref(metadata);
    return rc;
}

void weights_file_close(struct weights_file *f)
{
    if (!f)
        return;
    checkpoint_close(f->checkpoint);
    source_close(f->source);
    space_free(f->space);
    strmap_clear(&f->names);
    arena_clear(&f->arena);
    json_decref(f->rename);
    json_decref(f->statistics);
    free(f->tensor);
    free(f->ready);
    free(f);
}
