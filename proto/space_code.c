/* space_code: code <-> decisions. A code is literal text and one option per decision, in an order of its own. */
#include "proto/space_code.h"

#include "proto/base/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_piece(struct space_parser *p, struct code_piece *pieces, const char *text, size_t len, int decision)
{
    struct space *s = p->s;
    if (s->ncode > SPACE_MAX_DECISIONS)
        return parser_fail(p, "a code names each decision once");
    struct code_piece *piece = &pieces[s->ncode++];
    piece->decision = decision;
    piece->text = arena_strndup(&s->arena, text, len);
    return piece->text ? 0 : parser_no_memory(p);
}

/* All decisions of one array, or the one element "name[i]". Returns how many, from *first. */
static int find_decisions(struct space_parser *p, const char *name, size_t len, int *first)
{
    const struct space *s = p->s;
    struct suggest sug;
    char word[128];
    snprintf(word, sizeof word, "%.*s", (int)len, name);
    suggest_init(&sug, word);
    for (int i = 0; i < s->narrays; i++) {
        const struct decision_array *a = &s->arrays[i];
        suggest_offer(&sug, a->name);
        if (strcmp(a->name, word) != 0)
            continue;
        int n = 1;
        for (int k = 0; k < a->ndims; k++)
            n *= a->dims[k];
        *first = a->first;
        return n;
    }
    for (int i = 0; i < s->ndecisions; i++)
        if (strcmp(s->decisions[i].name, word) == 0) {
            *first = i;
            return 1;
        }
    return parser_fail(p, "there is no decision \"%s\"%s", word, suggest_hint(&sug));
}

static int read_template(struct space_parser *p, struct code_piece *pieces, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "{"), len = 0;
        int first = -1;
        if (text[n]) {
            len = strcspn(text + n, "}");
            if (!text[n + len])
                return parser_fail(p, "\"}\" is missing");
            int found = find_decisions(p, text + n + 1, len - 1, &first);
            if (found < 0)
                return -1;
            if (found > 1)
                return parser_fail(p, "an array needs an index here: {name[0]}");
            len++;
        }
        if (add_piece(p, pieces, text, n, first))
            return -1;
        text += n + len;
    }
    return 0;
}

static int read_order(struct space_parser *p, struct code_piece *pieces, const json_t *order, const char *separator)
{
    for (size_t i = 0; order ? i < json_array_size(order) : i < (size_t)p->s->ndecisions; i++) {
        int first = (int)i, n = 1;
        if (order) {
            const char *name = json_string_value(json_array_get(order, i));
            size_t mark = parser_enter(p, "order");
            if (!name)
                return parser_fail(p, "a list of decision names is needed");
            if ((n = find_decisions(p, name, strlen(name), &first)) < 0)
                return -1;
            parser_leave(p, mark);
        }
        for (int k = 0; k < n; k++)
            if (add_piece(p, pieces, separator, p->s->ncode ? strlen(separator) : 0, first + k))
                return -1;
    }
    return 0;
}

static int check_complete(struct space_parser *p)
{
    struct space *s = p->s;
    unsigned char seen[SPACE_MAX_DECISIONS] = {0};
    for (int i = 0; i < s->ncode; i++)
        if (s->code[i].decision >= 0 && seen[s->code[i].decision]++)
            return parser_fail(p, "decision \"%s\" is there twice", s->decisions[s->code[i].decision].name);
    for (int i = 0; i < s->ndecisions; i++)
        if (!seen[i])
            return parser_fail(p, "decision \"%s\" is missing", s->decisions[i].name);
    return 0;
}

/* Without a text between two options the first may not be the beginning of another option. */
static int check_readable(struct space_parser *p)
{
    const struct space *s = p->s;
    for (int i = 0; i + 1 < s->ncode; i++) {
        const struct decision *d = s->code[i].decision < 0 ? NULL : &s->decisions[s->code[i].decision];
        if (!d || s->code[i + 1].text[0])
            continue;
        if (s->code_by_index ? d->noptions > 10 : 0)
            return parser_fail(p, "\"%s\" has more than ten options: a separator is needed", d->name);
        for (int a = 0; !s->code_by_index && a < d->noptions; a++)
            for (int b = 0; b < d->noptions; b++)
                if (a != b && strncmp(d->labels[a], d->labels[b], strlen(d->labels[a])) == 0)
                    return parser_fail(p, "options \"%s\" and \"%s\": a separator is needed", d->labels[a],
                                       d->labels[b]);
    }
    return 0;
}

