/* pickle: see pickle.h. One function per family of instructions; the stack is pickle_machine's, the table of names
 * pickle_globals'. */
#include "proto/pickle.h"

#include "proto/pickle_globals.h"
#include "proto/pickle_machine.h"
#include "proto/tensor.h"

#include <string.h>

static int push_global(struct pickle_machine *m, const char *module, const char *name)
{
    int row = pickle_global_find(module, name);
    char place[32];
    if (row < 0)
        return err_set(m->err, ERR_UNSUPPORTED, source_place(place, m->op_at),
                       "the pickle refers to %.100s.%.100s, which is not read: save a state dict (model.state_dict()) "
                       "of plain tensors",
                       module, name);
    return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_GLOBAL, .index = (uint32_t)row});
}

static int read_line(struct pickle_machine *m, char *out, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        int rc = cursor_read(m->c, out + n, 1, m->err);
        if (rc != 0)
            return rc;
        if (out[n] == '\n') {
            out[n] = 0;
            return 0;
        }
        if ((unsigned char)out[n] < 0x20)
            out[n] = '?'; /* it will not be found, and must not disturb the message */
    }
    return pickle_machine_fail(m, ERR_CORRUPT, "a name in the pickle is too long");
}

static int op_global(struct pickle_machine *m)
{
    char module[256], name[256];
    int rc = read_line(m, module, sizeof module);
    if (rc == 0)
        rc = read_line(m, name, sizeof name);
    return rc == 0 ? push_global(m, module, name) : rc;
}

static int op_stack_global(struct pickle_machine *m)
{
    struct pickle_value module = {0}, name = {0};
    int rc = pickle_machine_pop(m, &name);
    if (rc == 0)
        rc = pickle_machine_pop(m, &module);
    if (rc != 0)
        return rc;
    if (name.kind != PICKLE_STRING || module.kind != PICKLE_STRING)
        return pickle_machine_damaged(m);
    return push_global(m, module.u.string->text, name.u.string->text);
}

static int int_tuple(const struct pickle_value *v, int64_t out[TENSOR_MAX_DIMS], int *n)
{
    if (v->kind != PICKLE_TUPLE || v->u.seq->count > TENSOR_MAX_DIMS)
        return -1;
    *n = (int)v->u.seq->count;
    for (int i = 0; i < *n; i++) {
        if (v->u.seq->items[i].kind != PICKLE_INT)
            return -1;
        out[i] = v->u.seq->items[i].u.i;
    }
    return 0;
}

static int call_tensor(struct pickle_machine *m, const struct pickle_seq *args)
{
    struct pickle_tensor *t = arena_alloc(m->a, sizeof *t);
    if (!t)
        return pickle_machine_no_memory(m);
    const struct pickle_value *v = args->items;
    int strides;
    if (args->count < 4 || v[0].kind != PICKLE_STORAGE || v[1].kind != PICKLE_INT || v[1].u.i < 0 ||
        int_tuple(&v[2], t->dims, &t->ndim) != 0 || int_tuple(&v[3], t->strides, &strides) != 0 || strides != t->ndim)
        return pickle_machine_fail(
            m, ERR_CORRUPT, "a tensor is not described by storage, offset, size and stride of at most 8 dimensions");
    t->storage = v[0].index;
    t->offset = v[1].u.i;
    return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_TENSOR, .u.tensor = t});
}

/* Python 2 pickled ordered dicts as a list of pairs. */
static int call_dict(struct pickle_machine *m, const struct pickle_seq *args)
{
    int rc = pickle_machine_push_seq(m, PICKLE_DICT, NULL, 0);
    if (rc != 0 || !args->count || args->items[0].kind != PICKLE_LIST)
        return rc;
    struct pickle_seq *out = m->stack.items[m->stack.count - 1].u.seq;
    const struct pickle_seq *pairs = args->items[0].u.seq;
    for (size_t i = 0; rc == 0 && i < pairs->count; i++) {
        const struct pickle_value *pair = &pairs->items[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->u.seq->count != 2)
            return pickle_machine_damaged(m);
        rc = pickle_machine_seq_add(m, out, pair->u.seq->items, 2);
    }
    return rc;
}

