/* child: a process that talks in lines, dies, or is killed; no zombie and no descriptor stays behind. The programs are
 * small shell scripts. */
#include "tests/unit/test.h"
#include "worker/child.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *script(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/subrank-child-XXXXXX");
    int fd = mkstemp(path);
    CHECK(write(fd, "#!/bin/sh\n", 10) == 10);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    fchmod(fd, 0700);
    close(fd);
    return path;
}

static size_t bytes, lines;
static void count(void *arg, const char *line, size_t n)
{
    (void)arg;
    (void)line;
    bytes += n;
    lines++;
}

static int pump_until_gone(struct child *c)
{
    for (int i = 0; i < 2000; i++) {
        struct pollfd fds[2];
        size_t n = child_poll(c, fds);
        poll(fds, (nfds_t)n, 10);
        if (child_pump(c, count, NULL))
            return 1;
    }
    return 0;
}

TEST(child_takes_and_gives_long_lines)
{
    struct child c;
    struct err err;
    child_init(&c);
    const char *path = script("[ \"$1\" = --compute ] || exit 9\nread -r a; echo \"$a\"; echo \"$a\"; exit 3\n");
    CHECK_INT(child_start(&c, path, &err), 0);
    static char big[300001];
    memset(big, 'y', sizeof big - 1);
    CHECK_INT(child_send(&c, big, &err), 0);
    CHECK_INT(pump_until_gone(&c), 1);
    CHECK_INT(lines, 2);
    CHECK_INT(bytes, 600000);
    CHECK_STR(c.end, "exit 3");
    CHECK_INT(c.pid, 0);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1);
    unlink(path);
}

TEST(child_killed_says_so_and_can_start_again)
{
    struct child c;
    struct err err;
    child_init(&c);
    const char *path = script("sleep 100\n");
    for (int i = 0; i < 3; i++) {
        CHECK_INT(child_start(&c, path, &err), 0);
        CHECK_INT(child_pump(&c, count, NULL), 0);
        child_kill(&c);
        CHECK_STR(c.end, "signal 9");
        struct pollfd fds[2];
        CHECK_INT(child_poll(&c, fds), 0);
    }
    unlink(path);
}

TEST(child_that_cannot_run_ends)
{
    struct child c;
    struct err err;
    child_init(&c);
    CHECK_INT(child_start(&c, "/nonexistent", &err), 0);
    CHECK_INT(pump_until_gone(&c), 1);
    CHECK_STR(c.end, "exit 127");
}
