/* main: what the command line asks for: the agent (default), the hidden compute process, or a score without any
 * coordinator. Only this file turns outcomes into exit statuses. */
#include "proto/base/log.h"
#include "proto/base/version.h"
#include "worker/agent.h"
#include "worker/compute.h"
#include "worker/config.h"
#include "worker/score_cli.h"
#include "worker/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static void help(void)
{
    printf("usage: subrank-worker [run] [options]     join a coordinator and work for it\n"
           "       subrank-worker score [options]     score architectures without a coordinator (score --help)\n"
           "       subrank-worker --help | --version\n\n"
           "Options come from the command line, else the environment, else the --config file, else the default.\n\n");
    config_help(stdout);
    printf("\nSIGTERM and SIGINT: stops computing, returns its jobs, delivers finished results, ends; a second one\n"
           "ends at once. Finished results wait in STATE-DIR/spool until the coordinator has acknowledged them.\n"
           "Exit status: 0 asked to end, 1 trouble, 2 wrong usage, 3 refused by the coordinator (token or key).\n");
}

static int run(int argc, char **argv)
{
    struct config c;
    struct err err;
    enum log_level level;
    char text[600];
    int rc = config_load(&c, argc, argv, environ, &err);
    if (!rc && log_level_parse(c.log_level, &level))
        rc = err_set(&err, ERR_INVALID, "log-level", "\"%.40s\" is not a log level", c.log_level);
    if (!rc && !*c.server)
        rc = err_set(&err, ERR_INVALID, "server", "give the coordinator's address: --server or SUBRANK_SERVER");
    if (rc) {
        log_error("usage", "where=%s detail=%s", err.where, log_quote(text, sizeof text, err.text));
        config_clear(&c);
        return 2;
    }
    log_set_level(level);
    unsetenv("SUBRANK_JOIN_TOKEN"); /* the compute process has no business with it */
    rc = agent_run(&c, compute_backend(), "/proc/self/exe");
    config_clear(&c);
    return rc;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "--version") == 0) {
        printf("subrank-worker %s (%s), protocol %d\n", VERSION_TEXT, VERSION_BUILD, WIRE_PROTOCOL);
        return 0;
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        help();
        return 0;
    }
    if (strcmp(first, "--compute") == 0)
        return compute_main();
    if (strcmp(first, "score") == 0)
        return score_cli_main(argc - 1, argv + 1);
    int skip = strcmp(first, "run") == 0 ? 2 : 1;
    return run(argc - skip, argv + skip);
}
