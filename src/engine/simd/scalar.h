/* The vocabulary in plain C11, with one lane: the reference, which runs anywhere.  fma is the only
 * function taken from libm, since IEEE 754 fixes its result; sqrt compiles to an instruction. */
#ifndef WIF_SIMD_H
#define WIF_SIMD_H

#include "compiler.h"
/* With one lane no loop needs to be unrolled.  When the loops were unrolled 32 times, GCC took
 * minutes. */
#undef UNROLL
#define UNROLL
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "fma.h"

#define LANES_32 1
#define LANES_64 1
#define STREAM_BYTES 0 /* there is no store past the caches */

typedef float vf32;
typedef double vf64;
typedef uint32_t vu32;
typedef uint64_t vu64;

/* A group is 32 words, read as lanes of 32 bits, or of 64 bits with the low word first. */
typedef struct {
    uint32_t w[32];
} group;
INLINE vu32 group_u32(const group *g, int v) { return g->w[v]; }
INLINE vu64 group_u64(const group *g, int v) {
    return g->w[2 * v] | (uint64_t)g->w[2 * v + 1] << 32;
}

/* Operations on integers.  sra is the arithmetic shift to the right, which repeats the sign bit. */
INLINE vu32 set1_u32(uint32_t x) { return x; }
INLINE vu64 set1_u64(uint64_t x) { return x; }
INLINE vu32 add_u32(vu32 a, vu32 b) { return a + b; }
INLINE vu32 sub_u32(vu32 a, vu32 b) { return a - b; }
INLINE vu64 sub_u64(vu64 a, vu64 b) { return a - b; }
INLINE vu32 and_u32(vu32 a, vu32 b) { return a & b; }
INLINE vu64 and_u64(vu64 a, vu64 b) { return a & b; }
INLINE vu32 xor_u32(vu32 a, vu32 b) { return a ^ b; }
INLINE vu64 xor_u64(vu64 a, vu64 b) { return a ^ b; }
#define shl_u32(x, n) ((vu32)(x) << (n))
#define shr_u32(x, n) ((vu32)(x) >> (n))
#define shl_u64(x, n) ((vu64)(x) << (n))
#define shr_u64(x, n) ((vu64)(x) >> (n))
#define sra_u32(x, n) (shr_u32((x), (n)) | -((vu32)(x) >> 31) << (31 - (n)) << 1)
#define sra_u64(x, n) (shr_u64((x), (n)) | -((vu64)(x) >> 63) << (63 - (n)) << 1)

/* The bits of a where the mask has ones, and the bits of b elsewhere. */
INLINE vu32 merge_u32(vu32 mask, vu32 a, vu32 b) { return (mask & a) | (~mask & b); }
INLINE vu64 merge_u64(vu64 mask, vu64 a, vu64 b) { return (mask & a) | (~mask & b); }

/* The greater (at_least) or the smaller (at_most) of x and a bound, as signed integers. */
INLINE vu32 at_least_i32(vu32 bound, vu32 x) { return (int32_t)bound > (int32_t)x ? bound : x; }
INLINE vu32 at_most_i32(vu32 bound, vu32 x) { return (int32_t)bound < (int32_t)x ? bound : x; }

/* Whether any lane is below a limit, and a choice in each lane by whether it is.  All lanes and the
 * limit are below 2^31. */
INLINE int any_below_u32(vu32 x, uint32_t limit) { return x < limit; }
INLINE vf32 select_below_f32(vu32 x, uint32_t limit, vf32 below, vf32 otherwise) {
    return x < limit ? below : otherwise;
}

/* A choice in each lane by the sign bit of `sign`. */
INLINE vu32 select_negative_u32(vu32 sign, vu32 negative, vu32 otherwise) {
    return sign >> 31 ? negative : otherwise;
}
INLINE vu64 select_negative_u64(vu64 sign, vu64 negative, vu64 otherwise) {
    return sign >> 63 ? negative : otherwise;
}

/* Whether any lane is at or above a limit, and a choice in each lane by whether it is. */
INLINE int any_from_f32(vf32 x, vf32 limit) { return x >= limit; }
INLINE int any_from_f64(vf64 x, vf64 limit) { return x >= limit; }
INLINE vf32 select_from_f32(vf32 x, vf32 limit, vf32 from, vf32 otherwise) {
    return x >= limit ? from : otherwise;
}
INLINE vf64 select_from_f64(vf64 x, vf64 limit, vf64 from, vf64 otherwise) {
    return x >= limit ? from : otherwise;
}

/* Numbers as their bits, and back. */
INLINE vu32 bits_f32(vf32 x) {
    vu32 b;
    memcpy(&b, &x, sizeof b);
    return b;
}
INLINE vf32 from_bits_f32(vu32 b) {
    vf32 x;
    memcpy(&x, &b, sizeof x);
    return x;
}
INLINE vu64 bits_f64(vf64 x) {
    vu64 b;
    memcpy(&b, &x, sizeof b);
    return b;
}
INLINE vf64 from_bits_f64(vu64 b) {
    vf64 x;
    memcpy(&x, &b, sizeof x);
    return x;
}
INLINE vf32 xor_f32(vf32 x, vu32 b) { return from_bits_f32(bits_f32(x) ^ b); }
INLINE vf64 xor_f64(vf64 x, vu64 b) { return from_bits_f64(bits_f64(x) ^ b); }

/* Arithmetic.  Every operation rounds once, to nearest even.  to_* converts signed integers, and
 * unsigned_to_* unsigned integers. */
