/* dataset_doc: see dataset_doc.h. Says nothing of what the files hold. */
#include "proto/dataset_doc.h"

#include "proto/base/fields.h"
#include "proto/base/hash.h"
#include "proto/base/json.h"
#include "proto/base/strmap.h"
#include "proto/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const formats[] = {"safetensors", "cifar", "idx", "tar", NULL};
static const char *const orders[] = {"rgb", "bgr", NULL};

struct raw {
    const char *name;
    int format, order;
    double scale;
    const json_t *splits, *classes, *mean, *std, *transform;
};
static const struct field rows[] = {
    {"name", FIELD_STRING, FIELD_REQUIRED | FIELD_NONEMPTY, .max_len = 200, FIELD_AT(struct raw, name)},
    {"format", FIELD_ENUM, FIELD_REQUIRED, .choices = formats, FIELD_AT(struct raw, format)},
    {"splits", FIELD_OBJECT, FIELD_REQUIRED, FIELD_AT(struct raw, splits)},
    {"classes", FIELD_ARRAY, FIELD_NONEMPTY, .max_len = DATASET_MAX_CLASSES, FIELD_AT(struct raw, classes)},
    {"channel_order", FIELD_ENUM, .choices = orders, FIELD_AT(struct raw, order)},
    {"scale", FIELD_NUMBER, .min = 1e-30, .max = 1e30, FIELD_AT(struct raw, scale)},
    {"mean", FIELD_ARRAY, FIELD_NONEMPTY, .max_len = DATASET_MAX_CHANNELS, FIELD_AT(struct raw, mean)},
    {"std", FIELD_ARRAY, FIELD_NONEMPTY, .max_len = DATASET_MAX_CHANNELS, FIELD_AT(struct raw, std)},
    {"transform", FIELD_ARRAY, .max_len = DATASET_MAX_STEPS, FIELD_AT(struct raw, transform)},
};
static const struct field file_rows[] = {
    {"blob", FIELD_STRING, FIELD_REQUIRED, FIELD_AT(struct dataset_file, blob)},
    {"labels", FIELD_STRING, FIELD_AT(struct dataset_file, labels)},
    {"folder", FIELD_STRING, FIELD_NONEMPTY, .max_len = 1024, FIELD_AT(struct dataset_file, folder)},
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory for the data set document");
}

static int check_sha(const char *sha, const char *member, struct err *err)
{
    unsigned char raw[HASH256_SIZE];
    if (hash_unhex(sha, sizeof raw, raw) == 0 && strspn(sha, "0123456789abcdef") == 2 * sizeof raw)
        return 0;
    int rc = err_set(err, ERR_INVALID, "", "must be a SHA-256 of 64 lower-case hex digits");
    json_err_member(err, member);
    return rc;
}

static int read_file(struct dataset_doc *d, const json_t *doc, struct dataset_file *f, struct err *err)
{
    int rc = fields_read(doc, file_rows, FIELDS_COUNT(file_rows), f, err);
    if (rc == 0)
        rc = check_sha(f->blob, "blob", err);
    if (rc == 0 && d->format == DATASET_IDX && !f->labels)
        return err_set(err, ERR_INVALID, "/labels", "is required: idx keeps the labels in a file of their own");
    if (rc == 0 && d->format != DATASET_IDX && f->labels)
        return err_set(err, ERR_INVALID, "/labels", "is for format idx; %s holds its own", formats[d->format]);
    if (rc == 0 && d->format != DATASET_TAR && f->folder)
        return err_set(err, ERR_INVALID, "/folder", "is for format tar");
    if (rc == 0 && f->labels)
        rc = check_sha(f->labels, "labels", err);
    if (rc != 0)
        return rc;
    f->blob = arena_strdup(&d->arena, f->blob);
    f->labels = f->labels ? arena_strdup(&d->arena, f->labels) : NULL;
    f->folder = f->folder ? arena_strdup(&d->arena, f->folder) : NULL;
    return f->blob ? 0 : no_memory(err);
}

