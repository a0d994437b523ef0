/* What every implementation of the words shares: ARS4x32-7 (Salmon, Moraes, Dror & Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", SC'11), AES with the key schedule replaced by a Weyl
 * sequence and seven rounds of ten kept.
 *
 * The words come in groups of 32, eight blocks of four, because a normal pairs word j with word
 * j + 16.  A group starts at a block that is a multiple of eight, so block j of it has the counter
 * (first block XOR j): implementations put j into round key 0 and save the addition. */
#ifndef WIF_ARS_COMMON_H
#define WIF_ARS_COMMON_H

#include <stdint.h>

#define ARS_ROUNDS 7
#define ARS_GROUP_BLOCKS 8
#define GROUP_WORDS 32

/* The golden ratio and sqrt(3) - 1 as 64-bit fractions: Random123's Weyl constants. */
INLINE uint64_t ars_round_key_low(uint64_t low, int r) {
    return low + (uint64_t)r * UINT64_C(0x9E3779B97F4A7C15);
}
INLINE uint64_t ars_round_key_high(uint64_t high, int r) {
    return high + (uint64_t)r * UINT64_C(0xBB67AE8584CAA73B);
}

#endif