INLINE vf32 set1_f32(float x) { return x; }
INLINE vf64 set1_f64(double x) { return x; }
INLINE vf32 to_f32(vu32 x) { return (float)(int32_t)x; }
INLINE vf64 to_f64(vu64 x) { return (double)(int64_t)x; }
INLINE vf32 unsigned_to_f32(vu32 x) { return (float)x; }
INLINE vf64 unsigned_to_f64(vu64 x) { return (double)x; }
INLINE vf32 add_f32(vf32 a, vf32 b) { return a + b; }
INLINE vf64 add_f64(vf64 a, vf64 b) { return a + b; }
INLINE vf32 mul_f32(vf32 a, vf32 b) { return a * b; }
INLINE vf64 mul_f64(vf64 a, vf64 b) { return a * b; }
/* The product a b is exact in binary64, and the sum is rounded to 53 bits before it is rounded to a
 * float.  The first rounding never crosses a point halfway between two floats, since these points
 * are doubles themselves.  So it can change the result only if the rounded sum is such a point, and
 * then wif_fmaf is called.  It is also called for sums below the least normal float, where the
 * halfway points are others. */
INLINE vf32 fma_f32(vf32 a, vf32 b, vf32 c) {
    const double sum = (double)a * b + c;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (UNLIKELY((bits & 0x1fffffff) == 0x10000000) ||
        UNLIKELY((bits << 1) < UINT64_C(0x7020000000000000)))
        return wif_fmaf(a, b, c);
    return (float)sum;
}
INLINE vf64 fma_f64(vf64 a, vf64 b, vf64 c) { return wif_fma(a, b, c); }
INLINE vf32 negate_f32(vf32 x) { return -x; }
INLINE vf64 negate_f64(vf64 x) { return -x; }
INLINE vf32 sqrt_f32(vf32 x) { return sqrtf(x); }
INLINE vf64 sqrt_f64(vf64 x) { return sqrt(x); }

/* A table of eight numbers, and look_up, which finds the entry whose number is the low three bits
 * of each lane. */
typedef struct {
    float entry[8];
} table_f32;
typedef struct {
    double entry[8];
} table_f64;
INLINE table_f32 load_table_f32(const float *p) {
    table_f32 table;
    memcpy(&table, p, sizeof table);
    return table;
}
INLINE table_f64 load_table_f64(const double *p) {
    table_f64 table;
    memcpy(&table, p, sizeof table);
    return table;
}
INLINE vf32 look_up_f32(const table_f32 *table, vu32 i) { return table->entry[i & 7]; }
INLINE vf64 look_up_f64(const table_f64 *table, vu64 i) { return table->entry[i & 7]; }

/* The bound if it is greater (at_least) or smaller (at_most) than x, else x itself.  So if x and
 * the bound are zeros of different sign, the result is x. */
INLINE vf32 at_least_f32(vf32 bound, vf32 x) { return bound > x ? bound : x; }
INLINE vf64 at_least_f64(vf64 bound, vf64 x) { return bound > x ? bound : x; }
INLINE vf32 at_most_f32(vf32 bound, vf32 x) { return bound < x ? bound : x; }
INLINE vf64 at_most_f64(vf64 bound, vf64 x) { return bound < x ? bound : x; }

/* Narrower lanes.  pack_high_u16 puts the upper halves of the lanes of a and then of b into one
 * register of 16-bit lanes; store_f16 rounds to float16 and stores; store_low_u8 stores the low
 * bytes of 16-bit lanes.  The order of the two 16-bit lanes in a register is their order in memory,
 * on machines of either byte order. */
INLINE vu32 pair_u16(vu32 a, vu32 b) {
    const uint16_t pair[2] = {(uint16_t)a, (uint16_t)b};
    vu32 x;
    memcpy(&x, pair, sizeof x);
    return x;
}
INLINE vu32 pack_high_u16(vu32 a, vu32 b) { return pair_u16(a >> 16, b >> 16); }
/* The bits of x as float16.  From 2^-14 on, x is rounded as an integer, and a carry may reach
 * infinity.  Below 2^-14, one addition of 0.5 rounds: the last place of 0.5 in float32 has the unit
 * of float16's subnormals. */
INLINE vu32 bits_f16(vf32 x) {
    const vu32 sign = bits_f32(x) >> 16 & 0x8000, magnitude = bits_f32(x) & 0x7fffffff;
    if (magnitude < 0x38800000)
        return sign | (bits_f32(from_bits_f32(magnitude) + 0.5f) - 0x3f000000);
    const vu32 rounded = (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13;
    return sign | (rounded < 0x7c00 ? rounded : 0x7c00);
}
INLINE void store_f16(void *p, vf32 x) {
    const uint16_t half = (uint16_t)bits_f16(x);
    memcpy(p, &half, sizeof half);
}
INLINE void store_low_u8(void *p, vu32 x) {
    uint16_t pair[2];
    memcpy(pair, &x, sizeof x);
    const uint8_t low[2] = {(uint8_t)pair[0], (uint8_t)pair[1]};
    memcpy(p, low, sizeof low);
}

#define PIECES 0 /* no register has 16 bytes */

INLINE void leave_registers(void) {}

/* Loads and stores at any address. */
INLINE vu32 load_u32(const void *p) {
    vu32 x;
    memcpy(&x, p, sizeof x);
    return x;
}
INLINE vf32 load_f32(const void *p) {
    vf32 x;
    memcpy(&x, p, sizeof x);
    return x;
}
INLINE vf64 load_f64(const void *p) {
    vf64 x;
    memcpy(&x, p, sizeof x);
    return x;
}
INLINE void store_u32(void *p, vu32 x) { memcpy(p, &x, sizeof x); }
INLINE void store_u64(void *p, vu64 x) { memcpy(p, &x, sizeof x); }
INLINE void store_f32(void *p, vf32 x) { memcpy(p, &x, sizeof x); }
INLINE void store_f64(void *p, vf64 x) { memcpy(p, &x, sizeof x); }

#endif
