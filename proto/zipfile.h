/* zipfile: the directory of a zip archive whose members are stored uncompressed, as torch.save writes them. Sizes come
 * from the central directory, so data descriptors do not matter; zip64 is read. Compressed, encrypted and split
 * archives are refused by name. */
#ifndef PROTO_ZIPFILE_H
#define PROTO_ZIPFILE_H

#include "proto/base/arena.h"
#include "proto/base/strmap.h"
#include "proto/source.h"

struct zip_member {
    const char *name;
    uint64_t offset, size; /* of the data in the source */
    uint32_t crc;
};
struct zipfile {
    struct zip_member *members;
    size_t count;
    struct strmap by_name;
};

int zipfile_detect(struct source *s); /* 1 when the source starts with a local header */
int zipfile_open(struct zipfile *z, struct source *s, struct arena *a, struct err *err); /* clear it even on failure */
void zipfile_clear(struct zipfile *z);
const struct zip_member *zipfile_find(const struct zipfile *z, const char *name); /* NULL when absent */
int zipfile_check(const struct zipfile *z, struct source *s, struct err *err);    /* every member's CRC-32 */

#endif
