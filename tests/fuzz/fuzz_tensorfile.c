/* safetensors: any bytes give tensors inside the file or an error. */
#include "proto/tensorfile.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct source *s;
    struct arena a;
    struct tensor_list list = {0};
    struct err e = {0};
    if (source_open_memory(data, n, &s, &e) != 0)
        return 0;
    arena_init(&a, 0);
    tensorfile_detect(s);
    if (tensorfile_open(s, &a, &list, &e) == 0) {
        for (size_t i = 0; i < list.count; i++) {
            const struct tensor *t = &list.items[i];
            assert(t->offset + t->span <= n);
            float *out = malloc((size_t)t->numel * sizeof *out + 1);
            if (out && tensor_read(t, s, out, &e) != 0)
                abort();
            free(out);
        }
    } else {
        assert(e.code != ERR_NONE && e.text[0]);
    }
    arena_clear(&a);
    source_close(s);
    return 0;
}
