/* What all implementations of the words share.  The generator is ARS4x32-7 (Salmon, Moraes, Dror &
 * Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11).  It encrypts a counter by AES, with
 * a Weyl sequence instead of the key schedule of AES, and with seven rounds instead of ten.
 *
 * An implementation defines
 *
 *   round_keys     the type of a key's round keys; expand_keys() makes them
 *   counter        the type of a place in a stream; counter_at() makes it
 *   next_group()   encrypts the counters of a group, and moves the counter to the next group
 *
 * for the vocabulary, which is included before it and defines the type `group`.
 *
 * The words come in groups of 32, that is, eight blocks of four, because a normal pairs word j with
 * word j + 16.  A group starts at a block whose number is a multiple of eight, so that its block j
 * has the counter (first block XOR j).  The first step of the encryption is an XOR with round key
 * 0.  Implementations therefore XOR j into round key 0 beforehand, and save the addition of j. */
#ifndef WIF_ARS_H
#define WIF_ARS_H

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
