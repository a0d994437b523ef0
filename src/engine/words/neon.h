/* ARS4x32-7 with the Armv8 AES instructions.  AESE XORs its key before SubBytes, while AES-NI XORs
 * its key after MixColumns.  So the instruction of round r + 1 takes the key of round r, and the
 * last round key needs an XOR of its own. */
#ifndef WIF_WORDS_H
#define WIF_WORDS_H

#include "words/ars.h"

typedef struct {
    uint8x16_t first[ARS_GROUP_BLOCKS]; /* round key 0 XOR the place of the block in its group */
    uint8x16_t rk[ARS_ROUNDS + 1];
} round_keys;

typedef uint64x2_t counter;

INLINE uint8x16_t block_u64(uint64_t low, uint64_t high) {
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}

INLINE round_keys expand_keys(uint64_t low, uint64_t high) {
    round_keys k;
    for (int r = 0; r <= ARS_ROUNDS; r++)
        k.rk[r] = block_u64(ars_round_key_low(low, r), ars_round_key_high(high, r));
    for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
        k.first[b] = veorq_u8(k.rk[0], block_u64((uint64_t)b, 0));
    return k;
}

INLINE counter counter_at(uint64_t stream, uint64_t block) {
    return vcombine_u64(vcreate_u64(block), vcreate_u64(stream));
}

INLINE group next_group(const round_keys *k, counter *c) {
    group g;
    uint8x16_t x[ARS_GROUP_BLOCKS];
    UNROLL for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
        x[b] = vaesmcq_u8(vaeseq_u8(vreinterpretq_u8_u64(*c), k->first[b]));
    UNROLL for (int r = 1; r < ARS_ROUNDS - 1; r++) UNROLL
        for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
            x[b] = vaesmcq_u8(vaeseq_u8(x[b], k->rk[r]));
    UNROLL for (int b = 0; b < ARS_GROUP_BLOCKS; b++)
        g.v[b] = vreinterpretq_u32_u8(
            veorq_u8(vaeseq_u8(x[b], k->rk[ARS_ROUNDS - 1]), k->rk[ARS_ROUNDS]));
    *c = vaddq_u64(*c, vcombine_u64(vcreate_u64(ARS_GROUP_BLOCKS), vcreate_u64(0)));
    return g;
}

#endif
