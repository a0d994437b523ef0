/* See params.h.  The compiler moves plain arithmetic, and calls of functions without side effects,
 * across a change of the rounding mode: what is computed in between stands in functions that it may
 * not inline, of values that it cannot know before (volatile), with a result that it must have. */
#include "host/params.h"

#include <math.h>

#include "compiler.h"
#include "host/fpenv.h"
#include "kernels/polynomials.h"

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

/* ---- whether a value below 2^-126, other than 0, may come out of a fma --------------------------
 *
 * A float32 with exponent e is a multiple of 2^(e - 23), so a sum or product of such numbers that
 * is not 0 has a least size.  What is called grid below is the exponent of such a multiple. */
enum { NO_GRID = 1 << 20 }; /* of 0 */

static int exponent_of(double x) {
    int exponent;
    frexp(x, &exponent);
    return x == 0 ? NO_GRID : exponent - 1;
}
static int least(int a, int b) { return a < b ? a : b; }

/* fma(a, b, c): the grids of the products and of c. */
static int subnormal_sum(int product_grid, double c) {
    return least(product_grid, exponent_of(c) - 23) < -126;
}
static int subnormal_clamp(const wif_draw *draw) {
    return least(exponent_of(draw->least), exponent_of(draw->greatest)) < -126;
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
    draw->subnormals =
        subnormal_sum(exponent_of(draw->half) - 23 - 31, draw->centre) || subnormal_clamp(draw);
    return draw->least <= draw->greatest ? WIF_PARAMS_OK : WIF_PARAMS_NO_VALUE;
}

static NOINLINE int prepare_normal(const format *f, const format *family, double mean, double std,
                                   wif_draw *draw) {
    if (!is_finite(rounded(f, mean)) || !is_finite(rounded(f, std)))
        return WIF_PARAMS_OVERFLOW;
    draw->mean = rounded(family, mean);
    draw->std = rounded(family, std);
    /* r is at least 2^-11 and x at least 2^-31; near its zero, where x^2 is a multiple of 2^-24,
     * the cosine's polynomial is one of std 2^-49.  Of a product that nothing is added to, the size
     * counts, not the grid. */
    draw->subnormals = subnormal_sum(exponent_of(draw->std) + (mean == 0 ? -60 : -106), draw->mean);
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

    const double near = QUANTILE_NEAR_END;
    if (fabs(given[2]) <= near && fabs(given[3]) <= near)
        draw->transform = WIF_near;
    const int word_bits = family->bytes * 8, exponent = (int)given[9];
    draw->centre = rounded(family, given[4]);
    draw->half = rounded(family, ldexp(given[5], 1 - word_bits));
    draw->tail_step = rounded(family, ldexp(given[6], -word_bits));
    const double half_step = ldexp(given[6], -word_bits - 1); /* words stand for their middle */
    draw->tail_low = rounded(family, given[7] + half_step);
    draw->tail_high = rounded(family, given[8] + half_step);
    /* x is a multiple of this, z = x ratio nearly as far from 0. */
    const int grid = least(exponent_of(draw->half), exponent_of(draw->centre)) - 23;
    draw->subnormals =
        subnormal_sum(exponent_of(draw->std) + grid - (given[0] == 0 ? 0 : 46), draw->mean) ||
        subnormal_clamp(draw);
    draw->unscale = ldexp(-4, -exponent);
    draw->log_shift = -exponent * 8 * LOG_STEP_F64 -
                      (family->bytes == 8 ? QUANTILE_SHIFT_F64 : (double)QUANTILE_SHIFT_F32);
    return WIF_PARAMS_OK;
}

static NOINLINE int prepare(enum wif_transform transform, enum wif_type type, const double *given,
                            wif_draw *draw) {
    const format *f = &FORMATS[type], *family = &FORMATS[type == WIF_f64 ? WIF_f64 : WIF_f32];
    draw->transform = transform;
    draw->subnormals = 0;
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

/* What trimmed makes of a word: what uniform does, before its clamp. */
static double of_word(const wif_draw *draw, double half, int32_t word) {
    return fmaf((float)half, (float)word, (float)draw->centre);
}

/* The outermost word, going from 0 towards an end, that makes a value within the clamp. */
static int32_t last_word(const wif_draw *draw, double half, int32_t end) {
    int64_t inside = 0, beyond = (int64_t)end + (end < 0 ? -1 : 1);
    while (beyond - inside > 1 || inside - beyond > 1) {
        const int64_t middle = inside + (beyond - inside) / 2;
        const double y = of_word(draw, half, (int32_t)middle);
        if (draw->least <= y && y <= draw->greatest)
            inside = middle;
        else
            beyond = middle;
    }
    return (int32_t)inside;
}

/* Whether a word makes what the clamp does: a zero of the other sign is another value. */
static int makes(const format *f, const wif_draw *draw, double half, int32_t word, double wanted) {
    const double y = rounded(f, of_word(draw, half, word));
    return y == wanted && !signbit(y) == !signbit(wanted);
}

static NOINLINE int trim(const format *f, wif_draw *draw) {
    const double half = ldexp(draw->half, -31);
    if (half < 0x1p-126) /* not exact */
        return 0;
    const double middle = of_word(draw, half, 0);
    if (!(draw->least <= middle && middle <= draw->greatest))
        return 0;
    const int32_t least = last_word(draw, half, INT32_MIN);
    const int32_t greatest = last_word(draw, half, INT32_MAX);
    if ((least != INT32_MIN && !makes(f, draw, half, least, draw->least)) ||
        (greatest != INT32_MAX && !makes(f, draw, half, greatest, draw->greatest)))
        return 0;
    draw->word_least = least;
    draw->word_greatest = greatest;
    draw->half = half;
    draw->transform = WIF_trimmed;
    return 1;
}

int wif_trim(enum wif_type type, wif_draw *draw) {
    if (draw->transform != WIF_uniform || type == WIF_f64)
        return 0;
    const wif_fpstate host = wif_fp_enter();
    wif_draw *volatile known = draw;
    const volatile int done = trim(&FORMATS[type], known);
    wif_fp_leave(host);
    return done;
}
