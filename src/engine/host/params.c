/* See params.h.  A compiler may move plain arithmetic, and calls of functions without side effects,
 * across a change of the rounding mode.  So everything that must be computed between wif_fp_enter
 * and wif_fp_leave stands in functions that are not inlined.  The arguments of these functions pass
 * through volatile variables, so that the compiler cannot compute anything from them before
 * wif_fp_enter; the results do too, so that it cannot compute them after wif_fp_leave. */
#include "host/params.h"

#include <math.h>

#include "compiler.h"
#include "fma.h"
#include "host/fpenv.h"
#include "kernels/polynomials.h"

/* A binary floating-point type, as the list of types in kernels.h describes it. */
typedef struct {
    int bytes, significand_bits, least_exponent, infinities;
    double largest;
} format;

#define FORMAT(with, type, name, bytes, family, ...) [WIF_##type] = {bytes, __VA_ARGS__},
static const format FORMATS[WIF_TYPES] = {WIF_FOR_EACH_TYPE(FORMAT, )};

/* The format in which the transforms of a type compute. */
#define FAMILY(with, type, name, bytes, family, ...) [WIF_##type] = FORMAT_OF_##family,
#define FORMAT_OF_single &FORMATS[WIF_f32]
#define FORMAT_OF_double &FORMATS[WIF_f64]
static const format *const FAMILIES[WIF_TYPES] = {WIF_FOR_EACH_TYPE(FAMILY, )};

static int is_finite(double x) { return x - x == 0; }

/* The binary logarithm of the distance between neighbouring values of the type in the binade of a
 * finite x.  The subnormal numbers belong to the binade of the least normal number. */
static int spacing(const format *f, double x) {
    int exponent;
    frexp(x, &exponent);
    if (x == 0 || exponent - 1 < f->least_exponent)
        exponent = f->least_exponent + 1;
    return exponent - 1 - f->significand_bits;
}

/* x rounded once to the type, to nearest even; infinite if that is beyond the largest value. */
static double rounded(const format *f, double x) {
    if (f->bytes == 8 || !is_finite(x))
        return x;
    if (f->bytes == 4)
        return (float)x; /* the same in fewer steps: a small fill takes about as long as these */
    const int step = spacing(f, x);
    const double y = copysign(ldexp(rint(ldexp(x, -step)), step), x);
    return fabs(y) <= f->largest ? y : copysign(HUGE_VAL, y);
}

/* The next greater, or the next smaller, value of the type, for a finite value y of the type. */
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
    if (y != y) /* float8_e4m3fn, which has no infinities, has one NaN of each sign */
        bits = f->infinities ? infinity | UINT64_C(1) << (f->significand_bits - 1) : 0x7f;
    else if (!is_finite(y))
        bits = infinity;
    else {
        const int step = spacing(f, y);
        const int binades = step + f->significand_bits - f->least_exponent;
        /* The leading bit of a normal number is not stored: the addition carries it into the
         * exponent field, which is one more than `binades`.  A subnormal number has no such bit. */
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
    /* NaN is accepted, and so is an infinity that the caller gave, if the type has infinities. */
    if (y == y && !is_finite(y) && (is_finite(value) || !f->infinities))
        return WIF_PARAMS_OVERFLOW;
    draw->pattern = pattern(f, y);
    return WIF_PARAMS_OK;
}

/* ---- whether a value other than 0 may lie below 2^-126 --------------------------------------- */

/* Only draws of bfloat16 read the answer, which is 0 for all other types.  So this is about
 * arithmetic in float32.  A float32 with exponent e is a multiple of 2^(e - 23), so that a sum or a
 * product of such numbers, if it is not 0, cannot be arbitrarily small.  A *grid* of a number,
 * here, is the exponent of a power of two of which the number is a multiple. */
enum { NO_GRID = 1 << 20 }; /* for 0, which is a multiple of every power of two */

static int exponent_of(double x) {
    int exponent;
    frexp(x, &exponent);
    return x == 0 ? NO_GRID : exponent - 1;
}
static int lesser(int a, int b) { return a < b ? a : b; }

static int is_bfloat16(const format *f) { return f == &FORMATS[WIF_bf16]; }

/* Whether fma(a, b, c) may be subnormal, by a grid of the product a b and the number c. */
static int sum_may_be_subnormal(int product_grid, double c) {
    return lesser(product_grid, exponent_of(c) - 23) < -126;
}
static int clamp_may_be_subnormal(const wif_draw *draw) {
    return lesser(exponent_of(draw->least), exponent_of(draw->greatest)) < -126;
}

