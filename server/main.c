/* subrankd: reads its settings, runs the loop, says why it stopped. */
#include "proto/base/log.h"
#include "proto/space_cli.h"
#include "server/command.h"
#include "server/config.h"
#include "server/loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    enum log_level level;
    if (argc > 1 && strcmp(argv[1], "space") == 0)
        return space_cli(argc - 1, argv + 1);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is a full disk: an error of write, not the end */
    int rc = command_run(argc, argv, &err);
    if (rc == 0 && (rc = config_read(argc, argv, &config, &err)) == 0) {
        if (log_level_parse(config.log_level, &level) < 0)
            rc = err_set(&err, ERR_INVALID, "--log-level", "must be error, warn, info or debug");
        else
            log_set_level(level);
        if (rc == 0)
            rc = loop_run(&config, &err);
        config_clear(&config);
    }
    if (rc < 0)
        fprintf(stderr, "subrankd: %s%s%s\n", err.where, *err.where ? ": " : "", err.text);
    return rc < 0;
}
