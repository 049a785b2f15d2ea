/* What a coordinator may answer to a worker: join, leases, beats, the verdict on a result, and the blobs that a job
 * names. Input: one byte picks the reader, the rest is the answer. */
#include "worker/wire.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_leases(int rc, struct wire_answer *a)
{
    assert(rc == 0 || (a->nleases == 0 && a->ngone == 0));
    for (size_t i = 0; i < a->nleases; i++) {
        struct err err = {0};
        char(*blobs)[65] = NULL;
        size_t count = 0;
        assert(a->leases[i].job > 0 && strlen(a->leases[i].lease) == 32 && isfinite(a->leases[i].expires_s));
        if (wire_blobs(a->leases[i].input, &blobs, &count, &err) == 0)
            for (size_t k = 0; k < count; k++)
                assert(strspn(blobs[k], "0123456789abcdef") == 64);
        else
            assert(!blobs && !count && err.code);
        free(blobs);
    }
    if (rc == 0)
        wire_answer_clear(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    const char *text = (const char *)data + 1;
    struct err err = {0};
    struct wire_answer answer;
    struct wire_joined joined;
    char status[16];
    switch (data[0] % 4) {
    case 0:
        if (wire_read_joined(text, n - 1, &joined, &err) == 0)
            assert(joined.id > 0 && *joined.key && !strpbrk(joined.key, "\r\n "));
        break;
    case 1:
        check_leases(wire_read_leases(text, n - 1, &answer, &err), &answer);
        break;
    case 2:
        check_leases(wire_read_beat(text, n - 1, &answer, &err), &answer);
        break;
    default:
        if (wire_read_status(text, n - 1, status, &err) == 0)
            assert(strlen(status) >= 6);
    }
    return 0;
}
