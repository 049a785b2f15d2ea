/* space_survey: one walk through all architectures of a space at once. Where plan_build has a value, this walk has a
 * table of the value over the few decisions it depends on (space_tab.h); where the network branches, it follows every
 * branch under a guard, the table of when the branch is taken. Each single step is done by plan_build's own functions,
 * once for every entry. It finds: errors anywhere in the document, all parameters of the supernet, when each
 * decision is active, and what every layer costs. */
#include "proto/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SURVEY_MEMORY = 256 << 20 };

/* ---- structure ---- */

static int survey_call(struct survey *sv, const struct layer *l)
{
    const struct module *m = l->module;
    struct tab *outer = sv->slots, *slots = calloc(SPACE_MAX_SLOTS, sizeof *slots), bound[SPACE_MAX_BRANCHES], keep;
    int base = sv->named_base, count = sv->nnamed, rc = slots ? 0 : survey_no_memory(sv);
    for (int i = 0; i < m->nargs && !rc; i++)
        rc = survey_expr(sv, l->args[i], survey_eval_slot, l->args[i], sizeof(struct slot_value), &slots[i]);
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = survey_find_named(sv, &l->from[i], &bound[i]);
    sv->named_base = count;
    for (int i = 0; i < m->ninputs && !rc; i++)
        rc = survey_set_named(sv, m->inputs[i], -1, &bound[i], l->where);
    if (!rc && m->ninputs)
        sv->cur = bound[0];
    sv->slots = slots;
    if (!rc)
        rc = survey_layer(sv, m->body, -1, &keep);
    sv->slots = outer;
    sv->named_base = base;
    sv->nnamed = count;
    free(slots);
    return rc;
}

static int survey_list(struct survey *sv, const struct layer *l)
{
    struct tab keep;
    int rc = 0;
    for (int i = 0; i < l->nkids && !rc; i++)
        rc = survey_layer(sv, l->kids[i], l->numbered ? i : -1, &keep);
    return rc;
}

static int dispatch(struct survey *sv, const struct layer *l)
{
    switch (l->kind) {
    case L_PRIM:
        return survey_prim(sv, l);
    case L_LIST:
        return survey_list(sv, l);
    case L_CALL:
        return survey_call(sv, l);
    case L_CHOOSE:
        return survey_choose(sv, l);
    case L_FOR:
        return survey_for(sv, l);
    case L_LET:
        return survey_expr(sv, l->select, survey_eval_slot, l->select, sizeof(struct slot_value), &sv->slots[l->slot]);
    default:
        return survey_branches(sv, l);
    }
}

static int inside(struct survey *sv, const struct layer *l, int number)
{
    int rc = l->nfrom == 1 && !(l->kind == L_CALL && l->module->ninputs) ? survey_take_named(sv, &l->from[0]) : 0;
    if (!rc)
        rc = survey_enter_name(sv, l, number);
    if (!rc && l->block)
        rc = survey_name_block(sv, l->block);
    if (!rc)
        rc = dispatch(sv, l);
    if (!rc && l->as) {
        int64_t index;
        rc = survey_ref_index(sv, l->as, &index);
        if (!rc)
            rc = survey_set_named(sv, l->as->name, index, &sv->cur, l->as->where);
    }
    return rc;
}

int survey_layer(struct survey *sv, const struct layer *l, int number, struct tab *keep)
{
    struct tab path = sv->path, before = sv->cur;
    *keep = sv->guard;
    if (++sv->steps > SPACE_MAX_STEPS)
        return err_set(sv->err, ERR_TOO_LARGE, l->where, "all options together take more than %d steps",
                       SPACE_MAX_STEPS);
    if (++sv->depth > SPACE_MAX_DEPTH * 4)
        return err_set(sv->err, ERR_TOO_LARGE, l->where, "layers are nested too deeply");
    int rc = l->when ? survey_expr(sv, l->when, survey_eval_when, l->when, 1, keep) : 0;
    if (!rc && tab_any(keep)) {
        struct tab guard = survey_narrow(sv, keep);
        rc = inside(sv, l, number);
        sv->guard = guard;
        sv->path = path;
        if (!rc && l->when) {
            struct tab t = sv->cur;
            sv->cur = before;
            rc = survey_join(sv, &t, &before, keep);
            sv->cur = t;
        }
    }
    sv->path = path;
    sv->depth--;
    if (rc && sv->err && !sv->err->where[0])
        snprintf(sv->err->where, sizeof sv->err->where, "%s", l->where);
    return rc;
}

