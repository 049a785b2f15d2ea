/* blas: see blas.h. */
#include "worker/engine/blas.h"

#include "proto/base/log.h"

#include <cblas.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The core type this processor can use; NULL where the question does not arise. */
static const char *wanted_core(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return "SKYLAKEX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return "HASWELL";
#endif
    return NULL;
}

/* Kernel sets without AVX. */
static int is_crippled(const char *core)
{
    static const char *const old[] = {"Prescott",     "Core2",      "Penryn",    "Dunnington", "Nehalem", "Atom",
                                      "Katmai",       "Coppermine", "Northwood", "Banias",     "Athlon",  "Opteron",
                                      "Opteron_SSE3", "Barcelona",  "Bobcat",    "Nano",       "Generic", "generic"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcasecmp(core, old[i]) == 0)
            return 1;
    return 0;
}

const char *blas_core(void)
{
    return openblas_get_corename();
}

enum { CMDLINE_MAX = 1 << 20, ARGS_MAX = 4096 };

/* This process again, with the same arguments. Returns only when that fails. */
static void start_again(void)
{
    char *text = calloc(1, CMDLINE_MAX + 1), **argv = calloc(ARGS_MAX + 1, sizeof *argv);
    FILE *f = fopen("/proc/self/cmdline", "r");
    size_t n = text && argv && f ? fread(text, 1, CMDLINE_MAX, f) : 0;
    int argc = 0;
    for (size_t at = 0; at < n && argc < ARGS_MAX; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    if (f)
        fclose(f);
    if (argc > 0)
        execv("/proc/self/exe", argv);
    free(text);
    free(argv);
}

int blas_open(struct err *err)
{
    const char *want = wanted_core(), *set = getenv("OPENBLAS_CORETYPE");
    openblas_set_num_threads(1);
    if (!want || !is_crippled(blas_core()))
        return 0;
    if (set && *set)
        return err_set(err, ERR_UNSUPPORTED, "OPENBLAS_CORETYPE",
                       "OpenBLAS runs its \"%s\" kernels with OPENBLAS_CORETYPE=%s; this processor needs %s",
                       blas_core(), set, want);
    log_info("blas_restart", "core=%s coretype=%s", blas_core(), want);
    if (setenv("OPENBLAS_CORETYPE", want, 1) == 0)
        start_again();
    return err_errno(err, errno, "/proc/self/exe", "cannot start again with other OpenBLAS kernels");
}
