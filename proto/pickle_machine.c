/* pickle_machine: see pickle_machine.h. Every value costs a bounded amount of the arena. */
#include "proto/pickle_machine.h"

#include <string.h>

int pickle_machine_fail(struct pickle_machine *m, enum err_code code, const char *text)
{
    char place[32];
    return err_set(m->err, code, source_place(place, m->op_at), "%s", text);
}

int pickle_machine_no_memory(struct pickle_machine *m)
{
    char place[32];
    return err_set(m->err, ERR_TOO_LARGE, source_place(place, m->op_at),
                   "the pickle needs more memory than its size allows");
}

int pickle_machine_damaged(struct pickle_machine *m)
{
    return pickle_machine_fail(m, ERR_CORRUPT, "the pickle is damaged");
}

int pickle_machine_seq_reserve(struct pickle_machine *m, struct pickle_seq *s, size_t more)
{
    if (s->capacity - s->count >= more)
        return 0;
    size_t capacity = s->capacity * 2 > s->count + more ? s->capacity * 2 : s->count + more;
    struct pickle_value *items = arena_array(m->a, capacity, sizeof *items);
    if (!items)
        return pickle_machine_no_memory(m);
    if (s->count)
        memcpy(items, s->items, s->count * sizeof *items);
    s->items = items;
    s->capacity = capacity;
    return 0;
}

int pickle_machine_seq_add(struct pickle_machine *m, struct pickle_seq *s, const struct pickle_value *v, size_t n)
{
    int rc = pickle_machine_seq_reserve(m, s, n);
    if (rc == 0 && n) {
        memcpy(s->items + s->count, v, n * sizeof *v);
        s->count += n;
    }
    return rc;
}

int pickle_machine_push(struct pickle_machine *m, struct pickle_value v)
{
    return pickle_machine_seq_add(m, &m->stack, &v, 1);
}

size_t pickle_machine_floor_of(const struct pickle_machine *m)
{
    return m->marks.count ? (size_t)m->marks.items[m->marks.count - 1].u.i : 0;
}

int pickle_machine_pop(struct pickle_machine *m, struct pickle_value *v)
{
    if (m->stack.count <= pickle_machine_floor_of(m))
        return pickle_machine_damaged(m);
    *v = m->stack.items[--m->stack.count];
    return 0;
}

/* The values since the last mark; they stay readable until the next push. */
int pickle_machine_pop_mark(struct pickle_machine *m, struct pickle_value **first, size_t *n)
{
    if (!m->marks.count)
        return pickle_machine_damaged(m);
    size_t at = pickle_machine_floor_of(m);
    m->marks.count--;
    *first = m->stack.items + at;
    *n = m->stack.count - at;
    m->stack.count = at;
    return 0;
}

int pickle_machine_read_uint(struct pickle_machine *m, int bytes, uint64_t *out)
{
    unsigned char b[8];
    int rc = cursor_read(m->c, b, (size_t)bytes, m->err);
    *out = 0;
    for (int i = bytes - 1; rc == 0 && i >= 0; i--)
        *out = *out << 8 | b[i];
    return rc;
}

static int read_string(struct pickle_machine *m, uint64_t n, const struct pickle_string **out)
{
    if (n > cursor_left(m->c))
        return pickle_machine_fail(m, ERR_CORRUPT, "truncated: a string is longer than the rest of the pickle");
    struct pickle_string *s = arena_alloc(m->a, sizeof *s + (size_t)n + 1);
    if (!s)
        return pickle_machine_no_memory(m);
    s->n = (size_t)n;
    *out = s;
    return cursor_read(m->c, s->text, (size_t)n, m->err);
}

int pickle_machine_push_string(struct pickle_machine *m, int length_bytes)
{
    uint64_t n;
    struct pickle_value v = {.kind = PICKLE_STRING};
    int rc = pickle_machine_read_uint(m, length_bytes, &n);
    if (rc == 0)
        rc = read_string(m, n, &v.u.string);
    return rc == 0 ? pickle_machine_push(m, v) : rc;
}

