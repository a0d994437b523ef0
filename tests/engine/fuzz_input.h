/* How fuzz_fill and fuzz_request read their input: any bytes. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *at, *end;
} input;

/* The next bytes of the input as a number; zeros once there are no more. */
static inline uint64_t take(input *in, int bytes) {
    uint64_t x = 0;
    for (int k = 0; k < bytes && in->at < in->end; k++)
        x |= (uint64_t)*in->at++ << 8 * k;
    return x;
}

/* A number near a power of two, a simple fraction, or any bits at all. */
static inline double take_number(input *in) {
    const unsigned kind = (unsigned)take(in, 1);
    const double sign = kind & 1 ? -1 : 1;
    double x;
    switch (kind >> 1 & 3) {
    case 0:
        return sign * (double)take(in, 1) / 16;
    case 1:
        return sign * ldexp(1 + (double)take(in, 2) / 65536, (int)(kind >> 3) * 9 - 150);
    case 2:
        return sign * ldexp(1 + (double)take(in, 1) / 256, -(int)(kind >> 3));
    default: {
        const uint64_t bits = take(in, 8);
        memcpy(&x, &bits, sizeof x);
        return x;
    }
    }
}

/* Memory whose bytes differ from each other. */
static inline char *patterned(size_t bytes) {
    char *p = malloc(bytes);
    for (size_t k = 0; p && k < bytes; k++)
        p[k] = (char)(k * 37 + 11);
    return p;
}

#endif
