/* space_tab: tables over decisions. */
#include "proto/space_tab.h"

#include <stdint.h>
#include <string.h>

int dom_has(const struct dom *d, int decision)
{
    for (int i = 0; i < d->n; i++)
        if (d->dec[i] == decision)
            return 1;
    return 0;
}

int dom_add(struct dom *d, const struct space *s, int decision, struct err *err)
{
    if (d->size == 0)
        d->size = 1;
    if (dom_has(d, decision))
        return 0;
    int options = s->decisions[decision].noptions;
    if (d->n == TAB_MAX_DIMS || (int64_t)d->size * options > TAB_MAX_SIZE)
        return err_set(
            err, ERR_UNSUPPORTED, "",
            "one value depends on too many decisions at once (\"%s\" and %d others): the space cannot be counted",
            s->decisions[decision].name, d->n);
    int i = d->n++;
    for (; i > 0 && d->dec[i - 1] > decision; i--) {
        d->dec[i] = d->dec[i - 1];
        d->options[i] = d->options[i - 1];
    }
    d->dec[i] = decision;
    d->options[i] = options;
    d->size *= options;
    return 0;
}

int dom_join(struct dom *d, const struct dom *other, const struct space *s, struct err *err)
{
    int rc = 0;
    if (d->size == 0)
        d->size = 1;
    for (int i = 0; i < other->n && !rc; i++)
        rc = dom_add(d, s, other->dec[i], err);
    return rc;
}

void dom_choose(const struct dom *d, int world, int *choice)
{
    for (int i = d->n - 1; i >= 0; i--) {
        choice[d->dec[i]] = world % d->options[i];
        world /= d->options[i];
    }
}

int dom_index(const struct dom *d, const int *choice)
{
    int at = 0;
    for (int i = 0; i < d->n; i++)
        at = at * d->options[i] + choice[d->dec[i]];
    return at;
}

int tab_alloc(struct tab *t, struct arena *a, const struct dom *d, size_t elem, struct err *err)
{
    t->dom = *d;
    if (t->dom.size == 0)
        t->dom.size = 1;
    t->elem = elem;
    t->data = arena_array(a, (size_t)t->dom.size, elem);
    return t->data ? 0 : err_set(err, ERR_TOO_LARGE, "", "the space is too entangled to be surveyed in memory");
}

int tab_const(struct tab *t, struct arena *a, const void *value, size_t elem, struct err *err)
{
    static const struct dom none = {.size = 1};
    int rc = tab_alloc(t, a, &none, elem, err);
    if (!rc)
        memcpy(t->data, value, elem);
    return rc;
}

const void *tab_at(const struct tab *t, const int *choice)
{
    return t->data + (size_t)dom_index(&t->dom, choice) * t->elem;
}

/* Does dimension k matter? Entries are [outer][options][inner]. */
static int matters(const struct tab *t, int k)
{
    size_t inner = t->elem, options = (size_t)t->dom.options[k];
    for (int i = k + 1; i < t->dom.n; i++)
        inner *= (size_t)t->dom.options[i];
    size_t outer = (size_t)t->dom.size * t->elem / (inner * options);
    for (size_t o = 0; o < outer; o++)
        for (size_t j = 1; j < options; j++)
            if (memcmp(t->data + o * options * inner, t->data + (o * options + j) * inner, inner) != 0)
                return 1;
    return 0;
}

static void drop(struct tab *t, int k)
{
    size_t inner = t->elem, options = (size_t)t->dom.options[k];
    for (int i = k + 1; i < t->dom.n; i++)
        inner *= (size_t)t->dom.options[i];
    size_t outer = (size_t)t->dom.size * t->elem / (inner * options);
    for (size_t o = 1; o < outer; o++)
        memmove(t->data + o * inner, t->data + o * options * inner, inner);
    t->dom.size /= t->dom.options[k];
    t->dom.n--;
    for (int i = k; i < t->dom.n; i++) {
        t->dom.dec[i] = t->dom.dec[i + 1];
        t->dom.options[i] = t->dom.options[i + 1];
    }
}

/* The same two with entries that do not count. The first option that counts stands for all. */
static size_t inner_entries(const struct tab *t, int k)
{
    size_t inner = 1;
    for (int i = k + 1; i < t->dom.n; i++)
        inner *= (size_t)t->dom.options[i];
    return inner;
}

static int matters_where(const struct tab *t, const unsigned char *care, int k)
{
    size_t inner = inner_entries(t, k), options = (size_t)t->dom.options[k];
    for (size_t g = 0; g < (size_t)t->dom.size / options; g++) {
        size_t first = g / inner * inner * options + g % inner, kept = SIZE_MAX;
        for (size_t j = 0; j < options; j++) {
            size_t at = first + j * inner;
            if (!care[at])
                continue;
            if (kept != SIZE_MAX && memcmp(t->data + kept * t->elem, t->data + at * t->elem, t->elem) != 0)
                return 1;
            kept = kept == SIZE_MAX ? at : kept;
        }
    }
    return 0;
}

static void keep_where(struct tab *t, unsigned char *care, int k)
{
    size_t inner = inner_entries(t, k), options = (size_t)t->dom.options[k];
    for (size_t g = 0; g < (size_t)t->dom.size / options; g++) {
        size_t first = g / inner * inner * options + g % inner, kept = first;
        for (size_t j = 0; j < options && !care[kept]; j++)
            kept = first + j * inner;
        memmove(t->data + first * t->elem, t->data + kept * t->elem, t->elem);
        care[first] = care[kept];
    }
    for (size_t g = 0; g < (size_t)t->dom.size / options; g++)
        care[g] = care[g / inner * inner * options + g % inner];
}

void tab_minimise(struct tab *t, unsigned char *care)
{
    for (int k = t->dom.n - 1; k >= 0; k--) {
        if (care ? matters_where(t, care, k) : matters(t, k))
            continue;
        if (care)
            keep_where(t, care, k);
        drop(t, k); /* the first option's entries stay */
    }
}

int tab_any(const struct tab *t)
{
    for (int i = 0; i < t->dom.size; i++)
        if (t->data[i])
            return 1;
    return 0;
}

int tab_all(const struct tab *t)
{
    for (int i = 0; i < t->dom.size; i++)
        if (!t->data[i])
            return 0;
    return 1;
}
