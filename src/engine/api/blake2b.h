/* BLAKE2b (RFC 7693) with a digest of 8 bytes and no key, as the number that is the little-endian
 * reading of the digest.  Names of streams become numbers by it. */
#ifndef WIF_BLAKE2B_H
#define WIF_BLAKE2B_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const uint64_t WIF_BLAKE2B_IV[8] = {
    UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b), UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1), UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};

static inline uint64_t wif_rotated(uint64_t x, int bits) { return x >> bits | x << (64 - bits); }

/* The function G of section 3.1. */
static inline void wif_blake2b_mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x,
                                   uint64_t y) {
    *a += *b + x;
    *d = wif_rotated(*d ^ *a, 32);
    *c += *d;
    *b = wif_rotated(*b ^ *c, 24);
    *a += *b + y;
    *d = wif_rotated(*d ^ *a, 16);
    *c += *d;
    *b = wif_rotated(*b ^ *c, 63);
}

/* The function F of section 3.2; `bytes` counts those up to the end of this block. */
static inline void wif_blake2b_block(uint64_t h[8], const unsigned char block[128], uint64_t bytes,
                                     int is_last) {
    static const unsigned char order[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
        {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
        {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
        {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
        {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    };
    uint64_t m[16], v[16];
    for (int k = 0; k < 16; k++) {
        m[k] = 0;
        for (int j = 0; j < 8; j++)
            m[k] |= (uint64_t)block[8 * k + j] << 8 * j;
    }
    memcpy(v, h, 8 * sizeof *v);
    memcpy(v + 8, WIF_BLAKE2B_IV, sizeof WIF_BLAKE2B_IV);
    v[12] ^= bytes;
    v[14] ^= is_last ? UINT64_MAX : 0;
    for (int round = 0; round < 12; round++) {
        const unsigned char *const s = order[round % 10];
        for (int k = 0; k < 4; k++) /* columns */
            wif_blake2b_mix(&v[k], &v[4 + k], &v[8 + k], &v[12 + k], m[s[2 * k]], m[s[2 * k + 1]]);
        for (int k = 0; k < 4; k++) /* diagonals */
            wif_blake2b_mix(&v[k], &v[4 + (k + 1) % 4], &v[8 + (k + 2) % 4], &v[12 + (k + 3) % 4],
                            m[s[8 + 2 * k]], m[s[9 + 2 * k]]);
    }
    for (int k = 0; k < 8; k++)
        h[k] ^= v[k] ^ v[8 + k];
}

static inline uint64_t wif_blake2b_64(const void *data, size_t length) {
    const unsigned char *at = (const unsigned char *)data;
    uint64_t h[8], bytes = 0;
    unsigned char block[128] = {0};
    memcpy(h, WIF_BLAKE2B_IV, sizeof h);
    h[0] ^= 0x01010000 ^ 8; /* depth and fanout 1, no key, a digest of 8 bytes */
    while (length > sizeof block) {
        bytes += sizeof block;
        wif_blake2b_block(h, at, bytes, 0);
        at += sizeof block;
        length -= sizeof block;
    }
    if (length)
        memcpy(block, at, length);
    wif_blake2b_block(h, block, bytes + length, 1);
    return h[0];
}

#endif
