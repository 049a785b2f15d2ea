/* PyTorch files, zip and older form, with everything the checkpoint adds: any bytes give tensors or an error. */
#include "proto/checkpoint.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct source *s;
    struct checkpoint *c;
    struct err e = {0};
    if (source_open_memory(data, n, &s, &e) != 0)
        return 0;
    if (checkpoint_open(s, NULL, &c, &e) == 0) {
        for (size_t i = 0; i < checkpoint_count(c); i++)
            assert(checkpoint_at(c, i)->offset + checkpoint_at(c, i)->span <= n);
        checkpoint_verify(c, &e);
        checkpoint_close(c);
    } else {
        assert(e.code != ERR_NONE && e.text[0]);
    }
    source_close(s);
    return 0;
}
