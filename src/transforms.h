/* The transforms of the stream contract, each once, on the vocabulary: a group of 32 words becomes
 * 32 single or 16 double elements.
 *
 * A transform T of output type t is three things: the struct T_params and T_prepare, which spreads
 * the draw's parameters over a register once per call, and T_group, which turns a group into the
 * registers y[0], y[1], ... in element order.
 */
#ifndef WIF_TRANSFORMS_H
#define WIF_TRANSFORMS_H

#include "kernels.h"
#include "polynomials.h"

/* ---- words and constants ------------------------------------------------------------------ */

typedef int words_u32_params;
INLINE words_u32_params words_u32_prepare(const wif_draw *draw) {
    (void)draw;
    return 0;
}
INLINE void words_u32_group(const words_u32_params *p, const group *g, vu32 *y) {
    (void)p;
    UNROLL for (int v = 0; v < 32 / LANES_32; v++)
        y[v] = group_u32(g, v);
}

#define CONSTANT(t, items, lanes)                                                                  \
    typedef v##t constant_##t##_params;                                                            \
    INLINE v##t constant_##t##_prepare(const wif_draw *draw) { return set1_##t(draw->p[0]); }      \
    INLINE void constant_##t##_group(const v##t *value, const group *g, v##t *y) {                 \
        (void)g;                                                                                   \
        UNROLL for (int v = 0; v < items / lanes; v++)                                             \
            y[v] = *value;                                                                         \
    }

CONSTANT(f32, 32, LANES_32)
CONSTANT(f64, 16, LANES_64)

/* ---- uniform: y = clamp(h*s + c), s = RN(int(W)) * 2^-31 ----------------------------------- */

#define UNIFORM(t, ubits, items, lanes, unit)                                                      \
    typedef struct {                                                                               \
        v##t centre, half, least, greatest;                                                        \
    } uniform_##t##_params;                                                                        \
    INLINE uniform_##t##_params uniform_##t##_prepare(const wif_draw *draw) {                      \
        return (uniform_##t##_params){set1_##t(draw->p[0]), set1_##t(draw->p[1]),                  \
                                      set1_##t(draw->p[2]), set1_##t(draw->p[3])};                 \
    }                                                                                              \
    INLINE void uniform_##t##_group(const uniform_##t##_params *p, const group *g, v##t *y) {      \
        UNROLL for (int v = 0; v < items / lanes; v++) {                                           \
            v##t s = mul_##t(to_##t(group_##ubits(g, v)), set1_##t(unit));                         \
            v##t x = fma_##t(p->half, s, p->centre);                                               \
            y[v] = at_most_##t(p->greatest, at_least_##t(p->least, x));                            \
        }                                                                                          \
    }

UNIFORM(f32, u32, 32, LANES_32, 0x1p-31f)
UNIFORM(f64, u64, 16, LANES_64, 0x1p-63)

/* ---- normal: Box & Muller (1958) with a half-plane angle and a sign bit --------------------- */

#define HORNER(t)                                                                                  \
    INLINE v##t horner_##t(v##t x, const scalar_##t *coefficient, int terms) {                     \
        v##t y = set1_##t(coefficient[terms - 1]);                                                 \
        UNROLL for (int k = terms - 2; k >= 0; k--)                                                \
            y = fma_##t(y, x, set1_##t(coefficient[k]));                                           \
        return y;                                                                                  \
    }

typedef float scalar_f32;
typedef double scalar_f64;
HORNER(f32)
HORNER(f64)

/* sqrt(-2 ln u) for 0 < u < 1.  u = m * 2^e with m in [sqrt(1/2), sqrt(2)); f = m - 1 is exact, and
 * -2 ln(1 + f) = f*P(f) keeps its relative accuracy as f -> 0, where e = 0 adds nothing.  e stays
 * in its exponent field: e << mantissa is converted as it is and the factor folded into -2 ln 2. */
