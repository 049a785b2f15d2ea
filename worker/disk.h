/* disk: files that are either wholly there or not at all, for what must survive a power cut (spool, identity). */
#ifndef WORKER_DISK_H
#define WORKER_DISK_H

#include "proto/base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* Creates `path` and its parents (mode 0700 where absent) and opens it; the descriptor, or negative. */
int disk_open_dir(const char *path, struct err *err);

/* Writes dirfd/name in one step: temporary file, fsync, rename, fsync of the directory. On failure nothing is left. */
int disk_write(int dirfd, const char *name, const void *data, size_t n, mode_t mode, struct err *err);

/* The whole file as a malloc'ed, zero-terminated string; NULL with ERR_NOT_FOUND, ERR_TOO_LARGE (> limit) or ERR_IO. */
char *disk_read(int dirfd, const char *name, size_t limit, size_t *size, struct err *err);

#endif
