/* The transforms of the stream contract (docs/stream-contract.md).  Each is written once, in the
 * operations of the vocabulary (simd/), and turns a group of 32 words into 32 elements of the
 * single family or 16 elements of the double family.
 *
 * A transform T for registers of the type t (f32, f64, u32, u64) has three parts: the struct
 * T_t_params; T_t_prepare, which makes it once for each call of a kernel, by broadcasting the
 * parameters of the draw to registers; and T_t_group, which turns a group into the registers y[0],
 * y[1], ..., in the order of the elements.
 */
#ifndef WIF_TRANSFORMS_H
#define WIF_TRANSFORMS_H

#include "kernels/kernels.h"
#include "kernels/polynomials.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define VECTORS_32 (WIF_GROUP_WORDS / LANES_32) /* how many registers a group makes */
#define VECTORS_64 (WIF_GROUP_WORDS / 2 / LANES_64)

/* The words as they come. */
typedef int words_u32_params;
INLINE words_u32_params words_u32_prepare(const wif_draw *draw) {
    (void)draw;
    return 0;
}
INLINE void words_u32_group(const words_u32_params *p, const group *g, vu32 *y) {
    (void)p;
    UNROLL for (int v = 0; v < VECTORS_32; v++)
        y[v] = group_u32(g, v);
}

/* A constant: its bits, repeated over eight bytes. */
typedef vu64 pattern_u64_params;
INLINE pattern_u64_params pattern_u64_prepare(const wif_draw *draw) {
    return set1_u64(draw->pattern);
}
INLINE void pattern_u64_group(const pattern_u64_params *p, const group *g, vu64 *y) {
    (void)g;
    UNROLL for (int v = 0; v < VECTORS_64; v++)
        y[v] = *p;
}

/* u, from which a normal's radius sqrt(-2 ln u) is made, is computed from U = A >> 1 (`top`).  In
 * the single family, u is refined with eight bits of B if it is below 2^-23 (about once in 10^7
 * words), so that the values of the far tails lie close to each other.  A and B are the two words
 * of a pair of elements (docs/stream-contract.md). */
INLINE vf32 radius_argument_f32(vu32 a, vu32 b) {
    const vu32 top = shr_u32(a, 1);
    vf32 u = fma_f32(set1_f32(0x1.fffffep-32f), to_f32(top), set1_f32(0x1p-32f));
    if (UNLIKELY(any_below_u32(top, 256))) {
        const vu32 fine = add_u32(shl_u32(top, 8), and_u32(b, set1_u32(255)));
        const vf32 tail = mul_f32(add_f32(to_f32(fine), set1_f32(0.5f)), set1_f32(0x1p-39f));
        u = select_below_f32(top, 256, tail, u);
    }
    return u;
}
INLINE vf64 radius_argument_f64(vu64 a, vu64 b) {
    (void)b;
    return fma_f64(set1_f64(0x1.fffffffffffffp-64), to_f64(shr_u64(a, 1)), set1_f64(0x1p-64));
}

/* The single family: a group makes 32 elements, each of one word. */
#define REAL float
#define BITS uint32_t
#define VF vf32
#define VU vu32
#define F(name) name##_f32
#define U(name) name##_u32
#define P(NAME) NAME##_F32
#define TERMS(NAME) NAME##_F32_TERMS
#define PARAMS(T) T##_f32_params
#define PREPARE(T) T##_f32_prepare
#define GROUP(T) T##_f32_group
#define WORD_BITS 32
#define MANTISSA_BITS 23
#define VECTORS VECTORS_32
#include "kernels/transforms_family.h"
#undef REAL
#undef BITS
#undef VF
#undef VU
#undef F
#undef U
#undef P
#undef TERMS
#undef PARAMS
#undef PREPARE
#undef GROUP
#undef WORD_BITS
#undef MANTISSA_BITS
#undef VECTORS

/* The double family: a group makes 16 elements, each of two words. */
#define REAL double
#define BITS uint64_t
#define VF vf64
#define VU vu64
#define F(name) name##_f64
#define U(name) name##_u64
#define P(NAME) NAME##_F64
#define TERMS(NAME) NAME##_F64_TERMS
#define PARAMS(T) T##_f64_params
#define PREPARE(T) T##_f64_prepare
#define GROUP(T) T##_f64_group
#define WORD_BITS 64
#define MANTISSA_BITS 52
#define VECTORS VECTORS_64
#include "kernels/transforms_family.h"
#undef REAL
#undef BITS
#undef VF
#undef VU
#undef F
#undef U
#undef P
#undef TERMS
#undef PARAMS
#undef PREPARE
#undef GROUP
#undef WORD_BITS
#undef MANTISSA_BITS
#undef VECTORS

#endif
