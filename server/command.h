/* command: `subrankd backup` and `subrankd restore`, the subcommands that do not serve. */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include "proto/base/err.h"

/* 1: argv named a subcommand and it worked; 0: it named none; <0: it failed. */
int command_run(int argc, char **argv, struct err *err);

#endif
