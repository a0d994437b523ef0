/* The vocabulary in AVX-512 F/BW/DQ/VL, 16 lanes of 32 bits. */
#ifndef WIF_SIMD_H
#define WIF_SIMD_H

#include "compiler.h"
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_32 16
#define LANES_64 8
#define STREAM_BYTES 64

typedef __m512 vf32;
typedef __m512d vf64;
typedef __m512i vu32;
typedef __m512i vu64;

/* A group is 32 words, read as lanes of 32 bits, or of 64 bits with the low word first. */
typedef struct {
    __m512i v[2];
} group;
INLINE vu32 group_u32(const group *g, int v) { return g->v[v]; }
INLINE vu64 group_u64(const group *g, int v) { return g->v[v]; }
INLINE __m512i join_blocks(const __m128i x[4]) {
    __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(x[0]), x[1], 1);
    __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(x[2]), x[3], 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
INLINE group group_from_blocks(const __m128i x[8]) {
    return (group){{join_blocks(x), join_blocks(x + 4)}};
}

/* Operations on integers.  sra is the arithmetic shift to the right, which repeats the sign bit. */
INLINE vu32 set1_u32(uint32_t x) { return _mm512_set1_epi32((int32_t)x); }
INLINE vu64 set1_u64(uint64_t x) { return _mm512_set1_epi64((int64_t)x); }
INLINE vu32 add_u32(vu32 a, vu32 b) { return _mm512_add_epi32(a, b); }
INLINE vu32 sub_u32(vu32 a, vu32 b) { return _mm512_sub_epi32(a, b); }
INLINE vu64 sub_u64(vu64 a, vu64 b) { return _mm512_sub_epi64(a, b); }
INLINE vu32 and_u32(vu32 a, vu32 b) { return _mm512_and_si512(a, b); }
INLINE vu64 and_u64(vu64 a, vu64 b) { return _mm512_and_si512(a, b); }
INLINE vu32 xor_u32(vu32 a, vu32 b) { return _mm512_xor_si512(a, b); }
INLINE vu64 xor_u64(vu64 a, vu64 b) { return _mm512_xor_si512(a, b); }
#define shl_u32(x, n) _mm512_slli_epi32((x), (n))
#define shr_u32(x, n) _mm512_srli_epi32((x), (n))
#define shl_u64(x, n) _mm512_slli_epi64((x), (n))
#define shr_u64(x, n) _mm512_srli_epi64((x), (n))
#define sra_u32(x, n) _mm512_srai_epi32((x), (n))
#define sra_u64(x, n) _mm512_srai_epi64((x), (n))

/* The bits of a where the mask has ones, and the bits of b elsewhere. */
INLINE vu32 merge_u32(vu32 mask, vu32 a, vu32 b) {
    return _mm512_ternarylogic_epi32(mask, a, b, 0xca);
}
INLINE vu64 merge_u64(vu64 mask, vu64 a, vu64 b) {
    return _mm512_ternarylogic_epi64(mask, a, b, 0xca);
}

/* The greater (at_least) or the smaller (at_most) of x and a bound, as signed integers. */
INLINE vu32 at_least_i32(vu32 bound, vu32 x) { return _mm512_max_epi32(bound, x); }
INLINE vu32 at_most_i32(vu32 bound, vu32 x) { return _mm512_min_epi32(bound, x); }

/* Whether any lane is below a limit, and a choice in each lane by whether it is.  All lanes and the
 * limit are below 2^31. */
INLINE int any_below_u32(vu32 x, uint32_t limit) {
    return _mm512_cmplt_epu32_mask(x, set1_u32(limit)) != 0;
}
INLINE vf32 select_below_f32(vu32 x, uint32_t limit, vf32 below, vf32 otherwise) {
    return _mm512_mask_mov_ps(otherwise, _mm512_cmplt_epu32_mask(x, set1_u32(limit)), below);
}

/* A choice in each lane by the sign bit of `sign`. */
INLINE vu32 select_negative_u32(vu32 sign, vu32 negative, vu32 otherwise) {
    return _mm512_mask_mov_epi32(otherwise, _mm512_movepi32_mask(sign), negative);
}
INLINE vu64 select_negative_u64(vu64 sign, vu64 negative, vu64 otherwise) {
    return _mm512_mask_mov_epi64(otherwise, _mm512_movepi64_mask(sign), negative);
}

