/* The vocabulary in Armv8 Advanced SIMD, 4 lanes of 32 bits. */
#ifndef WIF_SIMD_H
#define WIF_SIMD_H

#include "compiler.h"
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_32 4
#define LANES_64 2
/* There are no stores past the caches: STNP is only a hint and has no intrinsic, and processors
 * combine plain stores as well. */
#define STREAM_BYTES 0

typedef float32x4_t vf32;
typedef float64x2_t vf64;
typedef uint32x4_t vu32;
typedef uint64x2_t vu64;

/* A group is 32 words, read as lanes of 32 bits, or of 64 bits with the low word first. */
typedef struct {
    uint32x4_t v[8];
} group;
INLINE vu32 group_u32(const group *g, int v) { return g->v[v]; }
INLINE vu64 group_u64(const group *g, int v) { return vreinterpretq_u64_u32(g->v[v]); }

/* Operations on integers.  sra is the arithmetic shift to the right, which repeats the sign bit. */
INLINE vu32 set1_u32(uint32_t x) { return vdupq_n_u32(x); }
INLINE vu64 set1_u64(uint64_t x) { return vdupq_n_u64(x); }
INLINE vu32 add_u32(vu32 a, vu32 b) { return vaddq_u32(a, b); }
INLINE vu32 sub_u32(vu32 a, vu32 b) { return vsubq_u32(a, b); }
INLINE vu64 sub_u64(vu64 a, vu64 b) { return vsubq_u64(a, b); }
INLINE vu32 and_u32(vu32 a, vu32 b) { return vandq_u32(a, b); }
INLINE vu64 and_u64(vu64 a, vu64 b) { return vandq_u64(a, b); }
INLINE vu32 xor_u32(vu32 a, vu32 b) { return veorq_u32(a, b); }
INLINE vu64 xor_u64(vu64 a, vu64 b) { return veorq_u64(a, b); }
#define shl_u32(x, n) vshlq_n_u32((x), (n))
#define shr_u32(x, n) vshrq_n_u32((x), (n))
#define shl_u64(x, n) vshlq_n_u64((x), (n))
#define shr_u64(x, n) vshrq_n_u64((x), (n))
#define sra_u32(x, n) vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(x), (n)))
#define sra_u64(x, n) vreinterpretq_u64_s64(vshrq_n_s64(vreinterpretq_s64_u64(x), (n)))

/* The bits of a where the mask has ones, and the bits of b elsewhere. */
INLINE vu32 merge_u32(vu32 mask, vu32 a, vu32 b) { return vbslq_u32(mask, a, b); }
INLINE vu64 merge_u64(vu64 mask, vu64 a, vu64 b) { return vbslq_u64(mask, a, b); }

/* The greater (at_least) or the smaller (at_most) of x and a bound, as signed integers. */
INLINE vu32 at_least_i32(vu32 bound, vu32 x) {
    return vreinterpretq_u32_s32(vmaxq_s32(vreinterpretq_s32_u32(bound), vreinterpretq_s32_u32(x)));
}
INLINE vu32 at_most_i32(vu32 bound, vu32 x) {
    return vreinterpretq_u32_s32(vminq_s32(vreinterpretq_s32_u32(bound), vreinterpretq_s32_u32(x)));
}

/* Whether any lane is below a limit, and a choice in each lane by whether it is.  All lanes and the
 * limit are below 2^31. */
INLINE int any_below_u32(vu32 x, uint32_t limit) { return vminvq_u32(x) < limit; }
INLINE vf32 select_below_f32(vu32 x, uint32_t limit, vf32 below, vf32 otherwise) {
    return vbslq_f32(vcltq_u32(x, vdupq_n_u32(limit)), below, otherwise);
}

/* A choice in each lane by the sign bit of `sign`. */
INLINE vu32 select_negative_u32(vu32 sign, vu32 negative, vu32 otherwise) {
    return vbslq_u32(vcltzq_s32(vreinterpretq_s32_u32(sign)), negative, otherwise);
}
INLINE vu64 select_negative_u64(vu64 sign, vu64 negative, vu64 otherwise) {
    return vbslq_u64(vcltzq_s64(vreinterpretq_s64_u64(sign)), negative, otherwise);
}

