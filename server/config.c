/* config: reads the settings. It knows names and types, not what the values are used for. */
#include "server/config.h"

#include "server/version.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER, FLAG };

static const struct setting {
    const char *name; /* with underscores */
    enum kind kind;
    const char *value, *arg, *help;
    size_t offset;
} settings[] = {
#define X(member, type, value, arg, help) {#member, type, value, arg, help, offsetof(struct config, member)},
#include "server/config.def"
#undef X
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static int set(struct config *c, const struct setting *s, const char *value, const char *where, struct err *err)
{
    char *at = (char *)c + s->offset;
    if (s->kind == TEXT) {
        char *copy = strdup(value);
        if (!copy)
            return err_set(err, ERR_NO_MEMORY, where, "no memory for a setting");
        free(*(char **)(void *)at);
        *(char **)(void *)at = copy;
        return 0;
    }
    char *end;
    errno = 0;
    double v = strtod(value, &end);
    if (end == value || *end || errno || !(v >= 0 && v <= 1e12))
        return err_set(err, ERR_INVALID, where, "\"%s\" is not a number", value);
    *(double *)(void *)at = v;
    return 0;
}

/* Dashes and underscores are the same here; len is the name's length. */
static const struct setting *find(const char *name, size_t len)
{
    for (int i = 0; i < SETTINGS; i++) {
        size_t k = 0;
        while (k < len && settings[i].name[k] && (name[k] == '-' ? '_' : name[k]) == settings[i].name[k])
            k++;
        if (k == len && !settings[i].name[k])
            return &settings[i];
    }
    return NULL;
}

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1]))
        s[--n] = 0;
    return s;
}

static int read_line(struct config *c, char *line, const char *where, struct err *err)
{
    char *text = trim(line);
    if (!*text || *text == '#')
        return 0;
    char *eq = strchr(text, '=');
    if (!eq)
        return err_set(err, ERR_INVALID, where, "expected name = value");
    *eq = 0;
    const char *name = trim(text);
    const struct setting *s = find(name, strlen(name));
    return s ? set(c, s, trim(eq + 1), where, err) : err_set(err, ERR_INVALID, where, "unknown setting \"%s\"", name);
}

static int read_file(struct config *c, const char *path, struct err *err)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(err, errno, path, "cannot open the configuration");
    char line[4096], where[4200];
    int rc = 0;
    for (int n = 1; rc == 0 && fgets(line, sizeof line, f); n++) {
        snprintf(where, sizeof where, "%s:%d", path, n);
        rc = read_line(c, line, where, err);
    }
    fclose(f);
    return rc;
}

static int read_environment(struct config *c, struct err *err)
{
    for (int i = 0; i < SETTINGS; i++) {
        char name[80];
        int n = snprintf(name, sizeof name, "SUBRANK_%s", settings[i].name);
        for (int k = 0; k < n; k++)
            name[k] = (char)toupper((unsigned char)name[k]);
        const char *value = getenv(name);
        int rc = value ? set(c, &settings[i], value, name, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_argument(struct config *c, int argc, char **argv, int *i, struct err *err)
{
    const char *arg = argv[*i];
    if (strncmp(arg, "--", 2) != 0)
        return err_set(err, ERR_INVALID, arg, "unexpected argument; see --help");
    size_t len = strcspn(arg + 2, "=");
    const struct setting *s = find(arg + 2, len);
    int is_config = len == 6 && strncmp(arg + 2, "config", 6) == 0;
    if (!s && !is_config)
        return err_set(err, ERR_INVALID, arg, "unknown option; see --help");
    const char *value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
    if (!value && s && s->kind == FLAG)
        value = "1";
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value)
        return err_set(err, ERR_INVALID, arg, "needs a value");
    return is_config ? 0 : set(c, s, value, arg, err);
}

static const char *config_file(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            return argv[i] + 9;
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            return argv[i + 1];
    }
    return getenv("SUBRANK_CONFIG");
}

int config_read(int argc, char **argv, struct config *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    int rc = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            config_help(stdout);
            return 1;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("subrankd %s (%s)\n", VERSION_TEXT, VERSION_BUILD);
            return 1;
        }
    }
    for (int i = 0; i < SETTINGS && rc == 0; i++)
        rc = set(out, &settings[i], settings[i].value, settings[i].name, err);
    const char *file = config_file(argc, argv);
    if (rc == 0 && file)
        rc = read_file(out, file, err);
    if (rc == 0)
        rc = read_environment(out, err);
    for (int i = 1; i < argc && rc == 0; i++)
        rc = read_argument(out, argc, argv, &i, err);
    if (rc < 0)
        config_clear(out);
    return rc;
}

void config_clear(struct config *c)
{
    for (int i = 0; i < SETTINGS; i++)
        if (settings[i].kind == TEXT) {
            char **at = (char **)(void *)((char *)c + settings[i].offset);
            free(*at);
            *at = NULL;
        }
}

void config_help(FILE *out)
{
    fprintf(out, "subrankd: ranks the sub-networks of a weight-sharing supernet; keeps searches, hands out jobs, shows "
                 "the ranking.\n\n"
                 "usage: subrankd [--config FILE] [--option value ...]\n"
                 "       subrankd space FILE [--help]   checks a space document and shows it\n"
                 "       subrankd backup FILE | restore FILE | restore --verify FILE   (see subrankd backup --help)\n\n"
                 "Settings come from the file (name = value lines), then the environment (SUBRANK_NAME), then the "
                 "command line.\n\n");
    for (int i = 0; i < SETTINGS; i++) {
        char name[80];
        snprintf(name, sizeof name, "--%s %s", settings[i].name, settings[i].arg);
        for (char *p = name; *p; p++)
            if (*p == '_')
                *p = '-';
        fprintf(out, "  %-24s %s", name, settings[i].help);
        if (*settings[i].value && settings[i].kind != FLAG)
            fprintf(out, " (%s)", settings[i].value);
        fputc('\n', out);
    }
    fprintf(out, "  %-24s %s\n  %-24s %s\n  %-24s %s\n", "--config FILE", "read settings from a file", "--help",
            "this text", "--version", "version and build");
}
