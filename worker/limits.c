/* limits: see limits.h. The file formats are those of the kernel's admin-guide/cgroup-v1 and cgroup-v2. */
#include "worker/limits.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096 };

/* The file's words, at most two, as numbers into v; how many there were ("max" ends them). */
static int numbers(const char *dir, const char *name, long long v[2])
{
    char path[2 * PATH];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    int n = f ? fscanf(f, "%lld %lld", &v[0], &v[1]) : 0;
    if (f)
        fclose(f);
    return n > 0 ? n : 0;
}

static void at_most(int64_t *limit, int64_t v)
{
    if (v > 0 && (*limit <= 0 || v < *limit))
        *limit = v;
}

static void one_group(struct limits *l, const char *dir)
{
    long long v[2], period[2];
    if (numbers(dir, "memory.max", v) || numbers(dir, "memory.limit_in_bytes", v))
        at_most(&l->memory, v[0]);
    int n = numbers(dir, "cpu.max", v);
    if (n < 2 && numbers(dir, "cpu.cfs_quota_us", v) && numbers(dir, "cpu.cfs_period_us", period)) {
        v[1] = period[0];
        n = 2;
    }
    if (n == 2 && v[0] > 0 && v[1] > 0)
        at_most(&l->threads, v[0] / v[1] + (v[0] % v[1] != 0));
}

/* A group and all above it, up to the mount itself: inside a container that is the container's own. */
static void group_and_parents(struct limits *l, const char *mount, const char *group)
{
    char dir[2 * PATH];
    size_t least = strlen(mount);
    snprintf(dir, sizeof dir, "%s%s", mount, strcmp(group, "/") == 0 ? "" : group);
    for (;;) {
        one_group(l, dir);
        char *last = strrchr(dir + least, '/');
        if (!last)
            return;
        *last = 0;
    }
}

void limits_groups(struct limits *l, const char *file, const char *root)
{
    char line[PATH], mount[PATH + 256];
    FILE *f = fopen(file, "re");
    while (f && fgets(line, sizeof line, f)) { /* number:controllers:group; version 2 names no controllers */
        char *rest = line;
        strsep(&rest, ":");
        const char *controllers = strsep(&rest, ":"), *group = strsep(&rest, "\n");
        if (!group || *group != '/' || strchr(controllers, '/') || strlen(controllers) > 200)
            continue;
        snprintf(mount, sizeof mount, "%s%s%s", root, *controllers ? "/" : "", controllers);
        group_and_parents(l, mount, group);
    }
    if (f)
        fclose(f);
}

struct limits limits_here(void)
{
    cpu_set_t set;
    int64_t pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    struct limits l = {.threads = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1,
                       .memory = pages > 0 && size > 0 ? pages * size : 0};
    limits_groups(&l, "/proc/self/cgroup", "/sys/fs/cgroup");
    return l;
}
