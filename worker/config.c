/* config: reads the table of config.h from argv, environment and file. What a setting means is decided by its user. */
#include "worker/config.h"
#include "worker/disk.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct setting {
    const char *option, *def, *help;
    enum config_kind kind;
    size_t offset;
    int64_t least, most;
};

static const struct setting settings[] = {
#define CONFIG_ROW(field, kind, option, def, least, most, help) \
    {option, def, help, CONFIG_##kind, offsetof(struct config, field), least, most},
    SETTINGS(CONFIG_ROW)
#undef CONFIG_ROW
};
enum { NSETTINGS = sizeof settings / sizeof settings[0] };

static const struct setting *find(const char *name, size_t n)
{
    for (size_t i = 0; i < NSETTINGS; i++)
        if (strlen(settings[i].option) == n && strncmp(settings[i].option, name, n) == 0)
            return &settings[i];
    return NULL;
}

static void env_name(const struct setting *s, char *out, size_t size)
{
    snprintf(out, size, "SUBRANK_%s", s->option);
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

int config_size(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || errno || v < 0)
        return -1;
    const char *units = "KMGT", *u = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (*end && (!u || (end[1] && strcmp(end + 1, "iB") != 0)))
        return -1;
    int shift = u ? 10 * ((int)(u - units) + 1) : 0;
    if (v > INT64_MAX >> shift)
        return -1;
    *out = v << shift;
    return 0;
}

static int parse_flag(const char *text, int64_t *out)
{
    static const char *const words[][2] = {{"0", "1"}, {"no", "yes"}, {"false", "true"}};
    for (int i = 0; i < 3; i++) {
        for (int v = 0; v < 2; v++) {
            if (strcmp(text, words[i][v]) == 0) {
                *out = v;
                return 0;
            }
        }
    }
    return -1;
}

static int set_number(struct config *c, const struct setting *s, const char *text, const char *where, struct err *err)
{
    int64_t v = 0;
    int bad = s->kind == CONFIG_FLAG ? parse_flag(text, &v) : config_size(text, &v);
    if (bad || (s->kind == CONFIG_NUMBER && !isdigit((unsigned char)text[strlen(text) - 1])))
        return err_set(err, ERR_INVALID, where, "\"%.60s\" is not a %s", text,
                       s->kind == CONFIG_FLAG   ? "yes or no"
                       : s->kind == CONFIG_SIZE ? "size such as 512M or 20G"
                                                : "whole number");
    if (v < s->least || v > s->most)
        return err_set(err, ERR_INVALID, where, "%s is not between %lld and %lld", text, (long long)s->least,
                       (long long)s->most);
    memcpy((char *)c + s->offset, &v, sizeof v);
    return 0;
}

static int set(struct config *c, const struct setting *s, const char *text, const char *where, struct err *err)
{
    if (s->kind != CONFIG_STRING && s->kind != CONFIG_SECRET)
        return set_number(c, s, text, where, err);
    char *copy = strdup(text), *old;
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, where, "no memory for a setting");
    memcpy(&old, (char *)c + s->offset, sizeof old);
    free(old);
    memcpy((char *)c + s->offset, &copy, sizeof copy);
    return 0;
}

static int from_defaults(struct config *c, struct err *err)
{
    for (size_t i = 0; i < NSETTINGS; i++) {
        int rc = set(c, &settings[i], settings[i].def, settings[i].option, err);
        if (rc && *settings[i].def)
            return rc;
    }
    return 0;
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = 0;
    return s;
}

static int file_line(struct config *c, char *line, const char *where, struct err *err)
{
    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    char *eq = strchr(line, '=');
    if (!eq)
        return err_set(err, ERR_INVALID, where, "expected `option = value`");
    *eq = 0;
    char *name = trim(line);
    const struct setting *s = find(name, strlen(name));
    if (!s || strcmp(name, "config") == 0)
        return err_set(err, ERR_INVALID, where, "unknown option \"%.60s\"", name);
    return set(c, s, trim(eq + 1), where, err);
}

static int from_file(struct config *c, const char *path, struct err *err)
{
    char *text = disk_read(AT_FDCWD, path, 1 << 20, NULL, err);
    if (!text)
        return -(int)err->code;
    int rc = 0, number = 1;
    /* strsep keeps empty lines, so the line numbers in messages are right */
    for (char *rest = text, *line; !rc && (line = strsep(&rest, "\n")) != NULL; number++) {
        char where[300];
        snprintf(where, sizeof where, "%s:%d", path, number);
        rc = file_line(c, line, where, err);
    }
    free(text);
    return rc;
}