#define RADIUS(t, ubits, T, mantissa, one_exponent)                                                \
    INLINE v##t radius_##t(v##t u) {                                                               \
        static const scalar_##t log_terms[LOG_##T##_TERMS] = LOG_##T;                              \
        v##ubits e = and_##ubits(sub_##ubits(bits_##t(u), set1_##ubits(SQRT_HALF_BITS_##T)),       \
                                 set1_##ubits(~(one_exponent - 1)));                               \
        v##t m = from_bits_##t(sub_##ubits(bits_##t(u), e));                                       \
        v##t f = add_##t(m, set1_##t(-1));                                                         \
        v##t log_m = mul_##t(f, horner_##t(f, log_terms, LOG_##T##_TERMS));                        \
        return sqrt_##t(fma_##t(to_##t(e), set1_##t(MINUS_2_LN2_##T * mantissa), log_m));          \
    }

RADIUS(f32, u32, F32, 0x1p-23f, UINT32_C(0x800000))
RADIUS(f64, u64, F64, 0x1p-52, UINT64_C(0x10000000000000))

/* The single family's radius argument; U = A >> 1.  Below 2^-23, once in some 10^7 words, eight
 * bits of B extend it, so that tails are as fine as they are far. */
INLINE vf32 radius_argument_f32(vu32 a, vu32 b) {
    vu32 top = shr_u32(a, 1);
    vf32 u = fma_f32(set1_f32(0x1.fffffep-32f), to_f32(top), set1_f32(0x1p-32f));
    if (UNLIKELY(any_below_u32(top, 256))) {
        vu32 fine = add_u32(shl_u32(top, 8), and_u32(b, set1_u32(255)));
        vf32 tail = mul_f32(add_f32(to_f32(fine), set1_f32(0.5f)), set1_f32(0x1p-39f));
        u = select_below_f32(top, 256, tail, u);
    }
    return u;
}

INLINE vf64 radius_argument_f64(vu64 a, vu64 b) {
    (void)b;
    return fma_f64(set1_f64(0x1.fffffffffffffp-64), to_f64(shr_u64(a, 1)), set1_f64(0x1p-64));
}

/* z = r cos(pi/2 x) and r sin(pi/2 x), r with A's low bit as its sign, x = RN(int(B)) * 2^-31;
 * the sine as x + x S(x^2), whose leading term is exact. */
#define NORMAL(t, ubits, T, items, lanes, unit, sign_shift)                                        \
    typedef struct {                                                                               \
        v##t mean, std;                                                                            \
    } normal_##t##_params;                                                                         \
    INLINE normal_##t##_params normal_##t##_prepare(const wif_draw *draw) {                        \
        return (normal_##t##_params){set1_##t(draw->p[0]), set1_##t(draw->p[1])};                  \
    }                                                                                              \
    INLINE void normal_##t##_group(const normal_##t##_params *p, const group *g, v##t *y) {        \
        static const scalar_##t sin_terms[SIN_##T##_TERMS] = SIN_##T;                              \
        static const scalar_##t cos_terms[COS_##T##_TERMS] = COS_##T;                              \
        enum { half = items / lanes / 2 };                                                         \
        UNROLL for (int v = 0; v < half; v++) {                                                    \
            v##ubits a = group_##ubits(g, v), b = group_##ubits(g, v + half);                      \
            v##t r = xor_##t(radius_##t(radius_argument_##t(a, b)), shl_##ubits(a, sign_shift));   \
            v##t x = mul_##t(to_##t(b), set1_##t(unit)), x2 = mul_##t(x, x);                       \
            v##t cos_z = mul_##t(r, horner_##t(x2, cos_terms, COS_##T##_TERMS)),                   \
                 rx = mul_##t(r, x);                                                               \
            v##t sin_z = fma_##t(rx, horner_##t(x2, sin_terms, SIN_##T##_TERMS), rx);              \
            y[v] = fma_##t(p->std, cos_z, p->mean);                                                \
            y[v + half] = fma_##t(p->std, sin_z, p->mean);                                         \
        }                                                                                          \
    }

NORMAL(f32, u32, F32, 32, LANES_32, 0x1p-31f, 31)
NORMAL(f64, u64, F64, 16, LANES_64, 0x1p-63, 63)

#endif