/* The lower end of the clamp is the least value of the type that is below neither low nor the
 * rounded low.  The upper end is the greatest value that is below both high and the rounded high.
 * Adding 0 turns -0 into +0. */
static NOINLINE int prepare_uniform(const format *f, const format *family, double low, double high,
                                    wif_draw *draw) {
    const double least = rounded(f, low), end = rounded(f, high);
    if (!is_finite(least) || !is_finite(end))
        return WIF_PARAMS_OVERFLOW;
    draw->centre = rounded(family, low / 2 + high / 2);
    draw->half = rounded(family, high / 2 - low / 2);
    draw->least = least < low ? next_above(f, least) : least + 0.0;
    draw->greatest = next_below(f, end);
    /* half is a multiple of 2^(its exponent - 23), and the fraction of a word of 2^-31. */
    if (is_bfloat16(f))
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
    /* An element is the product of r and a polynomial, plus the mean.  r is at least 2^-11.  The
     * polynomial, if it is not 0, is at least std 2^-49: it is smallest near the zero of the
     * cosine, where x^2 is a multiple of 2^-24, and the polynomial of std 2^-49; the sine's is
     * larger, as |x|, if it is not 0, is at least 2^-31.  So the product is at least std 2^-60.
     * That is enough if the mean is 0.  Otherwise the grid of the product counts: each of its two
     * factors is a multiple of 2^-23 times its own size, so that the grid is lower by 46. */
    if (is_bfloat16(f))
        draw->may_be_subnormal =
            sum_may_be_subnormal(exponent_of(draw->std) + (mean == 0 ? -60 : -106), draw->mean);
    return WIF_PARAMS_OK;
}

/* The clamp leaves out both ends of the interval.  On a side whose bound is finite it also leaves
 * out the infinity to which a value may overflow. */
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
    /* The probability of a word is in the middle of the word's step, hence the half step. */
    const double half_step = ldexp(parameters[6], -word_bits - 1);
    draw->tail_low = rounded(family, parameters[7] + half_step);
    draw->tail_high = rounded(family, parameters[8] + half_step);
    /* x = fma(word, half, centre) has this grid.  z is x times a ratio of at least sqrt(pi/2), so
     * that it is at least as far from 0 as x. */
    if (is_bfloat16(f)) {
        const int grid = lesser(exponent_of(draw->half), exponent_of(draw->centre)) - 23;
        draw->may_be_subnormal =
            sum_may_be_subnormal(exponent_of(draw->std) + grid - (mean == 0 ? 0 : 46),
                                 draw->mean) ||
            clamp_may_be_subnormal(draw);
    }
    draw->unscale = ldexp(-4, -exponent);
    draw->log_shift = -exponent * 8 * LOG_STEP_F64 -
                      (family->bytes == 8 ? QUANTILE_SHIFT_F64 : (double)QUANTILE_SHIFT_F32);
    return WIF_PARAMS_OK;
}

NOINLINE int wif_prepare_in_standard_state(enum wif_transform transform, enum wif_type type,
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
    const wif_fpstate callers = wif_fp_enter();
    const volatile double *given = parameters;
    double copied[WIF_MOST_PARAMETERS];
    for (int k = 0; k < WIF_MOST_PARAMETERS; k++)
        copied[k] = given[k];
    const volatile int status = wif_prepare_in_standard_state(transform, type, copied, draw);
    wif_fp_leave(callers);
    return status;
}

/* The value that uniform_clamped_words makes of a word.  It is the value that uniform makes of the
 * same word before its clamp. */
static double value_of_word(const wif_draw *draw, double half, int32_t word) {
    return wif_fmaf((float)half, (float)word, (float)draw->centre);
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

/* The clamp of the values can be moved to the words if the value of word 0 is within the clamp and
 * if the outermost words within it make the same values as the clamp. */
static NOINLINE int clamp_words(const format *f, wif_draw *draw) {
    const double half = ldexp(draw->half, -31);
    if (half < 0x1p-126) /* subnormal in float32, so that the division by 2^31 is not exact */
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
    const wif_fpstate callers = wif_fp_enter();
    wif_draw *volatile given = draw;
    const volatile int done = clamp_words(&FORMATS[type], given);
    wif_fp_leave(callers);
    return done;
}
