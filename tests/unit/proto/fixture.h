/* fixture: the committed files of tests/golden/files, whole in memory, and the shared data where it is there. */
#ifndef UNIT_PROTO_FIXTURE_H
#define UNIT_PROTO_FIXTURE_H

#include <stddef.h>

struct bytes {
    unsigned char *data;
    size_t n;
};
struct bytes fixture_load(const char *name); /* of tests/golden/files; exits when it is missing. free(data) */
struct bytes fixture_bytes(const char *path);
/* The path of a file of the shared data (SUBRANK_SHARED, or ../shared); skips the test, loudly, without it. */
const char *fixture_shared(const char *name);

#endif
