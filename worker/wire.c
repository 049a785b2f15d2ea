/* wire: see wire.h. */
#include "worker/wire.h"
#include "proto/base/hash.h"
#include "proto/base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEASES_MAX = 1000, BLOBS_MAX = 4096 };

static json_t *parse(const char *text, size_t n, struct err *err)
{
    json_t *doc = json_parse_strict(text, n, JSON_DEPTH, err);
    if (doc && !json_is_object(doc)) {
        err_set(err, ERR_INVALID, "", "expected an object");
        json_decref(doc);
        return NULL;
    }
    return doc;
}

static int seconds(const json_t *doc, const char *name, double fallback, double *out, struct err *err)
{
    const json_t *v = json_object_get(doc, name);
    *out = v ? json_number_value(v) : fallback;
    if ((v && !json_is_number(v)) || !isfinite(*out) || *out < 0)
        return err_set(err, ERR_INVALID, name, "not a number of seconds");
    return 0;
}

static int lease_id(const json_t *v, char out[WIRE_LEASE], struct err *err)
{
    unsigned char raw[16];
    const char *s = json_string_value(v);
    if (!s || hash_unhex(s, sizeof raw, raw))
        return err_set(err, ERR_INVALID, "lease", "not a lease id");
    hash_hex(raw, sizeof raw, out);
    return 0;
}

int wire_read_joined(const char *text, size_t n, struct wire_joined *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    json_t *doc = parse(text, n, err);
    if (!doc)
        return -(int)err->code;
    const char *key = json_string_value(json_object_get(doc, "key"));
    out->id = json_integer_value(json_object_get(doc, "id"));
    int rc = seconds(doc, "beat_s", 30, &out->beat_s, err);
    if (!rc)
        rc = seconds(doc, "expiry_s", 90, &out->expiry_s, err);
    if (!rc && (out->id <= 0 || !key || !*key || strlen(key) >= sizeof out->key || strpbrk(key, "\r\n ")))
        rc = err_set(err, ERR_INVALID, "key", "the answer has no usable id and key");
    if (!rc)
        snprintf(out->key, sizeof out->key, "%s", key);
    json_decref(doc);
    return rc;
}

static int read_lease(const json_t *v, struct wire_lease *out, struct err *err)
{
    const char *kind = json_string_value(json_object_get(v, "kind"));
    json_t *input = json_object_get(v, "input");
    out->job = json_integer_value(json_object_get(v, "job"));
    int rc = lease_id(json_object_get(v, "lease"), out->lease, err);
    if (!rc)
        rc = seconds(v, "expires_s", 90, &out->expires_s, err);
    if (!rc && (out->job <= 0 || !kind || strlen(kind) >= sizeof out->kind || !json_is_object(input)))
        rc = err_set(err, ERR_INVALID, "leases", "a lease without job, kind or input");
    if (rc)
        return rc;
    snprintf(out->kind, sizeof out->kind, "%s", kind);
    out->input = json_incref(input);
    return 0;
}

static int read_lease_list(const json_t *list, struct wire_answer *out, struct err *err)
{
    size_t n = json_array_size(list);
    if ((list && !json_is_array(list)) || n > LEASES_MAX)
        return err_set(err, ERR_INVALID, "leases", "not a list of at most %d leases", LEASES_MAX);
    out->leases = calloc(n ? n : 1, sizeof *out->leases);
    if (!out->leases)
        return err_set(err, ERR_NO_MEMORY, "leases", "no memory for leases");
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        rc = read_lease(json_array_get(list, i), &out->leases[i], err);
        out->nleases += !rc;
    }
    return rc;
}

static int read_gone(const json_t *list, struct wire_answer *out, struct err *err)
{
    size_t n = json_array_size(list);
    if ((list && !json_is_array(list)) || n > LEASES_MAX)
        return err_set(err, ERR_INVALID, "gone", "not a list of at most %d leases", LEASES_MAX);
    out->gone = calloc(n ? n : 1, sizeof *out->gone);
    if (!out->gone)
        return err_set(err, ERR_NO_MEMORY, "gone", "no memory for leases");
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        rc = lease_id(json_array_get(list, i), out->gone[i], err);
        out->ngone += !rc;
    }
    return rc;
}

