/* wire: the requests of a worker as text. */
#include "tests/fleet/fleet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int64_t fleet_correct(const char *lease, const char *code, int64_t images)
{
    uLong h = crc32(0, (const Bytef *)lease, (uInt)strlen(lease));
    h = crc32(h, (const Bytef *)code, (uInt)strlen(code));
    return (int64_t)(h % (uLong)(images + 1));
}

static void held_json(FILE *f, const struct fleet_worker *w, int detailed)
{
    const char *comma = "";
    fputs("\"held\":[", f);
    for (int i = 0; i < w->nheld; i++) {
        const struct fleet_held *h = w->held[i];
        if (detailed)
            fprintf(f, "%s{\"job\":%lld,\"lease\":\"%s\",\"done\":0,\"of\":%zu}", comma, (long long)h->job, h->lease,
                    json_array_size(h->codes));
        else
            fprintf(f, "%s\"%s\"", comma, h->lease);
        comma = ",";
    }
    fputs("]", f);
}

static void result_json(FILE *f, const struct fleet_held *h)
{
    fputs("{\"kind\":\"score\",\"backend\":\"none\",\"build\":\"fleet\",\"threads\":1,\"wall_ms\":1000,"
          "\"calibration_images\":0,\"scores\":[",
          f);
    for (size_t i = 0; i < json_array_size(h->codes); i++) {
        const char *code = json_string_value(json_array_get(h->codes, i));
        int64_t k = fleet_correct(h->lease, code, h->images);
        fprintf(f,
                "%s{\"code\":\"%s\",\"n_images\":%lld,\"n_correct\":%lld,\"n_correct_top5\":%lld,\"loss_sum\":%lld.5,"
                "\"stats_digest\":\"%s\"}",
                i ? "," : "", code, (long long)h->images, (long long)k, (long long)(k + (h->images - k) / 2),
                (long long)(h->images - k), h->lease);
    }
    fputs("]}", f);
}

static void body_of(FILE *f, struct fleet_worker *w, const struct fleet_op *op)
{
    const struct fleet_options *o = &w->fleet->o;
    switch (op->kind) {
    case FLEET_JOIN:
        fprintf(f,
                "{\"protocol\":1,\"name\":\"sim-%d\",\"host\":\"sim\",\"backend\":\"none\",\"build\":\"fleet\","
                "\"threads\":1,\"memory_bytes\":1073741824}",
                w->number);
        break;
    case FLEET_BEAT:
        fputs("{\"protocol\":1,", f);
        held_json(f, w, 1);
        fprintf(f, ",\"state\":\"%s\",\"stats\":{\"images_per_s\":100.5}}", w->nheld ? "busy" : "idle");
        break;
    case FLEET_LEASE:
        fputs("{\"protocol\":1,", f);
        if (fleet_chance(w->fleet) < o->forget)
            fputs("\"held\":[]", f);
        else
            held_json(f, w, 0);
        fprintf(f, ",\"blobs\":[],\"max_jobs\":%d}", o->batch);
        break;
    case FLEET_RESULT:
        result_json(f, op->held);
        break;
    default:
        break;
    }
}

char *fleet_request(struct fleet_worker *w, const struct fleet_op *op, size_t *len)
{
    static const char *const method[] = {"POST", "POST", "POST", "PUT", "DELETE"};
    const struct fleet_options *o = &w->fleet->o;
    char *body = NULL, *text = NULL, path[100];
    size_t n = 0;
    FILE *f = open_memstream(&body, &n);
    assert(f);
    body_of(f, w, op);
    fclose(f);
    if (op->kind == FLEET_RESULT)
        snprintf(path, sizeof path, "results/%lld/%s", (long long)op->held->job, op->held->lease);
    else if (op->kind == FLEET_RETURN)
        snprintf(path, sizeof path, "leases/%s", op->held->lease);
    else
        snprintf(path, sizeof path, "%s", (const char *const[]){"workers", "beats", "leases"}[op->kind]);
    f = open_memstream(&text, len);
    assert(f);
    fprintf(f, "%s /api/v1/%s HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n", method[op->kind], path, o->host,
            o->port, op->kind == FLEET_JOIN ? o->token : w->key);
    if (n)
        fprintf(f, "Content-Type: application/json\r\nContent-Length: %zu\r\n", n);
    fputs("\r\n", f);
    fwrite(body, 1, n, f);
    fclose(f);
    free(body);
    return text;
}
