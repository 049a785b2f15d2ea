/* config: order of strength, refusals that name the place, secrets kept off argv. */
#include "worker/config.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *path_of(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/subrank-config-XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return path;
}

static int load(struct config *c, const char *file, char *arg, char *env, struct err *err)
{
    char opt[128];
    snprintf(opt, sizeof opt, "--config=%s", file);
    char *argv[] = {opt, arg}, *envp[] = {"HOME=/nonexistent", env, NULL};
    return config_load(c, arg ? 2 : 1, argv, envp, err);
}

TEST(config_argv_beats_environment_beats_file_beats_default)
{
    struct config c;
    struct err err;
    char *f = path_of("# a comment\n\nthreads = 3\nname = from file\ncache-size=5G\n");
    CHECK_INT(load(&c, f, "--threads=7", "SUBRANK_NAME=from env", &err), 0);
    CHECK_INT(c.threads, 7);
    CHECK_STR(c.name, "from env");
    CHECK_INT(c.cache_bytes, 5LL << 30);
    CHECK_INT(c.hang_s, 900);
    CHECK_STR(c.state_dir, "/nonexistent/.local/state/subrank-worker");
    CHECK_STR(c.cache_dir, "/nonexistent/.local/state/subrank-worker/cache");
    config_clear(&c);
    unlink(f);
}

TEST(config_refusals_name_the_place)
{
    struct config c;
    struct err err;
    char *f = path_of("name = x\ntreads = 3\n");
    CHECK(load(&c, f, NULL, NULL, &err) < 0);
    CHECK(strstr(err.where, ":2") && strstr(err.text, "treads"));
    config_clear(&c);
    unlink(f);
    CHECK(load(&c, "/dev/null/x", NULL, NULL, &err) < 0);
    config_clear(&c);
    f = path_of("");
    CHECK(load(&c, f, "--threads=two", NULL, &err) < 0);
    CHECK_STR(err.where, "threads");
    config_clear(&c);
    CHECK(load(&c, f, "--threads=2000", NULL, &err) < 0);
    config_clear(&c);
    CHECK(load(&c, f, NULL, "SUBRANK_LEAVE=maybe", &err) < 0);
    CHECK_STR(err.where, "SUBRANK_LEAVE");
    config_clear(&c);
    unlink(f);
}

TEST(config_a_secret_is_refused_on_the_command_line_and_read_from_a_file)
{
    struct config c;
    struct err err;
    char *f = path_of("");
    CHECK(load(&c, f, "--join-token=abc", NULL, &err) < 0);
    CHECK(strstr(err.text, "abc") == NULL);
    config_clear(&c);
    CHECK_INT(load(&c, f, NULL, "SUBRANK_JOIN_TOKEN=abc", &err), 0);
    CHECK_STR(c.join_token, "abc");
    config_clear(&c);
    unlink(f);
    f = path_of("  s3cret\n");
    char arg[128];
    snprintf(arg, sizeof arg, "--join-token-file=%s", f);
    CHECK_INT(load(&c, "/dev/null", arg, NULL, &err), -ERR_IO); /* a device is no configuration file */
    config_clear(&c);
    char *argv[] = {arg}, *envp[] = {"HOME=/x", NULL};
    CHECK_INT(config_load(&c, 1, argv, envp, &err), 0);
    CHECK_STR(c.join_token, "s3cret");
    config_clear(&c);
    unlink(f);
}

TEST(config_sizes)
{
    int64_t v;
    CHECK_INT(config_size("512M", &v), 0);
    CHECK_INT(v, 512LL << 20);
    CHECK_INT(config_size("2TiB", &v), 0);
    CHECK_INT(v, 2LL << 40);
    CHECK(config_size("", &v) && config_size("5X", &v) && config_size("-1", &v) && config_size("99999999999T", &v));
}
