/* The first four words of NumPy's SeedSequence(seed) for a single seed below 2^64.  The algorithm
 * is that of numpy.random, after M. E. O'Neill's seed_seq_fe; NEP 19 promises that it does not
 * change.
 */
#ifndef WIF_SEED_H
#define WIF_SEED_H

#include <stdint.h>

static inline uint32_t wif_seed_hash(uint32_t value, uint32_t *constant, uint32_t factor) {
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ value >> 16;
}

static inline void wif_seed_words(uint64_t seed, uint32_t words[4]) {
    /* The hash constants are INIT_A, MULT_A, MIX_MULT_L, MIX_MULT_R, INIT_B and MULT_B of
     * numpy/random/bit_generator.pyx, in this order. */
    uint32_t pool[4] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, constant = 0x43b0d7e5;
    for (int k = 0; k < 4; k++)
        pool[k] = wif_seed_hash(pool[k], &constant, 0x931e8875);
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++)
            if (from != to) {
                const uint32_t hash = wif_seed_hash(pool[from], &constant, 0x931e8875);
                const uint32_t mixed = 0xca01f9ddu * pool[to] - 0x4973f715u * hash;
                pool[to] = mixed ^ mixed >> 16;
            }
    constant = 0x8b51f9dd;
    for (int k = 0; k < 4; k++)
        words[k] = wif_seed_hash(pool[k], &constant, 0x58f38ded);
}

#endif