int pickle_machine_push_int(struct pickle_machine *m, int bytes, int is_signed)
{
    uint64_t n;
    int rc = pickle_machine_read_uint(m, bytes, &n);
    if (rc != 0)
        return rc;
    return pickle_machine_push(
        m, (struct pickle_value){.kind = PICKLE_INT, .u.i = is_signed ? (int32_t)(uint32_t)n : (int64_t)n});
}

int pickle_machine_push_long(struct pickle_machine *m, int length_bytes)
{
    uint64_t n;
    struct pickle_value v = {.kind = PICKLE_BIGINT};
    int rc = pickle_machine_read_uint(m, length_bytes, &n);
    if (rc != 0)
        return rc;
    if (n > 8) {
        rc = read_string(m, n, &v.u.string);
        return rc == 0 ? pickle_machine_push(m, v) : rc;
    }
    uint64_t bits = 0;
    rc = n ? pickle_machine_read_uint(m, (int)n, &bits) : 0;
    if (rc != 0)
        return rc;
    if (n && n < 8 && bits >> (8 * n - 1))
        bits |= ~(uint64_t)0 << (8 * n); /* two's complement */
    return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_INT, .u.i = (int64_t)bits});
}

int pickle_machine_push_float(struct pickle_machine *m)
{
    unsigned char b[8];
    int rc = cursor_read(m->c, b, sizeof b, m->err);
    uint64_t bits = 0;
    for (int i = 0; rc == 0 && i < 8; i++)
        bits = bits << 8 | b[i];
    struct pickle_value v = {.kind = PICKLE_FLOAT};
    memcpy(&v.u.f, &bits, sizeof bits);
    return rc == 0 ? pickle_machine_push(m, v) : rc;
}

int pickle_machine_push_seq(struct pickle_machine *m, enum pickle_kind kind, const struct pickle_value *items, size_t n)
{
    struct pickle_seq *s = arena_alloc(m->a, sizeof *s);
    if (!s)
        return pickle_machine_no_memory(m);
    int rc = pickle_machine_seq_add(m, s, items, n);
    return rc == 0 ? pickle_machine_push(m, (struct pickle_value){.kind = kind, .u.seq = s}) : rc;
}

int pickle_machine_push_tuple(struct pickle_machine *m, size_t n)
{
    if (m->stack.count - pickle_machine_floor_of(m) < n)
        return pickle_machine_damaged(m);
    m->stack.count -= n;
    return pickle_machine_push_seq(m, PICKLE_TUPLE, m->stack.items + m->stack.count, n);
}

int pickle_machine_push_marked(struct pickle_machine *m, enum pickle_kind kind)
{
    struct pickle_value *first = NULL;
    size_t n = 0;
    int rc = pickle_machine_pop_mark(m, &first, &n);
    if (rc == 0 && kind == PICKLE_DICT && n % 2)
        return pickle_machine_damaged(m);
    if (rc == 0 && kind == PICKLE_OPAQUE)
        return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_OPAQUE});
    return rc == 0 ? pickle_machine_push_seq(m, kind, first, n) : rc;
}

/* APPENDS, SETITEMS, ADDITEMS and their single forms: the container below takes the values, if it keeps any. */
static int extend(struct pickle_machine *m, enum pickle_kind kind, const struct pickle_value *first, size_t n)
{
    if (m->stack.count <= pickle_machine_floor_of(m) || (kind == PICKLE_DICT && n % 2))
        return pickle_machine_damaged(m);
    struct pickle_value *target = &m->stack.items[m->stack.count - 1];
    if (target->kind == PICKLE_OPAQUE)
        return 0;
    if (target->kind != kind)
        return pickle_machine_damaged(m);
    return pickle_machine_seq_add(m, target->u.seq, first, n);
}

int pickle_machine_extend_marked(struct pickle_machine *m, enum pickle_kind kind)
{
    struct pickle_value *first = NULL;
    size_t n = 0;
    int rc = pickle_machine_pop_mark(m, &first, &n);
    return rc == 0 ? extend(m, kind, first, n) : rc;
}

int pickle_machine_extend_last(struct pickle_machine *m, enum pickle_kind kind, size_t n)
{
    if (m->stack.count - pickle_machine_floor_of(m) < n)
        return pickle_machine_damaged(m);
    m->stack.count -= n;
    return extend(m, kind, m->stack.items + m->stack.count, n);
}
