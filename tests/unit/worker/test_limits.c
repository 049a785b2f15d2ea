/* limits: the least that any control group on the way up grants, in both versions' files. */
#include "tests/unit/test.h"
#include "worker/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define G(n) ((int64_t)(n) << 30)

/* A tree of control groups made by the shell below a new directory; `groups` is /proc/self/cgroup. */
static struct limits seen(const char *groups, const char *script)
{
    char dir[] = "/tmp/subrank-limits-XXXXXX", command[2048], file[64];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(file, sizeof file, "%s/self", dir);
    snprintf(command, sizeof command, "cd %s && printf '%s' > self && %s", dir, groups, script);
    CHECK_INT(system(command), 0);
    struct limits l = {.threads = 64, .memory = G(256)};
    limits_groups(&l, file, dir);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_INT(system(command), 0);
    return l;
}

TEST(limits_of_version_2_are_the_least_on_the_way_up)
{
    struct limits l = seen("0::/a/b\n", "mkdir -p a/b && echo 8589934592 > a/memory.max && echo max > a/b/memory.max &&"
                                        "echo 250000 100000 > a/b/cpu.max && echo 1600000 100000 > a/cpu.max");
    CHECK_INT(l.memory, G(8));
    CHECK_INT(l.threads, 3); /* two and a half processors */
}

TEST(limits_inside_a_container_stand_at_the_mount)
{
    struct limits l = seen("0::/\n", "echo 4294967296 > memory.max && echo 200000 100000 > cpu.max");
    CHECK_INT(l.memory, G(4));
    CHECK_INT(l.threads, 2);
    l = seen("0::/kubepods/pod1\n", "echo 4294967296 > memory.max && echo max 100000 > cpu.max");
    CHECK_INT(l.memory, G(4)); /* the host's name for the group, which is not mounted here */
    CHECK_INT(l.threads, 64);
}

TEST(limits_of_version_1_stand_under_their_controllers)
{
    struct limits l = seen(
        "4:memory:/slurm/job\n2:cpu,cpuacct:/slurm\n",
        "mkdir -p memory/slurm/job cpu,cpuacct/slurm && echo 2147483648 > memory/slurm/job/memory.limit_in_bytes &&"
        "echo 9223372036854771712 > memory/memory.limit_in_bytes &&"
        "echo 400000 > cpu,cpuacct/slurm/cpu.cfs_quota_us && echo 100000 > cpu,cpuacct/slurm/cpu.cfs_period_us &&"
        "echo -1 > cpu,cpuacct/cpu.cfs_quota_us && echo 100000 > cpu,cpuacct/cpu.cfs_period_us");
    CHECK_INT(l.memory, G(2));
    CHECK_INT(l.threads, 4);
}

TEST(limits_that_cannot_be_read_limit_nothing)
{
    struct limits l = seen("0::relative\nnonsense\n7:cpu\n3:../memory:/x\n0::/gone\n",
                           "echo max > memory.max && echo max 100000 > cpu.max");
    CHECK_INT(l.memory, G(256));
    CHECK_INT(l.threads, 64);
    limits_groups(&l, "/nonexistent/cgroup", "/nonexistent");
    CHECK_INT(l.memory, G(256));
    l = limits_here();
    CHECK(l.threads >= 1 && l.memory > 0);
}
