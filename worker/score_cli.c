/* score_cli: see score_cli.h. */
#include "worker/score_cli.h"

#include "proto/base/json.h"
#include "proto/base/log.h"
#include "proto/base/version.h"
#include "worker/engine/blas.h"
#include "worker/engine/score.h"
#include "worker/limits.h"
#include "worker/profile.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *job;
    struct score_file *files;
    size_t nfiles;
    int threads, profile, statistics;
    int64_t memory_mib, logits;
    const char *isa;
    int repeat;
};

static atomic_int interrupted; /* set by SIGINT and SIGTERM */

static void on_signal(int sig)
{
    (void)sig;
    atomic_store(&interrupted, 1);
}

static void usage(FILE *out)
{
    fputs("usage: subrank-worker score --job FILE --file SHA=PATH... [options]\n"
          "Scores the candidates of a job document without a coordinator; prints one line of JSON for each.\n\n"
          "  --job FILE        the job document (kind \"score\"); - reads standard input\n"
          "  --file SHA=PATH   where a blob of the document lies; once for each blob. SHA is the text of the document\n"
          "  --threads N       threads that compute (default: every processor)\n"
          "  --memory MIB      memory limit (default: none)\n"
          "  --isa NAME        kernels: avx512, avx2, generic (default: the best here)\n"
          "  --logits N        add the logits of the first N images to each score\n"
          "  --statistics      add the BatchNorm statistics to each score\n"
          "  --profile         print the time each kind of operator took, on stderr\n"
          "  --repeat N        run the job N times in this process (what is cached stays)\n",
          out);
}

static int add_file(struct options *o, char *arg)
{
    char *equal = strchr(arg, '=');
    struct score_file *more = realloc(o->files, (o->nfiles + 1) * sizeof *more);
    if (!more || !equal)
        return -1;
    *equal = 0;
    more[o->nfiles++] = (struct score_file){arg, equal + 1};
    o->files = more;
    return 0;
}

static int64_t number(const char *text, int64_t min)
{
    char *end;
    long long v = strtoll(text, &end, 10);
    return *end || v < min ? -1 : v;
}

static int take_option(struct options *o, int c)
{
    switch (c) {
    case 'j':
        o->job = optarg;
        return 0;
    case 'f':
        return add_file(o, optarg);
    case 't':
        o->threads = (int)number(optarg, 1);
        return o->threads < 1 || o->threads > 1024 ? -1 : 0;
    case 'm':
        o->memory_mib = number(optarg, 1);
        return o->memory_mib < 0 ? -1 : 0;
    case 'l':
        o->logits = number(optarg, 0);
        return o->logits < 0 ? -1 : 0;
    case 'r':
        o->repeat = (int)number(optarg, 1);
        return o->repeat < 1 ? -1 : 0;
    case 'i':
        o->isa = optarg;
        return 0;
    case 's':
        o->statistics = 1;
        return 0;
    case 'p':
        o->profile = 1;
        return 0;
    default:
        return -1;
    }
}

static int read_options(struct options *o, int argc, char **argv)
{
    static const struct option rows[] = {
        {"job", 1, NULL, 'j'},     {"file", 1, NULL, 'f'}, {"threads", 1, NULL, 't'}, {"memory", 1, NULL, 'm'},
        {"logits", 1, NULL, 'l'},  {"isa", 1, NULL, 'i'},  {"repeat", 1, NULL, 'r'},  {"statistics", 0, NULL, 's'},
        {"profile", 0, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "", rows, NULL)) != -1)
        if (take_option(o, c)) {
            usage(stderr);
            return -1;
        }
    if (!o->job || optind < argc) {
        usage(stderr);
        return -1;
    }
    return 0;
}

static json_t *read_job(const char *path, struct err *err)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!f) {
        err_set(err, ERR_IO, path, "cannot be opened");
        return NULL;
    }
    char *text = NULL;
    size_t room = 0;
    ssize_t n = getdelim(&text, &room, 0, f);
    if (f != stdin)
        fclose(f);
    json_t *doc = json_parse_strict(text ? text : "", n > 0 ? (size_t)n : 0, JSON_DEPTH, err);
    free(text);
    return doc;
}

static void put(const char *kind, json_t *value)
{
    json_t *line = json_pack("{s:o}", kind, value);
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static int on_score(void *ctx, const json_t *score)
{
    int *failed = ctx;
    *failed |= json_object_get(score, "error") != NULL;
    put("score", json_incref((json_t *)(uintptr_t)score));
    return ferror(stdout);
}

static int run(const struct options *o, const json_t *job, struct err *err)
{
    int failed = 0, rc = 0;
    struct exec_profile profile = {0};
    struct score_summary s;
    struct score_options opt = {.threads = o->threads,
                                .memory_bytes = (size_t)o->memory_mib << 20,
                                .isa = o->isa,
                                .cache = score_cache_new(),
                                .cancel = &interrupted,
                                .profile = o->profile ? &profile : NULL,
                                .logits_wanted = o->logits,
                                .statistics = o->statistics};
    struct score_callbacks calls = {.ctx = &failed, .score = on_score};
    for (int i = 0; i < o->repeat && !rc; i++) {
        rc = score_job(job, &(struct score_files){o->files, o->nfiles}, &opt, &calls, &s, err);
        if (!rc)
            put("done", json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "backend", s.backend, "build",
                                  VERSION_BUILD, "threads", s.threads, "wall_ms", (json_int_t)s.wall_ms, "load_ms",
                                  (json_int_t)s.load_ms, "calibration_ms", (json_int_t)s.calibration_ms, "score_ms",
                                  (json_int_t)s.scoring_ms, "calibration_images", (json_int_t)s.calibration_images));
    }
    if (o->profile)
        profile_print(&profile, stderr);
    score_cache_free(opt.cache);
    return rc ? rc : failed;
}

int score_cli_main(int argc, char **argv)
{
    struct options o = {.repeat = 1};
    struct err err = {0};
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return 0;
    }
    o.threads = (int)limits_here().threads;
    if (read_options(&o, argc, argv)) {
        free(o.files);
        return 2;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    int rc = blas_open(&err);
    json_t *job = rc ? NULL : read_job(o.job, &err);
    rc = job ? run(&o, job, &err) : -1;
    if (rc < 0)
        put("error", score_error_json(&err));
    json_decref(job);
    free(o.files);
    return rc ? 1 : 0;
}
