/* See params.h.  The compiler moves plain arithmetic, and calls of functions without side effects,
 * across a change of the rounding mode: what is computed in between stands in functions that it may
 * not inline, of values that it cannot know before (volatile), with a result that it must have. */
#include "params.h"

#include <math.h>

#include "compiler.h"
#include "fpenv.h"
#include "polynomials.h"

/* A binary floating-point type: stored significand bits, exponent of the least normal value, the
 * largest value, and whether there are infinities. */
typedef struct {
    int bytes, mantissa_bits, min_exponent, infinities;
    double largest;
} format;

static const format FORMATS[WIF_TYPES] = {
    [WIF_f32] = {4, 23, -126, 1, 0x1.fffffep127},
    [WIF_f64] = {8, 52, -1022, 1, 0x1.fffffffffffffp1023},
    [WIF_f16] = {2, 10, -14, 1, 0x1.ffcp15},
    [WIF_bf16] = {2, 7, -126, 1, 0x1.fep127},
    [WIF_f8e4m3fn] = {1, 3, -6, 0, 448},
    [WIF_f8e5m2] = {1, 2, -14, 1, 57344},
};

static int is_finite(double x) { return x - x == 0; }

/* log2 of the spacing of the type's values in the binade of a finite x, subnormals as one more. */
static int spacing(const format *f, double x) {
    int exponent;
    frexp(x, &exponent);
    if (x == 0 || exponent - 1 < f->min_exponent)
        exponent = f->min_exponent + 1;
    return exponent - 1 - f->mantissa_bits;
}

/* A double rounded once to the type, to nearest even; infinite where that is past the largest. */
static double rounded(const format *f, double x) {
    if (!is_finite(x))
        return x;
    const int step = spacing(f, x);
    const double y = f->bytes == 8 ? x : copysign(ldexp(rint(ldexp(x, -step)), step), x);
    return fabs(y) <= f->largest ? y : copysign(HUGE_VAL, y);
}

/* The next value of the type above, or below, a finite one of it. */
static double next_below(const format *f, double y);
static double next_above(const format *f, double y) {
    if (y < 0)
        return -next_below(f, -y);
    y += ldexp(1, spacing(f, y));
    return y <= f->largest ? y : HUGE_VAL;
}
static double next_below(const format *f, double y) {
    if (y <= 0)
        return -next_above(f, -y);
    int exponent, step = spacing(f, y);
    if (frexp(y, &exponent) == 0.5 && exponent - 1 > f->min_exponent)
        step--; /* a power of two has closer neighbours below */
    return y - ldexp(1, step);
}

/* The bits of a value of the type, repeated over eight bytes. */
static uint64_t pattern(const format *f, double y) {
    const uint64_t infinity = ((uint64_t)(2 - 2 * f->min_exponent) + 1) << f->mantissa_bits;
    uint64_t bits;
    if (y != y)
        bits = f->infinities ? infinity | UINT64_C(1) << (f->mantissa_bits - 1) : 0x7f;
    else if (!is_finite(y))
        bits = infinity;
    else {
        const int step = spacing(f, y);
        const int binades = step + f->mantissa_bits - f->min_exponent;
        bits = ((uint64_t)binades << f->mantissa_bits) + (uint64_t)ldexp(fabs(y), -step);
    }
    if (signbit(y))
        bits |= UINT64_C(1) << (8 * f->bytes - 1);
    for (int bytes = f->bytes; bytes < 8; bytes *= 2)
        bits |= bits << 8 * bytes;
    return bits;
}

static NOINLINE int prepare_constant(const format *f, double value, wif_draw *draw) {
    const double y = rounded(f, value);
    /* Infinite and NaN constants are the caller's wish, where the type has them. */
    if (y == y && !is_finite(y) && (is_finite(value) || !f->infinities))
        return WIF_PARAMS_OVERFLOW;
    draw->pattern = pattern(f, y);
    return WIF_PARAMS_OK;
}

/* The clamp: the least value of the type at or above both low and its rounding, the greatest below
 * both high and its rounding.  Adding 0 makes -0 into +0. */
static NOINLINE int prepare_uniform(const format *f, const format *family, double low, double high,
                                    wif_draw *draw) {
    const double least = rounded(f, low), end = rounded(f, high);
    if (!is_finite(least) || !is_finite(end))
        return WIF_PARAMS_OVERFLOW;
    draw->centre = rounded(family, low / 2 + high / 2);
    draw->half = rounded(family, high / 2 - low / 2);
    draw->least = least < low ? next_above(f, least) : least + 0.0;
    draw->greatest = next_below(f, end);
    return draw->least <= draw->greatest ? WIF_PARAMS_OK : WIF_PARAMS_NO_VALUE;
}

