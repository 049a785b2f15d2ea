/* eliminate: see eliminate.h. What hangs together with a decision is kept until a neighbour is removed, and the tables
 * that hold it are gathered once: spaces have a thousand decisions. */
#include "proto/eliminate.h"

#include <stdlib.h>
#include <string.h>

enum { STALE, KNOWN, TOO_LARGE, GONE };

int eliminate_no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "", "no memory to count a space");
}

int eliminate_init(struct eliminate *e, const struct space *s, struct err *err)
{
    memset(e, 0, sizeof *e);
    e->s = s;
    e->err = err;
    e->joint = malloc(((size_t)s->ndecisions + 1) * sizeof *e->joint);
    return e->joint ? 0 : eliminate_no_memory(err);
}

void eliminate_clear(struct eliminate *e)
{
    for (int i = 0; i < e->nf; i++) {
        eliminate_free_numbers(e->f[i].v, e->f[i].dom.size);
        free(e->f[i].cost);
    }
    free(e->f);
    free(e->with);
    free(e->joint);
}

mpz_t *eliminate_numbers(int n)
{
    mpz_t *v = calloc((size_t)n, sizeof *v);
    for (int i = 0; v && i < n; i++)
        mpz_init(v[i]);
    return v;
}

void eliminate_free_numbers(mpz_t *v, int n)
{
    for (int i = 0; v && i < n; i++)
        mpz_clear(v[i]);
    free(v);
}

static int grow(struct eliminate *e)
{
    int capacity = e->capacity ? e->capacity * 2 : 64;
    struct eliminate_factor *f = realloc(e->f, (size_t)capacity * sizeof *f);
    if (f)
        e->f = f;
    int *with = f ? realloc(e->with, (size_t)capacity * sizeof *with) : NULL;
    if (!with)
        return -1;
    e->with = with;
    e->capacity = capacity;
    return 0;
}

struct eliminate_factor *eliminate_add(struct eliminate *e, const struct dom *d)
{
    if (e->nf == e->capacity && grow(e))
        return NULL;
    struct eliminate_factor *f = &e->f[e->nf++];
    *f = (struct eliminate_factor){.dom = *d};
    if (f->dom.size == 0)
        f->dom.size = 1;
    return f;
}

static void find_joint(struct eliminate *e, int decision)
{
    struct dom *dom = &e->joint[decision];
    *dom = (struct dom){.size = 1};
    int rc = dom_add(dom, e->s, decision, NULL);
    for (int i = 0; i < e->nf && !rc; i++)
        if (!e->f[i].used && dom_has(&e->f[i].dom, decision))
            rc = dom_join(dom, &e->f[i].dom, e->s, NULL);
    e->state[decision] = rc ? TOO_LARGE : KNOWN;
}

static void gather(struct eliminate *e, int decision)
{
    e->nwith = 0;
    for (int i = 0; i < e->nf; i++)
        if (!e->f[i].used && dom_has(&e->f[i].dom, decision))
            e->with[e->nwith++] = i;
}

int eliminate_next(struct eliminate *e, struct dom *joint)
{
    int found = -1;
    for (int d = e->s->ndecisions - 1; d >= 0; d--) {
        if (e->state[d] == STALE)
            find_joint(e, d);
        if (e->state[d] != KNOWN || (found >= 0 && e->joint[d].size >= e->joint[found].size))
            continue;
        found = d;
        if (e->joint[d].n == 1)
            break;
    }
    if (found < 0)
        return -1;
    *joint = e->joint[found];
    gather(e, found);
    for (int i = 0; i < joint->n; i++) /* a table too large has lost a decision too */
        if (e->state[joint->dec[i]] != GONE)
            e->state[joint->dec[i]] = STALE;
    e->state[found] = GONE;
    return found;
}

struct eliminate_factor *eliminate_replace(struct eliminate *e, const struct dom *joint, int decision)
{
    struct dom rest = {.size = 1};
    for (int i = 0; i < joint->n; i++)
        if (joint->dec[i] != decision && dom_add(&rest, e->s, joint->dec[i], NULL))
            return NULL;
    for (int i = 0; i < e->nwith; i++)
        e->f[e->with[i]].used = 1;
    return eliminate_add(e, &rest);
}
