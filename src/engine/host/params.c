/* See params.h.  A compiler may move plain arithmetic, and calls of functions without side effects,
 * across a change of the rounding mode.  So what is computed between two such changes stands in
 * functions that it may not inline.  Their arguments are volatile, so that it cannot know them
 * earlier, and so is their result, so that it cannot do without it. */
#include "host/params.h"

#include <math.h>

#include "compiler.h"
#include "host/fpenv.h"
#include "kernels/polynomials.h"

/* A binary floating-point type, as the list of types in kernels.h describes it. */
typedef struct {
    int bytes, significand_bits, least_exponent, infinities;
    double largest;
} format;

#define FORMAT(with, type, name, bytes, family, ...) [WIF_##type] = {bytes, __VA_ARGS__},
static const format FORMATS[WIF_TYPES] = {WIF_FOR_EACH_TYPE(FORMAT, )};

/* The format that the transforms of a type compute in. */
#define FAMILY(with, type, name, bytes, family, ...) [WIF_##type] = FORMAT_OF_##family,
#define FORMAT_OF_single &FORMATS[WIF_f32]
#define FORMAT_OF_double &FORMATS[WIF_f64]
static const format *const FAMILIES[WIF_TYPES] = {WIF_FOR_EACH_TYPE(FAMILY, )};

static int is_finite(double x) { return x - x == 0; }

/* The binary logarithm of the spacing of the type's values in the binade of a finite x.  The
 * subnormal numbers count as one more binade. */
static int spacing(const format *f, double x) {
    int exponent;
    frexp(x, &exponent);
    if (x == 0 || exponent - 1 < f->least_exponent)
        exponent = f->least_exponent + 1;
    return exponent - 1 - f->significand_bits;
}

/* A double rounded once to the type, to nearest even; infinite beyond the largest value. */
static double rounded(const format *f, double x) {
    if (!is_finite(x))
        return x;
    const int step = spacing(f, x);
    const double y = f->bytes == 8 ? x : copysign(ldexp(rint(ldexp(x, -step)), step), x);
    return fabs(y) <= f->largest ? y : copysign(HUGE_VAL, y);
}

/* The value of the type next above, or next below, a finite value of it. */
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
    if (frexp(y, &exponent) == 0.5 && exponent - 1 > f->least_exponent)
        step--; /* below a power of two the values are closer */
    return y - ldexp(1, step);
}

/* The bits of a value of the type, repeated over eight bytes. */
static uint64_t pattern(const format *f, double y) {
    const uint64_t infinity = ((uint64_t)(2 - 2 * f->least_exponent) + 1) << f->significand_bits;
    uint64_t bits;
    if (y != y)
        bits = f->infinities ? infinity | UINT64_C(1) << (f->significand_bits - 1) : 0x7f;
    else if (!is_finite(y))
        bits = infinity;
    else {
        const int step = spacing(f, y);
        const int binades = step + f->significand_bits - f->least_exponent;
        bits = ((uint64_t)binades << f->significand_bits) + (uint64_t)ldexp(fabs(y), -step);
    }
    if (signbit(y))
        bits |= UINT64_C(1) << (8 * f->bytes - 1);
    for (int bytes = f->bytes; bytes < 8; bytes *= 2)
        bits |= bits << 8 * bytes;
    return bits;
}

static NOINLINE int prepare_constant(const format *f, double value, wif_draw *draw) {
    const double y = rounded(f, value);
    /* A constant that the caller gave as infinite or NaN is right, where the type has it. */
    if (y == y && !is_finite(y) && (is_finite(value) || !f->infinities))
        return WIF_PARAMS_OVERFLOW;
    draw->pattern = pattern(f, y);
    return WIF_PARAMS_OK;
}

/* ---- whether a value other than 0 may lie below 2^-126 --------------------------------------- */

/* A float32 with exponent e is a multiple of 2^(e - 23), so that a sum or a product of such
 * numbers, if it is not 0, cannot be arbitrarily small.  What is called the grid of a number below
 * is the exponent of a power of two that the number is a multiple of. */
enum { NO_GRID = 1 << 20 }; /* the grid of 0 */

