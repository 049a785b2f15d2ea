/* weights_file: one architecture's own weights as a safetensors file: every parameter of its plan sliced (or derived)
 * from the supernet's checkpoint under its state-dict name, running statistics replaced by recalibrated ones. Opened
 * and read on worker threads, a tensor at a time. */
#ifndef SERVER_WEIGHTS_FILE_H
#define SERVER_WEIGHTS_FILE_H

#include "proto/base/err.h"
#include "proto/plan.h"

#include <jansson.h>
#include <stdint.h>

struct weights_source { /* copied texts: nothing of it is shared with the loop */
    char *database, *space, *code, *rename, *statistics, *metadata; /* JSON texts; rename, statistics: NULL for none */
    struct shape input;
    int64_t blob, size; /* the checkpoint's */
};
void weights_source_clear(struct weights_source *src);

struct weights_file;
/* Reads what is needed to know the file's size. Errors: ERR_UNSUPPORTED when one name would need two values. */
int weights_file_open(const struct weights_source *src, struct weights_file **out, struct err *err);
void weights_file_close(struct weights_file *f); /* NULL is fine */
int64_t weights_file_size(const struct weights_file *f);
int64_t weights_file_read(struct weights_file *f, char *buf, size_t max, struct err *err); /* 0 at the end, <0 */

#endif
