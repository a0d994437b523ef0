/* ARS4x32-7 by tables, for machines without AES instructions: the words of the scalar set. */
#ifndef WIF_WORDS_H
#define WIF_WORDS_H

#include "words/aes_tables.h"
#include "words/ars.h"

typedef struct {
    uint32_t rk[ARS_ROUNDS + 1][4];
} round_keys;

typedef struct {
    uint64_t block, stream;
} counter;

INLINE round_keys expand_keys(uint64_t low, uint64_t high) {
    round_keys k;
    for (int r = 0; r <= ARS_ROUNDS; r++) {
        uint64_t lo = ars_round_key_low(low, r), hi = ars_round_key_high(high, r);
        k.rk[r][0] = (uint32_t)lo;
        k.rk[r][1] = (uint32_t)(lo >> 32);
        k.rk[r][2] = (uint32_t)hi;
        k.rk[r][3] = (uint32_t)(hi >> 32);
    }
    return k;
}

INLINE counter counter_at(uint64_t stream, uint64_t block) { return (counter){block, stream}; }

/* Column j of the state s after a round, without the round key.  Because of ShiftRows its row i
 * comes from column (j + i) mod 4.  The last round has no MixColumns, and uses the S-box itself. */
INLINE uint32_t aes_column(const uint32_t s[4], int j) {
    return aes_round_table[0][s[j] & 0xff] ^ aes_round_table[1][s[(j + 1) & 3] >> 8 & 0xff] ^
           aes_round_table[2][s[(j + 2) & 3] >> 16 & 0xff] ^
           aes_round_table[3][s[(j + 3) & 3] >> 24];
}

INLINE uint32_t aes_last_column(const uint32_t s[4], int j) {
    return (uint32_t)aes_sbox[s[j] & 0xff] | (uint32_t)aes_sbox[s[(j + 1) & 3] >> 8 & 0xff] << 8 |
           (uint32_t)aes_sbox[s[(j + 2) & 3] >> 16 & 0xff] << 16 |
           (uint32_t)aes_sbox[s[(j + 3) & 3] >> 24] << 24;
}

INLINE group next_group(const round_keys *k, counter *c) {
    group g;
    for (int b = 0; b < ARS_GROUP_BLOCKS; b++, c->block++) {
        uint32_t s[4] = {(uint32_t)c->block ^ k->rk[0][0], (uint32_t)(c->block >> 32) ^ k->rk[0][1],
                         (uint32_t)c->stream ^ k->rk[0][2],
                         (uint32_t)(c->stream >> 32) ^ k->rk[0][3]};
        for (int r = 1; r < ARS_ROUNDS; r++) {
            uint32_t t[4];
            for (int j = 0; j < 4; j++)
                t[j] = aes_column(s, j) ^ k->rk[r][j];
            for (int j = 0; j < 4; j++)
                s[j] = t[j];
        }
        for (int j = 0; j < 4; j++)
            g.w[4 * b + j] = aes_last_column(s, j) ^ k->rk[ARS_ROUNDS][j];
    }
    return g;
}

#endif
