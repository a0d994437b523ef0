/* See scale.h.  As params.c explains, everything between wif_fp_enter and wif_fp_leave stands in
 * functions that are not inlined, and arguments and results pass through volatile variables. */
#include "host/scale.h"

#include <float.h>
#include <math.h>

#include "compiler.h"
#include "host/fpenv.h"

/* The standard deviation of N(0, 1) truncated to [-2, 2], which is
 * sqrt(1 - 4 phi(2) / (Phi(2) - Phi(-2))). */
static const double TRUNCATED_STD = 0.8796256610342398;

/* Whether a number that is not 0 is neither subnormal nor infinite. */
static int is_normal(double x) { return fabs(x) >= DBL_MIN && fabs(x) <= DBL_MAX; }

/* What spread() below returns, computed with the significands and the exponents of the factors
 * separately, so that nothing but the result can overflow or become subnormal.  Neither scale nor
 * gain is 0. */
static double spread_by_exponents(double factor, double unit_std, double scale, double gain,
                                  double slope, double fan) {
    int scale_exponent, gain_exponent, slope_exponent, square_exponent, fan_exponent;
    const double scale_part = frexp(scale, &scale_exponent);
    const double gain_part = frexp(gain, &gain_exponent);
    const double fan_part = frexp(fan, &fan_exponent);
    double square_part = frexp(1 + slope * slope, &square_exponent);
    if (!is_normal(1 + slope * slope)) { /* slope is so large that the 1 changes nothing */
        const double slope_part = frexp(slope, &slope_exponent);
        square_part = slope_part * slope_part;
        square_exponent = 2 * slope_exponent;
    }
    double variance_part = factor * scale_part / (square_part * fan_part);
    int exponent = scale_exponent - square_exponent - fan_exponent;
    if (exponent % 2 != 0) { /* the root halves the exponent */
        variance_part *= 2;
        exponent--;
    }
    return ldexp(gain_part * sqrt(variance_part) / unit_std, gain_exponent + exponent / 2);
}

/* gain * sqrt(factor * scale / ((1 + slope^2) * fan)) / unit_std: factor is the square of the
 * spread divided by the variance, and unit_std is the standard deviation of the distribution whose
 * parent has the standard deviation 1. */
static NOINLINE double spread(double factor, double unit_std, double scale, double gain,
                              double slope, double fan) {
    if (scale == 0 || gain == 0)
        return gain * scale;
    const double numerator = factor * scale, divisor = (1 + slope * slope) * fan;
    const double variance = numerator / divisor, result = gain * sqrt(variance);
    if (is_normal(numerator) && is_normal(divisor) && is_normal(variance) && is_normal(result))
        return result / unit_std;
    return spread_by_exponents(factor, unit_std, scale, gain, slope, fan);
}

double wif_spread(enum wif_transform transform, double scale, double gain, double slope,
                  double fan) {
    if (transform != WIF_normal && transform != WIF_uniform && transform != WIF_truncated)
        return NAN;
    const wif_fpstate callers = wif_fp_enter();
    /* The variance of a uniform distribution is a third of the square of half its width. */
    volatile double factor = transform == WIF_uniform ? 3 : 1;
    volatile double unit_std = transform == WIF_truncated ? TRUNCATED_STD : 1;
    volatile double s = scale, g = gain, a = slope, n = fan;
    const volatile double result = spread(factor, unit_std, s, g, a, n);
    wif_fp_leave(callers);
    return result;
}

static NOINLINE double geometric_mean(double a, double b) { return sqrt(a * b); }

double wif_geometric_mean(double a, double b) {
    const wif_fpstate callers = wif_fp_enter();
    volatile double x = a, y = b;
    const volatile double result = geometric_mean(x, y);
    wif_fp_leave(callers);
    return result;
}
