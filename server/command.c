/* command: words before options. The rest of the line is read like that of the server itself, so that --data, the
 * environment and the configuration file mean the same. */
#include "server/command.h"

#include "server/backup.h"
#include "server/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct line {
    const char *file;
    int verify_only, help, n;
    char *rest[64];
};

static const char usage[] =
    "usage: subrankd backup FILE [--data DIR]            copy the database while the coordinator runs\n"
    "       subrankd restore FILE [--data DIR]           check a backup and put it into an empty data directory\n"
    "       subrankd restore --verify FILE               check a backup: structure, references, every blob's hash\n";

/* Takes FILE and --verify out; options with values stay for config_read. */
static int split(int argc, char **argv, struct line *l, struct err *err)
{
    l->rest[l->n++] = argv[0];
    for (int i = 2; i < argc; i++) {
        const char *a = argv[i];
        if (l->n + 2 >= (int)(sizeof l->rest / sizeof *l->rest))
            return err_set(err, ERR_INVALID, a, "too many arguments");
        if (strcmp(a, "--verify") == 0) {
            l->verify_only = 1;
        } else if (strcmp(a, "--help") == 0) {
            l->help = 1;
        } else if (strncmp(a, "--", 2) == 0) {
            l->rest[l->n++] = argv[i];
            if (!strchr(a, '=') && i + 1 < argc)
                l->rest[l->n++] = argv[++i];
        } else if (l->file) {
            return err_set(err, ERR_INVALID, a, "one FILE only");
        } else {
            l->file = a;
        }
    }
    return l->file || l->help ? 0
                              : err_set(err, ERR_INVALID, argv[1], "FILE is missing; see subrankd %s --help", argv[1]);
}

static void report(const char *what, const struct backup_report *r)
{
    printf("%s schema=%lld searches=%lld candidates=%lld scored=%lld blobs=%lld blob_bytes=%lld\n", what,
           (long long)r->version, (long long)r->searches, (long long)r->candidates, (long long)r->scored,
           (long long)r->blobs, (long long)r->blob_bytes);
}

static int backup(const struct line *l, const struct config *c, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/subrank.db", c->data);
    int64_t bytes = backup_write(path, l->file, err);
    if (bytes < 0)
        return (int)bytes;
    printf("backed up %s bytes=%lld\n", l->file, (long long)bytes);
    return 1;
}

static int restore(const struct line *l, const struct config *c, struct err *err)
{
    struct backup_report r;
    int rc = l->verify_only ? backup_verify(l->file, &r, err) : backup_restore(l->file, c->data, &r, err);
    if (rc < 0)
        return rc;
    report(l->verify_only ? "sound" : "restored", &r);
    return 1;
}

int command_run(int argc, char **argv, struct err *err)
{
    const char *word = argc > 1 ? argv[1] : "";
    int is_backup = strcmp(word, "backup") == 0;
    if (!is_backup && strcmp(word, "restore") != 0)
        return 0;
    struct line l = {0};
    struct config c;
    int rc = split(argc, argv, &l, err);
    if (rc < 0)
        return rc;
    if (l.help) {
        fputs(usage, stdout);
        return 1;
    }
    if ((rc = config_read(l.n, l.rest, &c, err)) < 0)
        return rc;
    umask(077);
    rc = is_backup ? backup(&l, &c, err) : restore(&l, &c, err);
    config_clear(&c);
    return rc;
}
