/* config: the settings, from defaults, then a file, then the environment, then the command line. config.def is the one
 * table; --help is made from it. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "proto/base/err.h"

#include <stdio.h>

struct config {
#define TEXT                              char *
#define NUMBER                            double
#define FLAG                              double
#define X(member, type, value, arg, help) type member;
#include "server/config.def"
#undef X
#undef TEXT
#undef NUMBER
#undef FLAG
};

/* 0; 1 when --help or --version was answered on stdout; <0 with where = the option. */
int config_read(int argc, char **argv, struct config *out, struct err *err);
void config_clear(struct config *c);
void config_help(FILE *out);

#endif
