/* The vocabulary in AVX2 + FMA, 8 lanes of 32 bits. */
#ifndef WIF_SIMD_H
#define WIF_SIMD_H

#include "compiler.h"
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_32 8
#define LANES_64 4
#define STREAM_BYTES 32

typedef __m256 vf32;
typedef __m256d vf64;
typedef __m256i vu32;
typedef __m256i vu64;

/* A group is 32 words, read as lanes of 32 bits, or of 64 bits with the low word first. */
typedef struct {
    __m256i v[4];
} group;
INLINE vu32 group_u32(const group *g, int v) { return g->v[v]; }
INLINE vu64 group_u64(const group *g, int v) { return g->v[v]; }
INLINE __m256i join_blocks(const __m128i x[2]) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(x[0]), x[1], 1);
}
INLINE group group_from_blocks(const __m128i x[8]) {
    return (group){{join_blocks(x), join_blocks(x + 2), join_blocks(x + 4), join_blocks(x + 6)}};
}

/* Operations on integers.  sra is the arithmetic shift to the right, which repeats the sign bit. */
INLINE vu32 set1_u32(uint32_t x) { return _mm256_set1_epi32((int32_t)x); }
INLINE vu64 set1_u64(uint64_t x) { return _mm256_set1_epi64x((int64_t)x); }
INLINE vu32 add_u32(vu32 a, vu32 b) { return _mm256_add_epi32(a, b); }
INLINE vu32 sub_u32(vu32 a, vu32 b) { return _mm256_sub_epi32(a, b); }
INLINE vu64 sub_u64(vu64 a, vu64 b) { return _mm256_sub_epi64(a, b); }
INLINE vu32 and_u32(vu32 a, vu32 b) { return _mm256_and_si256(a, b); }
INLINE vu64 and_u64(vu64 a, vu64 b) { return _mm256_and_si256(a, b); }
INLINE vu32 xor_u32(vu32 a, vu32 b) { return _mm256_xor_si256(a, b); }
INLINE vu64 xor_u64(vu64 a, vu64 b) { return _mm256_xor_si256(a, b); }
#define shl_u32(x, n) _mm256_slli_epi32((x), (n))
#define shr_u32(x, n) _mm256_srli_epi32((x), (n))
#define shl_u64(x, n) _mm256_slli_epi64((x), (n))
#define shr_u64(x, n) _mm256_srli_epi64((x), (n))
#define sra_u32(x, n) _mm256_srai_epi32((x), (n))
/* AVX2 has no arithmetic shift of 64 bits.  If y is x shifted logically, and s has only the bit to
 * which the sign was shifted, then (y XOR s) - s extends the sign. */
#define sra_u64(x, n)                                                                              \
    sub_u64(xor_u64(shr_u64((x), (n)), set1_u64(UINT64_C(1) << (63 - (n)))),                       \
            set1_u64(UINT64_C(1) << (63 - (n))))

/* The bits of a where the mask has ones, and the bits of b elsewhere. */
INLINE vu32 merge_u32(vu32 mask, vu32 a, vu32 b) {
    return _mm256_or_si256(_mm256_and_si256(mask, a), _mm256_andnot_si256(mask, b));
}
INLINE vu64 merge_u64(vu64 mask, vu64 a, vu64 b) { return merge_u32(mask, a, b); }

/* The greater (at_least) or the smaller (at_most) of x and a bound, as signed integers. */
INLINE vu32 at_least_i32(vu32 bound, vu32 x) { return _mm256_max_epi32(bound, x); }
INLINE vu32 at_most_i32(vu32 bound, vu32 x) { return _mm256_min_epi32(bound, x); }

/* Whether any lane is below a limit, and a choice in each lane by whether it is.  All lanes and the
 * limit are below 2^31. */
INLINE __m256i below_u32(vu32 x, uint32_t limit) { return _mm256_cmpgt_epi32(set1_u32(limit), x); }
INLINE int any_below_u32(vu32 x, uint32_t limit) {
    return _mm256_movemask_epi8(below_u32(x, limit)) != 0;
}
INLINE vf32 select_below_f32(vu32 x, uint32_t limit, vf32 below, vf32 otherwise) {
    return _mm256_blendv_ps(otherwise, below, _mm256_castsi256_ps(below_u32(x, limit)));
}