static int read_form(struct space_parser *p, struct code_piece *pieces, const json_t *v)
{
    static const char *const members[] = {"as", "separator", "order", "template", NULL};
    const char *name, *separator = ",";
    const json_t *m;
    if (json_is_string(v) && strcmp(json_string_value(v), "digits") == 0) {
        p->s->code_by_index = 1;
        return read_order(p, pieces, NULL, "");
    }
    if (v && !json_is_object(v))
        return parser_fail(p, "\"digits\" or an object is needed");
    json_object_foreach((json_t *)(uintptr_t)v, name, m)
    {
        int known = 0;
        for (const char *const *k = members; *k; k++)
            known |= strcmp(*k, name) == 0;
        if (!known)
            return parser_fail(p, "\"code\" has \"as\", \"separator\", \"order\", \"template\"; no \"%s\"", name);
    }
    const char *as = json_string_value(json_object_get(v, "as"));
    if (as && strcmp(as, "index") != 0 && strcmp(as, "option") != 0)
        return parser_fail(p, "\"as\" is \"index\" or \"option\"");
    p->s->code_by_index = as && as[0] == 'i';
    if (json_string_value(json_object_get(v, "template")))
        return read_template(p, pieces, json_string_value(json_object_get(v, "template")));
    if (json_string_value(json_object_get(v, "separator")))
        separator = json_string_value(json_object_get(v, "separator"));
    return read_order(p, pieces, json_object_get(v, "order"), separator);
}

int space_code_read(struct space_parser *p, const json_t *v)
{
    size_t mark = parser_enter(p, "code");
    struct code_piece *pieces = arena_array(&p->s->arena, SPACE_MAX_DECISIONS + 2, sizeof *pieces);
    if (!pieces)
        return parser_no_memory(p);
    p->s->code = pieces;
    int rc = read_form(p, pieces, v);
    if (!rc)
        rc = check_complete(p);
    if (!rc)
        rc = check_readable(p);
    parser_leave(p, mark);
    return rc;
}

static const char *option_text(const struct space *s, int decision, int option, char buf[16])
{
    if (!s->code_by_index)
        return s->decisions[decision].labels[option];
    char *at = buf + 15; /* not printf: a start reads a million codes */
    *at = '\0';
    do
        *--at = (char)('0' + option % 10);
    while (option /= 10);
    return at;
}

/* The same where options are written as numbers: the most digits that are one. */
static int match_index(int noptions, const char *at, size_t *len)
{
    int value = 0, best = -1;
    *len = 0;
    for (size_t n = 0; at[n] >= '0' && at[n] <= '9' && (n == 0 || value > 0); n++) {
        value = value * 10 + (at[n] - '0');
        if (value >= noptions)
            break;
        best = value;
        *len = n + 1;
    }
    return best;
}

/* The option whose text is the longest beginning of `at`; -1: none. */
static int match_option(const struct space *s, int decision, const char *at, size_t *len)
{
    int best = -1;
    if (s->code_by_index)
        return match_index(s->decisions[decision].noptions, at, len);
    *len = 0;
    for (int o = 0; o < s->decisions[decision].noptions; o++) {
        const char *text = s->decisions[decision].labels[o];
        size_t n = strlen(text);
        if (n > *len && strncmp(at, text, n) == 0) {
            best = o;
            *len = n;
        }
    }
    return best;
}

int space_code_parse(const struct space *s, const char *code, int *choice, struct err *err)
{
    const char *at = code;
    if (strlen(code) >= SPACE_MAX_CODE)
        return err_set(err, ERR_INVALID, "code", "a code of this space is shorter");
    for (int i = 0; i < s->ncode; i++) {
        const struct code_piece *piece = &s->code[i];
        size_t n = strlen(piece->text);
        if (strncmp(at, piece->text, n) != 0)
            return err_set(err, ERR_INVALID, "code", "\"%s\" is needed at character %td of \"%.200s\"", piece->text,
                           at - code + 1, code);
        at += n;
        if (piece->decision < 0)
            continue;
        choice[piece->decision] = match_option(s, piece->decision, at, &n);
        if (choice[piece->decision] < 0)
            return err_set(err, ERR_INVALID, "code", "no option of decision \"%s\" at character %td of \"%.200s\"",
                           s->decisions[piece->decision].name, at - code + 1, code);
        at += n;
    }
    if (*at)
        return err_set(err, ERR_INVALID, "code", "unexpected text at character %td of \"%.200s\"", at - code + 1, code);
    return space_allowed(s, choice, err) ? 0 : -ERR_INVALID;
}

int space_code_print(const struct space *s, const int *choice, char *out, size_t size, struct err *err)
{
    size_t n = 0;
    for (int i = 0; i < s->ncode && n < size; i++) {
        char buf[16];
        const struct code_piece *piece = &s->code[i];
        const char *option = piece->decision < 0 ? "" : option_text(s, piece->decision, choice[piece->decision], buf);
        n += (size_t)snprintf(out + n, size - n, "%s%s", piece->text, option);
    }
    if (s->ncode == 0 && size)
        out[0] = '\0';
    return n < size ? 0 : err_set(err, ERR_TOO_LARGE, "code", "a code is longer than %zu bytes", size);
}