static const char *env_value(char **env, const char *name)
{
    size_t n = strlen(name);
    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=' && (*env)[n + 1])
            return *env + n + 1;
    return NULL;
}

static int from_env(struct config *c, char **env, struct err *err)
{
    for (size_t i = 0; i < NSETTINGS; i++) {
        char where[64];
        env_name(&settings[i], where, sizeof where);
        const char *v = env_value(env, where);
        int rc = v ? set(c, &settings[i], v, where, err) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

static int from_argv(struct config *c, int argc, char **argv, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i];
        if (strncmp(a, "--", 2) != 0)
            return err_set(err, ERR_INVALID, a, "not an option; see --help");
        const char *eq = strchr(a, '=');
        const struct setting *s = find(a + 2, eq ? (size_t)(eq - a - 2) : strlen(a + 2));
        if (!s)
            return err_set(err, ERR_INVALID, a, "unknown option; see --help");
        if (s->kind == CONFIG_SECRET)
            return err_set(err, ERR_INVALID, s->option,
                           "a secret on the command line is readable by everybody: use the environment or --%s-file",
                           s->option);
        const char *value = eq ? eq + 1 : s->kind == CONFIG_FLAG ? "1" : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return err_set(err, ERR_INVALID, a, "needs a value");
        int rc = set(c, s, value, s->option, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_token_file(struct config *c, struct err *err)
{
    if (!*c->join_token_file || *c->join_token)
        return 0;
    char *text = disk_read(AT_FDCWD, c->join_token_file, 4096, NULL, err);
    if (!text)
        return -(int)err->code;
    int rc = set(c, find("join-token", 10), trim(text), "join-token-file", err);
    explicit_bzero(text, strlen(text));
    free(text);
    return rc;
}

static int join_path(char **field, const char *dir, const char *tail, struct err *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s", dir, tail) < 0)
        return err_set(err, ERR_NO_MEMORY, tail, "no memory for a path");
    free(*field);
    *field = path;
    return 0;
}

static int fill_places(struct config *c, char **env, struct err *err)
{
    const char *dir = env_value(env, "STATE_DIRECTORY"), *home = env_value(env, "HOME");
    int rc = 0;
    if (!*c->state_dir && dir)
        rc = join_path(&c->state_dir, dir, "", err);
    else if (!*c->state_dir && home)
        rc = join_path(&c->state_dir, home, "/.local/state/subrank-worker", err);
    else if (!*c->state_dir)
        rc = err_set(err, ERR_INVALID, "state-dir", "no --state-dir, and neither STATE_DIRECTORY nor HOME is set");
    if (rc || *c->cache_dir)
        return rc;
    dir = env_value(env, "CACHE_DIRECTORY");
    return dir ? join_path(&c->cache_dir, dir, "", err) : join_path(&c->cache_dir, c->state_dir, "/cache", err);
}

int config_load(struct config *c, int argc, char **argv, char **env, struct err *err)
{
    memset(c, 0, sizeof *c);
    struct config first; /* where is the file? argv and environment say */
    memset(&first, 0, sizeof first);
    int rc = from_defaults(&first, err);
    if (!rc)
        rc = from_env(&first, env, err);
    if (!rc)
        rc = from_argv(&first, argc, argv, err);
    if (!rc)
        rc = from_defaults(c, err);
    if (!rc && *first.file)
        rc = from_file(c, first.file, err);
    if (!rc)
        rc = from_env(c, env, err);
    if (!rc)
        rc = from_argv(c, argc, argv, err);
    if (!rc)
        rc = read_token_file(c, err);
    if (!rc)
        rc = fill_places(c, env, err);
    config_clear(&first);
    return rc;
}

void config_clear(struct config *c)
{
    for (size_t i = 0; i < NSETTINGS; i++) {
        char *p;
        if (settings[i].kind != CONFIG_STRING && settings[i].kind != CONFIG_SECRET)
            continue;
        memcpy(&p, (char *)c + settings[i].offset, sizeof p);
        if (p && settings[i].kind == CONFIG_SECRET)
            explicit_bzero(p, strlen(p));
        free(p);
    }
    memset(c, 0, sizeof *c);
}

void config_help(FILE *out)
{
    for (size_t i = 0; i < NSETTINGS; i++) {
        const struct setting *s = &settings[i];
        char env[64];
        env_name(s, env, sizeof env);
        if (s->kind == CONFIG_SECRET)
            fprintf(out, "  (environment or file only) %s\n        %s\n", s->option, s->help);
        else
            fprintf(out, "  --%s%s\n        %s\n", s->option, s->kind == CONFIG_FLAG ? "" : " VALUE", s->help);
        fprintf(out, "        environment %s%s%s\n", env, *s->def ? ", default " : "", s->def);
    }
}
