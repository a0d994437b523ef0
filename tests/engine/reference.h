/* Computes what the stream contract says of given words, exactly enough to judge the kernels: with
 * a relative error of at most 2^-50 for the single family (in double), and of at most 2^-62 for the
 * double family (in long double, if that is x87's or wider).  Nothing here is shared with the
 * engine. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static const long double HALF_PI = 1.57079632679489661923132169163975144L;

/* ---- uniform: RN32(h s + c), clamped ----------------------------------------------------------*/

typedef struct {
    float h, c, least, greatest;
} uniform_reference;

static inline uniform_reference of_uniform(double low, double high) {
    uniform_reference r = {(float)(high / 2 - low / 2), (float)(low / 2 + high / 2), (float)low,
                           (float)high};
    if (r.least < low)
        r.least = nextafterf(r.least, INFINITY);
    while (r.greatest >= high || r.greatest >= (float)high)
        r.greatest = nextafterf(r.greatest, -INFINITY);
    return r;
}

/* h s is exact in double; the sum is rounded to odd, so that rounding it again to float is right
 * (Boldo & Melquiond, "Emulation of FMA and correctly rounded sums", 2008). */
static inline float uniform_f32(const uniform_reference *r, uint32_t word) {
    const double s = (double)(float)(int32_t)word * 0x1p-31, p = r->h * s, sum = p + r->c;
    const double part = sum - p, rest = (p - (sum - part)) + (r->c - part);
    int64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (rest != 0 && !(bits & 1))
        bits += (rest > 0) == (sum > 0) ? 1 : -1;
    double odd;
    memcpy(&odd, &bits, sizeof odd);
    const float y = (float)odd;
    return y < r->least ? r->least : y > r->greatest ? r->greatest : y;
}

/* ---- the bits of a float32 rounded to a narrower type, to nearest even ------------------------*/

static inline uint16_t narrow_bits(float x, const char *type) {
    static const struct {
        const char *name;
        int bits, stored, least_exponent, infinity; /* infinity: its bits, or 0 if none */
    } types[] = {{"float16", 16, 10, -14, 0x7c00},
                 {"bfloat16", 16, 7, -126, 0x7f80},
                 {"float8_e4m3fn", 8, 3, -6, 0},
                 {"float8_e5m2", 8, 2, -14, 0x7c}};
    int k = 0, exponent;
    while (strcmp(type, types[k].name))
        k++;
    const int stored = types[k].stored, most = types[k].infinity ? types[k].infinity : 0x7e;
    const uint16_t sign = (uint16_t)(signbit(x) ? 1 << (types[k].bits - 1) : 0);
    if (isinf(x))
        return (uint16_t)(sign | most);
    frexp(fabs((double)x), &exponent);
    if (exponent - 1 < types[k].least_exponent || x == 0)
        exponent = types[k].least_exponent + 1;
    /* The number in units of the last place of its binade.  The units of subnormals are those of
     * the binade above them. */
    const double units = rint(ldexp(fabs((double)x), stored - (exponent - 1)));
    const int bits = ((exponent - 1 - types[k].least_exponent) << stored) + (int)units;
    return (uint16_t)(sign | (bits < most ? bits : most));
}

/* ---- normal: the radius of A (and B, in the far tail) and the angle of B --------------------- */

static inline double radius_f32(uint32_t a, uint32_t b) {
    const uint32_t U = a >> 1;
    const float u = U < 256 ? (float)((256 * U + (b & 255) + 0.5) * 0x1p-39)
                            : (float)(0x1.fffffep-32 * (double)(float)U + 0x1p-32); /* exact sum */
    const double r = sqrt(-2 * log((double)u));
    return a & 1 ? -r : r;
}
static inline double angle_x_f32(uint32_t b) { return (double)(float)(int32_t)b * 0x1p-31; }

static inline long double radius_f64(uint64_t a) {
    const double u = fma(0x1.fffffffffffffp-64, (double)(a >> 1), 0x1p-64);
    const long double r = sqrtl(-2 * (u < 0.5 ? logl(u) : log1pl((long double)u - 1)));
    return a & 1 ? -r : r;
}
static inline double angle_x_f64(uint64_t b) { return (double)(int64_t)b * 0x1p-63; }

