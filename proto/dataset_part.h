/* dataset_part: what each format makes of one file of a split; only dataset.c and the formats include this. */
#ifndef PROTO_DATASET_PART_H
#define PROTO_DATASET_PART_H

#include "proto/dataset_doc.h"
#include "proto/image.h"
#include "proto/source.h"

#include <stdint.h>

struct dataset_part {
    struct source *source, *labels_source; /* closed by dataset.c */
    int64_t count;
    int32_t *labels; /* [count]; for tar the index into folders until dataset.c maps it to classes */
    char **folders;  /* tar: sorted names; NULL otherwise. The array is freed by dataset.c, the names by close */
    size_t nfolders;
    uint64_t data;   /* fixed-size formats: offset of the first image */
    uint64_t stride; /* and bytes from one to the next */
    int c, h, w;     /* fixed-size formats; 0 where each picture has its own size */
    int is_float;
    void *state; /* the format's own */
    int (*load)(const struct dataset_part *p, int64_t i, struct image *out, struct err *err);
    void (*close)(struct dataset_part *p); /* frees state; may be NULL */
};

/* p->source (and labels_source) are open; each fills count, labels, load and what else it uses. */
int dataset_cifar_open(struct dataset_part *p, struct err *err);
int dataset_idx_open(struct dataset_part *p, struct err *err);
int dataset_safetensors_open(struct dataset_part *p, struct err *err);
int dataset_tar_open(struct dataset_part *p, const char *folder, struct err *err);

/* Reads image i of a fixed-size format: bytes or floats, planar. */
int dataset_part_load_plain(const struct dataset_part *p, int64_t i, struct image *out, struct err *err);
void dataset_part_place(struct err *err, const char *place);  /* place before err->where, apart by ": " if need be */
int32_t *dataset_part_labels(int64_t count, struct err *err); /* malloc with the check; count > 0 */

#endif
