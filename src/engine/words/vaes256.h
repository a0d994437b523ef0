/* ARS4x32-7 with 256-bit VAES: an instruction encrypts two blocks, and the four registers of a
 * group are encrypted side by side. */
#ifndef WIF_WORDS_H
#define WIF_WORDS_H

#include "words/ars.h"

typedef struct {
    __m256i first[4];           /* round key 0 XOR the places of the blocks in their group */
    __m256i rk[ARS_ROUNDS + 1]; /* each round key twice, for two blocks; rk[0] is not used */
} round_keys;

typedef __m256i counter;

INLINE round_keys expand_keys(uint64_t low, uint64_t high) {
    round_keys k;
    for (int r = 0; r <= ARS_ROUNDS; r++)
        k.rk[r] = _mm256_broadcastsi128_si256(_mm_set_epi64x((int64_t)ars_round_key_high(high, r),
                                                             (int64_t)ars_round_key_low(low, r)));
    for (int v = 0; v < 4; v++)
        k.first[v] = _mm256_xor_si256(k.rk[0], _mm256_set_epi64x(0, 2 * v + 1, 0, 2 * v));
    return k;
}

INLINE counter counter_at(uint64_t stream, uint64_t block) {
    return _mm256_set_epi64x((int64_t)stream, (int64_t)block, (int64_t)stream, (int64_t)block);
}

INLINE group next_group(const round_keys *k, counter *c) {
    group g;
    UNROLL for (int v = 0; v < 4; v++)
        g.v[v] = _mm256_xor_si256(*c, k->first[v]);
    UNROLL for (int r = 1; r < ARS_ROUNDS; r++) UNROLL
        for (int v = 0; v < 4; v++)
            g.v[v] = _mm256_aesenc_epi128(g.v[v], k->rk[r]);
    UNROLL for (int v = 0; v < 4; v++)
        g.v[v] = _mm256_aesenclast_epi128(g.v[v], k->rk[ARS_ROUNDS]);
    *c = _mm256_add_epi64(*c, _mm256_set_epi64x(0, ARS_GROUP_BLOCKS, 0, ARS_GROUP_BLOCKS));
    return g;
}

#endif
