/* limits: what this process may use of its machine. A container or a batch job is usually granted less than the machine
 * has, and is killed or slowed down when it takes more. */
#ifndef WORKER_LIMITS_H
#define WORKER_LIMITS_H

#include <stdint.h>

struct limits {
    int64_t threads; /* that really run at the same time, at least 1 */
    int64_t memory;  /* bytes; 0: unknown */
};

/* The processors this process may run on and the machine's memory, or what its control groups grant if that is less. */
struct limits limits_here(void);

/* Makes l smaller by what the control groups named in `file` (as /proc/self/cgroup) and their parents say below `root`
 * (as /sys/fs/cgroup), version 1 and 2. Processor time is a share; threads is that share rounded up. What cannot be
 * read limits nothing. */
void limits_groups(struct limits *l, const char *file, const char *root);

#endif