/* Whether any lane is at or above a limit, and a choice in each lane by whether it is. */
INLINE int any_from_f32(vf32 x, vf32 limit) { return vmaxvq_u32(vcgeq_f32(x, limit)) != 0; }
INLINE int any_from_f64(vf64 x, vf64 limit) {
    return vmaxvq_u32(vreinterpretq_u32_u64(vcgeq_f64(x, limit))) != 0;
}
INLINE vf32 select_from_f32(vf32 x, vf32 limit, vf32 from, vf32 otherwise) {
    return vbslq_f32(vcgeq_f32(x, limit), from, otherwise);
}
INLINE vf64 select_from_f64(vf64 x, vf64 limit, vf64 from, vf64 otherwise) {
    return vbslq_f64(vcgeq_f64(x, limit), from, otherwise);
}

/* Numbers as their bits, and back. */
INLINE vu32 bits_f32(vf32 x) { return vreinterpretq_u32_f32(x); }
INLINE vf32 from_bits_f32(vu32 b) { return vreinterpretq_f32_u32(b); }
INLINE vu64 bits_f64(vf64 x) { return vreinterpretq_u64_f64(x); }
INLINE vf64 from_bits_f64(vu64 b) { return vreinterpretq_f64_u64(b); }
INLINE vf32 xor_f32(vf32 x, vu32 b) { return from_bits_f32(veorq_u32(bits_f32(x), b)); }
INLINE vf64 xor_f64(vf64 x, vu64 b) { return from_bits_f64(veorq_u64(bits_f64(x), b)); }

/* Arithmetic.  Every operation rounds once, to nearest even.  to_* converts signed integers, and
 * unsigned_to_* unsigned integers. */
INLINE vf32 set1_f32(float x) { return vdupq_n_f32(x); }
INLINE vf64 set1_f64(double x) { return vdupq_n_f64(x); }
INLINE vf32 to_f32(vu32 x) { return vcvtq_f32_s32(vreinterpretq_s32_u32(x)); }
INLINE vf64 to_f64(vu64 x) { return vcvtq_f64_s64(vreinterpretq_s64_u64(x)); }
INLINE vf32 unsigned_to_f32(vu32 x) { return vcvtq_f32_u32(x); }
INLINE vf64 unsigned_to_f64(vu64 x) { return vcvtq_f64_u64(x); }
INLINE vf32 add_f32(vf32 a, vf32 b) { return vaddq_f32(a, b); }
INLINE vf64 add_f64(vf64 a, vf64 b) { return vaddq_f64(a, b); }
INLINE vf32 mul_f32(vf32 a, vf32 b) { return vmulq_f32(a, b); }
INLINE vf64 mul_f64(vf64 a, vf64 b) { return vmulq_f64(a, b); }
INLINE vf32 fma_f32(vf32 a, vf32 b, vf32 c) { return vfmaq_f32(c, a, b); }
INLINE vf64 fma_f64(vf64 a, vf64 b, vf64 c) { return vfmaq_f64(c, a, b); }
INLINE vf32 negate_f32(vf32 x) { return vnegq_f32(x); }
INLINE vf64 negate_f64(vf64 x) { return vnegq_f64(x); }
INLINE vf32 sqrt_f32(vf32 x) { return vsqrtq_f32(x); }
INLINE vf64 sqrt_f64(vf64 x) { return vsqrtq_f64(x); }

/* A table of eight numbers, and look_up, which finds the entry whose number is the low three bits
 * of each lane.  The instruction looks up bytes: byte k of an entry is at the place (number of the
 * entry) * (size of an entry) + k of the table. */
typedef uint8x16x2_t table_f32;
typedef uint8x16x4_t table_f64;
INLINE table_f32 load_table_f32(const float *p) { return vld1q_u8_x2((const uint8_t *)p); }
INLINE table_f64 load_table_f64(const double *p) { return vld1q_u8_x4((const uint8_t *)p); }
INLINE vf32 look_up_f32(const table_f32 *table, vu32 i) {
    const vu32 entry = vmulq_n_u32(vandq_u32(i, vdupq_n_u32(7)), 0x04040404);
    const vu32 place = vaddq_u32(entry, vdupq_n_u32(0x03020100));
    return vreinterpretq_f32_u8(vqtbl2q_u8(*table, vreinterpretq_u8_u32(place)));
}
INLINE vf64 look_up_f64(const table_f64 *table, vu64 i) {
    const vu32 low = vreinterpretq_u32_u64(vandq_u64(i, vdupq_n_u64(7)));
    const vu32 entry = vmulq_n_u32(vtrn1q_u32(low, low), 0x08080808);
    const vu32 place =
        vaddq_u32(entry, vreinterpretq_u32_u64(vdupq_n_u64(UINT64_C(0x0706050403020100))));
    return vreinterpretq_f64_u8(vqtbl4q_u8(*table, vreinterpretq_u8_u32(place)));
}