static int op_reduce(struct pickle_machine *m)
{
    struct pickle_value args = {0}, callable = {0};
    int rc = pickle_machine_pop(m, &args);
    if (rc == 0)
        rc = pickle_machine_pop(m, &callable);
    if (rc != 0)
        return rc;
    if (callable.kind != PICKLE_GLOBAL || args.kind != PICKLE_TUPLE)
        return pickle_machine_damaged(m);
    switch (pickle_global_call(callable.index)) {
    case CALL_DICT:
        return call_dict(m, args.u.seq);
    case CALL_TENSOR:
        return call_tensor(m, args.u.seq);
    case CALL_PARAMETER:
        return args.u.seq->count ? pickle_machine_push(m, args.u.seq->items[0]) : pickle_machine_damaged(m);
    case CALL_SIZE:
        return args.u.seq->count == 1 ? pickle_machine_push(m, args.u.seq->items[0]) : pickle_machine_damaged(m);
    case CALL_STORAGE:
        return pickle_machine_fail(m, ERR_UNSUPPORTED, "the pickle holds a storage by itself; only tensors are read");
    default:
        return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_OPAQUE});
    }
}

static int op_persistent(struct pickle_machine *m)
{
    struct pickle_value id = {0}, v = {.kind = PICKLE_OPAQUE};
    int rc = pickle_machine_pop(m, &id);
    if (rc != 0)
        return rc;
    if (id.kind != PICKLE_TUPLE || !m->persistent)
        return pickle_machine_damaged(m);
    rc = m->persistent(m->ctx, id.u.seq, &v, m->err);
    return rc == 0 ? pickle_machine_push(m, v) : rc;
}

static int op_put(struct pickle_machine *m, uint64_t index)
{
    if (m->stack.count <= pickle_machine_floor_of(m) ||
        index > m->memo.count + 1024) /* picklers number them as they come */
        return pickle_machine_damaged(m);
    while (m->memo.count <= index) {
        int rc = pickle_machine_seq_add(m, &m->memo, &(struct pickle_value){0}, 1);
        if (rc != 0)
            return rc;
    }
    m->memo.items[index] = m->stack.items[m->stack.count - 1];
    return 0;
}

static int op_memo(struct pickle_machine *m, int bytes, int put)
{
    uint64_t index;
    int rc = pickle_machine_read_uint(m, bytes, &index);
    if (rc != 0)
        return rc;
    if (put)
        return op_put(m, index);
    return index < m->memo.count ? pickle_machine_push(m, m->memo.items[index]) : pickle_machine_damaged(m);
}

static int op_mark(struct pickle_machine *m)
{
    return pickle_machine_seq_add(m, &m->marks,
                                  &(struct pickle_value){.kind = PICKLE_INT, .u.i = (int64_t)m->stack.count}, 1);
}

static int op_skip(struct pickle_machine *m, int bytes) /* PROTO and FRAME: nothing to do */
{
    uint64_t n;
    int rc = pickle_machine_read_uint(m, bytes, &n);
    if (rc == 0 && bytes == 1 && (n < 2 || n > 5))
        return pickle_machine_fail(m, ERR_UNSUPPORTED, "the pickle's protocol is not 2 to 5");
    return rc;
}

static int op_pop(struct pickle_machine *m, size_t n)
{
    struct pickle_value ignored = {0};
    int rc = 0;
    while (rc == 0 && n--)
        rc = pickle_machine_pop(m, &ignored);
    return rc;
}

static int unknown(struct pickle_machine *m, int op)
{
    char place[32];
    return err_set(m->err, ERR_UNSUPPORTED, source_place(place, m->op_at),
                   "pickle instruction 0x%02x is not read (torch.save never writes it)", (unsigned)op);
}

