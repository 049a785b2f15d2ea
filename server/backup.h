/* backup: a copy of the database while it is in use, the check of such a copy, and putting it back. A backup is one
 * SQLite file without a WAL; it holds everything, blobs and hashed tokens too. */
#ifndef SERVER_BACKUP_H
#define SERVER_BACKUP_H

#include "proto/base/err.h"

#include <sqlite3.h>
#include <stdint.h>

struct backup;

/* Begins a copy of `from` into FILE.part; nobody else may use FILE. When `from` is the connection that writes, the copy
 * follows its commits; from another one it is the state at the first step. ERR_CONFLICT when FILE exists. */
int backup_begin(sqlite3 *from, const char *file, struct backup **out, struct err *err);
/* At most `pages` more pages. 1: more to come; 0: all there. */
int backup_step(struct backup *b, int pages, struct err *err);
int64_t backup_pages_done(const struct backup *b);
int64_t backup_pages(const struct backup *b);
int backup_flush(struct backup *b, struct err *err); /* on the disk so far; may be called from any one thread */
/* Ends the copying; backup_seal must follow, which may run on another thread. */
int backup_copied(struct backup *b, struct err *err);
/* Checks the copy, makes it durable and gives it its name. Returns its size. */
int64_t backup_seal(struct backup *b, struct err *err);
void backup_free(struct backup *b); /* removes what has no name yet; NULL is legal */

/* The whole of it from another process: a running coordinator goes on. Returns the size. */
int64_t backup_write(const char *database, const char *file, struct err *err);

struct backup_report {
    int64_t version, searches, candidates, scored, blobs, blob_bytes;
};
/* Reads everything: structure, references, every blob's hash. */
int backup_verify(const char *file, struct backup_report *out, struct err *err);
/* Verifies, then copies into the directory; ERR_CONFLICT when a database is there or a coordinator works in it. */
int backup_restore(const char *file, const char *data, struct backup_report *out, struct err *err);

#endif
