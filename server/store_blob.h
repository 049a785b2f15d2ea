/* store_blob: content-addressed bytes in rows. */
#ifndef SERVER_STORE_BLOB_H
#define SERVER_STORE_BLOB_H

#include "server/db.h"

struct store_blob {
    int64_t id, size, stored;
    int complete;
};

int store_blob_find(struct db *db, const char *hash, struct store_blob *out, struct err *err); /* 1, 0 absent, <0 */
int store_blob_create(struct db *db, const char *hash, int64_t size, struct store_blob *out, struct err *err);
int store_blob_append(struct db *db, struct store_blob *b, const void *data, size_t n, struct err *err);
int store_blob_complete(struct db *db, int64_t id, struct err *err);
int store_blob_delete(struct db *db, int64_t id, struct err *err);

/* The complete blob of that hash; ERR_NOT_FOUND with `where` otherwise. */
int store_blob_need(struct db *db, const char *hash, const char *where, struct store_blob *out, struct err *err);

/* Reads up to n bytes at `at` (within one row); 0 at the end, <0 on error. */
int64_t store_blob_read(struct db *db, int64_t blob, int64_t at, void *out, size_t n, struct err *err);

#endif