static NOINLINE int prepare_normal(const format *f, const format *family, double mean, double std,
                                   wif_draw *draw) {
    if (!is_finite(rounded(f, mean)) || !is_finite(rounded(f, std)))
        return WIF_PARAMS_OVERFLOW;
    draw->mean = rounded(family, mean);
    draw->std = rounded(family, std);
    return WIF_PARAMS_OK;
}

/* The clamp leaves out both ends, and what overflows on a side that has one. */
static NOINLINE int prepare_truncated(const format *f, const format *family, const double *given,
                                      wif_draw *draw) {
    const double low = given[0] + given[1] * given[2], high = given[0] + given[1] * given[3];
    const double low_end = rounded(f, low), high_end = rounded(f, high);
    /* Between finite bounds the clamp keeps all within the type, whatever the parent reaches. */
    const int bounded = is_finite(given[2]) && is_finite(given[3]);
    if (prepare_normal(bounded ? family : f, family, given[0], given[1], draw) != WIF_PARAMS_OK)
        return WIF_PARAMS_OVERFLOW;
    if (low_end == HUGE_VAL || high_end == -HUGE_VAL)
        return WIF_PARAMS_NO_VALUE;
    draw->least = is_finite(low_end)    ? next_above(f, low_end)
                  : is_finite(given[2]) ? -f->largest
                                        : low;
    draw->greatest = is_finite(high_end)   ? next_below(f, high_end)
                     : is_finite(given[3]) ? f->largest
                                           : high;
    if (!(draw->least <= draw->greatest))
        return WIF_PARAMS_NO_VALUE;

    const int word_bits = family->bytes * 8, exponent = (int)given[9];
    draw->centre = rounded(family, given[4]);
    draw->half = rounded(family, ldexp(given[5], 1 - word_bits));
    draw->tail_step = rounded(family, ldexp(given[6], -word_bits));
    const double half_step = ldexp(given[6], -word_bits - 1); /* words stand for their middle */
    draw->tail_low = rounded(family, given[7] + half_step);
    draw->tail_high = rounded(family, given[8] + half_step);
    draw->unscale = ldexp(-4, -exponent);
    draw->log_shift =
        rounded(family, -exponent * MINUS_2_LN2_F64 -
                            (family->bytes == 8 ? QUANTILE_SHIFT_F64 : (double)QUANTILE_SHIFT_F32));
    return WIF_PARAMS_OK;
}

static NOINLINE int prepare(enum wif_transform transform, enum wif_type type, const double *given,
                            wif_draw *draw) {
    const format *f = &FORMATS[type], *family = &FORMATS[type == WIF_f64 ? WIF_f64 : WIF_f32];
    switch (transform) {
    case WIF_constant:
        return prepare_constant(f, given[0], draw);
    case WIF_uniform:
        return prepare_uniform(f, family, given[0], given[1], draw);
    case WIF_normal:
        return prepare_normal(f, family, given[0], given[1], draw);
    case WIF_truncated:
        return prepare_truncated(f, family, given, draw);
    default:
        return WIF_PARAMS_OK;
    }
}

int wif_prepare(enum wif_transform transform, enum wif_type type, const double given[WIF_GIVEN],
                wif_draw *draw) {
    const wif_fpstate host = wif_fp_enter();
    const volatile double *known = given;
    double now[WIF_GIVEN];
    for (int k = 0; k < WIF_GIVEN; k++)
        now[k] = known[k];
    const volatile int status = prepare(transform, type, now, draw);
    wif_fp_leave(host);
    return status;
}

static NOINLINE double deviation(double scale, double times, double gain, double over, double slope,
                                 double fan) {
    return gain * sqrt(times * scale / ((1 + slope * slope) * fan)) / over;
}

double wif_deviation(double scale, double times, double gain, double over, double slope,
                     double fan) {
    const wif_fpstate host = wif_fp_enter();
    volatile double s = scale, t = times, g = gain, o = over, a = slope, n = fan;
    const volatile double result = deviation(s, t, g, o, a, n);
    wif_fp_leave(host);
    return result;
}

static NOINLINE double geometric_mean(double a, double b) { return sqrt(a * b); }

double wif_geometric_mean(double a, double b) {
    const wif_fpstate host = wif_fp_enter();
    volatile double x = a, y = b;
    const volatile double result = geometric_mean(x, y);
    wif_fp_leave(host);
    return result;
}
