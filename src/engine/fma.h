/* Fused multiply-add: a b + c, rounded once.
 *
 * Most processors have an instruction for it, and every C library must have a function.  That of
 * mingw-w64 rounds wrongly: in version 10 in 28 % of random cases.  There, and where
 * WIF_EXACT_FMA is defined, integers compute it. */
#ifndef WIF_FMA_H
#define WIF_FMA_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#if defined(__MINGW32__) && !defined(__FMA__) && defined(__SIZEOF_INT128__)
#define WIF_EXACT_FMA 1
#endif

#ifdef WIF_EXACT_FMA

typedef unsigned __int128 wif_wide;

/* A number that is not 0: its magnitude is significand * 2^exponent, and the highest bit of the
 * significand is bit 125. */
typedef struct {
    wif_wide significand;
    int exponent;
} wif_exact;

INLINE int wif_wide_bits(wif_wide x) {
    const uint64_t high = (uint64_t)(x >> 64), low = (uint64_t)x;
    return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
}

INLINE wif_exact wif_exact_of(wif_wide significand, int exponent) {
    const int up = 126 - wif_wide_bits(significand);
    return (wif_exact){significand << up, exponent - up};
}

/* Store the significand of a finite double, and return the exponent. */
INLINE int wif_split(double x, uint64_t *significand) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int biased = (int)(bits >> 52 & 0x7ff);
    *significand = (bits & (UINT64_MAX >> 12)) | (biased ? UINT64_C(1) << 52 : 0);
    return (biased ? biased : 1) - 1075;
}

/* a b + c, rounded to so many significant bits, none of them below 2^lowest. */
static NOINLINE double wif_exact_fma(double a, double b, double c, int precision, int lowest) {
    uint64_t ma, mb, mc;
    if (!isfinite(a) || !isfinite(b))
        return a * b + c;
    if (!isfinite(c))
        return c;
    if (a == 0 || b == 0)
        return a * b + c;
    const int of_a = wif_split(a, &ma), of_b = wif_split(b, &mb), of_c = wif_split(c, &mc);
    wif_exact x = wif_exact_of((wif_wide)ma * mb, of_a + of_b);
    int negative = !signbit(a) != !signbit(b), subtract = 0;
    wif_wide sum = x.significand;
    if (mc) {
        wif_exact y = wif_exact_of(mc, of_c);
        subtract = negative != !!signbit(c);
        if (x.exponent < y.exponent ||
            (x.exponent == y.exponent && x.significand < y.significand)) {
            const wif_exact kept = x;
            x = y;
            y = kept;
            negative = !!signbit(c);
        }
        /* The lowest bit stands for all that is shifted out.  It is so far below the result that
         * nothing but "more than 0" matters: a difference in which many bits cancel comes from
         * exponents that differ by 1 at most, and then only zeros are shifted out. */
        const int down = x.exponent - y.exponent;
        const wif_wide kept = down < 127 ? y.significand >> down : 0;
        const wif_wide below = kept | (down >= 127 || kept << down != y.significand);
        sum = subtract ? x.significand - below : x.significand + below;
        if (!sum)
            return 0;
    }
    const int bits = wif_wide_bits(sum);
    int down = bits - precision;
    if (down < lowest - x.exponent)
        down = lowest - x.exponent;
    if (down > 127)
        sum = 0;
    else if (down > 0) {
        const wif_wide lost = sum & (((wif_wide)1 << down) - 1), half = (wif_wide)1 << (down - 1);
        sum >>= down;
        sum += lost > half || (lost == half && sum & 1);
    } else
        down = 0;
    const double result = ldexp((double)(uint64_t)sum, x.exponent + down);
    return negative ? -result : result;
}

INLINE double wif_fma(double a, double b, double c) { return wif_exact_fma(a, b, c, 53, -1074); }
INLINE float wif_fmaf(float a, float b, float c) { return (float)wif_exact_fma(a, b, c, 24, -149); }

#else
INLINE double wif_fma(double a, double b, double c) { return fma(a, b, c); }
INLINE float wif_fmaf(float a, float b, float c) { return fmaf(a, b, c); }
#endif

#endif
