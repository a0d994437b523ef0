/* ARS4x32-7 with 512-bit VAES: an instruction encrypts four blocks; a group is two registers. */
#ifndef WIF_WORDS_H
#define WIF_WORDS_H

#include "words/ars.h"

typedef struct {
    __m512i first[2];           /* round key 0 XOR the places of the blocks in their group */
    __m512i rk[ARS_ROUNDS + 1]; /* each round key four times, for four blocks; rk[0] is not used */
} round_keys;

typedef __m512i counter;

INLINE round_keys expand_keys(uint64_t low, uint64_t high) {
    round_keys k;
    for (int r = 0; r <= ARS_ROUNDS; r++)
        k.rk[r] = _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)ars_round_key_high(high, r),
                                                        (int64_t)ars_round_key_low(low, r)));
    k.first[0] = _mm512_xor_si512(k.rk[0], _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0));
    k.first[1] = _mm512_xor_si512(k.rk[0], _mm512_set_epi64(0, 7, 0, 6, 0, 5, 0, 4));
    return k;
}

INLINE counter counter_at(uint64_t stream, uint64_t block) {
    return _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)stream, (int64_t)block));
}

INLINE group next_group(const round_keys *k, counter *c) {
    __m512i a = _mm512_xor_si512(*c, k->first[0]), b = _mm512_xor_si512(*c, k->first[1]);
    UNROLL for (int r = 1; r < ARS_ROUNDS; r++) {
        a = _mm512_aesenc_epi128(a, k->rk[r]);
        b = _mm512_aesenc_epi128(b, k->rk[r]);
    }
    a = _mm512_aesenclast_epi128(a, k->rk[ARS_ROUNDS]);
    b = _mm512_aesenclast_epi128(b, k->rk[ARS_ROUNDS]);
    *c = _mm512_add_epi64(*c, _mm512_broadcast_i32x4(_mm_set_epi64x(0, ARS_GROUP_BLOCKS)));
    return (group){{a, b}};
}

#endif
