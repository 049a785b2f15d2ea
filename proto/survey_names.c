/* survey_names: names in every architecture at once: tensors that are taken again, paths of modules, blocks. */
#include "proto/survey.h"

#include <stdlib.h>
#include <string.h>

/* ---- named tensors ---- */

int survey_ref_index(struct survey *sv, const struct tensor_ref *r, int64_t *index)
{
    struct tab t;
    *index = -1;
    if (!r->index)
        return 0;
    int rc = survey_expr(sv, r->index, survey_eval_int, r->index, sizeof(struct int_value), &t);
    struct dom d = t.dom;
    if (!rc)
        rc = dom_join(&d, &sv->guard.dom, sv->s, sv->err);
    unsigned char *care = rc ? NULL : survey_care(sv, &d);
    for (int w = 0; w < d.size && !rc; w++) {
        dom_choose(&d, w, sv->choice);
        if ((care && !care[w]) || !*(const unsigned char *)tab_at(&sv->guard, sv->choice))
            continue; /* the layer is not there: no value */
        int64_t v = ((const struct int_value *)tab_at(&t, sv->choice))->v;
        if (*index >= 0 && v != *index)
            rc = err_set(sv->err, ERR_UNSUPPORTED, r->where, "which tensor is meant may not depend on decisions");
        *index = v;
    }
    free(care);
    return rc;
}

int survey_find_named(struct survey *sv, const struct tensor_ref *r, struct tab *out)
{
    int64_t index;
    int rc = survey_ref_index(sv, r, &index);
    for (int i = sv->nnamed - 1; i >= sv->named_base && !rc; i--)
        if (sv->named[i].name == r->name && sv->named[i].index == index) {
            *out = sv->named[i].value;
            return 0;
        }
    return rc ? rc
              : err_set(sv->err, ERR_INVALID, r->where, "no tensor is called \"%s\" here", sv->s->tensors[r->name]);
}

int survey_set_named(struct survey *sv, int name, int64_t index, const struct tab *value, const char *where)
{
    for (int i = sv->nnamed - 1; i >= sv->named_base; i--)
        if (sv->named[i].name == name && sv->named[i].index == index) {
            struct tab t = *value, guard = sv->guard, all;
            unsigned char yes = 1;
            int rc = tab_const(&all, &sv->arena, &yes, 1, sv->err);
            sv->guard = all; /* elsewhere the old value stays */
            if (!rc)
                rc = survey_join(sv, &t, &sv->named[i].value, &guard);
            sv->guard = guard;
            sv->named[i].value = t;
            return rc;
        }
    if (sv->nnamed == SURVEY_MAX_NAMED)
        return err_set(sv->err, ERR_TOO_LARGE, where, "more than %d named tensors", SURVEY_MAX_NAMED);
    sv->named[sv->nnamed++] = (struct named_tab){name, index, *value};
    return 0;
}

static int eval_defined(struct survey *sv, const void *ctx, void *out)
{
    const struct tensor_ref *r = ctx;
    const struct tensor_value *t = tab_at(&sv->cur, sv->choice);
    (void)out;
    return t->defined ? 0
                      : err_set(sv->err, ERR_INVALID, r->where, "some architectures have no tensor \"%s\" here",
                                sv->s->tensors[r->name]);
}

int survey_take_named(struct survey *sv, const struct tensor_ref *r)
{
    struct tab t, none;
    int rc = survey_find_named(sv, r, &t);
    if (!rc) {
        sv->cur = t;
        rc = survey_entries(sv, &t.dom, eval_defined, r, 1, &none);
    }
    return rc;
}

/* ---- names ---- */

struct name_ctx {
    const struct layer *l;
    int number;
};

static int eval_name(struct survey *sv, const void *ctx, void *out)
{
    const struct name_ctx *c = ctx;
    struct path_value *p = out;
    int rc = builder_push_name(&sv->b, c->l, c->number);
    if (rc)
        return rc;
    p->path = survey_intern(sv, sv->b.path);
    p->npath = (int32_t)sv->b.npath;
    p->nparent = (int32_t)sv->b.nparent;
    return p->path ? 0 : survey_no_memory(sv);
}

int survey_enter_name(struct survey *sv, const struct layer *l, int number)
{
    struct name_ctx c = {l, number};
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    struct tab path;
    if (!l->name && number < 0 && l->kind != L_PRIM)
        return 0; /* nparent is looked at by primitives only */
    survey_tmpl_refs(&r, l->name);
    int rc = r.rc ? r.rc : survey_entries(sv, &r.dom, eval_name, &c, sizeof(struct path_value), &path);
    if (!rc)
        sv->path = path;
    return rc;
}

static int eval_block(struct survey *sv, const void *ctx, void *out)
{
    char text[SPACE_MAX_PATH];
    struct space *s = sv->s;
    const struct tmpl *t = ctx;
    (void)out;
    int n = builder_text(&sv->b, t, text, sizeof text);
    if (n < 0)
        return n;
    for (int i = 0; i < s->nblocks; i++)
        if (strcmp(s->blocks[i], text) == 0)
            return 0;
    if (s->nblocks == SPACE_MAX_BLOCKS)
        return err_set(sv->err, ERR_TOO_LARGE, t->where, "more than %d blocks", SPACE_MAX_BLOCKS);
    s->blocks[s->nblocks] = arena_strdup(&s->arena, text);
    return s->blocks[s->nblocks++] ? 0 : survey_no_memory(sv);
}

int survey_name_block(struct survey *sv, const struct tmpl *t)
{
    struct refs r = {.sv = sv, .dom = {.size = 1}};
    struct tab none;
    survey_tmpl_refs(&r, t);
    return r.rc ? r.rc : survey_entries(sv, &r.dom, eval_block, t, 1, &none);
}
