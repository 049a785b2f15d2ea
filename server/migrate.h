/* migrate: a new, old, newer, foreign or damaged database file: makes it ours or says what to do. */
#ifndef SERVER_MIGRATE_H
#define SERVER_MIGRATE_H

#include "proto/base/err.h"

#include <sqlite3.h>
#include <stdint.h>

int migrate_version(void); /* the schema this program writes */

/* Checks the file and brings its schema to migrate_version(), in one transaction. path is for messages.
 * ERR_CORRUPT damaged, ERR_UNSUPPORTED newer than this program or not a database of this program. */
int migrate_run(sqlite3 *handle, const char *path, struct err *err);

/* The check alone: pragma is quick_check or integrity_check. */
int migrate_check(sqlite3 *handle, const char *path, const char *pragma, struct err *err);

/* Reads user_version and refuses what this program cannot read. */
int migrate_readable(sqlite3 *handle, const char *path, int64_t *version, struct err *err);

#endif