/* Whether any lane is at or above a limit, and a choice in each lane by whether it is. */
INLINE int any_from_f32(vf32 x, vf32 limit) {
    return _mm512_cmp_ps_mask(x, limit, _CMP_GE_OQ) != 0;
}
INLINE int any_from_f64(vf64 x, vf64 limit) {
    return _mm512_cmp_pd_mask(x, limit, _CMP_GE_OQ) != 0;
}
INLINE vf32 select_from_f32(vf32 x, vf32 limit, vf32 from, vf32 otherwise) {
    return _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask(x, limit, _CMP_GE_OQ), from);
}
INLINE vf64 select_from_f64(vf64 x, vf64 limit, vf64 from, vf64 otherwise) {
    return _mm512_mask_mov_pd(otherwise, _mm512_cmp_pd_mask(x, limit, _CMP_GE_OQ), from);
}

/* Numbers as their bits, and back. */
INLINE vu32 bits_f32(vf32 x) { return _mm512_castps_si512(x); }
INLINE vf32 from_bits_f32(vu32 b) { return _mm512_castsi512_ps(b); }
INLINE vu64 bits_f64(vf64 x) { return _mm512_castpd_si512(x); }
INLINE vf64 from_bits_f64(vu64 b) { return _mm512_castsi512_pd(b); }
INLINE vf32 xor_f32(vf32 x, vu32 b) { return from_bits_f32(_mm512_xor_si512(bits_f32(x), b)); }
INLINE vf64 xor_f64(vf64 x, vu64 b) { return from_bits_f64(_mm512_xor_si512(bits_f64(x), b)); }

/* Arithmetic.  Every operation rounds once, to nearest even.  to_* converts signed integers, and
 * unsigned_to_* unsigned integers. */
INLINE vf32 set1_f32(float x) { return _mm512_set1_ps(x); }
INLINE vf64 set1_f64(double x) { return _mm512_set1_pd(x); }
INLINE vf32 to_f32(vu32 x) { return _mm512_cvtepi32_ps(x); }
INLINE vf64 to_f64(vu64 x) { return _mm512_cvtepi64_pd(x); }
INLINE vf32 unsigned_to_f32(vu32 x) { return _mm512_cvtepu32_ps(x); }
INLINE vf64 unsigned_to_f64(vu64 x) { return _mm512_cvtepu64_pd(x); }
INLINE vf32 add_f32(vf32 a, vf32 b) { return _mm512_add_ps(a, b); }
INLINE vf64 add_f64(vf64 a, vf64 b) { return _mm512_add_pd(a, b); }
INLINE vf32 mul_f32(vf32 a, vf32 b) { return _mm512_mul_ps(a, b); }
INLINE vf64 mul_f64(vf64 a, vf64 b) { return _mm512_mul_pd(a, b); }
INLINE vf32 fma_f32(vf32 a, vf32 b, vf32 c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf64 fma_f64(vf64 a, vf64 b, vf64 c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vf32 negate_f32(vf32 x) { return xor_f32(x, set1_u32(UINT32_C(1) << 31)); }
INLINE vf64 negate_f64(vf64 x) { return xor_f64(x, set1_u64(UINT64_C(1) << 63)); }
INLINE vf32 sqrt_f32(vf32 x) { return _mm512_sqrt_ps(x); }
INLINE vf64 sqrt_f64(vf64 x) { return _mm512_sqrt_pd(x); }

/* A table of eight numbers, and look_up, which finds the entry whose number is the low three bits
 * of each lane. */
typedef __m512 table_f32;
typedef __m512d table_f64;
INLINE table_f32 load_table_f32(const float *p) {
    return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}
INLINE table_f64 load_table_f64(const double *p) { return _mm512_loadu_pd(p); }
INLINE vf32 look_up_f32(const table_f32 *table, vu32 i) { return _mm512_permutexvar_ps(i, *table); }
INLINE vf64 look_up_f64(const table_f64 *table, vu64 i) { return _mm512_permutexvar_pd(i, *table); }

/* The bound if it is greater (at_least) or smaller (at_most) than x, else x itself.  So if x and
 * the bound are zeros of different sign, the result is x. */
INLINE vf32 at_least_f32(vf32 bound, vf32 x) { return _mm512_max_ps(bound, x); }
INLINE vf64 at_least_f64(vf64 bound, vf64 x) { return _mm512_max_pd(bound, x); }
INLINE vf32 at_most_f32(vf32 bound, vf32 x) { return _mm512_min_ps(bound, x); }
INLINE vf64 at_most_f64(vf64 bound, vf64 x) { return _mm512_min_pd(bound, x); }

/* Narrower lanes.  pack_high_u16 puts the upper halves of the lanes of a and then of b into one
 * register of 16-bit lanes; store_f16 rounds to float16 and stores; store_low_u8 stores the low
 * bytes of 16-bit lanes. */
INLINE vu32 pack_high_u16(vu32 a, vu32 b) {
    const __m512i odd =
        _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27,
                         25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(a, odd, b);
}
#ifdef __AVX512BF16__
/* pack_flushed_bf16 rounds the lanes of a and then of b to bfloat16.  Its instruction flushes
 * subnormals to zero in any floating-point state. */
#define FLUSHING_BF16
INLINE vu32 pack_flushed_bf16(vf32 a, vf32 b) { return (__m512i)_mm512_cvtne2ps_pbh(b, a); }
#endif
INLINE void store_f16(void *p, vf32 x) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
INLINE void stream_f16(void *p, vf32 x) {
    _mm256_stream_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
INLINE void store_low_u8(void *p, vu32 x) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi16_epi8(x));
}
INLINE void stream_low_u8(void *p, vu32 x) {
    _mm256_stream_si256((__m256i *)p, _mm512_cvtepi16_epi8(x));
}

/* A register holds PIECES pieces of 16 bytes; load_pieces loads them from p, p + step, and so on.
 * zip_low_<n> and zip_high_<n> take elements of n bytes alternately from a and b: from the lower,
 * or from the upper, half of each piece of both. */
#define PIECES 4
INLINE vu32 load_pieces(const char *p, ptrdiff_t step) {
    const __m256i low =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)),
                                _mm_loadu_si128((const __m128i *)(p + step)), 1);
    p += 2 * step;
    const __m256i high =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)),
                                _mm_loadu_si128((const __m128i *)(p + step)), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