/* A choice in each lane by the sign bit of `sign`. */
INLINE vu32 select_negative_u32(vu32 sign, vu32 negative, vu32 otherwise) {
    return _mm256_castps_si256(_mm256_blendv_ps(
        _mm256_castsi256_ps(otherwise), _mm256_castsi256_ps(negative), _mm256_castsi256_ps(sign)));
}
INLINE vu64 select_negative_u64(vu64 sign, vu64 negative, vu64 otherwise) {
    return _mm256_castpd_si256(_mm256_blendv_pd(
        _mm256_castsi256_pd(otherwise), _mm256_castsi256_pd(negative), _mm256_castsi256_pd(sign)));
}

/* Whether any lane is at or above a limit, and a choice in each lane by whether it is. */
INLINE int any_from_f32(vf32 x, vf32 limit) {
    return _mm256_movemask_ps(_mm256_cmp_ps(x, limit, _CMP_GE_OQ)) != 0;
}
INLINE int any_from_f64(vf64 x, vf64 limit) {
    return _mm256_movemask_pd(_mm256_cmp_pd(x, limit, _CMP_GE_OQ)) != 0;
}
INLINE vf32 select_from_f32(vf32 x, vf32 limit, vf32 from, vf32 otherwise) {
    return _mm256_blendv_ps(otherwise, from, _mm256_cmp_ps(x, limit, _CMP_GE_OQ));
}
INLINE vf64 select_from_f64(vf64 x, vf64 limit, vf64 from, vf64 otherwise) {
    return _mm256_blendv_pd(otherwise, from, _mm256_cmp_pd(x, limit, _CMP_GE_OQ));
}

/* Numbers as their bits, and back. */
INLINE vu32 bits_f32(vf32 x) { return _mm256_castps_si256(x); }
INLINE vf32 from_bits_f32(vu32 b) { return _mm256_castsi256_ps(b); }
INLINE vu64 bits_f64(vf64 x) { return _mm256_castpd_si256(x); }
INLINE vf64 from_bits_f64(vu64 b) { return _mm256_castsi256_pd(b); }
INLINE vf32 xor_f32(vf32 x, vu32 b) { return from_bits_f32(_mm256_xor_si256(bits_f32(x), b)); }
INLINE vf64 xor_f64(vf64 x, vu64 b) { return from_bits_f64(_mm256_xor_si256(bits_f64(x), b)); }

/* Arithmetic.  Every operation rounds once, to nearest even.  to_* converts signed integers, and
 * unsigned_to_* unsigned integers. */
INLINE vf32 set1_f32(float x) { return _mm256_set1_ps(x); }
INLINE vf64 set1_f64(double x) { return _mm256_set1_pd(x); }
INLINE vf32 to_f32(vu32 x) { return _mm256_cvtepi32_ps(x); }
/* AVX2 has no conversion of 64 bits.  Each half of a lane becomes a double exactly when it is
 * placed into the significand of a constant: the low 32 bits into the significand of 2^52; the high
 * 32 bits, to which 2^31 is added to make them positive, into the significand of 2^84, whose last
 * place has the unit 2^32.  high - (2^84 + 2^63 + 2^52) is exact, since it is a multiple of 2^32
 * below 2^64.  So only the last addition rounds. */
INLINE vf64 to_f64(vu64 x) {
    __m256i low = _mm256_blend_epi32(x, _mm256_set1_epi64x(0x4330000000000000), 0xaa);
    __m256i high =
        _mm256_xor_si256(_mm256_srli_epi64(x, 32), _mm256_set1_epi64x(0x4530000080000000));
    __m256d rest = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_set1_pd(0x1.00000801p84));
    return _mm256_add_pd(rest, _mm256_castsi256_pd(low));
}
/* AVX2 has no conversion of unsigned integers either.  For 32 bits, the two halves are converted
 * exactly, and only the fma rounds.  For 64 bits, the method is that of to_f64 without the addition
 * of 2^31. */
