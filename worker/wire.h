/* wire: the documents that worker and coordinator exchange, to and from text. It checks what comes in, since an answer
 * may come from a wrong server; unknown members are ignored, so that a newer coordinator can say more. Pure. */
#ifndef WORKER_WIRE_H
#define WORKER_WIRE_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_PROTOCOL = 1, WIRE_LEASE = 33 };

struct wire_joined {
    int64_t id;
    char key[256];
    double beat_s, expiry_s;
};
struct wire_lease {
    int64_t job;
    char lease[WIRE_LEASE], kind[32];
    double expires_s;
    json_t *input; /* owned */
};
struct wire_answer { /* to a lease request or a beat */
    struct wire_lease *leases; /* granted, or forgotten */
    size_t nleases;
    char (*gone)[WIRE_LEASE];
    size_t ngone;
    double delay_s; /* at least 0 */
};

int wire_read_joined(const char *text, size_t n, struct wire_joined *out, struct err *err);
int wire_read_leases(const char *text, size_t n, struct wire_answer *out, struct err *err);
int wire_read_beat(const char *text, size_t n, struct wire_answer *out, struct err *err);
/* "stored", "duplicate", "superseded" or "cancelled"; anything else is an error: the result must be kept. */
int wire_read_status(const char *text, size_t n, char out[16], struct err *err);
void wire_answer_clear(struct wire_answer *a);

/* Hashes of the blobs that a job's input needs, each once: the checkpoint and the splits that policy and evaluation
 * name. Negative with ERR_INVALID where the input has no such thing. *out is malloc'ed. */
int wire_blobs(const json_t *input, char (**out)[65], size_t *n, struct err *err);

#endif