INLINE vu32 zip_low_1(vu32 a, vu32 b) { return _mm512_unpacklo_epi8(a, b); }
INLINE vu32 zip_low_2(vu32 a, vu32 b) { return _mm512_unpacklo_epi16(a, b); }
INLINE vu32 zip_low_4(vu32 a, vu32 b) { return _mm512_unpacklo_epi32(a, b); }
INLINE vu32 zip_low_8(vu32 a, vu32 b) { return _mm512_unpacklo_epi64(a, b); }
INLINE vu32 zip_high_1(vu32 a, vu32 b) { return _mm512_unpackhi_epi8(a, b); }
INLINE vu32 zip_high_2(vu32 a, vu32 b) { return _mm512_unpackhi_epi16(a, b); }
INLINE vu32 zip_high_4(vu32 a, vu32 b) { return _mm512_unpackhi_epi32(a, b); }
INLINE vu32 zip_high_8(vu32 a, vu32 b) { return _mm512_unpackhi_epi64(a, b); }

/* Loads and stores at any address, and stores past the caches (stream_*), whose address must be a
 * multiple of the size that they store. */
INLINE vu32 load_u32(const void *p) { return _mm512_loadu_si512(p); }
INLINE vf32 load_f32(const void *p) { return _mm512_loadu_ps(p); }
INLINE vf64 load_f64(const void *p) { return _mm512_loadu_pd(p); }
INLINE void store_u32(void *p, vu32 x) { _mm512_storeu_si512(p, x); }
INLINE void store_u64(void *p, vu64 x) { _mm512_storeu_si512(p, x); }
INLINE void store_f32(void *p, vf32 x) { _mm512_storeu_ps(p, x); }
INLINE void store_f64(void *p, vf64 x) { _mm512_storeu_pd(p, x); }
INLINE void stream_u32(void *p, vu32 x) { _mm512_stream_si512((__m512i *)p, x); }
INLINE void stream_u64(void *p, vu64 x) { _mm512_stream_si512((__m512i *)p, x); }
INLINE void stream_f32(void *p, vf32 x) { _mm512_stream_ps((float *)p, x); }
INLINE void stream_f64(void *p, vf64 x) { _mm512_stream_pd((double *)p, x); }
INLINE void stream_fence(void) { _mm_sfence(); }

/* The end of a kernel.  If the upper halves of registers stayed in use, the caller's SSE code would
 * be slow.  GCC 12 ends every function with this instruction by itself, except functions that
 * contain a VAES intrinsic. */
INLINE void leave_registers(void) { _mm256_zeroupper(); }

#endif
