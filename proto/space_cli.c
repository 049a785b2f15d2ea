/* space_cli: prints on stdout; errors go to stderr as "FILE: /pointer: text". */
#include "proto/space_cli.h"

#include "proto/space_json.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *file, *code;
    int json;
    long sample;
    unsigned long long seed;
};

static const char usage[] =
    "usage: subrankd space FILE [--code CODE] [--sample N] [--seed S] [--json]\n"
    "Checks a space document. Prints its decisions, the exact number of architectures and cost bounds;\n"
    "with --code the plan of one architecture, with --sample N uniform random codes.\n";

static int number(const char *text, unsigned long long max, unsigned long long *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return -1;
    *out = strtoull(text, &end, 10);
    return *end || *out > max ? -1 : 0;
}

static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option table[] = {
        {"code", required_argument, NULL, 'c'},   {"json", no_argument, NULL, 'j'},
        {"sample", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int c;
    unsigned long long n;
    optind = 1;
    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (c == 'c')
            o->code = optarg;
        else if (c == 'j')
            o->json = 1;
        else if (c == 'n' && number(optarg, 10000000, &n) == 0)
            o->sample = (long)n;
        else if (c == 's' && number(optarg, UINT64_MAX, &n) == 0)
            o->seed = n;
        else
            return c == 'h' ? 1 : 2;
    }
    if (optind != argc - 1)
        return 2;
    o->file = argv[optind];
    return 0;
}

static int complain(const struct options *o, const struct err *err)
{
    fprintf(stderr, "%s: %s%s%s\n", o->file, err->where, err->where[0] ? ": " : "", err->text);
    return 1;
}

static char *slurp(const char *path, size_t *len, struct err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(SPACE_MAX_BYTES + 1) : NULL;
    *len = text ? fread(text, 1, SPACE_MAX_BYTES + 1, f) : 0;
    if (!text)
        err_set(err, ERR_IO, "", "cannot be read");
    if (f)
        fclose(f);
    return text;
}

static int print_json(json_t *v)
{
    if (!v || json_dumpf(v, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER)) {
        json_decref(v);
        return 1;
    }
    putchar('\n');
    json_decref(v);
    return 0;
}

static void print_bound(const char *name, const struct space_bound *b)
{
    printf("%-14s %lld to %lld%s\n", name, (long long)b->min, (long long)b->max,
           b->exact ? "" : " (bounds, may not be reached)");
}

static int show_space(const struct space *s, const struct options *o, struct err *err)
{
    if (o->json) {
        json_t *v = space_describe_json(s, err);
        return v ? print_json(v) : complain(o, err);
    }
    const struct space_bounds *b = space_bounds(s);
    struct shape in = space_input(s);
    printf("%-14s %s\n%-14s %d x %d x %d\n%-14s %s\n%-14s %d\n", "space", space_name(s), "input", in.c, in.h, in.w,
           "architectures", space_architectures(s), "parameters in", space_ntensors(s));
    print_bound("MACs", &b->conv_macs);
    print_bound("all operations", &b->all_macs);
    print_bound("parameters", &b->params);
    for (int i = 0; i < space_nblocks(s); i++)
        printf("%s%s%s", i ? " " : "blocks         ", space_block(s, i), i + 1 == space_nblocks(s) ? "\n" : "");
    for (int i = 0; i < space_ndecisions(s); i++) {
        printf("%s:", space_decision_name(s, i));
        for (int k = 0; k < space_noptions(s, i); k++)
            printf(" %s", space_option(s, i, k));
        printf("\n");
    }
    return 0;
}

static int show_plan(const struct space *s, const struct options *o, struct err *err)
{
    int choice[SPACE_MAX_DECISIONS];
    struct arena a;
    struct plan p;
    struct cost c;
    char code[SPACE_MAX_CODE];
    if (space_code_parse(s, o->code, choice, err))
        return complain(o, err);
    if (o->json) {
        json_t *v = space_plan_json(s, choice, err);
        return v ? print_json(v) : complain(o, err);
    }
    space_normalise(s, choice);
    arena_init(&a, 0);
    int rc = plan_build(&a, s, choice, space_input(s), NULL, &p, err);
    if (!rc)
        rc = cost_plan(&p, &c, err);
    if (!rc)
        rc = space_code_print(s, choice, code, sizeof code, err);
    if (!rc) {
        plan_print(&p, stdout);
        printf("code %s\nMACs %lld\nall operations %lld\nparameters %lld\nclass %016llx%016llx\n", code,
               (long long)c.conv_macs, (long long)c.all_macs, (long long)c.params, (unsigned long long)p.class_key.hi,
               (unsigned long long)p.class_key.lo);
    }
    arena_clear(&a);
    return rc ? complain(o, err) : 0;
}

static int show_sample(const struct space *s, const struct options *o, struct err *err)
{
    int choice[SPACE_MAX_DECISIONS];
    char code[SPACE_MAX_CODE];
    json_t *list = json_array();
    struct rng r;
    rng_seed(&r, o->seed, 0);
    int rc = 0;
    for (long i = 0; i < o->sample && !rc; i++) {
        space_sample(s, &r, choice);
        rc = space_code_print(s, choice, code, sizeof code, err);
        if (!rc && o->json)
            json_array_append_new(list, json_string(code));
        else if (!rc)
            printf("%s\n", code);
    }
    if (rc) {
        json_decref(list);
        return complain(o, err);
    }
    return o->json ? print_json(list) : (json_decref(list), 0);
}

int space_cli(int argc, char **argv)
{
    struct options o = {0};
    struct err err = {0};
    struct space *s;
    size_t len;
    int bad = read_options(argc, argv, &o);
    if (bad) {
        fputs(usage, bad == 1 ? stdout : stderr);
        return bad == 1 ? 0 : 2;
    }
    char *text = slurp(o.file, &len, &err);
    int rc = text ? space_parse(text, len, &s, &err) : -1;
    free(text);
    if (rc)
        return complain(&o, &err);
    int status = o.code ? show_plan(s, &o, &err) : o.sample ? show_sample(s, &o, &err) : show_space(s, &o, &err);
    space_free(s);
    return status;
}
