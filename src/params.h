/* From a draw's parameters as the caller wrote them, in binary64, to those of the contract, each a
 * value of the output type rounded once.  Called with the floating-point state standard. */
#ifndef WIF_PARAMS_H
#define WIF_PARAMS_H

#include <float.h>
#include <string.h>

#include "kernels.h"

enum wif_params_status { WIF_PARAMS_OK, WIF_PARAMS_OVERFLOW, WIF_PARAMS_NO_VALUE };

/* The next value above (towards = 1) or below (towards = -1) a finite x of the given type. */
static inline float wif_next_f32(float x, int towards) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) == 0)
        bits = towards > 0 ? 1 : 0x80000001;
    else
        bits += (x > 0) == (towards > 0) ? 1 : (uint32_t)-1;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline double wif_next_f64(double x, int towards) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & UINT64_C(0x7fffffffffffffff)) == 0)
        bits = towards > 0 ? 1 : UINT64_C(0x8000000000000001);
    else
        bits += (x > 0) == (towards > 0) ? 1 : (uint64_t)-1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int wif_is_finite(double x) { return x - x == 0; }

/* p = (low, high) -> centre, half width, and the clamp: the least value T has at or above both low
 * and RN_T(low), the greatest below both high and RN_T(high).  Adding 0 makes -0 into +0. */
static inline int wif_prepare_uniform(int single, double p[4]) {
    const double low = p[0], high = p[1];
    const double rounded_low = single ? (float)low : low,
                 rounded_high = single ? (float)high : high;
    if (!wif_is_finite(rounded_low) || !wif_is_finite(rounded_high))
        return WIF_PARAMS_OVERFLOW;
    p[0] = low / 2 + high / 2;
    p[1] = high / 2 - low / 2;
    if (single) {
        p[0] = (float)p[0];
        p[1] = (float)p[1];
        p[2] = rounded_low < low ? wif_next_f32((float)low, 1) : (float)low + 0.0f;
        p[3] = wif_next_f32((float)high, -1);
    } else {
        p[2] = low + 0.0;
        p[3] = wif_next_f64(high, -1);
    }
    return p[2] <= p[3] ? WIF_PARAMS_OK : WIF_PARAMS_NO_VALUE;
}

static inline int wif_prepare(enum wif_kind kind, double first, double second, wif_draw *draw) {
    double *p = draw->p;
    p[0] = first;
    p[1] = second;
    p[2] = p[3] = 0;
    switch (kind) {
    case WIF_uniform_f32:
    case WIF_uniform_f64:
        return wif_prepare_uniform(kind == WIF_uniform_f32, p);
    case WIF_normal_f32:
        p[0] = (float)first;
        p[1] = (float)second;
        return wif_is_finite(p[0]) && wif_is_finite(p[1]) ? WIF_PARAMS_OK : WIF_PARAMS_OVERFLOW;
    case WIF_constant_f32: /* infinite and NaN constants are the caller's wish */
        p[0] = (float)first;
        return wif_is_finite(first) && !wif_is_finite(p[0]) ? WIF_PARAMS_OVERFLOW : WIF_PARAMS_OK;
    default:
        return WIF_PARAMS_OK;
    }
}

#endif