INLINE vf32 unsigned_to_f32(vu32 x) {
    __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 16));
    __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(x, _mm256_set1_epi32(0xffff)));
    return _mm256_fmadd_ps(high, _mm256_set1_ps(0x1p16f), low);
}
INLINE vf64 unsigned_to_f64(vu64 x) {
    __m256i low = _mm256_blend_epi32(x, _mm256_set1_epi64x(0x4330000000000000), 0xaa);
    __m256i high =
        _mm256_or_si256(_mm256_srli_epi64(x, 32), _mm256_set1_epi64x(0x4530000000000000));
    __m256d rest = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_set1_pd(0x1.00000001p84));
    return _mm256_add_pd(rest, _mm256_castsi256_pd(low));
}
INLINE vf32 add_f32(vf32 a, vf32 b) { return _mm256_add_ps(a, b); }
INLINE vf64 add_f64(vf64 a, vf64 b) { return _mm256_add_pd(a, b); }
INLINE vf32 mul_f32(vf32 a, vf32 b) { return _mm256_mul_ps(a, b); }
INLINE vf64 mul_f64(vf64 a, vf64 b) { return _mm256_mul_pd(a, b); }
INLINE vf32 fma_f32(vf32 a, vf32 b, vf32 c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf64 fma_f64(vf64 a, vf64 b, vf64 c) { return _mm256_fmadd_pd(a, b, c); }
INLINE vf32 negate_f32(vf32 x) { return xor_f32(x, set1_u32(UINT32_C(1) << 31)); }
INLINE vf64 negate_f64(vf64 x) { return xor_f64(x, set1_u64(UINT64_C(1) << 63)); }
INLINE vf32 sqrt_f32(vf32 x) { return _mm256_sqrt_ps(x); }
INLINE vf64 sqrt_f64(vf64 x) { return _mm256_sqrt_pd(x); }

/* A table of eight numbers, and look_up, which finds the entry whose number is the low three bits
 * of each lane.  Eight doubles are two registers of four.  Both are permuted, as pairs of 32 bits,
 * and bit 2 of the entry's number chooses between the results. */
typedef __m256 table_f32;
typedef struct {
    __m256 low, high;
} table_f64;
INLINE table_f32 load_table_f32(const float *p) { return _mm256_loadu_ps(p); }
INLINE table_f64 load_table_f64(const double *p) {
    return (table_f64){_mm256_castpd_ps(_mm256_loadu_pd(p)),
                       _mm256_castpd_ps(_mm256_loadu_pd(p + 4))};
}
INLINE vf32 look_up_f32(const table_f32 *table, vu32 i) {
    return _mm256_permutevar8x32_ps(*table, i);
}
INLINE vf64 look_up_f64(const table_f64 *table, vu64 i) {
    const __m256i even = _mm256_shuffle_epi32(_mm256_add_epi64(i, i), 0xa0);
    const __m256i pair = _mm256_or_si256(even, _mm256_set1_epi64x(INT64_C(1) << 32));
    return _mm256_castps_pd(_mm256_blendv_ps(_mm256_permutevar8x32_ps(table->low, pair),
                                             _mm256_permutevar8x32_ps(table->high, pair),
                                             _mm256_castsi256_ps(_mm256_slli_epi32(pair, 28))));
}

/* The bound if it is greater (at_least) or smaller (at_most) than x, else x itself.  So if x and
 * the bound are zeros of different sign, the result is x. */
INLINE vf32 at_least_f32(vf32 bound, vf32 x) { return _mm256_max_ps(bound, x); }
INLINE vf64 at_least_f64(vf64 bound, vf64 x) { return _mm256_max_pd(bound, x); }
INLINE vf32 at_most_f32(vf32 bound, vf32 x) { return _mm256_min_ps(bound, x); }
INLINE vf64 at_most_f64(vf64 bound, vf64 x) { return _mm256_min_pd(bound, x); }

/* Narrower lanes.  pack_high_u16 puts the upper halves of the lanes of a and then of b into one
 * register of 16-bit lanes; store_f16 rounds to float16 and stores; store_low_u8 stores the low
 * bytes of 16-bit lanes. */
INLINE vu32 pack_high_u16(vu32 a, vu32 b) {
    __m256i mixed = _mm256_packus_epi32(_mm256_srli_epi32(a, 16), _mm256_srli_epi32(b, 16));
    return _mm256_permute4x64_epi64(mixed, 0xd8);
}
INLINE void store_f16(void *p, vf32 x) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
INLINE void stream_f16(void *p, vf32 x) {
    _mm_stream_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
INLINE __m128i low_bytes(vu32 x) {
    return _mm_packus_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}
INLINE void store_low_u8(void *p, vu32 x) { _mm_storeu_si128((__m128i *)p, low_bytes(x)); }
INLINE void stream_low_u8(void *p, vu32 x) { _mm_stream_si128((__m128i *)p, low_bytes(x)); }

/* A register holds PIECES pieces of 16 bytes; load_pieces loads them from p, p + step, and so on.
 * zip_low_<n> and zip_high_<n> take elements of n bytes alternately from a and b: from the lower,
 * or from the upper, half of each piece of both. */
#define PIECES 2
INLINE vu32 load_pieces(const char *p, ptrdiff_t step) {
    const __m256i low = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p));
    return _mm256_inserti128_si256(low, _mm_loadu_si128((const __m128i *)(p + step)), 1);
}
INLINE vu32 zip_low_1(vu32 a, vu32 b) { return _mm256_unpacklo_epi8(a, b); }
INLINE vu32 zip_low_2(vu32 a, vu32 b) { return _mm256_unpacklo_epi16(a, b); }
INLINE vu32 zip_low_4(vu32 a, vu32 b) { return _mm256_unpacklo_epi32(a, b); }
INLINE vu32 zip_low_8(vu32 a, vu32 b) { return _mm256_unpacklo_epi64(a, b); }
INLINE vu32 zip_high_1(vu32 a, vu32 b) { return _mm256_unpackhi_epi8(a, b); }
INLINE vu32 zip_high_2(vu32 a, vu32 b) { return _mm256_unpackhi_epi16(a, b); }
INLINE vu32 zip_high_4(vu32 a, vu32 b) { return _mm256_unpackhi_epi32(a, b); }
INLINE vu32 zip_high_8(vu32 a, vu32 b) { return _mm256_unpackhi_epi64(a, b); }

