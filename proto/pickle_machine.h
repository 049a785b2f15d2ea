/* pickle_machine: the stack, the marks and the memo of a pickle being read, and the values that go onto the stack.
 * Which instruction does what is pickle.c's. All functions return 0 or a negative error: ERR_CORRUPT, ERR_TOO_LARGE
 * when the arena is full, or what the cursor says. */
#ifndef PROTO_PICKLE_MACHINE_H
#define PROTO_PICKLE_MACHINE_H

#include "proto/pickle.h"

struct pickle_machine {
    struct cursor *c;
    struct arena *a;
    pickle_persistent *persistent;
    void *ctx;
    struct pickle_seq stack, marks, memo; /* marks hold stack heights */
    uint64_t op_at;
    struct err *err;
};

int pickle_machine_fail(struct pickle_machine *m, enum err_code code, const char *text);
int pickle_machine_no_memory(struct pickle_machine *m);
int pickle_machine_damaged(struct pickle_machine *m);

int pickle_machine_seq_reserve(struct pickle_machine *m, struct pickle_seq *s, size_t more);
int pickle_machine_seq_add(struct pickle_machine *m, struct pickle_seq *s, const struct pickle_value *v, size_t n);
size_t pickle_machine_floor_of(const struct pickle_machine *m); /* what lies below the last mark is out of reach */

int pickle_machine_push(struct pickle_machine *m, struct pickle_value v);
int pickle_machine_pop(struct pickle_machine *m, struct pickle_value *v);
/* The values since the last mark; they stay readable until the next push. */
int pickle_machine_pop_mark(struct pickle_machine *m, struct pickle_value **first, size_t *n);

int pickle_machine_read_uint(struct pickle_machine *m, int bytes, uint64_t *out); /* little-endian */

/* Read one value of the kind and push it; the length before it has length_bytes. */
int pickle_machine_push_string(struct pickle_machine *m, int length_bytes);
int pickle_machine_push_int(struct pickle_machine *m, int bytes, int is_signed);
int pickle_machine_push_long(struct pickle_machine *m, int length_bytes);
int pickle_machine_push_float(struct pickle_machine *m);

/* Push a container: of items, of the last n values, of those since the mark. */
int pickle_machine_push_seq(struct pickle_machine *m, enum pickle_kind kind, const struct pickle_value *items,
                            size_t n);
int pickle_machine_push_tuple(struct pickle_machine *m, size_t n);
int pickle_machine_push_marked(struct pickle_machine *m, enum pickle_kind kind);

/* The container below takes the values since the mark, or the last n, if it keeps any. */
int pickle_machine_extend_marked(struct pickle_machine *m, enum pickle_kind kind);
int pickle_machine_extend_last(struct pickle_machine *m, enum pickle_kind kind, size_t n);

#endif
