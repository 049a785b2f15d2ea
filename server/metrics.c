/* metrics: one histogram a route and one for commits; buckets in powers of two from 0.25 ms. */
#include "server/metrics.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 16, CLASSES = 6 };

struct histogram {
    uint64_t buckets[BUCKETS], count;
    double sum;
};

struct metrics {
    struct histogram routes[API_OPS], commits;
    uint64_t statuses[API_OPS][CLASSES], commit_failures, counters[METRICS_COUNTERS];
};

static const char *const counter_names[METRICS_COUNTERS] = {
    "leases_granted",    "leases_expired",     "results_stored",
    "results_duplicate", "results_superseded", "results_cancelled",
    "results_invalid",   "candidates_scored",  "beats"};

struct metrics *metrics_new(void)
{
    return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
    free(m);
}

static void observe(struct histogram *h, int64_t ns)
{
    double s = (double)ns / 1e9, edge = 0.00025;
    h->count++;
    h->sum += s;
    for (int i = 0; i < BUCKETS; i++, edge *= 2)
        if (s <= edge) {
            h->buckets[i]++;
            return;
        }
}

void metrics_request(struct metrics *m, const struct api_operation *op, int status, int64_t ns)
{
    int i = (int)(op - api_operation((enum api_op)0));
    observe(&m->routes[i], ns);
    int class = status / 100;
    m->statuses[i][class >= 0 && class < CLASSES ? class : 0]++;
}

void metrics_commit(struct metrics *m, int64_t ns, int failed)
{
    observe(&m->commits, ns);
    m->commit_failures += (uint64_t)failed;
}

void metrics_add(struct metrics *m, enum metrics_counter which, uint64_t n)
{
    m->counters[which] += n;
}

static void put_histogram(FILE *f, const char *name, const char *label, const struct histogram *h)
{
    uint64_t sum = 0;
    double edge = 0.00025;
    const char *comma = *label ? "," : "";
    for (int i = 0; i < BUCKETS; i++, edge *= 2) {
        sum += h->buckets[i];
        fprintf(f, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label, comma, edge, (unsigned long long)sum);
    }
    fprintf(f, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma, (unsigned long long)h->count);
    fprintf(f, "%s_sum%s%s%s %.9g\n", name, *label ? "{" : "", label, *label ? "}" : "", h->sum);
    fprintf(f, "%s_count%s%s%s %llu\n", name, *label ? "{" : "", label, *label ? "}" : "",
            (unsigned long long)h->count);
}

static void put_routes(FILE *f, const struct metrics *m)
{
    fprintf(f, "# HELP subrank_request_seconds Time from the request's first line until its answer is ready to be "
               "sent.\n# TYPE "
               "subrank_request_seconds histogram\n");
    for (int i = 0; i < API_OPS; i++) {
        char label[100];
        snprintf(label, sizeof label, "operation=\"%s\"", api_operation((enum api_op)i)->name);
        if (m->routes[i].count)
            put_histogram(f, "subrank_request_seconds", label, &m->routes[i]);
    }
    fprintf(f, "# HELP subrank_requests_total Requests by status class.\n# TYPE subrank_requests_total counter\n");
    for (int i = 0; i < API_OPS; i++)
        for (int k = 0; k < CLASSES; k++)
            if (m->statuses[i][k])
                fprintf(f, "subrank_requests_total{operation=\"%s\",status=\"%dxx\"} %llu\n",
                        api_operation((enum api_op)i)->name, k, (unsigned long long)m->statuses[i][k]);
}

void metrics_value(FILE *f, const char *name, const char *type, const char *help, double value)
{
    fprintf(f, "# HELP subrank_%s %s\n# TYPE subrank_%s %s\nsubrank_%s %.17g\n", name, help, name, type, name, value);
}

void metrics_write(const struct metrics *m, FILE *f)
{
    metrics_value(f, "commit_failures_total", "counter", "Transactions the database refused.",
                  (double)m->commit_failures);
    for (int i = 0; i < METRICS_COUNTERS; i++) {
        char name[60];
        snprintf(name, sizeof name, "%s_total", counter_names[i]);
        metrics_value(f, name, "counter", "Since the start.", (double)m->counters[i]);
    }
    fprintf(f, "# HELP subrank_commit_seconds Time of a COMMIT.\n# TYPE subrank_commit_seconds histogram\n");
    put_histogram(f, "subrank_commit_seconds", "", &m->commits);
    put_routes(f, m);
}
