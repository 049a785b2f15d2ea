/* score_cache: see score_cache.h. Each kind is kept under the canonical text of what it was made from. */
#include "worker/engine/score_cache.h"

#include "proto/base/json.h"
#include "proto/binding.h"
#include "proto/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct score_cache {
    char *space_key, *images_key, *params_key;
    struct space *space;
    struct images *images;
    struct params *params;
    struct source *source;
    struct checkpoint *checkpoint;
    const struct score_files *files; /* of the job being opened */
};

struct score_cache *score_cache_new(void)
{
    return calloc(1, sizeof(struct score_cache));
}

static void drop_space(struct score_cache *c)
{
    space_free(c->space);
    free(c->space_key);
    c->space = NULL;
    c->space_key = NULL;
}

static void drop_images(struct score_cache *c)
{
    images_close(c->images);
    free(c->images_key);
    c->images = NULL;
    c->images_key = NULL;
}

static void drop_params(struct score_cache *c)
{
    params_free(c->params);
    checkpoint_close(c->checkpoint);
    source_close(c->source);
    free(c->params_key);
    c->params = NULL;
    c->checkpoint = NULL;
    c->source = NULL;
    c->params_key = NULL;
}

void score_cache_free(struct score_cache *c)
{
    if (!c)
        return;
    drop_space(c);
    drop_images(c);
    drop_params(c);
    free(c);
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the job");
}

static const char *path_of(const struct score_files *files, const char *sha)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->items[i].sha, sha) == 0)
            return files->items[i].path;
    return NULL;
}

static int open_blob(void *ctx, const char *sha, struct source **out, struct err *err)
{
    const struct score_cache *c = ctx;
    const char *path = path_of(c->files, sha);
    if (!path)
        return err_set(err, ERR_NOT_FOUND, sha, "no file was given for this blob");
    return source_open_file(path, out, err);
}

/* 1 when what is kept under *key was made from the same; `now` is freed then. */
static int same(char **key, char *now)
{
    if (*key && now && strcmp(*key, now) == 0) {
        free(now);
        return 1;
    }
    return 0;
}

int score_cache_space(struct score_cache *c, const json_t *document, struct space **out, struct err *err)
{
    char *key = json_canonical(document);
    if (!key)
        return no_memory(err);
    if (!same(&c->space_key, key)) {
        drop_space(c);
        int rc = space_parse_json(document, &c->space, err);
        if (rc) {
            free(key);
            err_prefix(err, "/space/document");
            return rc;
        }
        c->space_key = key;
    }
    *out = c->space;
    return 0;
}

int score_cache_images(struct score_cache *c, const json_t *document, const struct score_files *files,
                       struct images **out, struct err *err)
{
    char *key = json_canonical(document);
    if (!key)
        return no_memory(err);
    c->files = files;
    if (!same(&c->images_key, key)) {
        drop_images(c);
        int rc = images_open(document, open_blob, c, &c->images, err);
        if (rc) {
            free(key);
            err_prefix(err, "/dataset/document");
            return rc;
        }
        c->images_key = key;
    }
    *out = c->images;
    return 0;
}

static int read_tensor(void *ctx, const struct param *p, float *out, struct err *err)
{
    const struct score_cache *c = ctx;
    const struct tensor *t = checkpoint_find(c->checkpoint, p->name);
    if (!t)
        return err_set(err, ERR_NOT_FOUND, p->name, "the checkpoint has no such tensor");
    if (!binding_same_shape(p->ndim, p->dims, t->ndim, t->dims))
        return err_set(err, ERR_INVALID, p->name,
                       "the tensor in the checkpoint has another shape than the space gives it");
    return checkpoint_read(c->checkpoint, t, out, (size_t)t->numel, err);
}

static int open_params(struct score_cache *c, const json_t *checkpoint, const struct score_files *files,
                       struct err *err)
{
    const char *blob = json_string_value(json_object_get(checkpoint, "blob"));
    const char *path = blob ? path_of(files, blob) : NULL;
    if (!path)
        return err_set(err, ERR_NOT_FOUND, "/checkpoint/blob", "no file was given for the checkpoint");
    const json_t *rename = json_object_get(checkpoint, "rename");
    int rc = source_open_file(path, &c->source, err);
    if (!rc)
        rc = checkpoint_open(c->source, json_is_null(rename) ? NULL : rename, &c->checkpoint, err);
    if (rc)
        return rc;
    c->params = params_new((struct params_source){read_tensor, c});
    return c->params ? 0 : no_memory(err);
}

int score_cache_params(struct score_cache *c, const json_t *checkpoint, const char *backend,
                       const struct score_files *files, struct params **out, struct err *err)
{
    json_t *made_from = json_pack("{s:O?, s:O?, s:s}", "blob", json_object_get(checkpoint, "blob"), "rename",
                                  json_object_get(checkpoint, "rename"), "backend", backend);
    char *key = made_from ? json_canonical(made_from) : NULL;
    json_decref(made_from);
    if (!key)
        return no_memory(err);
    if (!same(&c->params_key, key)) {
        drop_params(c);
        int rc = open_params(c, checkpoint, files, err);
        if (rc) {
            drop_params(c);
            free(key);
            return rc;
        }
        c->params_key = key;
    }
    *out = c->params;
    return 0;
}