static int read_split(struct dataset_doc *d, const json_t *files, struct dataset_split *s, struct err *err)
{
    s->nfiles = json_array_size(files);
    if (!json_is_array(files) || s->nfiles == 0 || s->nfiles > DATASET_MAX_FILES)
        return err_set(err, ERR_INVALID, "", "must be an array of 1 to %d files, not %s", DATASET_MAX_FILES,
                       json_is_array(files) ? "of another length" : json_kind(files));
    s->files = arena_array(&d->arena, s->nfiles, sizeof *s->files);
    if (!s->files)
        return no_memory(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->nfiles; i++) {
        rc = read_file(d, json_array_get(files, i), &s->files[i], err);
        if (rc != 0)
            json_err_index(err, i);
    }
    return rc;
}

static int read_splits(struct dataset_doc *d, const json_t *splits, struct err *err)
{
    size_t n = json_object_size(splits);
    if (n < 1 || n > 16)
        return err_set(err, ERR_INVALID, "/splits", "%zu splits; 1 to 16 are allowed", n);
    d->splits = arena_array(&d->arena, n, sizeof *d->splits);
    if (!d->splits)
        return no_memory(err);
    const char *name;
    json_t *files;
    json_object_foreach((json_t *)splits, name, files)
    {
        struct dataset_split *s = &d->splits[d->nsplits++];
        s->name = arena_strdup(&d->arena, name);
        size_t len = strlen(name);
        int rc = !s->name              ? no_memory(err)
                 : len < 1 || len > 63 ? err_set(err, ERR_INVALID, "", "a split's name has 1 to 63 bytes")
                                       : read_split(d, files, s, err);
        if (rc != 0) {
            json_err_member(err, name);
            err_prefix(err, "/splits");
            return rc;
        }
    }
    return 0;
}

int dataset_doc_set_classes(struct dataset_doc *d, const char *const *names, size_t n, struct err *err)
{
    struct strmap seen = {0};
    int rc = 0;
    d->classes = arena_array(&d->arena, n, sizeof *d->classes);
    d->nclasses = n;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char *name = d->classes ? arena_strdup(&d->arena, names[i]) : NULL;
        int put = name ? strmap_put(&seen, name, i) : -1;
        if (put < 0) {
            rc = no_memory(err);
        } else if (put > 0 || !*name || strlen(name) > 256) {
            rc = err_set(err, ERR_INVALID, "",
                         put > 0 ? "\"%.64s\" is in the list twice" : "a class name has 1 to 256 bytes", name);
            json_err_index(err, i);
            err_prefix(err, "/classes");
        } else {
            d->classes[i] = name;
        }
    }
    strmap_clear(&seen);
    return rc;
}

static int read_classes(struct dataset_doc *d, const json_t *classes, struct err *err)
{
    size_t n = json_array_size(classes);
    const char **names = n ? calloc(n, sizeof *names) : NULL;
    if (n && !names)
        return no_memory(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        names[i] = json_string_value(json_array_get(classes, i));
        if (!names[i]) {
            rc = err_set(err, ERR_INVALID, "", "must be a string, not %s", json_kind(json_array_get(classes, i)));
            json_err_index(err, i);
            err_prefix(err, "/classes");
        }
    }
    if (rc == 0 && n)
        rc = dataset_doc_set_classes(d, names, n, err);
    free(names);
    return rc;
}

static int read_numbers(const json_t *list, const char *member, int positive, double *out, size_t *n, struct err *err)
{
    *n = json_array_size(list);
    for (size_t i = 0; i < *n; i++) {
        const json_t *v = json_array_get(list, i);
        out[i] = json_number_value(v);
        if (json_is_number(v) && fabs(out[i]) < 1e30 && (!positive || out[i] >= 1e-30))
            continue;
        int rc = err_set(err, ERR_INVALID, "", "must be a %snumber", positive ? "positive " : "");
        json_err_index(err, i);
        json_err_member(err, member);
        return rc;
    }
    return 0;
}

