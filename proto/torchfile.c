/* torchfile: see torchfile.h. Joins pickle and zip directory into a list of tensors with places in the file. */
#include "proto/torchfile.h"

#include "proto/pickle.h"
#include "proto/zipfile.h"

#include <stdio.h>
#include <string.h>

enum { MAX_PICKLE = 64 << 20, PICKLE_COST = 24, LARGEST_ARENA = 512 << 20, SMALLEST_ARENA = 1 << 20, MAX_NESTING = 3 };

/* A storage, or (older form) a view of a part of one. */
struct storage {
    const char *key;
    enum dtype dtype;
    int64_t numel;
    uint32_t root;   /* the storage it is a part of; itself when it is whole */
    int64_t shift;   /* first element in the root */
    uint64_t offset; /* of the data in the source; whole storages only */
    int placed;
};

struct reader {
    struct source *source;
    struct arena arena; /* what dies with the reading */
    struct zipfile zip;
    const char *prefix; /* "archive/" */
    struct storage *storages;
    size_t count, capacity;
    struct strmap by_key;
};

static const unsigned char legacy_magic[13] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                               0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

enum torchfile_form torchfile_detect(struct source *s)
{
    unsigned char b[15];
    if (zipfile_detect(s))
        return TORCHFILE_ZIP;
    if (s->size > sizeof b && source_read(s, 0, b, sizeof b, NULL) == 0 && b[0] == 0x80 &&
        memcmp(b + 2, legacy_magic, sizeof legacy_magic) == 0)
        return TORCHFILE_LEGACY;
    return TORCHFILE_NONE;
}

static int storage_add(struct reader *r, const struct storage *s, uint32_t *index, struct err *err)
{
    if (r->count == r->capacity) {
        size_t more = r->capacity ? r->capacity * 2 : 64;
        struct storage *all = arena_array(&r->arena, more, sizeof *all);
        if (!all)
            return err_set(err, ERR_TOO_LARGE, "", "the pickle needs more memory than its size allows");
        if (r->count)
            memcpy(all, r->storages, r->count * sizeof *all);
        r->storages = all;
        r->capacity = more;
    }
    *index = (uint32_t)r->count;
    r->storages[r->count++] = *s;
    return 0;
}

static int storage_place(struct storage *s, uint64_t offset, uint64_t bytes, struct err *err)
{
    int64_t need;
    if (s->numel < 0 || __builtin_mul_overflow(s->numel, (int64_t)dtype_size(s->dtype), &need) ||
        (uint64_t)need > bytes)
        return err_set(err, ERR_CORRUPT, s->key,
                       "truncated: storage %.64s should have %lld elements, its data are %llu bytes", s->key,
                       (long long)s->numel, (unsigned long long)bytes);
    s->offset = offset;
    s->placed = 1;
    return 0;
}

static int find_in_zip(struct reader *r, struct storage *s, struct err *err)
{
    char name[512];
    snprintf(name, sizeof name, "%sdata/%s", r->prefix, s->key);
    const struct zip_member *m = zipfile_find(&r->zip, name);
    if (!m)
        return err_set(err, ERR_CORRUPT, name, "the archive lacks this storage");
    return storage_place(s, m->offset, m->size, err);
}

static int whole_storage(struct reader *r, const struct storage *want, uint32_t *index, struct err *err)
{
    size_t at;
    if (strmap_get(&r->by_key, want->key, &at)) {
        const struct storage *s = &r->storages[at];
        *index = (uint32_t)at;
        if (s->dtype != want->dtype || s->numel != want->numel)
            return err_set(err, ERR_UNSUPPORTED, want->key, "the storage is used with two types or sizes");
        return 0;
    }
    int rc = storage_add(r, want, index, err);
    if (rc == 0) {
        r->storages[*index].root = *index;
        if (strmap_put(&r->by_key, want->key, *index) < 0)
            return err_set(err, ERR_NO_MEMORY, "", "no memory for the list of storages");
    }
    return rc == 0 && r->prefix ? find_in_zip(r, &r->storages[*index], err) : rc;
}