static int step(struct pickle_machine *m, int op)
{
    struct pickle_value *first = NULL;
    size_t n = 0;
    switch (op) {
    case 0x80: /* PROTO */
        return op_skip(m, 1);
    case 0x95: /* FRAME */
        return op_skip(m, 8);
    case '(':
        return op_mark(m);
    case '0': /* POP */
        return op_pop(m, 1);
    case '1': /* POP_MARK */
        return pickle_machine_pop_mark(m, &first, &n);
    case 'N':
        return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_NONE});
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_BOOL, .u.i = op == 0x88});
    case 'J': /* BININT */
        return pickle_machine_push_int(m, 4, 1);
    case 'K': /* BININT1 */
        return pickle_machine_push_int(m, 1, 0);
    case 'M': /* BININT2 */
        return pickle_machine_push_int(m, 2, 0);
    case 0x8a: /* LONG1 */
        return pickle_machine_push_long(m, 1);
    case 0x8b: /* LONG4 */
        return pickle_machine_push_long(m, 4);
    case 'G': /* BINFLOAT */
        return pickle_machine_push_float(m);
    case 'U':  /* SHORT_BINSTRING */
    case 'C':  /* SHORT_BINBYTES */
    case 0x8c: /* SHORT_BINUNICODE */
        return pickle_machine_push_string(m, 1);
    case 'T': /* BINSTRING */
    case 'B': /* BINBYTES */
    case 'X': /* BINUNICODE */
        return pickle_machine_push_string(m, 4);
    case 0x8d: /* BINUNICODE8 */
    case 0x8e: /* BINBYTES8 */
    case 0x96: /* BYTEARRAY8 */
        return pickle_machine_push_string(m, 8);
    case ')': /* EMPTY_TUPLE */
        return pickle_machine_push_tuple(m, 0);
    case 0x85: /* TUPLE1 */
    case 0x86:
    case 0x87:
        return pickle_machine_push_tuple(m, (size_t)(op - 0x84));
    case 't': /* TUPLE */
        return pickle_machine_push_marked(m, PICKLE_TUPLE);
    case ']': /* EMPTY_LIST */
        return pickle_machine_push_seq(m, PICKLE_LIST, NULL, 0);
    case 'l': /* LIST */
        return pickle_machine_push_marked(m, PICKLE_LIST);
    case '}': /* EMPTY_DICT */
        return pickle_machine_push_seq(m, PICKLE_DICT, NULL, 0);
    case 'd': /* DICT */
        return pickle_machine_push_marked(m, PICKLE_DICT);
    case 0x8f: /* EMPTY_SET */
        return pickle_machine_push(m, (struct pickle_value){.kind = PICKLE_OPAQUE});
    case 0x91: /* FROZENSET */
        return pickle_machine_push_marked(m, PICKLE_OPAQUE);
    case 'a': /* APPEND */
        return pickle_machine_extend_last(m, PICKLE_LIST, 1);
    case 'e': /* APPENDS */
        return pickle_machine_extend_marked(m, PICKLE_LIST);
    case 's': /* SETITEM */
        return pickle_machine_extend_last(m, PICKLE_DICT, 2);
    case 'u': /* SETITEMS */
        return pickle_machine_extend_marked(m, PICKLE_DICT);
    case 0x90: /* ADDITEMS */
        return pickle_machine_extend_marked(m, PICKLE_OPAQUE);
    case 'c': /* GLOBAL */
        return op_global(m);
    case 0x93: /* STACK_GLOBAL */
        return op_stack_global(m);
    case 'R':  /* REDUCE */
    case 0x81: /* NEWOBJ */
        return op_reduce(m);
    case 'b': /* BUILD: attributes such as a state dict's _metadata; the object stays as it is */
        return op_pop(m, 1);
    case 'Q': /* BINPERSID */
        return op_persistent(m);
    case 'h': /* BINGET */
        return op_memo(m, 1, 0);
    case 'j': /* LONG_BINGET */
        return op_memo(m, 4, 0);
    case 'q': /* BINPUT */
        return op_memo(m, 1, 1);
    case 'r': /* LONG_BINPUT */
        return op_memo(m, 4, 1);
    case 0x94: /* MEMOIZE */
        return op_put(m, m->memo.count);
    default:
        return unknown(m, op);
    }
}

int pickle_read(struct cursor *c, struct arena *a, pickle_persistent *persistent, void *ctx, struct pickle_value *out,
                struct err *err)
{
    struct pickle_machine m = {.c = c, .a = a, .persistent = persistent, .ctx = ctx, .err = err, .op_at = c->at};
    int rc = pickle_machine_seq_reserve(&m, &m.stack, 64); /* there is always a stack to point into */
    while (rc == 0) {
        unsigned char op;
        m.op_at = c->at;
        rc = cursor_read(c, &op, 1, err);
        if (rc == 0 && op == '.')
            return m.marks.count == 0 && m.stack.count == 1 ? pickle_machine_pop(&m, out) : pickle_machine_damaged(&m);
        if (rc == 0)
            rc = step(&m, op);
    }
    return rc;
}

int pickle_is_string(const struct pickle_value *v, const char *text)
{
    return v->kind == PICKLE_STRING && v->u.string->n == strlen(text) &&
           memcmp(v->u.string->text, text, strlen(text)) == 0;
}

const struct pickle_value *pickle_get(const struct pickle_value *dict, const char *key)
{
    for (size_t i = 0; dict->kind == PICKLE_DICT && i < dict->u.seq->count; i += 2)
        if (pickle_is_string(&dict->u.seq->items[i], key))
            return &dict->u.seq->items[i + 1];
    return NULL;
}

int pickle_storage_dtype(const struct pickle_value *global)
{
    return global->kind == PICKLE_GLOBAL ? pickle_global_dtype(global->index) : -1;
}

const char *pickle_kind_name(enum pickle_kind kind)
{
    static const char *const names[] = {"None",   "a bool", "an int",  "a long int", "a float",  "a string", "a tuple",
                                        "a list", "a dict", "a class", "a storage",  "a tensor", "an object"};
    return names[kind];
}