static int exponent_of(double x) {
    int exponent;
    frexp(x, &exponent);
    return x == 0 ? NO_GRID : exponent - 1;
}
static int lesser(int a, int b) { return a < b ? a : b; }

/* Of fma(a, b, c), by the grid of the products and that of c. */
static int sum_may_be_subnormal(int product_grid, double c) {
    return lesser(product_grid, exponent_of(c) - 23) < -126;
}
static int clamp_may_be_subnormal(const wif_draw *draw) {
    return lesser(exponent_of(draw->least), exponent_of(draw->greatest)) < -126;
}

/* The clamp is the least value of the type that is not below low or its rounding, and the greatest
 * value that is below both high and its rounding.  Adding 0 makes -0 into +0. */
static NOINLINE int prepare_uniform(const format *f, const format *family, double low, double high,
                                    wif_draw *draw) {
    const double least = rounded(f, low), end = rounded(f, high);
    if (!is_finite(least) || !is_finite(end))
        return WIF_PARAMS_OVERFLOW;
    draw->centre = rounded(family, low / 2 + high / 2);
    draw->half = rounded(family, high / 2 - low / 2);
    draw->least = least < low ? next_above(f, least) : least + 0.0;
    draw->greatest = next_below(f, end);
    draw->may_be_subnormal =
        sum_may_be_subnormal(exponent_of(draw->half) - 23 - 31, draw->centre) ||
        clamp_may_be_subnormal(draw);
    return draw->least <= draw->greatest ? WIF_PARAMS_OK : WIF_PARAMS_NO_VALUE;
}

static NOINLINE int prepare_normal(const format *f, const format *family, double mean, double std,
                                   wif_draw *draw) {
    if (!is_finite(rounded(f, mean)) || !is_finite(rounded(f, std)))
        return WIF_PARAMS_OVERFLOW;
    draw->mean = rounded(family, mean);
    draw->std = rounded(family, std);
    /* r is at least 2^-11 and |x|, other than 0, at least 2^-31.  Near the zero of the cosine,
     * where x^2 is a multiple of 2^-24, its polynomial is a multiple of std 2^-49.  Without a mean
     * nothing is added to the product, so that its size counts and not its grid. */
    draw->may_be_subnormal =
        sum_may_be_subnormal(exponent_of(draw->std) + (mean == 0 ? -60 : -106), draw->mean);
    return WIF_PARAMS_OK;
}

/* The clamp leaves out both ends of the interval, and on a side that has an end it also leaves out
 * what overflows. */
static NOINLINE int prepare_truncated(const format *f, const format *family,
                                      const double *parameters, wif_draw *draw) {
    const double mean = parameters[0], std = parameters[1];
    const double lower = parameters[2], upper = parameters[3];
    const double low = mean + std * lower, high = mean + std * upper;
    const double low_end = rounded(f, low), high_end = rounded(f, high);
    /* Between finite bounds the clamp keeps every value within the type, however far the parent
     * distribution reaches. */
    const int bounded = is_finite(lower) && is_finite(upper);
    if (prepare_normal(bounded ? family : f, family, mean, std, draw) != WIF_PARAMS_OK)
        return WIF_PARAMS_OVERFLOW;
    if (low_end == HUGE_VAL || high_end == -HUGE_VAL)
        return WIF_PARAMS_NO_VALUE;
    draw->least = is_finite(low_end) ? next_above(f, low_end)
                  : is_finite(lower) ? -f->largest
                                     : low;
    draw->greatest = is_finite(high_end) ? next_below(f, high_end)
                     : is_finite(upper)  ? f->largest
                                         : high;
    if (!(draw->least <= draw->greatest))
        return WIF_PARAMS_NO_VALUE;

    const double near = QUANTILE_NEAR_MEDIAN_END;
    if (fabs(lower) <= near && fabs(upper) <= near)
        draw->transform = WIF_truncated_near_median;
    const int word_bits = family->bytes * 8, exponent = (int)parameters[9];
    draw->centre = rounded(family, parameters[4]);
    draw->half = rounded(family, ldexp(parameters[5], 1 - word_bits));
    draw->tail_step = rounded(family, ldexp(parameters[6], -word_bits));
    /* A word stands for its middle. */
    const double half_step = ldexp(parameters[6], -word_bits - 1);
    draw->tail_low = rounded(family, parameters[7] + half_step);
    draw->tail_high = rounded(family, parameters[8] + half_step);
    /* x is a multiple of this, and z = x ratio is nearly as far from 0. */
    const int grid = lesser(exponent_of(draw->half), exponent_of(draw->centre)) - 23;
    draw->may_be_subnormal =
        sum_may_be_subnormal(exponent_of(draw->std) + grid - (mean == 0 ? 0 : 46), draw->mean) ||
        clamp_may_be_subnormal(draw);
    draw->unscale = ldexp(-4, -exponent);
    draw->log_shift = -exponent * 8 * LOG_STEP_F64 -
                      (family->bytes == 8 ? QUANTILE_SHIFT_F64 : (double)QUANTILE_SHIFT_F32);
    return WIF_PARAMS_OK;
}

