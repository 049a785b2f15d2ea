/* dataset_doc: the data set document: which blobs make a split, and how a picture becomes the network's input.
 *
 *   {"name": "cifar10", "format": "safetensors" | "cifar" | "idx" | "tar",
 *    "splits": {"train": [{"blob": sha256, "labels": sha256, "folder": "train"}, ...], "val": [...]},
 *    "classes": ["airplane", ...], "channel_order": "rgb" | "bgr", "scale": 255, "mean": [...], "std": [...],
 *    "transform": [{"op": "resize", "size": 256}, ...]}
 *
 * "labels" is for idx alone (the label file), "folder" for tar alone (the folder that holds the class folders; the
 * archive's top without it). input = (x / scale - mean[c]) / std[c]; scale is 255 for bytes and 1 for floats unless
 * given; mean and std have one number for all channels or one for each. channel_order is the order the network reads:
 * with "bgr" the first and third channel of the stored RGB are swapped, before mean and std, which are in the network's
 * order. */
#ifndef PROTO_DATASET_DOC_H
#define PROTO_DATASET_DOC_H

#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/transform.h"

#include <jansson.h>

enum dataset_format { DATASET_SAFETENSORS, DATASET_CIFAR, DATASET_IDX, DATASET_TAR };
enum { DATASET_MAX_CHANNELS = 16, DATASET_MAX_STEPS = 16, DATASET_MAX_CLASSES = 100000, DATASET_MAX_FILES = 1024 };

struct dataset_file {
    const char *blob, *labels, *folder; /* labels, folder: NULL when absent */
};
struct dataset_split {
    const char *name;
    size_t nfiles;
    struct dataset_file *files;
};
struct dataset_doc {
    struct arena arena; /* owns everything below */
    const char *name;
    enum dataset_format format;
    size_t nsplits, nclasses; /* nclasses 0: not given */
    struct dataset_split *splits;
    const char **classes;
    int bgr;
    double scale; /* 0: not given */
    size_t nmean, nstd;
    double mean[DATASET_MAX_CHANNELS], std[DATASET_MAX_CHANNELS];
    size_t nsteps;
    struct transform steps[DATASET_MAX_STEPS];
};

/* A new document, or ERR_INVALID with a JSON pointer. */
int dataset_doc_parse(const json_t *doc, struct dataset_doc **out, struct err *err);
void dataset_doc_free(struct dataset_doc *d);
const struct dataset_split *dataset_doc_split(const struct dataset_doc *d, const char *name); /* NULL when absent */
int dataset_doc_set_classes(struct dataset_doc *d, const char *const *names, size_t n, struct err *err); /* copies */
json_t *dataset_doc_json(const struct dataset_doc *d); /* parses back to the same; absent stays absent */

#endif
