/* spool: what was put survives, in order; a full or read-only disk is an error and never a torn result. */
#include "tests/unit/test.h"
#include "worker/spool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEASE_A "000102030405060708090a0b0c0d0e0f"
#define LEASE_B "ff0102030405060708090a0b0c0d0e0f"

static const char *temp_dir(void)
{
    static char dir[64];
    snprintf(dir, sizeof dir, "/tmp/subrank-spool-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    return dir;
}

TEST(spool_keeps_results_in_order_across_a_restart)
{
    const char *dir = temp_dir();
    struct spool s;
    struct err err;
    CHECK_INT(spool_open(&s, dir, 1 << 20, &err), 0);
    CHECK_INT(spool_put(&s, 12, LEASE_B, "{\"b\":1}", 7, &err), 0);
    CHECK_INT(spool_put(&s, 3, LEASE_A, "{\"a\":1}", 7, &err), 0);
    spool_close(&s);
    char junk[128];
    snprintf(junk, sizeof junk, "%s/.tmp-1-half.json", dir);
    close(open(junk, O_CREAT | O_WRONLY, 0600));
    CHECK_INT(spool_open(&s, dir, 1 << 20, &err), 0);
    CHECK(access(junk, F_OK) != 0);
    CHECK_INT(s.n, 2);
    CHECK_INT(s.bytes, 14);
    CHECK_INT(s.items[0].job, 12);
    CHECK_INT(spool_find(&s, LEASE_A), 1);
    size_t n;
    char *text = spool_read(&s, 0, &n, &err);
    CHECK_STR(text, "{\"b\":1}");
    free(text);
    CHECK_INT(spool_drop(&s, 0, &err), 0);
    CHECK_INT(spool_put(&s, 5, LEASE_B, "{}", 2, &err), 0);
    CHECK_STR(s.items[0].lease, LEASE_A); /* later results do not overtake */
    spool_close(&s);
}

/* On a disk that became read-only the first delivered result must not stand in the way of the others. */
TEST(spool_forgets_what_it_cannot_remove)
{
    struct spool s;
    struct err err;
    char name[96];
    CHECK_INT(spool_open(&s, temp_dir(), 1000, &err), 0);
    CHECK_INT(spool_put(&s, 1, LEASE_A, "{}", 2, &err), 0);
    CHECK_INT(spool_put(&s, 2, LEASE_B, "{}", 2, &err), 0);
    snprintf(name, sizeof name, "%016d-1-%s.json", (int)s.items[0].seq, LEASE_A);
    CHECK_INT(unlinkat(s.dirfd, name, 0), 0);
    CHECK_INT(mkdirat(s.dirfd, name, 0700), 0); /* what unlink refuses even to root */
    CHECK(spool_drop(&s, 0, &err) < 0);
    CHECK_INT((int)s.n, 1);
    CHECK_STR(s.items[0].lease, LEASE_B);
    CHECK_INT((int)s.bytes, 2);
    CHECK_INT(unlinkat(s.dirfd, name, AT_REMOVEDIR), 0);
    spool_close(&s);
}

TEST(spool_knows_its_limit)
{
    struct spool s;
    struct err err;
    CHECK_INT(spool_open(&s, temp_dir(), 10, &err), 0);
    CHECK(!spool_full(&s));
    CHECK_INT(spool_put(&s, 1, LEASE_A, "0123456789", 10, &err), 0);
    CHECK(spool_full(&s));
    CHECK_INT(spool_set_aside(&s, 0, &err), 0);
    CHECK(!spool_full(&s));
    CHECK_INT(s.n, 0);
    spool_close(&s);
}

TEST(spool_on_a_full_disk_says_so_and_leaves_nothing)
{
    const char *dir = temp_dir();
    struct spool s;
    struct err err;
    CHECK_INT(spool_open(&s, dir, 1 << 20, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {4096, 4096};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    static char big[100000];
    CHECK(spool_put(&s, 1, LEASE_A, big, sizeof big, &err) < 0);
    CHECK_INT(s.n, 0);
    spool_close(&s);
    CHECK_INT(spool_open(&s, dir, 1 << 20, &err), 0);
    CHECK_INT(s.n, 0);
    spool_close(&s);
}

TEST(spool_refuses_a_directory_it_cannot_write)
{
    struct spool s;
    struct err err;
    CHECK(spool_open(&s, "/proc/self", 1 << 20, &err) < 0);
    CHECK(err.text[0] != 0);
    spool_close(&s);
}

/* Killed at a random moment of a stream of writes, every file that carries a result's name is a whole result. */
TEST(spool_killed_at_any_moment_has_only_whole_results)
{
    static char body[20000];
    memset(body, 'x', sizeof body);
    const char *dir = temp_dir();
    struct err err;
    for (int round = 0; round < 15; round++) {
        struct spool s;
        pid_t pid = fork();
        if (pid == 0) {
            if (spool_open(&s, dir, 1 << 30, &err) == 0)
                while (spool_put(&s, 1, LEASE_A, body, sizeof body, &err) == 0)
                    ;
            _exit(1);
        }
        usleep(2000 + (useconds_t)round * 1500);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        CHECK_INT(spool_open(&s, dir, 1 << 30, &err), 0);
        for (size_t i = 0; i < s.n; i++)
            CHECK_INT(s.items[i].bytes, sizeof body);
        spool_close(&s);
    }
}