static NOINLINE int prepare(enum wif_transform transform, enum wif_type type,
                            const double *parameters, wif_draw *draw) {
    const format *f = &FORMATS[type], *family = FAMILIES[type];
    draw->transform = transform;
    draw->may_be_subnormal = 0;
    switch (transform) {
    case WIF_constant:
        return prepare_constant(f, parameters[0], draw);
    case WIF_uniform:
        return prepare_uniform(f, family, parameters[0], parameters[1], draw);
    case WIF_normal:
        return prepare_normal(f, family, parameters[0], parameters[1], draw);
    case WIF_truncated:
        return prepare_truncated(f, family, parameters, draw);
    default:
        return WIF_PARAMS_OK;
    }
}

int wif_prepare(enum wif_transform transform, enum wif_type type,
                const double parameters[WIF_MOST_PARAMETERS], wif_draw *draw) {
    const wif_fpstate host = wif_fp_enter();
    const volatile double *known = parameters;
    double now[WIF_MOST_PARAMETERS];
    for (int k = 0; k < WIF_MOST_PARAMETERS; k++)
        now[k] = known[k];
    const volatile int status = prepare(transform, type, now, draw);
    wif_fp_leave(host);
    return status;
}

/* What uniform_clamped_words makes of a word: what uniform makes of it before its clamp. */
static double value_of_word(const wif_draw *draw, double half, int32_t word) {
    return fmaf((float)half, (float)word, (float)draw->centre);
}

/* The outermost word, on the way from 0 towards `end`, that makes a value within the clamp. */
static int32_t last_word(const wif_draw *draw, double half, int32_t end) {
    int64_t inside = 0, beyond = (int64_t)end + (end < 0 ? -1 : 1);
    while (beyond - inside > 1 || inside - beyond > 1) {
        const int64_t middle = inside + (beyond - inside) / 2;
        const double y = value_of_word(draw, half, (int32_t)middle);
        if (draw->least <= y && y <= draw->greatest)
            inside = middle;
        else
            beyond = middle;
    }
    return (int32_t)inside;
}

/* Whether a word makes the same value as the clamp.  A zero of the other sign is another value. */
static int makes(const format *f, const wif_draw *draw, double half, int32_t word, double wanted) {
    const double y = rounded(f, value_of_word(draw, half, word));
    return y == wanted && !signbit(y) == !signbit(wanted);
}

static NOINLINE int clamp_words(const format *f, wif_draw *draw) {
    const double half = ldexp(draw->half, -31);
    if (half < 0x1p-126) /* the division by 2^31 is not exact */
        return 0;
    const double middle = value_of_word(draw, half, 0);
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
    draw->transform = WIF_uniform_clamped_words;
    return 1;
}

int wif_clamp_words(enum wif_type type, wif_draw *draw) {
    if (draw->transform != WIF_uniform || type == WIF_f64)
        return 0;
    const wif_fpstate host = wif_fp_enter();
    wif_draw *volatile known = draw;
    const volatile int done = clamp_words(&FORMATS[type], known);
    wif_fp_leave(host);
    return done;
}