/* Loads and stores at any address, and stores past the caches (stream_*), whose address must be a
 * multiple of the size that they store. */
INLINE vu32 load_u32(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE vf32 load_f32(const void *p) { return _mm256_loadu_ps(p); }
INLINE vf64 load_f64(const void *p) { return _mm256_loadu_pd(p); }
INLINE void store_u32(void *p, vu32 x) { _mm256_storeu_si256((__m256i *)p, x); }
INLINE void store_u64(void *p, vu64 x) { _mm256_storeu_si256((__m256i *)p, x); }
INLINE void store_f32(void *p, vf32 x) { _mm256_storeu_ps((float *)p, x); }
INLINE void store_f64(void *p, vf64 x) { _mm256_storeu_pd((double *)p, x); }
INLINE void stream_u32(void *p, vu32 x) { _mm256_stream_si256((__m256i *)p, x); }
INLINE void stream_u64(void *p, vu64 x) { _mm256_stream_si256((__m256i *)p, x); }
INLINE void stream_f32(void *p, vf32 x) { _mm256_stream_ps((float *)p, x); }
INLINE void stream_f64(void *p, vf64 x) { _mm256_stream_pd((double *)p, x); }
INLINE void stream_fence(void) { _mm_sfence(); }

/* The end of a kernel.  If the upper halves of registers stayed in use, the caller's SSE code would
 * be slow.  GCC 12 ends every function with this instruction by itself, except functions that
 * contain a VAES intrinsic. */
INLINE void leave_registers(void) { _mm256_zeroupper(); }

#endif
