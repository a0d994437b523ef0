/* See params.h.  Values pass through volatile where the compiler would otherwise take liberties: it
 * moves plain arithmetic across a change of the rounding mode, and GCC 12's vectoriser drops the
 * rounding of a pair of doubles stored as (double)(float)x. */
#include "params.h"

#include <math.h>
#include <string.h>

#include "fpenv.h"

static double to_single(double x) {
    volatile float rounded = (float)x;
    return rounded;
}

static int is_finite(double x) { return x - x == 0; }

/* The next value above (towards = 1) or below (towards = -1) a finite x of the given type. */
static double next_single(double x, int towards) {
    const float single = (float)x;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    if ((bits & 0x7fffffff) == 0)
        bits = towards > 0 ? 1 : 0x80000001;
    else
        bits += (x > 0) == (towards > 0) ? 1 : (uint32_t)-1;
    float next;
    memcpy(&next, &bits, sizeof next);
    return next;
}

static double next_double(double x, int towards) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & UINT64_C(0x7fffffffffffffff)) == 0)
        bits = towards > 0 ? 1 : UINT64_C(0x8000000000000001);
    else
        bits += (x > 0) == (towards > 0) ? 1 : (uint64_t)-1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Centre, half width, and the clamp: the least value of the type at or above both low and its
 * rounding, the greatest below both high and its rounding.  Adding 0 makes -0 into +0. */
static int prepare_uniform(int single, double low, double high, double p[4]) {
    const double rounded_low = single ? to_single(low) : low;
    const double rounded_high = single ? to_single(high) : high;
    if (!is_finite(rounded_low) || !is_finite(rounded_high))
        return WIF_PARAMS_OVERFLOW;
    const double centre = low / 2 + high / 2, half = high / 2 - low / 2;
    if (single) {
        p[0] = to_single(centre);
        p[1] = to_single(half);
        p[2] = rounded_low < low ? next_single(rounded_low, 1) : rounded_low + 0.0;
        p[3] = next_single(rounded_high, -1);
    } else {
        p[0] = centre;
        p[1] = half;
        p[2] = low + 0.0;
        p[3] = next_double(high, -1);
    }
    return p[2] <= p[3] ? WIF_PARAMS_OK : WIF_PARAMS_NO_VALUE;
}

static int prepare(enum wif_kind kind, double first, double second, double p[4]) {
    p[0] = p[1] = p[2] = p[3] = 0;
    switch (kind) {
    case WIF_uniform_f32:
        return prepare_uniform(1, first, second, p);
    case WIF_uniform_f64:
        return prepare_uniform(0, first, second, p);
    case WIF_normal_f32:
        p[0] = to_single(first);
        p[1] = to_single(second);
        return is_finite(p[0]) && is_finite(p[1]) ? WIF_PARAMS_OK : WIF_PARAMS_OVERFLOW;
    case WIF_normal_f64:
        p[0] = first;
        p[1] = second;
        return is_finite(p[0]) && is_finite(p[1]) ? WIF_PARAMS_OK : WIF_PARAMS_OVERFLOW;
    case WIF_constant_f32: /* infinite and NaN constants are the caller's wish */
        p[0] = to_single(first);
        return is_finite(first) && !is_finite(p[0]) ? WIF_PARAMS_OVERFLOW : WIF_PARAMS_OK;
    case WIF_constant_f64:
        p[0] = first;
        return WIF_PARAMS_OK;
    default:
        return WIF_PARAMS_OK;
    }
}

int wif_prepare(enum wif_kind kind, double first, double second, wif_draw *draw) {
    const wif_fpstate host = wif_fp_enter();
    volatile double one = first, two = second;
    const volatile int status = prepare(kind, one, two, draw->p);
    wif_fp_leave(host);
    return status;
}

double wif_deviation(double scale, double gain, double slope, double fan) {
    const wif_fpstate host = wif_fp_enter();
    volatile double s = scale, g = gain, a = slope, n = fan;
    const double slope_now = a;
    const volatile double result = g * sqrt(s / ((1 + slope_now * slope_now) * n));
    wif_fp_leave(host);
    return result;
}
