/* test: the runner. A crash, a hang (300 s, or TEST_ALARM) or a leak found by a sanitizer fails that test alone. */
#include "tests/unit/test.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_TESTS = 4096, EXIT_SKIP = 77 };

static struct {
    const char *name;
    void (*fn)(void);
} tests[MAX_TESTS];
static int ntests;
static int failed_checks;

void test_register(const char *name, void (*fn)(void))
{
    if (ntests == MAX_TESTS)
        abort();
    tests[ntests].name = name;
    tests[ntests++].fn = fn;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stdout, "#   %s:%d: ", file, line);
    vfprintf(stdout, fmt, ap);
    fputc('\n', stdout);
    va_end(ap);
    if (++failed_checks >= 20)
        exit(1);
}

void test_skip(const char *why)
{
    printf("#   SKIP %s\n", why);
    fflush(stdout);
    _exit(EXIT_SKIP);
}

static int run_one(int i)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *limit = getenv("TEST_ALARM");
        alarm(limit ? (unsigned)atoi(limit) : 300);
        tests[i].fn();
        fflush(stdout);
        exit(failed_checks ? 1 : 0); /* exit, not _exit: the leak check runs */
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("#   killed by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    int run = 0, failed = 0, skipped = 0;
    for (int i = 0; i < ntests; i++) {
        int wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted |= fnmatch(argv[a], tests[i].name, 0) == 0;
        if (!wanted)
            continue;
        int rc = run_one(i);
        run++;
        skipped += rc == EXIT_SKIP;
        failed += rc != 0 && rc != EXIT_SKIP;
        printf("%s %d - %s%s\n", rc == 0 || rc == EXIT_SKIP ? "ok" : "not ok", run, tests[i].name,
               rc == EXIT_SKIP ? " # SKIP" : "");
    }
    printf("1..%d\n%d passed, %d failed, %d skipped\n", run, run - failed - skipped, failed, skipped);
    return failed || run == 0;
}
