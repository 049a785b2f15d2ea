/* blob_source: a blob in the database as a source of bytes (proto/source.h), over its own read-only connection. */
#ifndef SERVER_BLOB_SOURCE_H
#define SERVER_BLOB_SOURCE_H

#include "proto/source.h"

#include <stdint.h>

/* path: of the database file. Use from one thread at a time. */
int blob_source_open(const char *path, int64_t blob, int64_t size, struct source **out, struct err *err);

#endif
