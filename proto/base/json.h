/* json: strict parsing on top of jansson, and JSON pointers in errors.
 *
 * Refused besides what is not JSON: duplicate keys, nesting deeper than asked for, bytes after the document, invalid
 * UTF-8, \u0000, integers beyond 64 bits. A top level that is neither object nor array is refused too. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DEPTH = 64 }; /* what a document of ours may nest; pass it where nothing else is known */

/* A new reference, or NULL with ERR_BAD_REQUEST; where is "line 3, column 14 (byte 57)". */
json_t *json_parse_strict(const char *text, size_t len, int max_depth, struct err *err);

/* Puts "/name" (escaped as RFC 6901 asks) or "/7" before err->where: each level adds its own step on the way out. */
void json_err_member(struct err *err, const char *name);
void json_err_index(struct err *err, size_t index);

/* Writes base + "/" + escaped name into out (cut when too long) and returns out. */
const char *json_pointer(char *out, size_t size, const char *base, const char *name);

const char *json_kind(const json_t *v); /* "an object", "a string", ... for messages; "nothing" for NULL */

/* jansson's builders may lose a member without a word when memory is out. After json_watch (once, before any other use)
 * json_failures counts the allocations that jansson was refused, in all threads: who compares it before and after knows
 * whether a document is whole. */
void json_watch(void);
uint64_t json_failures(void);

/* Compact text with sorted keys: equal documents have equal text. The caller frees it; NULL without memory. */
char *json_canonical(const json_t *v);

#endif
