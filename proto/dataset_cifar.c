/* dataset_cifar: CIFAR-10's binary format: records of one label byte and 3,072 bytes of planar RGB, 32 x 32. */
#include "proto/dataset_part.h"

#include <stdlib.h>

enum { RECORD = 3073, CHUNK = 256 };

int dataset_cifar_open(struct dataset_part *p, struct err *err)
{
    uint64_t size = p->source->size;
    if (size % RECORD || size == 0)
        return err_set(err, ERR_CORRUPT, "", "%llu bytes are not a whole number of CIFAR records of %d bytes",
                       (unsigned long long)size, RECORD);
    p->count = (int64_t)(size / RECORD);
    p->labels = dataset_part_labels(p->count, err);
    unsigned char *chunk = malloc((size_t)CHUNK * RECORD);
    if (!p->labels || !chunk) {
        free(chunk);
        return err_set(err, ERR_NO_MEMORY, "", "no memory for %lld labels", (long long)p->count);
    }
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < p->count; i += CHUNK) {
        int64_t n = p->count - i < CHUNK ? p->count - i : CHUNK;
        rc = source_read(p->source, (uint64_t)i * RECORD, chunk, (size_t)n * RECORD, err);
        for (int64_t k = 0; rc == 0 && k < n; k++)
            p->labels[i + k] = chunk[k * RECORD];
    }
    free(chunk);
    p->c = 3;
    p->h = p->w = 32;
    p->data = 1;
    p->stride = RECORD;
    p->load = dataset_part_load_plain;
    return rc;
}
