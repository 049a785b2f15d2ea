/* replay: runs a fuzz target over files and directories of files, without libFuzzer, so that `make test` can. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot open %s\n", path);
        return 1;
    }
    size_t n = (size_t)ftell(f);
    uint8_t *data = malloc(n ? n : 1); /* exact: a byte too far is seen */
    rewind(f);
    if (!data || fread(data, 1, n, f) != n)
        return 1;
    fclose(f);
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 0;
}

static int run(const char *path, int *count)
{
    DIR *dir = opendir(path);
    int bad = 0;
    if (!dir) {
        ++*count;
        return run_file(path);
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char file[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        bad |= run(file, count);
    }
    closedir(dir);
    return bad;
}

int main(int argc, char **argv)
{
    int count = 0, bad = 0;
    for (int i = 1; i < argc; i++)
        bad |= run(argv[i], &count);
    printf("%s: %d inputs\n", argv[0], count);
    return bad || count == 0;
}
