/* profile: see profile.h. */
#include "worker/profile.h"

#include <inttypes.h>
#include <stdlib.h>

static void print_row(FILE *out, const char *name, const struct exec_cost *c, int64_t all_ns)
{
    double s = (double)c->ns / 1e9 + 1e-12, gf = 2e-9 * (double)c->macs, gb = 1e-9 * (double)c->bytes;
    fprintf(out, "%-12s %9" PRId64 " %9.1f %6.1f%% %12.6f %8.1f %9.3f %8.1f\n", name, c->calls, s * 1e3,
            100 * (double)c->ns / (double)(all_ns ? all_ns : 1), gf / 2, gf / s, gb, gb / s);
}

struct row {
    int kind;
    const struct exec_cost *cost;
};

static int longest_first(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->cost->ns == y->cost->ns ? x->kind - y->kind : x->cost->ns < y->cost->ns ? 1 : -1;
}

void profile_print(const struct exec_profile *p, FILE *out)
{
    struct exec_cost all = {0};
    struct row rows[EXEC_KINDS];
    for (int i = 0; i < EXEC_KINDS; i++) {
        const struct exec_cost *c = &p->kind[i];
        all = (struct exec_cost){all.ns + c->ns, all.calls + c->calls, all.macs + c->macs, all.bytes + c->bytes};
        rows[i] = (struct row){i, c};
    }
    qsort(rows, EXEC_KINDS, sizeof *rows, longest_first);
    fprintf(out, "%-12s %9s %9s %7s %12s %8s %9s %8s\n", "operator", "calls", "ms", "share", "GMAC", "GF/s", "GB",
            "GB/s");
    for (int i = 0; i < EXEC_KINDS; i++)
        if (rows[i].cost->calls)
            print_row(out, exec_kind_text(rows[i].kind), rows[i].cost, all.ns);
    print_row(out, "total", &all, all.ns);
    fflush(out);
}