static int read_answer(const char *text, size_t n, const char *list, struct wire_answer *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    json_t *doc = parse(text, n, err);
    if (!doc)
        return -(int)err->code;
    int rc = seconds(doc, "delay_s", 0, &out->delay_s, err);
    if (!rc)
        rc = read_lease_list(json_object_get(doc, list), out, err);
    if (!rc)
        rc = read_gone(json_object_get(doc, "gone"), out, err);
    if (rc)
        wire_answer_clear(out);
    json_decref(doc);
    return rc;
}

int wire_read_leases(const char *text, size_t n, struct wire_answer *out, struct err *err)
{
    return read_answer(text, n, "leases", out, err);
}

int wire_read_beat(const char *text, size_t n, struct wire_answer *out, struct err *err)
{
    return read_answer(text, n, "forgotten", out, err);
}

void wire_answer_clear(struct wire_answer *a)
{
    for (size_t i = 0; i < a->nleases; i++)
        json_decref(a->leases[i].input);
    free(a->leases);
    free(a->gone);
    memset(a, 0, sizeof *a);
}

int wire_read_status(const char *text, size_t n, char out[16], struct err *err)
{
    static const char *const words[] = {"stored", "duplicate", "superseded", "cancelled"};
    json_t *doc = parse(text, n, err);
    if (!doc)
        return -(int)err->code;
    const char *status = json_string_value(json_object_get(doc, "status"));
    int known = 0;
    for (size_t i = 0; status && i < sizeof words / sizeof *words; i++)
        known |= strcmp(status, words[i]) == 0;
    if (known)
        snprintf(out, 16, "%s", status);
    json_decref(doc);
    return known ? 0 : err_set(err, ERR_INVALID, "status", "not one of the four final answers");
}

static int add_blob(const json_t *v, char (**out)[65], size_t *n, const char *where, struct err *err)
{
    unsigned char raw[HASH256_SIZE];
    const char *s = json_string_value(v);
    char hex[65];
    if (!s || hash_unhex(s, sizeof raw, raw))
        return err_set(err, ERR_INVALID, where, "not the SHA-256 of a blob");
    hash_hex(raw, sizeof raw, hex);
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*out)[i], hex) == 0)
            return 0;
    if (*n >= BLOBS_MAX)
        return err_set(err, ERR_TOO_LARGE, where, "more than %d blobs", BLOBS_MAX);
    char(*p)[65] = realloc(*out, (*n + 1) * sizeof *p);
    if (!p)
        return err_set(err, ERR_NO_MEMORY, where, "no memory for blob names");
    *out = p;
    memcpy(p[(*n)++], hex, sizeof hex);
    return 0;
}

static int add_split(const json_t *splits, const char *name, char (**out)[65], size_t *n, struct err *err)
{
    const json_t *parts = json_object_get(splits, name), *part;
    char where[128];
    size_t i;
    snprintf(where, sizeof where, "/dataset/document/splits/%.60s", name);
    if (!json_is_array(parts))
        return err_set(err, ERR_INVALID, where, "the data set has no such split");
    int rc = 0;
    json_array_foreach(parts, i, part)
    {
        if (!rc)
            rc = add_blob(json_object_get(part, "blob"), out, n, where, err);
        const json_t *labels = json_object_get(part, "labels");
        if (!rc && labels && !json_is_null(labels))
            rc = add_blob(labels, out, n, where, err);
    }
    return rc;
}

/* The split that calibration reads; NULL when this policy calibrates nothing. */
static const char *calibration_split(const json_t *policy)
{
    const char *average = json_string_value(json_object_get(policy, "average"));
    const char *split = json_string_value(json_object_get(policy, "split"));
    if (average && (strcmp(average, "batch") == 0 || strcmp(average, "none") == 0))
        return NULL;
    return split ? split : "train";
}

int wire_blobs(const json_t *input, char (**out)[65], size_t *n, struct err *err)
{
    const json_t *splits = json_object_get(json_object_get(json_object_get(input, "dataset"), "document"), "splits");
    const char *calibrate = calibration_split(json_object_get(input, "policy"));
    const char *score = json_string_value(json_object_get(json_object_get(input, "evaluation"), "split"));
    *out = NULL;
    *n = 0;
    int rc = add_blob(json_object_get(json_object_get(input, "checkpoint"), "blob"), out, n, "/checkpoint/blob", err);
    if (!rc && calibrate)
        rc = add_split(splits, calibrate, out, n, err);
    if (!rc)
        rc = add_split(splits, score ? score : "val", out, n, err);
    if (rc) {
        free(*out);
        *out = NULL;
        *n = 0;
    }
    return rc;
}