/* (view key, offset, size): the part of the root that the tensors' offsets count from. */
static int view_of(struct reader *r, const struct pickle_value *view, uint32_t *index, struct err *err)
{
    const struct pickle_value *v = view->kind == PICKLE_TUPLE ? view->u.seq->items : NULL;
    const struct storage *root = &r->storages[*index];
    if (!v || view->u.seq->count != 3 || v[1].kind != PICKLE_INT || v[2].kind != PICKLE_INT || v[1].u.i < 0 ||
        v[2].u.i < 0 || v[1].u.i > root->numel || v[2].u.i > root->numel - v[1].u.i)
        return err_set(err, ERR_CORRUPT, root->key, "a view of the storage lies outside of it");
    struct storage part = *root;
    part.root = *index;
    part.shift = v[1].u.i;
    part.numel = v[2].u.i;
    return storage_add(r, &part, index, err);
}

static int on_storage(void *ctx, const struct pickle_seq *id, struct pickle_value *out, struct err *err)
{
    struct reader *r = ctx;
    const struct pickle_value *v = id->items;
    if (id->count < 5 || !pickle_is_string(&v[0], "storage") || v[2].kind != PICKLE_STRING || v[4].kind != PICKLE_INT)
        return err_set(err, ERR_UNSUPPORTED, "", "the pickle refers to something outside that is no plain storage");
    const char *key = v[2].u.string->text;
    int dtype = pickle_storage_dtype(&v[1]);
    int rc = tensor_name_check(key, v[2].u.string->n, NULL);
    if (rc != 0 || dtype < 0)
        return err_set(err, ERR_UNSUPPORTED, rc ? "" : key, "a storage without a usable %s", rc ? "name" : "type");
    struct storage s = {.key = key, .dtype = (enum dtype)dtype, .numel = v[4].u.i};
    out->kind = PICKLE_STORAGE;
    rc = whole_storage(r, &s, &out->index, err);
    if (rc == 0 && id->count > 5 && v[5].kind != PICKLE_NONE)
        rc = view_of(r, &v[5], &out->index, err);
    return rc;
}

static int count_tensors(const struct pickle_value *dict)
{
    int n = 0;
    for (size_t i = 1; dict->kind == PICKLE_DICT && i < dict->u.seq->count; i += 2)
        n += dict->u.seq->items[i].kind == PICKLE_TENSOR;
    return n;
}

static const struct pickle_value *state_dict_in(const struct pickle_value *v, int depth)
{
    static const char *const keys[] = {"state_dict", "model_state_dict", "model", "net",
                                       "network",    "supernet",         "ema",   "state_dict_ema"};
    for (size_t i = 0; depth && i < sizeof keys / sizeof *keys; i++) {
        const struct pickle_value *inner = pickle_get(v, keys[i]);
        const struct pickle_value *found = inner ? state_dict_in(inner, depth - 1) : NULL;
        if (found)
            return found;
    }
    return count_tensors(v) ? v : NULL;
}

static int no_state_dict(const struct pickle_value *top, struct err *err)
{
    char keys[256] = "";
    for (size_t i = 0; top->kind == PICKLE_DICT && i < top->u.seq->count && i < 16; i += 2) {
        const struct pickle_value *k = &top->u.seq->items[i];
        if (k->kind == PICKLE_STRING && tensor_name_check(k->u.string->text, k->u.string->n, NULL) == 0) {
            size_t n = strlen(keys);
            snprintf(keys + n, sizeof keys - n, "%s\"%.32s\"", n ? ", " : " with ", k->u.string->text);
        }
    }
    return err_set(err, ERR_UNSUPPORTED, "", "no state dict of tensors in the file: it holds %s%s",
                   pickle_kind_name(top->kind), keys);
}

static int fill_tensor(const struct reader *r, const struct pickle_tensor *p, struct tensor *t, struct err *err)
{
    const struct storage *s = &r->storages[p->storage], *root = &r->storages[s->root];
    uint64_t size = dtype_size(s->dtype), begin = root->offset + (uint64_t)s->shift * size;
    if (!root->placed)
        return err_set(err, ERR_CORRUPT, t->name, "the data of its storage %.64s are missing", root->key);
    t->dtype = s->dtype;
    t->ndim = p->ndim;
    memcpy(t->dims, p->dims, sizeof t->dims);
    memcpy(t->strides, p->strides, sizeof t->strides);
    int rc = tensor_shape(t, 0, err);
    if (rc != 0)
        return rc;
    if (p->offset > s->numel)
        return err_set(err, ERR_CORRUPT, t->name, "it starts outside its storage");
    t->offset = begin + (uint64_t)p->offset * size;
    return tensor_bounds(t, begin, begin + (uint64_t)s->numel * size, err);
}

