/* fields: fills a C struct from a JSON object by a table. One row per member says its type, whether it must be there
 * and its range; everything else (unknown members, wrong types, values out of range) is refused by JSON pointer.
 * An absent member leaves the struct as it was: set the defaults first.
 *
 *     struct point { int64_t n; double x; const char *name; };
 *     static const struct field rows[] = {
 *         {"n", FIELD_INT, FIELD_REQUIRED, .min = 1, .max = 100, FIELD_AT(struct point, n)},
 *         {"x", FIELD_NUMBER, FIELD_AT(struct point, x)},
 *         {"name", FIELD_STRING, .max_len = 64, FIELD_AT(struct point, name)},
 *     };
 *     fields_read(doc, rows, FIELDS_COUNT(rows), &p, err); */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include "proto/base/err.h"

#include <jansson.h>
#include <stddef.h>

enum field_type {
    FIELD_BOOL,   /* int: 0 or 1 */
    FIELD_INT,    /* int, int64_t, uint32_t or uint64_t (by size); min and max bound it, 0 and 0: any that fits */
    FIELD_NUMBER, /* double; integers are taken too; min and max, 0 and 0: any finite */
    FIELD_STRING, /* const char *, borrowed from the document; max_len bytes, 0: any */
    FIELD_TEXT,   /* char[]: copied; must fit with its terminator */
    FIELD_ENUM,   /* int: the index of the string in `choices`, which NULL ends */
    FIELD_OBJECT, /* const json_t *, borrowed */
    FIELD_ARRAY,  /* const json_t *, borrowed; max_len elements, 0: any */
    FIELD_ANY     /* const json_t *, borrowed, of any type */
};
enum field_flags {
    FIELD_OPTIONAL = 0,
    FIELD_REQUIRED = 1,
    FIELD_NULL = 2,    /* null is as good as absent */
    FIELD_NONEMPTY = 4 /* strings and arrays */
};

struct field {
    const char *name;
    enum field_type type;
    int flags;
    double min, max;
    size_t max_len;
    const char *const *choices;
    size_t offset, size;
};

#define FIELD_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define FIELDS_COUNT(rows)     (sizeof(rows) / sizeof *(rows))

/* 0, or ERR_INVALID with where = "/member" ("" when doc is no object). */
int fields_read(const json_t *doc, const struct field *rows, size_t count, void *out, struct err *err);

#endif
