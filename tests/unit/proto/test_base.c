/* base: hashes against published vectors, arenas at their limit, generators without bias. */
#include "proto/base/arena.h"
#include "proto/base/err.h"
#include "proto/base/hash.h"
#include "proto/base/rng.h"
#include "tests/unit/test.h"

TEST(base_sha256_of_abc_is_the_fips_vector)
{
    char hex[HASH256_HEX];
    hash256_hex("abc", 3, hex);
    CHECK_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(base_unhex_refuses_bad_digits_and_lengths)
{
    unsigned char out[4];
    CHECK_INT(hash_unhex("0aFf10b2", 4, out), 0);
    CHECK_INT(out[1], 0xff);
    CHECK_INT(hash_unhex("0aFf10b", 4, out), -1);
    CHECK_INT(hash_unhex("0aFf10bg", 4, out), -1);
}

TEST(base_arena_keeps_its_limit)
{
    struct arena a;
    arena_init(&a, 1 << 16);
    size_t got = 0;
    for (char *p; (p = arena_alloc(&a, 1000)) != NULL; got += 1000)
        p[999] = 1;
    CHECK(got > 60000 && got <= 65536);
    CHECK(arena_array(&a, (size_t)1 << 40, (size_t)1 << 40) == NULL);
    arena_clear(&a);
}

TEST(base_rng_below_is_uniform)
{
    struct rng r;
    rng_seed(&r, 1, 2);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[rng_below(&r, 6)]++;
    double chi2 = 0;
    for (int i = 0; i < 6; i++)
        chi2 += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
    CHECK(chi2 < 20.5); /* 5 degrees of freedom, p = .001 */
}

TEST(base_rng_streams_differ_and_repeat)
{
    struct rng a, b, c;
    rng_seed(&a, 7, 0);
    rng_seed(&b, 7, 0);
    rng_seed(&c, 7, 1);
    CHECK(rng_next(&a) == rng_next(&b));
    CHECK(rng_next(&a) != rng_next(&c));
}

TEST(base_err_prefix_completes_the_place)
{
    struct err e = {0};
    CHECK_INT(err_set(&e, ERR_INVALID, "/k", "must be odd"), -ERR_INVALID);
    err_prefix(&e, "/layers/%d", 3);
    CHECK_STR(e.where, "/layers/3/k");
    CHECK_INT(err_status(e.code), 422);
}

TEST(base_err_texts_are_printable_utf8)
{
    struct err e = {0};
    char cut[300];
    memset(cut, 'a', sizeof cut);
    memcpy(cut + 253, "\xe2\x82\xac", 4); /* the euro sign does not fit whole */
    err_set(&e, ERR_INVALID, cut, "x\n\x01y \xff \xc3\xa9 \xed\xa0\x80");
    CHECK_INT(strlen(e.where), 255);
    CHECK_STR(e.where + 252, "a??");
    CHECK_STR(e.text, "x??y ? \xc3\xa9 ???");
}