/* The bound if it is greater (at_least) or smaller (at_most) than x, else x itself.  So if x and
 * the bound are zeros of different sign, the result is x; FMAX would choose +0, and FMIN -0. */
INLINE vf32 at_least_f32(vf32 bound, vf32 x) { return vbslq_f32(vcgtq_f32(bound, x), bound, x); }
INLINE vf64 at_least_f64(vf64 bound, vf64 x) { return vbslq_f64(vcgtq_f64(bound, x), bound, x); }
INLINE vf32 at_most_f32(vf32 bound, vf32 x) { return vbslq_f32(vcltq_f32(bound, x), bound, x); }
INLINE vf64 at_most_f64(vf64 bound, vf64 x) { return vbslq_f64(vcltq_f64(bound, x), bound, x); }

/* Narrower lanes.  pack_high_u16 puts the upper halves of the lanes of a and then of b into one
 * register of 16-bit lanes; store_f16 rounds to float16 and stores; store_low_u8 stores the low
 * bytes of 16-bit lanes. */
INLINE vu32 pack_high_u16(vu32 a, vu32 b) {
    return vreinterpretq_u32_u16(vcombine_u16(vshrn_n_u32(a, 16), vshrn_n_u32(b, 16)));
}
INLINE void store_f16(void *p, vf32 x) {
    vst1_u8((uint8_t *)p, vreinterpret_u8_f16(vcvt_f16_f32(x)));
}
INLINE void store_low_u8(void *p, vu32 x) {
    vst1_u8((uint8_t *)p, vmovn_u16(vreinterpretq_u16_u32(x)));
}

/* A register holds PIECES pieces of 16 bytes; load_pieces loads them from p, p + step, and so on.
 * zip_low_<n> and zip_high_<n> take elements of n bytes alternately from a and b: from the lower,
 * or from the upper, half of each piece of both. */
#define PIECES 1
INLINE vu32 load_pieces(const char *p, ptrdiff_t step) {
    (void)step;
    return vreinterpretq_u32_u8(vld1q_u8((const uint8_t *)p));
}
INLINE vu32 zip_low_1(vu32 a, vu32 b) {
    return vreinterpretq_u32_u8(vzip1q_u8(vreinterpretq_u8_u32(a), vreinterpretq_u8_u32(b)));
}
INLINE vu32 zip_low_2(vu32 a, vu32 b) {
    return vreinterpretq_u32_u16(vzip1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b)));
}
INLINE vu32 zip_low_4(vu32 a, vu32 b) { return vzip1q_u32(a, b); }
INLINE vu32 zip_low_8(vu32 a, vu32 b) {
    return vreinterpretq_u32_u64(vzip1q_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}
INLINE vu32 zip_high_1(vu32 a, vu32 b) {
    return vreinterpretq_u32_u8(vzip2q_u8(vreinterpretq_u8_u32(a), vreinterpretq_u8_u32(b)));
}
INLINE vu32 zip_high_2(vu32 a, vu32 b) {
    return vreinterpretq_u32_u16(vzip2q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b)));
}
INLINE vu32 zip_high_4(vu32 a, vu32 b) { return vzip2q_u32(a, b); }
INLINE vu32 zip_high_8(vu32 a, vu32 b) {
    return vreinterpretq_u32_u64(vzip2q_u64(vreinterpretq_u64_u32(a), vreinterpretq_u64_u32(b)));
}

/* Loads and stores at any address.  They load and store bytes, since loads and stores of larger
 * items promise the compiler an alignment. */
INLINE vu32 load_u32(const void *p) { return vreinterpretq_u32_u8(vld1q_u8((const uint8_t *)p)); }
INLINE vf32 load_f32(const void *p) { return vreinterpretq_f32_u32(load_u32(p)); }
INLINE vf64 load_f64(const void *p) { return vreinterpretq_f64_u32(load_u32(p)); }
INLINE void store_u32(void *p, vu32 x) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_u32(x)); }
INLINE void store_u64(void *p, vu64 x) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_u64(x)); }
INLINE void store_f32(void *p, vf32 x) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_f32(x)); }
INLINE void store_f64(void *p, vf64 x) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_f64(x)); }

INLINE void leave_registers(void) {}

#endif
