/* What every implementation of the words shares.  The words are those of ARS4x32-7 (Salmon, Moraes,
 * Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11): AES with a Weyl sequence in
 * the place of its key schedule, and with seven of its ten rounds.
 *
 * An implementation defines
 *
 *   round_keys     a key, expanded; expand_keys() makes it
 *   counter        the place in a stream; counter_at() makes it
 *   next_group()   encrypts the group of words at a counter and moves the counter to the next group
 *
 * on the vocabulary, which is included before it and has the type `group`.
 *
 * The words come in groups of 32, eight blocks of four, because a normal pairs word j with word
 * j + 16.  A group starts at a block whose number is a multiple of eight, so that block j of it has
 * the counter (first block XOR j).  Implementations therefore put j into round key 0 and save the
 * addition. */
#ifndef WIF_ARS_COMMON_H
#define WIF_ARS_COMMON_H

#include <stdint.h>

#define ARS_ROUNDS 7
#define ARS_GROUP_BLOCKS 8

/* Random123's Weyl constants: the golden ratio and sqrt(3) - 1 as 64-bit fractions. */
INLINE uint64_t ars_round_key_low(uint64_t low, int r) {
    return low + (uint64_t)r * UINT64_C(0x9E3779B97F4A7C15);
}
INLINE uint64_t ars_round_key_high(uint64_t high, int r) {
    return high + (uint64_t)r * UINT64_C(0xBB67AE8584CAA73B);
}

#endif
