/* Integers of up to WIF_LIMBS * 32 bits, with a sign.  interval.c computes probabilities in them,
 * since the floating-point functions of a libm differ between systems. */
#ifndef WIF_INTEGERS_H
#define WIF_INTEGERS_H

#include <stdint.h>
#include <string.h>

/* The largest number is the product of a term of the series in interval.c, of up to 5,640 bits, and
 * a square of up to 4,491 bits. */
enum { WIF_LIMBS = 336 };

typedef struct {
    int negative; /* 0 or 1; 0 for zero */
    int n;        /* how many limbs; the last one is not 0 */
    uint32_t limb[WIF_LIMBS];
} wif_integer;

static inline void wif_trim(wif_integer *x) {
    while (x->n && !x->limb[x->n - 1])
        x->n--;
    if (!x->n)
        x->negative = 0;
}

/* x = magnitude * 2^shift, rounded down; shift may be negative. */
static inline void wif_shift(wif_integer *x, int shift);
static inline void wif_set(wif_integer *x, int negative, uint64_t magnitude, int shift) {
    x->negative = negative;
    x->n = 2;
    x->limb[0] = (uint32_t)magnitude;
    x->limb[1] = (uint32_t)(magnitude >> 32);
    wif_trim(x);
    wif_shift(x, shift);
}

/* Copy the limbs that there are. */
static inline void wif_copy(wif_integer *x, const wif_integer *y) {
    x->negative = y->negative;
    x->n = y->n;
    memcpy(x->limb, y->limb, (size_t)y->n * sizeof *y->limb);
}

/* Add 1 to the magnitude. */
static inline void wif_increment(wif_integer *x) {
    int k = 0;
    while (k < x->n && !++x->limb[k])
        k++;
    if (k == x->n)
        x->limb[x->n++] = 1;
}

/* Multiply by 2^shift; a negative shift rounds down, that is, away from zero below zero. */
static inline void wif_shift(wif_integer *x, int shift) {
    if (!x->n || !shift)
        return;
    if (shift > 0) {
        const int limbs = shift / 32, bits = shift % 32;
        uint32_t above = 0;
        for (int k = x->n - 1; k >= 0; k--) {
            const uint32_t limb = x->limb[k];
            if (bits) {
                const uint32_t high = limb >> (32 - bits);
                if (k == x->n - 1)
                    above = high;
                else
                    x->limb[k + 1 + limbs] |= high;
            }
            x->limb[k + limbs] = limb << bits;
        }
        memset(x->limb, 0, (size_t)limbs * sizeof *x->limb);
        x->n += limbs;
        if (above)
            x->limb[x->n++] = above;
        return;
    }
    const int limbs = -shift / 32, bits = -shift % 32;
    const int negative = x->negative;
    uint32_t lost = 0;
    for (int k = 0; k < x->n && k < limbs; k++)
        lost |= x->limb[k];
    if (limbs >= x->n) {
        x->n = 0;
    } else {
        lost |= bits ? x->limb[limbs] << (32 - bits) : 0;
        for (int k = limbs; k < x->n; k++) {
            const uint32_t above = bits && k + 1 < x->n ? x->limb[k + 1] << (32 - bits) : 0;
            x->limb[k - limbs] = x->limb[k] >> bits | above;
        }
        x->n -= limbs;
    }
    wif_trim(x);
    if (negative && lost) {
        wif_increment(x);
        x->negative = 1;
    }
}

