/* images: see images.h. */
#include "worker/engine/images.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32, MAX_THREADS = 256 };

struct split {
    struct split *next;
    char *name;
    struct dataset *data;
    float **loaded; /* [count] a picture, or NULL */
};

struct images {
    struct dataset_doc *doc;
    dataset_source_fn *open;
    void *ctx;
    struct split *splits;
    size_t bytes;
};

int images_open(const json_t *document, dataset_source_fn *open, void *ctx, struct images **out, struct err *err)
{
    struct images *im = calloc(1, sizeof *im);
    if (!im)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a data set");
    im->open = open;
    im->ctx = ctx;
    int rc = dataset_doc_parse(document, &im->doc, err);
    if (rc) {
        free(im);
        return rc;
    }
    *out = im;
    return 0;
}

static void split_free(struct split *s)
{
    for (int64_t i = 0; s->loaded && i < dataset_count(s->data); i++)
        free(s->loaded[i]);
    free(s->loaded);
    dataset_close(s->data);
    free(s->name);
    free(s);
}

void images_close(struct images *im)
{
    if (!im)
        return;
    while (im->splits) {
        struct split *s = im->splits;
        im->splits = s->next;
        split_free(s);
    }
    dataset_doc_free(im->doc);
    free(im);
}

static struct split *find(const struct images *im, const char *name)
{
    struct split *s = im->splits;
    while (s && strcmp(s->name, name) != 0)
        s = s->next;
    return s;
}

static int add_split(struct images *im, const char *name, struct split **out, struct err *err)
{
    struct split *s = calloc(1, sizeof *s);
    if (s)
        s->name = strdup(name);
    if (!s || !s->name) {
        free(s);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for a data set");
    }
    int rc = dataset_open(im->doc, name, im->open, im->ctx, &s->data, err);
    if (!rc) {
        s->loaded = calloc((size_t)dataset_count(s->data) + 1, sizeof *s->loaded);
        rc = s->loaded ? 0 : err_set(err, ERR_NO_MEMORY, "", "no memory for a data set");
    }
    if (rc) {
        split_free(s);
        return rc;
    }
    s->next = im->splits;
    im->splits = *out = s;
    return 0;
}

static struct shape shape_of(const struct split *s)
{
    int chw[3];
    dataset_shape(s->data, chw);
    return (struct shape){chw[0], chw[1], chw[2]};
}

static size_t floats_of(const struct split *s)
{
    struct shape x = shape_of(s);
    return (size_t)x.c * (size_t)x.h * (size_t)x.w;
}

int images_split(struct images *im, const char *split, int64_t *count, struct shape *shape, struct err *err)
{
    struct split *s = find(im, split);
    int rc = s ? 0 : add_split(im, split, &s, err);
    if (rc)
        return rc;
    *count = dataset_count(s->data);
    *shape = shape_of(s);
    return 0;
}

size_t images_missing_bytes(const struct images *im, const char *split, const int64_t *indices, int64_t n)
{
    const struct split *s = find(im, split);
    size_t missing = 0;
    for (int64_t i = 0; i < n; i++)
        missing += !s->loaded[indices[i]];
    return missing * floats_of(s) * sizeof(float);
}

size_t images_bytes(const struct images *im)
{
    return im->bytes;
}

/* ---- loading ---- */

struct load {
    struct split *split;
    const int64_t *missing;
    int64_t n;
    size_t each;
    atomic_llong next;
    pthread_mutex_t lock;
    int rc; /* the first failure */
    struct err err;
};

static int load_some(struct load *l, const int64_t *indices, size_t n, float *room, struct err *err)
{
    int rc = dataset_load(l->split->data, indices, n, room, NULL, err);
    for (size_t i = 0; !rc && i < n; i++) {
        float *own = malloc(l->each * sizeof *own);
        if (!own)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for images");
        memcpy(own, room + i * l->each, l->each * sizeof *own);
        l->split->loaded[indices[i]] = own;
    }
    return rc;
}

static void *load_thread(void *arg)
{
    struct load *l = arg;
    struct err err = {0};
    float *room = malloc(CHUNK * l->each * sizeof *room);
    int rc = room ? 0 : err_set(&err, ERR_NO_MEMORY, "", "no memory for images");
    while (!rc) {
        int64_t at = atomic_fetch_add(&l->next, CHUNK), left = l->n - at;
        if (left <= 0)
            break;
        rc = load_some(l, l->missing + at, (size_t)(left < CHUNK ? left : CHUNK), room, &err);
    }
    free(room);
    pthread_mutex_lock(&l->lock);
    if (rc && !l->rc) {
        l->rc = rc;
        l->err = err;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static int load_all(struct load *l, int threads, struct err *err)
{
    pthread_t ids[MAX_THREADS];
    int started = 0;
    pthread_mutex_init(&l->lock, NULL);
    for (; started < threads - 1 && started < MAX_THREADS; started++)
        if (pthread_create(&ids[started], NULL, load_thread, l))
            break;
    load_thread(l);
    for (int i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    pthread_mutex_destroy(&l->lock);
    if (l->rc && err)
        *err = l->err;
    return l->rc;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The indices that are not loaded yet, each once, in file order. */
static int64_t *list_missing(const struct split *s, const int64_t *indices, int64_t n, int64_t *count)
{
    int64_t *missing = malloc(((size_t)n + 1) * sizeof *missing), m = 0, unique = 0;
    if (!missing)
        return NULL;
    for (int64_t i = 0; i < n; i++)
        if (!s->loaded[indices[i]])
            missing[m++] = indices[i];
    qsort(missing, (size_t)m, sizeof *missing, compare);
    for (int64_t i = 0; i < m; i++)
        if (i == 0 || missing[i] != missing[i - 1])
            missing[unique++] = missing[i];
    *count = unique;
    return missing;
}

int images_get(struct images *im, const char *split, const int64_t *indices, int64_t n, int threads, const float **out,
               int32_t *labels, struct err *err)
{
    struct split *s = find(im, split);
    struct load l = {.split = s, .each = floats_of(s)};
    int64_t *missing = list_missing(s, indices, n, &l.n);
    if (!missing)
        return err_set(err, ERR_NO_MEMORY, "", "no memory for images");
    l.missing = missing;
    int rc = l.n ? load_all(&l, threads, err) : 0;
    im->bytes += (size_t)l.n * l.each * sizeof(float);
    free(missing);
    for (int64_t i = 0; !rc && i < n; i++) {
        out[i] = s->loaded[indices[i]];
        if (labels)
            labels[i] = dataset_label(s->data, indices[i]);
    }
    return rc;
}
