/* hash: thin names over nettle and xxhash. */
#include "proto/base/hash.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/random.h>
#define XXH_INLINE_ALL /* planning hashes hundreds of short records: no call through the library for each */
#include <xxhash.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct hash256), "sha256 state too small");

void hash256_init(struct hash256 *h)
{
    nettle_sha256_init((struct sha256_ctx *)(void *)h->state);
}

void hash256_update(struct hash256 *h, const void *data, size_t n)
{
    nettle_sha256_update((struct sha256_ctx *)(void *)h->state, n, data);
}

void hash256_final(struct hash256 *h, unsigned char out[HASH256_SIZE])
{
    nettle_sha256_digest((struct sha256_ctx *)(void *)h->state, HASH256_SIZE, out);
}

void hash256_hex(const void *data, size_t n, char out[HASH256_HEX])
{
    struct hash256 h;
    unsigned char d[HASH256_SIZE];
    hash256_init(&h);
    hash256_update(&h, data, n);
    hash256_final(&h, d);
    hash_hex(d, sizeof d, out);
}

void hash_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = 0;
}

/* Value + 1 of a digit; 0: none. */
static const unsigned char digit_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

int hash_unhex(const char *hex, size_t n, unsigned char *out)
{
    for (size_t i = 0; i < n; i++) {
        int hi = digit_values[(unsigned char)hex[2 * i]];
        int lo = hi ? digit_values[(unsigned char)hex[2 * i + 1]] : 0; /* a text may end here */
        if (!lo)
            return -1;
        out[i] = (unsigned char)((hi - 1) << 4 | (lo - 1));
    }
    return hex[2 * n] ? -1 : 0;
}

int hash_equal(const void *a, const void *b, size_t n)
{
    return nettle_memeql_sec(a, b, n);
}

int hash_random(void *out, size_t n)
{
    char *p = out;
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0)
            return -1;
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

struct hash128 hash128(const void *data, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(data, n);
    return (struct hash128){h.low64, h.high64};
}
