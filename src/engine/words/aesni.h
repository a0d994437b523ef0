/* ARS4x32-7 with 128-bit AES-NI.  The eight blocks of a group are encrypted side by side, which
 * hides the latency of the instruction. */
#ifndef WIF_WORDS_H
#define WIF_WORDS_H

#include "words/ars.h"

typedef struct {
    __m128i first[ARS_GROUP_BLOCKS]; /* round key 0 XOR the place of the block in its group */
    __m128i rk[ARS_ROUNDS + 1];      /* the round keys; rk[0] is not used, since `first` holds it */
} round_keys;

typedef __m128i counter;

INLINE round_keys expand_keys(uint64_t low, uint64_t high) {
    round_keys k;
    for (int r = 0; r <= ARS_ROUNDS; r++)
        k.rk[r] = _mm_set_epi64x((int64_t)ars_round_key_high(high, r),
                                 (int64_t)ars_round_key_low(low, r));
    for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
        k.first[b] = _mm_xor_si128(k.rk[0], _mm_set_epi64x(0, b));
    return k;
}

INLINE counter counter_at(uint64_t stream, uint64_t block) {
    return _mm_set_epi64x((int64_t)stream, (int64_t)block);
}

INLINE group next_group(const round_keys *k, counter *c) {
    __m128i x[ARS_GROUP_BLOCKS];
    UNROLL for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
        x[b] = _mm_xor_si128(*c, k->first[b]);
    UNROLL for (int r = 1; r < ARS_ROUNDS; r++) UNROLL
        for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
            x[b] = _mm_aesenc_si128(x[b], k->rk[r]);
    UNROLL for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
        x[b] = _mm_aesenclast_si128(x[b], k->rk[ARS_ROUNDS]);
    *c = _mm_add_epi64(*c, _mm_set_epi64x(0, ARS_GROUP_BLOCKS));
    return group_from_blocks(x);
}

#endif
