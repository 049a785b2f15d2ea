/* hash: SHA-256 (nettle) names blobs, tokens and documents; XXH3-128 keys nodes of graphs and plans, where an
 * adversary gains nothing but a wrong score of his own. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH256_SIZE = 32, HASH256_HEX = 65 };

struct hash256 {
    _Alignas(16) unsigned char state[128]; /* holds nettle's context; checked at compile time in hash.c */
};

void hash256_init(struct hash256 *h);
void hash256_update(struct hash256 *h, const void *data, size_t n);
void hash256_final(struct hash256 *h, unsigned char out[HASH256_SIZE]);
void hash256_hex(const void *data, size_t n, char out[HASH256_HEX]); /* of one buffer, as lower-case hex */

void hash_hex(const unsigned char *bytes, size_t n, char *out); /* 2n + 1 characters */
int hash_unhex(const char *hex, size_t n, unsigned char *out);  /* 0; -1 unless exactly 2n hex digits of any case */
int hash_equal(const void *a, const void *b, size_t n);         /* constant time; 1 when equal */
int hash_random(void *out, size_t n);                           /* from the kernel; 0 or -1 */

struct hash128 {
    uint64_t lo, hi;
};
struct hash128 hash128(const void *data, size_t n);

#endif