/* ---- the whole ---- */

static int eval_logits(struct survey *sv, const void *ctx, void *out)
{
    (void)ctx, (void)out;
    struct shape t = sv->b.cur.shape;
    return t.h == 1 && t.w == 1
               ? 0
               : err_set(sv->err, ERR_INVALID, "/network",
                         "the network ends in %d x %d x %d; logits are classes x 1 x 1", t.c, t.h, t.w);
}

static int check_read(struct survey *sv)
{
    const struct space *s = sv->s;
    for (int i = 0; i < s->ndecisions; i++)
        if (!tab_any(&s->facts.activity[i])) {
            char where[200];
            snprintf(where, sizeof where, "/decisions/%.*s", (int)strcspn(s->decisions[i].name, "["),
                     s->decisions[i].name);
            return err_set(sv->err, ERR_INVALID, where, "no architecture%s reads decision \"%s\"",
                           s->nrequirements ? " that \"require\" allows" : "", s->decisions[i].name);
        }
    return 0;
}

/* The survey's own tables die with it: what is kept moves to the space's arena. */
static int keep_activity(struct survey *sv)
{
    struct space *s = sv->s;
    for (int i = 0; i < s->ndecisions; i++) {
        struct tab old = s->facts.activity[i], *t = &s->facts.activity[i];
        int rc = tab_alloc(t, &s->arena, &old.dom, 1, sv->err);
        if (rc)
            return rc;
        memcpy(t->data, old.data, (size_t)old.dom.size);
    }
    return 0;
}

static int prepare(struct survey *sv)
{
    static const struct plan_attr no_attr;
    struct space *s = sv->s;
    unsigned char yes = 1, no = 0;
    struct tensor_value in = {s->input.c, s->input.h, s->input.w, s->input.c, 1};
    struct path_value root = {survey_intern(sv, ""), 0, 0};
    struct tensor t = {.shape = s->input, .full = s->input.c};
    s->facts.activity = arena_array(&s->arena, (size_t)s->ndecisions + 1, sizeof *s->facts.activity);
    sv->slots = calloc(SPACE_MAX_SLOTS, sizeof *sv->slots);
    sv->named = calloc(SURVEY_MAX_NAMED, sizeof *sv->named);
    s->facts.read_at = arena_array(&s->arena, (size_t)s->ndecisions + 1, sizeof *s->facts.read_at);
    if (!s->facts.activity || !s->facts.read_at || !sv->slots || !sv->named || !root.path)
        return survey_no_memory(sv);
    int rc = tab_const(&sv->guard, &sv->arena, &yes, 1, sv->err);
    if (!rc)
        rc = tab_const(&sv->cur, &sv->arena, &in, sizeof in, sv->err);
    if (!rc)
        rc = tab_const(&sv->path, &sv->arena, &root, sizeof root, sv->err);
    for (int i = 0; i < s->ndecisions && !rc; i++)
        rc = tab_const(&s->facts.activity[i], &sv->arena, &no, 1, sv->err);
    sv->b.frame = &sv->frame;
    sv->b.active = sv->reads;
    sv->b.known = sv->known;
    return rc ? rc : builder_emit(&sv->b, NULL, OP_INPUT, &no_attr, NULL, 0, NULL, 0, &t);
}

int space_survey(struct space *s, struct err *err)
{
    struct survey *sv = calloc(1, sizeof *sv);
    struct tab keep, none;
    if (!sv)
        return err_set(err, ERR_NO_MEMORY, "", "no memory to survey a space");
    sv->s = s;
    sv->err = err;
    arena_init(&sv->arena, SURVEY_MEMORY);
    builder_init(&sv->b, s, &sv->arena, sv->choice, err);
    int rc = prepare(sv);
    if (!rc)
        rc = survey_layer(sv, s->network->body, -1, &keep);
    if (!rc)
        rc = survey_entries(sv, &sv->cur.dom, eval_logits, NULL, 1, &none);
    if (!rc)
        rc = check_read(sv);
    if (!rc)
        rc = keep_activity(sv);
    builder_clear(&sv->b);
    arena_clear(&sv->arena);
    strmap_clear(&sv->strings);
    strmap_clear(&sv->tensors);
    free(sv->tensor_site);
    free(sv->slots);
    free(sv->named);
    free(sv);
    return rc;
}
