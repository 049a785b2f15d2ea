/* profile: the table's rows, order and figures; a worker's job prints one when it is asked to. */
#include "tests/unit/test.h"
#include "worker/compute.h"
#include "worker/profile.h"

#include <stdio.h>
#include <stdlib.h>

TEST(profile_longest_first_with_rates_and_shares)
{
    struct exec_profile p = {0};
    p.kind[OP_GAP] = (struct exec_cost){.ns = 1000000, .calls = 2, .bytes = 4000000};
    p.kind[EXEC_POINTWISE] = (struct exec_cost){.ns = 3000000, .calls = 7, .macs = 60000000, .bytes = 6000000};
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    profile_print(&p, out);
    fclose(out);
    const char *points = strstr(text, "conv 1x1"), *gap = strstr(text, "gap"), *total = strstr(text, "total");
    CHECK(points && gap && total && points < gap && gap < total);
    long long calls;
    double ms, share, gmac, gf, gb, rate;
    CHECK_INT(sscanf(points, "conv 1x1 %lld %lf %lf%% %lf %lf %lf %lf", &calls, &ms, &share, &gmac, &gf, &gb, &rate),
              7);
    CHECK_INT(calls, 7);
    CHECK_NEAR(ms, 3, 1e-9);
    CHECK_NEAR(share, 75, 1e-9);
    CHECK_NEAR(gmac, .06, 1e-9);
    CHECK_NEAR(gf, 40, 1e-9);
    CHECK_NEAR(rate, 2, 1e-9);
    CHECK_INT(sscanf(total, "total %lld %lf", &calls, &ms), 2);
    CHECK_INT(calls, 9);
    CHECK_NEAR(ms, 4, 1e-9);
    CHECK(strstr(text, "attention") == NULL); /* what never ran has no row */
}

/* A job that fails at once still ends with a table: what matters is that the order's word reaches it. */
TEST(profile_is_printed_for_a_job_that_asks)
{
    for (int asks = 0; asks < 2; asks++) {
        char order[64], name[] = "/tmp/subrank-profile-XXXXXX", table[4096] = "";
        int n =
            snprintf(order, sizeof order, "{\"job\": {}, \"files\": {}, \"profile\": %s}\n", asks ? "true" : "false");
        FILE *in = fmemopen(order, (size_t)n, "r"), *out = tmpfile();
        int fd = mkstemp(name);
        CHECK(in && out && fd >= 0 && freopen(name, "w", stderr));
        CHECK_INT(compute_serve(in, out), 0);
        fflush(stderr);
        FILE *told = fopen(name, "r");
        table[fread(table, 1, sizeof table - 1, told)] = 0;
        CHECK_INT(strstr(table, "GF/s") != NULL, asks);
        fclose(told);
        fclose(in);
        fclose(out);
        remove(name);
    }
}
