/* fixture: see fixture.h. Tests run from the repository's root. */
#include "tests/unit/proto/fixture.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bytes fixture_bytes(const char *path)
{
    struct bytes b = {0};
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        printf("#   cannot open %s (run from the repository's root)\n", path);
        exit(1);
    }
    b.n = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.n + 1);
    if (!b.data || fread(b.data, 1, b.n, f) != b.n)
        exit(1);
    b.data[b.n] = 0;
    fclose(f);
    return b;
}

struct bytes fixture_load(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/files/%s", name);
    return fixture_bytes(path);
}

const char *fixture_shared(const char *name)
{
    static char path[512], why[600];
    const char *root = getenv("SUBRANK_SHARED");
    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared", name);
    if (access(path, R_OK) != 0) {
        snprintf(why, sizeof why, "%s not found", path);
        test_skip(why);
    }
    return path;
}