static int collect(const struct reader *r, const struct pickle_value *dict, struct arena *a, struct tensor_list *out,
                   struct err *err)
{
    for (size_t i = 0; i < dict->u.seq->count; i += 2) {
        const struct pickle_value *key = &dict->u.seq->items[i], *v = key + 1;
        if (v->kind != PICKLE_TENSOR || key->kind != PICKLE_STRING)
            continue;
        int rc = tensor_name_check(key->u.string->text, key->u.string->n, err);
        if (rc != 0)
            return rc;
        struct tensor *t = tensor_list_add(out, a);
        if (!t || !(t->name = arena_strdup(a, key->u.string->text)))
            return err_set(err, ERR_NO_MEMORY, "", "no memory for the list of tensors");
        rc = fill_tensor(r, v->u.tensor, t, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int strip_prefix(struct tensor_list *l, const char *prefix)
{
    size_t n = strlen(prefix);
    for (size_t i = 0; i < l->count; i++)
        if (strncmp(l->items[i].name, prefix, n) != 0 || !l->items[i].name[n])
            return 0;
    for (size_t i = 0; i < l->count; i++)
        l->items[i].name += n;
    return l->count > 0;
}

static int finish(const struct reader *r, const struct pickle_value *top, struct arena *a, struct tensor_list *out,
                  struct err *err)
{
    const struct pickle_value *dict = state_dict_in(top, MAX_NESTING);
    int rc = dict ? collect(r, dict, a, out, err) : no_state_dict(top, err);
    while (rc == 0 && (strip_prefix(out, "module.") || strip_prefix(out, "_orig_mod.")))
        ;
    return rc;
}

static const struct zip_member *find_pickle(const struct zipfile *z)
{
    for (size_t i = 0; i < z->count; i++) {
        const char *slash = strchr(z->members[i].name, '/');
        if (slash && strcmp(slash, "/data.pkl") == 0)
            return &z->members[i];
    }
    return NULL;
}

static int check_byteorder(const struct reader *r, struct err *err)
{
    char name[512], text[8] = "";
    snprintf(name, sizeof name, "%sbyteorder", r->prefix);
    const struct zip_member *m = zipfile_find(&r->zip, name);
    if (!m)
        return 0;
    int rc = source_read(r->source, m->offset, text, m->size < 7 ? (size_t)m->size : 7, err);
    if (rc == 0 && strcmp(text, "little") != 0)
        return err_set(err, ERR_UNSUPPORTED, name, "the file was written on a big-endian machine");
    return rc;
}

static int open_zip(struct reader *r, struct arena *a, struct tensor_list *out, struct err *err)
{
    int rc = zipfile_open(&r->zip, r->source, &r->arena, err);
    if (rc != 0)
        return rc;
    const struct zip_member *m = find_pickle(&r->zip);
    if (!m)
        return err_set(err, ERR_UNSUPPORTED, "", "the zip archive has no data.pkl: torch.save did not write it");
    if (m->size > MAX_PICKLE)
        return err_set(err, ERR_TOO_LARGE, m->name, "the pickle has %llu bytes, more than the %d allowed",
                       (unsigned long long)m->size, MAX_PICKLE);
    r->prefix = arena_strndup(&r->arena, m->name, (size_t)(strchr(m->name, '/') - m->name) + 1);
    if (!r->prefix)
        return err_set(err, ERR_NO_MEMORY, "", "no memory");
    rc = check_byteorder(r, err);
    struct cursor c;
    struct pickle_value top;
    cursor_init(&c, r->source, m->offset, m->offset + m->size);
    if (rc == 0)
        rc = pickle_read(&c, &r->arena, on_storage, r, &top, err);
    return rc == 0 ? finish(r, &top, a, out, err) : rc;
}

static int check_system(const struct pickle_value *info, struct err *err)
{
    const struct pickle_value *little = pickle_get(info, "little_endian");
    if (info->kind != PICKLE_DICT || !little || little->kind != PICKLE_BOOL)
        return err_set(err, ERR_CORRUPT, "", "the third pickle does not describe the system it was written on");
    if (!little->u.i)
        return err_set(err, ERR_UNSUPPORTED, "", "the file was written on a big-endian machine");
    return 0;
}

/* After the list of keys come the storages in its order: 8 bytes of element count, then the data. */
static int place_legacy(struct reader *r, struct cursor *c, const struct pickle_value *keys, struct err *err)
{
    if (keys->kind != PICKLE_LIST)
        return err_set(err, ERR_CORRUPT, "", "the fifth pickle is %s, not the list of storages",
                       pickle_kind_name(keys->kind));
    for (size_t i = 0; i < keys->u.seq->count; i++) {
        const struct pickle_value *k = &keys->u.seq->items[i];
        size_t at;
        if (k->kind != PICKLE_STRING || !strmap_get(&r->by_key, k->u.string->text, &at))
            return err_set(err, ERR_CORRUPT, "", "storage %zu of the list is used by no tensor", i);
        struct storage *s = &r->storages[at];
        unsigned char b[8];
        int rc = cursor_read(c, b, sizeof b, err);
        uint64_t n = 0;
        for (int j = 7; rc == 0 && j >= 0; j--)
            n = n << 8 | b[j];
        if (rc == 0 && (s->placed || n != (uint64_t)s->numel))
            rc = err_set(err, ERR_CORRUPT, s->key, "storage %.64s has %llu elements, the pickle says %lld", s->key,
                         (unsigned long long)n, (long long)s->numel);
        if (rc == 0)
            rc = storage_place(s, c->at, cursor_left(c), err);
        if (rc != 0)
            return rc;
        c->at += n * dtype_size(s->dtype);
    }
    return 0;
}

static int open_legacy(struct reader *r, struct arena *a, struct tensor_list *out, struct err *err)
{
    struct cursor c;
    struct pickle_value magic, version, info, top, keys;
    cursor_init(&c, r->source, 0, r->source->size);
    struct pickle_value *const parts[] = {&magic, &version, &info, &top, &keys};
    for (int i = 0; i < 5; i++) {
        int rc = pickle_read(&c, &r->arena, i == 3 ? on_storage : NULL, r, parts[i], err);
        if (rc == 0 && i == 1 && (version.kind != PICKLE_INT || version.u.i != 1001))
            rc = err_set(err, ERR_UNSUPPORTED, "", "the file's protocol is not 1001");
        if (rc == 0 && i == 2)
            rc = check_system(&info, err);
        if (rc != 0)
            return rc;
    }
    int rc = place_legacy(r, &c, &keys, err);
    return rc == 0 ? finish(r, &top, a, out, err) : rc;
}

int torchfile_open(struct source *s, enum torchfile_form form, struct arena *a, struct tensor_list *out,
                   struct err *err)
{
    struct reader r = {.source = s};
    uint64_t cost = s->size < LARGEST_ARENA / PICKLE_COST ? s->size * PICKLE_COST : LARGEST_ARENA;
    arena_init(&r.arena, (size_t)cost + SMALLEST_ARENA);
    int rc = form == TORCHFILE_ZIP ? open_zip(&r, a, out, err) : open_legacy(&r, a, out, err);
    strmap_clear(&r.by_key);
    zipfile_clear(&r.zip);
    arena_clear(&r.arena);
    return rc;
}

int torchfile_check(struct source *s, enum torchfile_form form, struct err *err)
{
    if (form != TORCHFILE_ZIP)
        return 0; /* the older form has no checksums */
    struct zipfile z;
    struct arena a;
    arena_init(&a, 0);
    int rc = zipfile_open(&z, s, &a, err);
    if (rc == 0)
        rc = zipfile_check(&z, s, err);
    zipfile_clear(&z);
    arena_clear(&a);
    return rc;
}