/* Computes the sine and cosine of pi/2 x by a step of Taylor's formula from an anchor, with an
 * error below 1e-18.  An x that is far from the anchor becomes the next anchor. */
typedef struct {
    double x, sine, cosine;
} angle_anchor;

static inline void sine_cosine(angle_anchor *at, double x, double *sine, double *cosine) {
    double d = (x - at->x) * (double)HALF_PI;
    if (!(fabs(d) < 3e-6)) {
        const long double angle = HALF_PI * x;
        *at = (angle_anchor){x, (double)sinl(angle), (double)cosl(angle)};
        d = 0;
    }
    const double to_cosine = 1 - d * d / 2, to_sine = d - d * d * d / 6;
    *sine = at->sine * to_cosine + at->cosine * to_sine;
    *cosine = at->cosine * to_cosine - at->sine * to_sine;
}

/* ---- truncated normal: the quantile ---------------------------------------------------------- */

/* Phi(lower), 1 - Phi(upper) and Phi(upper) - Phi(lower), computed without cancellation. */
typedef struct {
    long double below, above, mass;
    int word_bits;
} quantile_reference;

static inline long double tail_probability(long double z) { /* 1 - Phi(z) */
    return erfcl(z * sqrtl(0.5L)) / 2;
}

static inline quantile_reference of_quantile(double lower, double upper, int word_bits) {
    quantile_reference r = {tail_probability(-lower), tail_probability(upper), 0, word_bits};
    if (lower > 0)
        r.mass = tail_probability(lower) - r.above;
    else if (upper < 0)
        r.mass = tail_probability(-upper) - r.below;
    else
        r.mass = 1 - r.below - r.above;
    return r;
}

/* The exact quantile of a word, by Halley's iteration on ln(1 - Phi(z)) of the nearer tail, from a
 * z that is nearly right. */
static inline long double quantile(const quantile_reference *r, uint64_t word, long double guess) {
    const uint64_t all = r->word_bits == 64 ? UINT64_MAX : UINT32_MAX;
    const long double low = r->below + ldexpl((long double)word + 0.5L, -r->word_bits) * r->mass;
    const long double high =
        r->above + ldexpl((long double)(all - word) + 0.5L, -r->word_bits) * r->mass;
    const long double tail = low < high ? low : high;
    long double z = low < high ? -guess : guess;
    for (int k = 0; k < 3; k++) {
        const long double has = tail_probability(z), gap = logl(has / tail);
        const long double hazard = expl(-z * z / 2) * 0.398942280401432677939946L / has;
        z += 2 * gap / (2 * hazard + gap * (hazard - z));
    }
    return low < high ? -z : z;
}

/* The same for a 32-bit word, by a step from an anchor that is near it: with
 * v = (p - p0) / density(z0),
 * z = z0 + v + z0 v^2/2 + (1 + 2 z0^2) v^3/6 + (7 z0 + 6 z0^3) v^4/24 + ... */
typedef struct {
    int set;
    uint32_t word;
    double z, step; /* step: how much v grows with a word */
} quantile_anchor;

static inline double quantile_near(const quantile_reference *r, quantile_anchor *at, uint32_t word,
                                   double guess) {
    double v = ((double)word - (double)at->word) * at->step, z = at->z;
    const double size = fabs(v) * (1 + fabs(z));
    if (!at->set || !(size < 0x1p-9)) { /* the next term, about z^4 v^5, is less than 2^-45 */
        z = (double)quantile(r, word, guess);
        const long double density = expl(-(long double)z * z / 2) * 0.398942280401432677939946L;
        *at = (quantile_anchor){1, word, z, (double)(ldexpl(r->mass, -32) / density)};
        return z;
    }
    return z + v * (1 + v * (z / 2 + v * ((1 + 2 * z * z) / 6 + v * (7 + 6 * z * z) * z / 24)));
}

#endif
