/* Takes the place of a generator: the words lie in memory, at the address that the low half of the
 * key gives.  Blocks count from 0.  The words of one group after the last one are read too, since
 * kernels draw one group ahead. */
#ifndef WIF_WORDS_H
#define WIF_WORDS_H

#include <string.h>

#include "words/ars.h"

typedef struct {
    const uint32_t *words;
} round_keys;

typedef uint64_t counter;

INLINE round_keys expand_keys(uint64_t low, uint64_t high) {
    (void)high;
    return (round_keys){(const uint32_t *)(uintptr_t)low};
}

INLINE counter counter_at(uint64_t stream, uint64_t block) {
    (void)stream;
    return block;
}

INLINE group next_group(const round_keys *k, counter *c) {
    group g;
    memcpy(&g, k->words + 4 * *c, sizeof g);
    *c += ARS_GROUP_BLOCKS;
    return g;
}

#endif
