/* checkpoint: see checkpoint.h. Names are settled here; what a tensor is for is the plan's business. */
#include "proto/checkpoint.h"

#include "proto/base/json.h"
#include "proto/base/strmap.h"
#include "proto/base/suggest.h"
#include "proto/tensorfile.h"
#include "proto/torchfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct checkpoint {
    struct source *source;
    enum torchfile_form form; /* TORCHFILE_NONE: safetensors */
    struct arena arena;
    struct tensor_list list;
    struct strmap by_name;
};

static int load(struct checkpoint *c, struct err *err)
{
    c->form = torchfile_detect(c->source);
    if (c->form != TORCHFILE_NONE)
        return torchfile_open(c->source, c->form, &c->arena, &c->list, err);
    if (tensorfile_detect(c->source))
        return tensorfile_open(c->source, &c->arena, &c->list, err);
    return err_set(err, ERR_UNSUPPORTED, "byte 0",
                   "neither safetensors nor a PyTorch file (or the start of one that is cut off)");
}

static int index_names(struct checkpoint *c, struct err *err)
{
    strmap_clear(&c->by_name);
    for (size_t i = 0; i < c->list.count; i++) {
        int put = strmap_put(&c->by_name, c->list.items[i].name, i);
        if (put > 0)
            return err_set(err, ERR_INVALID, c->list.items[i].name, "two tensors have this name");
        if (put < 0)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for the names");
    }
    return 0;
}

static int rename_unknown(const struct checkpoint *c, const char *theirs, struct err *err)
{
    struct suggest s;
    suggest_init(&s, theirs);
    for (size_t i = 0; i < c->list.count; i++)
        suggest_offer(&s, c->list.items[i].name);
    return err_set(err, ERR_INVALID, "", "the file has no tensor of this name%s", suggest_hint(&s));
}

static int rename_one(struct checkpoint *c, const char *theirs, const json_t *ours, struct tensor *items,
                      struct err *err)
{
    size_t i;
    if (!json_is_string(ours))
        return err_set(err, ERR_INVALID, "", "must be a string, not %s", json_kind(ours));
    if (!strmap_get(&c->by_name, theirs, &i))
        return rename_unknown(c, theirs, err);
    struct err why = {0};
    if (tensor_name_check(json_string_value(ours), json_string_length(ours), &why) != 0)
        return err_set(err, ERR_INVALID, "", "%s", why.text);
    items[i].name = arena_strdup(&c->arena, json_string_value(ours));
    return items[i].name ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for the names");
}

/* All left sides are looked up among the file's own names, so that a table may swap two. */
static int apply_rename(struct checkpoint *c, const json_t *rename, struct err *err)
{
    if (!json_is_object(rename))
        return err_set(err, ERR_INVALID, "/rename", "must be an object, not %s", json_kind(rename));
    struct tensor *items = arena_array(&c->arena, c->list.count + 1, sizeof *items);
    if (!items)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for the names");
    if (c->list.count)
        memcpy(items, c->list.items, c->list.count * sizeof *items);
    const char *theirs;
    json_t *ours;
    json_object_foreach((json_t *)rename, theirs, ours)
    {
        int rc = rename_one(c, theirs, ours, items, err);
        if (rc != 0) {
            json_err_member(err, theirs);
            err_prefix(err, "/rename");
            return rc;
        }
    }
    c->list.items = items;
    return index_names(c, err);
}

int checkpoint_open(struct source *s, const json_t *rename, struct checkpoint **out, struct err *err)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    c->source = s;
    arena_init(&c->arena, 0);
    int rc = load(c, err);
    if (rc == 0)
        rc = index_names(c, err);
    if (rc == 0 && rename && !json_is_null(rename))
        rc = apply_rename(c, rename, err);
    if (rc != 0) {
        checkpoint_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void checkpoint_close(struct checkpoint *c)
{
    if (!c)
        return;
    strmap_clear(&c->by_name);
    arena_clear(&c->arena);
    free(c);
}

const char *checkpoint_format(const struct checkpoint *c)
{
    return c->form == TORCHFILE_ZIP ? "pytorch" : c->form == TORCHFILE_LEGACY ? "pytorch-legacy" : "safetensors";
}

size_t checkpoint_count(const struct checkpoint *c)
{
    return c->list.count;
}

const struct tensor *checkpoint_at(const struct checkpoint *c, size_t i)
{
    return i < c->list.count ? &c->list.items[i] : NULL;
}

const struct tensor *checkpoint_find(const struct checkpoint *c, const char *name)
{
    size_t i;
    return strmap_get(&c->by_name, name, &i) ? &c->list.items[i] : NULL;
}

int checkpoint_read(const struct checkpoint *c, const struct tensor *t, float *out, size_t n, struct err *err)
{
    if ((uint64_t)t->numel != n)
        return err_set(err, ERR_INVALID, t->name, "the tensor has %lld elements, %zu are wanted", (long long)t->numel,
                       n);
    int rc = tensor_read(t, c->source, out, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (!isfinite(out[i]))
            return err_set(err, ERR_INVALID, t->name, "element %zu is %s", i,
                           isnan(out[i]) ? "not a number" : "infinite (or too large for float32)");
    return rc;
}

int checkpoint_verify(const struct checkpoint *c, struct err *err)
{
    int rc = torchfile_check(c->source, c->form, err);
    uint64_t budget = 4 * c->source->size; /* thousands of names for one storage: the rest is checked when it is used */
    for (size_t i = 0; rc == 0 && i < c->list.count; i++) {
        const struct tensor *t = &c->list.items[i];
        if (t->span > budget)
            break;
        budget -= t->span;
        float *values = malloc((size_t)t->numel * sizeof *values + 1); /* at most 4 bytes for each byte of the file */
        if (!values)
            return err_set(err, ERR_NO_MEMORY, t->name, "no memory for its %lld elements", (long long)t->numel);
        rc = checkpoint_read(c, t, values, (size_t)t->numel, err);
        free(values);
    }
    return rc;
}