/* Divide by a positive number, rounded down. */
static inline void wif_divide(wif_integer *x, uint32_t divisor) {
    const int negative = x->negative;
    uint64_t rest = 0;
    for (int k = x->n - 1; k >= 0; k--) {
        rest = rest << 32 | x->limb[k];
        x->limb[k] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    wif_trim(x);
    if (negative && rest) {
        wif_increment(x);
        x->negative = 1;
    }
}

/* Whether the magnitude of x is below that of y. */
static inline int wif_is_smaller(const wif_integer *x, const wif_integer *y) {
    if (x->n != y->n)
        return x->n < y->n;
    for (int k = x->n - 1; k >= 0; k--)
        if (x->limb[k] != y->limb[k])
            return x->limb[k] < y->limb[k];
    return 0;
}

static inline void wif_add(wif_integer *x, const wif_integer *y) {
    uint64_t carry = 0;
    if (x->negative == y->negative || !x->n) {
        x->negative = y->negative;
        for (int k = 0; k < y->n || k < x->n; k++) {
            carry += (k < x->n ? (uint64_t)x->limb[k] : 0) + (k < y->n ? y->limb[k] : 0);
            x->limb[k] = (uint32_t)carry;
            carry >>= 32;
        }
        x->n = x->n > y->n ? x->n : y->n;
        if (carry)
            x->limb[x->n++] = (uint32_t)carry;
        wif_trim(x);
        return;
    }
    const int swapped = wif_is_smaller(x, y);
    const wif_integer *const larger = swapped ? y : x, *const smaller = swapped ? x : y;
    const int n = larger->n;
    for (int k = 0; k < n; k++) { /* carry is what was borrowed */
        const uint64_t taken = (k < smaller->n ? (uint64_t)smaller->limb[k] : 0) + carry;
        const uint64_t limb = larger->limb[k];
        carry = limb < taken;
        x->limb[k] = (uint32_t)(limb - taken);
    }
    x->n = n;
    x->negative = larger->negative;
    wif_trim(x);
}

static inline void wif_negate(wif_integer *x) { x->negative = x->n && !x->negative; }

/* x = a * b.  The limbs of b that are zero take no time, and b often has few others. */
static inline void wif_multiply(wif_integer *x, const wif_integer *a, const wif_integer *b) {
    x->n = a->n && b->n ? a->n + b->n : 0;
    x->negative = a->negative != b->negative;
    memset(x->limb, 0, (size_t)x->n * sizeof *x->limb);
    for (int j = 0; j < b->n; j++) {
        uint64_t carry = 0;
        if (!b->limb[j])
            continue;
        for (int k = 0; k < a->n; k++) {
            carry += (uint64_t)a->limb[k] * b->limb[j] + x->limb[k + j];
            x->limb[k + j] = (uint32_t)carry;
            carry >>= 32;
        }
        x->limb[a->n + j] = (uint32_t)carry;
    }
    wif_trim(x);
}

/* How many bits the magnitude has. */
static inline int wif_bits(const wif_integer *x) {
    int bits = 32 * x->n;
    for (uint32_t top = x->n ? x->limb[x->n - 1] : 0; top && !(top >> 31); top <<= 1)
        bits--;
    return bits;
}

/* x / 2^exponent as a double, rounded once to nearest even.  It is put together from its bits, so
 * that no floating-point state matters. */
static inline double wif_to_double(const wif_integer *x, int exponent) {
    const int bits = wif_bits(x);
    /* The unit in the last place is 2^unit, and `dropped` bits of x lie below it. */
    int unit = bits - exponent - 53;
    unit = unit < -1074 ? -1074 : unit;
    const int dropped = unit + exponent;
    uint64_t significand = 0;
    for (int k = 0; k < 54 && k < bits - dropped; k++) {
        const int place = dropped + k;
        if (place >= 0)
            significand |= (uint64_t)(x->limb[place / 32] >> place % 32 & 1) << k;
    }
    if (dropped > 0 && dropped <= bits && x->limb[(dropped - 1) / 32] >> (dropped - 1) % 32 & 1) {
        uint32_t below = x->limb[(dropped - 1) / 32] & ((UINT32_C(1) << (dropped - 1) % 32) - 1);
        for (int k = 0; k < (dropped - 1) / 32; k++)
            below |= x->limb[k];
        significand += below || significand & 1;
    }
    /* A significand that has been rounded up to 2^53 carries into the exponent. */
    const uint64_t stored =
        significand >> 52 ? ((uint64_t)(unit + 1074) << 52) + significand : significand;
    const uint64_t all = stored | (uint64_t)x->negative << 63;
    double result;
    memcpy(&result, &all, sizeof result);
    return result;
}

#endif