static int read_steps(struct dataset_doc *d, const json_t *list, struct err *err)
{
    d->nsteps = json_array_size(list);
    for (size_t i = 0; i < d->nsteps; i++) {
        int rc = transform_parse(json_array_get(list, i), &d->steps[i], err);
        if (rc != 0) {
            json_err_index(err, i);
            err_prefix(err, "/transform");
            return rc;
        }
    }
    return 0;
}

int dataset_doc_parse(const json_t *doc, struct dataset_doc **out, struct err *err)
{
    struct raw r = {0};
    int rc = fields_read(doc, rows, FIELDS_COUNT(rows), &r, err);
    if (rc != 0)
        return rc;
    struct dataset_doc *d = calloc(1, sizeof *d);
    if (!d)
        return no_memory(err);
    arena_init(&d->arena, 0);
    d->format = (enum dataset_format)r.format;
    d->bgr = r.order;
    d->scale = r.scale;
    d->name = arena_strdup(&d->arena, r.name);
    rc = d->name ? read_splits(d, r.splits, err) : no_memory(err);
    if (rc == 0)
        rc = read_classes(d, r.classes, err);
    if (rc == 0)
        rc = read_numbers(r.mean, "mean", 0, d->mean, &d->nmean, err);
    if (rc == 0)
        rc = read_numbers(r.std, "std", 1, d->std, &d->nstd, err);
    if (rc == 0)
        rc = read_steps(d, r.transform, err);
    if (rc != 0)
        dataset_doc_free(d);
    else
        *out = d;
    return rc;
}

void dataset_doc_free(struct dataset_doc *d)
{
    if (!d)
        return;
    arena_clear(&d->arena);
    free(d);
}

const struct dataset_split *dataset_doc_split(const struct dataset_doc *d, const char *name)
{
    for (size_t i = 0; i < d->nsplits; i++)
        if (strcmp(d->splits[i].name, name) == 0)
            return &d->splits[i];
    return NULL;
}

static json_t *splits_json(const struct dataset_doc *d)
{
    json_t *splits = json_object();
    for (size_t i = 0; i < d->nsplits; i++) {
        json_t *files = json_array();
        for (size_t k = 0; k < d->splits[i].nfiles; k++) {
            const struct dataset_file *f = &d->splits[i].files[k];
            json_array_append_new(
                files, json_pack("{s:s, s:s*, s:s*}", "blob", f->blob, "labels", f->labels, "folder", f->folder));
        }
        json_object_set_new(splits, d->splits[i].name, files);
    }
    return splits;
}

static json_t *numbers_json(const double *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_real(v[i]));
    return list;
}

json_t *dataset_doc_json(const struct dataset_doc *d)
{
    json_t *doc = json_pack("{s:s, s:s, s:o, s:s}", "name", d->name, "format", formats[d->format], "splits",
                            splits_json(d), "channel_order", orders[d->bgr]);
    json_t *classes = json_array(), *steps = json_array();
    for (size_t i = 0; i < d->nclasses; i++)
        json_array_append_new(classes, json_string(d->classes[i]));
    for (size_t i = 0; i < d->nsteps; i++)
        json_array_append_new(steps, transform_json(&d->steps[i]));
    if (d->nclasses)
        json_object_set(doc, "classes", classes);
    if (d->scale > 0)
        json_object_set_new(doc, "scale", json_real(d->scale));
    if (d->nmean)
        json_object_set_new(doc, "mean", numbers_json(d->mean, d->nmean));
    if (d->nstd)
        json_object_set_new(doc, "std", numbers_json(d->std, d->nstd));
    json_object_set_new(doc, "transform", steps);
    json_decref(classes);
    return doc;
}
