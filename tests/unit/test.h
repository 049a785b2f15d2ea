/* test: TEST(name) { CHECK(...); } registers itself; each test runs in its own process under an alarm, prints TAP,
 * and can be picked by a glob: `build/release/unit-proto 'hash*'`. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <math.h>
#include <string.h>

void test_register(const char *name, void (*fn)(void));
void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why); /* ends the test; reported as a skip */

#define TEST(name)                                                          \
    static void test_##name(void);                                          \
    __attribute__((constructor)) static void test_reg_##name(void)          \
    {                                                                       \
        test_register(#name, test_##name);                                  \
    }                                                                       \
    static void test_##name(void)

#define CHECK(expr)                                                         \
    do {                                                                    \
        if (!(expr))                                                        \
            test_fail(__FILE__, __LINE__, "%s", #expr);                     \
    } while (0)
#define CHECK_INT(got, want)                                                \
    do {                                                                    \
        long long g_ = (long long)(got), w_ = (long long)(want);            \
        if (g_ != w_)                                                       \
            test_fail(__FILE__, __LINE__, "%s is %lld, want %lld", #got, g_, w_); \
    } while (0)
#define CHECK_STR(got, want)                                                \
    do {                                                                    \
        const char *g_ = (got), *w_ = (want);                               \
        if (!g_ || strcmp(g_, w_) != 0)                                     \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", want \"%s\"", #got, g_ ? g_ : "(null)", w_); \
    } while (0)
#define CHECK_NEAR(got, want, tol)                                          \
    do {                                                                    \
        double g_ = (got), w_ = (want), t_ = (tol);                         \
        if (!(fabs(g_ - w_) <= t_))                                         \
            test_fail(__FILE__, __LINE__, "%s is %.9g, want %.9g +- %g", #got, g_, w_, t_); \
    } while (0)

#endif
