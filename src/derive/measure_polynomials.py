"""Measure the errors of polynomials.h in the kernels' arithmetic (derive_polynomials.py --measure).

The C code below rounds once for each operation, as the kernels do, and its results are compared
with the exact transforms in a wider type. For the normal transform of float32 that is double, and
for that of float64 x87's long double, which is accurate to 2^-63. The exact truncated normal is
computed in long double for both, by Halley's iteration on erfcl from the kernel's z, and for some
words by mpmath.
"""

import ctypes
import math
import subprocess
import tempfile

import mpmath as mp

from minimax import nearest

FAMILIES = {"F32": (24, 32), "F64": (53, 64)}  # name -> significand bits, bits of a word

PREAMBLE = r"""
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>
#include <polynomials.h>
#ifdef F64
typedef double T; typedef int64_t INT; typedef uint64_t UINT; typedef long double WIDE;
enum { BITS = 64, STORED = 52 };
#define NAME(x) x##_F64
#define NAME2(x, y) x##_F64##y
#else
typedef float T; typedef int32_t INT; typedef uint32_t UINT; typedef double WIDE;
enum { BITS = 32, STORED = 23 };
#define NAME(x) x##_F32
#define NAME2(x, y) x##_F32##y
#endif
static const T LOG[] = NAME(LOG), INVERSES[] = NAME(LOG_CELL_INVERSES);
static const T LOGS[] = NAME(LOG_CELL_LOGS);
static const double SIN[] = NAME(SIN), COS[] = NAME(COS);
static const double NEAR_MEDIAN[] = NAME(QUANTILE_NEAR_MEDIAN);
static const T CENTRE[] = NAME(QUANTILE_CENTRE), EDGES[] = NAME(QUANTILE_TAIL_EDGES);
static const T TAIL[][NAME2(QUANTILE_TAIL, _TERMS)] = NAME(QUANTILE_TAIL);
static const T CENTRES[] = NAME(QUANTILE_TAIL_CENTRES);
static const WIDE HALF_PI = 1.57079632679489661923132L, LN2 = 0.693147180559945309417232L;

static T from_bits(INT i) { T x; memcpy(&x, &i, sizeof x); return x; }
static INT to_bits(T x) { INT i; memcpy(&i, &x, sizeof i); return i; }
static T horner(const T *c, int terms, T t) {
    T p = 0;
    while (terms) p = fma(p, t, c[--terms]);
    return p;
}
static T horner_scaled(const double *c, int terms, double scale, T t) {
    T p = 0;
    while (terms) p = fma(p, t, (T)(scale * c[--terms]));
    return p;
}
static T minus_2_log(T u, T factor, double addend) {
    INT one = to_bits(1), t = (to_bits(u) - one) >> (STORED - 3);
    INT mantissa = ((INT)1 << STORED) - 1;
    T f = fma(from_bits((to_bits(u) & mantissa) | one), INVERSES[t & 7], (T)-1);
    T share = (T)(factor * LOGS[t & 7] + addend), slope = 0;
    for (int k = sizeof LOG / sizeof *LOG; k;) slope = fma(slope, f, factor * LOG[--k]);
    return fma(slope, f, fma((T)t, factor * NAME(LOG_STEP), share));
}
static uint64_t splitmix64(uint64_t *state) {
    uint64_t v = *state += 0x9e3779b97f4a7c15;
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
    v = (v ^ v >> 27) * 0x94d049bb133111eb;
    return v ^ v >> 31;
}
static void keep(double *worst, WIDE error) {
    if (isnan(error)) *worst = INFINITY;
    if (fabs(error) > *worst) *worst = fabs(error);
}
"""

# worst[]: the largest errors of r (relative), sine, cosine and element / (std r). The last is
# measured with a std by which every coefficient is rounded.
NORMAL = r"""
static void judge(T u, T x, double *worst) {
    const double std = 1.4142135;
    T r = sqrt(minus_2_log(u, 4, 0));
    T s = horner_scaled(SIN, sizeof SIN / sizeof *SIN, 0.5, x * x);
    T c = horner_scaled(COS, sizeof COS / sizeof *COS, 0.5, x * x);
    WIDE r0 = sqrt(u < 0.5 ? -2 * log((WIDE)u) : -2 * log1p((WIDE)u - 1));
    WIDE s0 = sin(HALF_PI * x), c0 = cos(HALF_PI * x);
    keep(worst, r / (2 * r0) - 1);
    keep(worst + 1, 2 * (WIDE)s * x - s0);
    keep(worst + 2, 2 * (WIDE)c - c0);
    s = horner_scaled(SIN, sizeof SIN / sizeof *SIN, (T)std / 2, x * x);
    c = horner_scaled(COS, sizeof COS / sizeof *COS, (T)std / 2, x * x);
    T rx = r * x;
    WIDE scale = (T)std * r0;
    keep(worst + 3, fmax(fabs((WIDE)r * c / scale - c0), fabs((WIDE)rx * s / scale - s0)));
}
/* Every step-th number of [low, high), taken both as u and as x. */
void sweep(double low, double high, int64_t step, double *worst) {
    for (INT i = to_bits(low), end = to_bits(high); i < end; i += step)
        judge(from_bits(i), from_bits(i), worst);
}
/* Random words A and B, made into u and x as docs/stream-contract.md says. */
void elements(int64_t count, double *worst) {
    const T scale = ldexp((T)1, 1 - BITS);
    uint64_t state = 0, words[2];
    while (count--) {
        for (int k = 0; k < 2; k++) words[k] = splitmix64(&state) >> (64 - BITS);
        INT U = (INT)(words[0] >> 1);
        T u = fma((1 - ldexp((T)1, -STORED - 1)) * scale, (T)U, scale / 2);
        if (BITS == 32 && U < 256) u = (256 * U + (INT)(words[1] & 255) + (T)0.5) * 0x1p-39f;
        judge(u, (T)(INT)words[1] * scale, worst);
    }
}
"""

QUANTILE = r"""
/* D = Phi(upper) - Phi(lower); h = D 2^(1-B), centre = Phi(lower) + Phi(upper) - 1 + D 2^-B,
   scale = D 2^(K-B), low = Phi(lower) 2^K + scale/2, high = (1 - Phi(upper)) 2^K + scale/2 (a word
   stands for its middle), slope = -4 2^-K, shift = 2 K ln 2 - SHIFT. K is 0, except in double where
   D < 2^-800; there K = 128 keeps q normal. */
typedef struct { double h, centre, scale, low, high, slope, shift, near; } constants;

const double quantile_shift = NAME(QUANTILE_SHIFT);

T quantile(UINT W, const constants *k, int *tail) {
    T s = (T)(INT)(W ^ (UINT)1 << (BITS - 1));
    T x = fma(s, (T)k->h, (T)k->centre);
    *tail = 0;
    if (k->near) {
        T n = minus_2_log(fma(-x, x, (T)1), 1, 0);
        return horner_scaled(NEAR_MEDIAN, sizeof NEAR_MEDIAN / sizeof *NEAR_MEDIAN, 1, n) * x;
    }
    int upper = !signbit(x);
    T v = (T)(upper ? ~W : W);
    T q = fma(v, (T)k->scale, upper ? (T)k->high : (T)k->low);
    T y = q * fma(q, (T)k->slope, (T)4);
    T t = minus_2_log(y, 1, k->shift);
    *tail = t >= NAME(QUANTILE_SPLIT);
    if (!*tail) return x * horner(CENTRE, sizeof CENTRE / sizeof *CENTRE, t);
    T r = sqrt(t + NAME(QUANTILE_SHIFT));
    int piece = NAME(QUANTILE_TAIL_PIECES) - 1;
    while (piece && r < EDGES[piece]) piece--;
    return x * horner(TAIL[piece], sizeof *TAIL / sizeof **TAIL, r - CENTRES[piece]);
}
/* Phi^-1 of the probability of W; tails[] = Phi(lower), 1 - Phi(upper), D. */
static long double exact(UINT W, T guess, const long double *tails) {
    long double below = tails[0] + ldexpl((long double)W + 0.5L, -BITS) * tails[2];
    long double above = tails[1] + ldexpl((long double)(UINT)~W + 0.5L, -BITS) * tails[2];
    long double tail = fminl(below, above), z = below < above ? -guess : guess;
    for (int i = 0; i < 2; i++) {
        long double has = erfcl(z * 0.707106781186547524400844L) / 2, gap = logl(has / tail);
        long double hazard = expl(-z * z / 2) * 0.398942280401432677939946L / has;
        z += 2 * gap / (2 * hazard + gap * (hazard - z));
    }
    return below < above ? -z : z;
}
/* The three largest errors: |error| / max(1, |z|) in the centre and in the tail, and |error / z|
   where |z| >= 1/8. The words are the 1000 greatest, the 1000 least, 1000 around `sign_change`, the
   word at which x changes its sign, and random words. */
void truncated(int64_t count, UINT sign_change, const constants *k, char **digits, double *worst) {
    uint64_t state = 0;
    long double tails[3];
    for (int i = 0; i < 3; i++) tails[i] = strtold(digits[i], NULL);
    for (int64_t i = 0; i < count; i++) {
        UINT W = splitmix64(&state) >> (64 - BITS);
        if (i < 3000) W = (UINT)(i % 1000) + (i < 2000 ? 0 : sign_change - 500);
        if (i < 1000) W = ~W;
        int tail;
        T z = quantile(W, k, &tail);
        long double z0 = exact(W, z, tails), error = fabsl(z - z0);
        keep(worst + tail, error / fmaxl(1, fabsl(z0)));
        if (fabsl(z0) >= 0.125L) keep(worst + 2, error / fabsl(z0));
    }
}
"""

INTERVALS = [
    *((-2, 2), (-2.25, 2.25), (-2.25, -2), (1, 2.25), (-2, 2.3), (-8, 8), (0, mp.inf)),
    *((3, 4), (5, 8), (-8, -7.5), (-100, 100), (-mp.inf, -8)),
]


def build(source, header, family):
    """Compile C source for a family and load it."""
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/checker.so"
        command = ["gcc", "-O2", "-mfma", "-ffp-contract=off", "-shared", "-fPIC", "-xc", "-"]
        command += [f"-D{family}", f"-I{header.parent}", "-o", library, "-lm"]
        subprocess.run(command, input=source.encode(), check=True)
        return ctypes.CDLL(library)


class Constants(ctypes.Structure):
    """The struct `constants` above: what the truncated normal needs of its interval."""

    _names = ("h", "centre", "scale", "low", "high", "slope", "shift", "near")
    _fields_ = tuple((name, ctypes.c_double) for name in _names)


def prepare(lower, upper, bits, significand, shift):
    """Return (Phi(lower), 1 - Phi(upper), D) and the constants of the kernel."""
    half = mp.sqrt(2) / 2
    below, above = mp.erfc(-lower * half) / 2, mp.erfc(upper * half) / 2
    mass = mp.erfc(lower * half) / 2 - above if lower > 0 else mp.erfc(-upper * half) / 2 - below
    k = 128 if bits == 64 and mass < mp.mpf(2) ** -800 else 0
    half_step = mp.ldexp(mass, -bits - 1)
    constants = (
        mp.ldexp(mass, 1 - bits),
        below - above + mp.ldexp(mass, -bits),
        *(mp.ldexp(number, k) for number in (2 * half_step, below + half_step, above + half_step)),
        *(-mp.ldexp(4, -k), 2 * k * mp.log(2) - shift, max(abs(lower), abs(upper)) <= 2.25),
    )
    return (below, above, mass), Constants(*(nearest(mp.mpf(c), significand) for c in constants))


def judge(z, word, tails, bits):
    """Return |error of z| / max(1, |z|) by mpmath."""
    below, above, mass = tails
    p, q = (mp.ldexp(w + mp.mpf(0.5), -bits) * mass for w in (word, 2**bits - 1 - word))
    tail, sign = min((below + p, -1), (above + q, 1))
    half = mp.sqrt(2) / 2
    exact = mp.findroot(lambda x: mp.log(mp.erfc(x * half) / 2 / tail), sign * z, tol=1e-60)
    return abs(sign * z - exact) / max(1, exact)


def measure_quantile(header, family):
    """Print the largest errors of the truncated normal."""
    significand, bits = FAMILIES[family]
    checker = build(PREAMBLE + QUANTILE, header, family)
    word_type = ctypes.c_uint32 if bits == 32 else ctypes.c_uint64
    real = ctypes.c_float if bits == 32 else ctypes.c_double
    shift = ctypes.c_double.in_dll(checker, "quantile_shift").value
    checker.quantile.restype = real
    checker.quantile.argtypes = [word_type, ctypes.c_void_p, ctypes.c_void_p]
    checker.truncated.argtypes = [ctypes.c_int64, word_type] + 3 * [ctypes.c_void_p]
    bound = -20 if bits == 32 else -48
    print(f"{family}: log2 of |error of z| / max(1, |z|), centre, tail; worst / 2^{bound}; log2 of")
    print("|error / z| where |z| >= 1/8; interval; as the first, by mpmath for 201 words")
    for lower, upper in INTERVALS + ([(30, 37)] if bits == 64 else []):
        tails, constants = prepare(lower, upper, bits, significand, shift)
        sign_change = (mp.mpf(0.5) - tails[0]) / tails[2] * 2**bits
        sign_change = int(min(max(sign_change, 0), 2**bits - 1))
        digits = (ctypes.c_char_p * 3)(*(mp.nstr(t, 40).encode() for t in tails))
        worst = (ctypes.c_double * 3)()
        checker.truncated(1_000_000, sign_change, ctypes.byref(constants), digits, worst)
        in_tail = ctypes.c_int()
        words = [(2**bits - 1) * i // 200 for i in range(201)]
        zs = [checker.quantile(w, ctypes.byref(constants), ctypes.byref(in_tail)) for w in words]
        sure = max(judge(z, w, tails, bits) for z, w in zip(zs, words, strict=True))
        logs = [f"{math.log2(w):.2f}" if w else "-" for w in worst]
        logs.insert(2, f"{max(worst[:2]) / 2.0**bound:.3f}")
        print(*logs, f"[{lower}, {upper}]", f"{float(mp.log(sure, 2)):.2f}")


def measure_normal(header, family):
    """Print the largest errors of the normal transform."""
    checker = build(PREAMBLE + NORMAL, header, family)
    checker.sweep.argtypes = [ctypes.c_double] * 2 + [ctypes.c_int64, ctypes.c_void_p]
    checker.elements.argtypes = [ctypes.c_int64, ctypes.c_void_p]
    step, least = (1, 2.0**-40) if family == "F32" else (2**29 + 1, 2.0**-64)
    print(f"{family}: log2 of the errors of r (relative), sine, cosine, element / (std r)")
    for low, high in ((0.5, 1), (0.25, 0.5), (least, 0.25)):
        worst = (ctypes.c_double * 4)()
        checker.sweep(low, high, step, worst)
        print(*(f"{math.log2(w):.2f}" for w in worst), f"u = x in [{low:.3g}, {high})")
    checker.elements(50_000_000, worst := (ctypes.c_double * 4)())
    print(*(f"{math.log2(w):.2f}" for w in worst), "50 million pairs of random words")


def measure(header):
    """Print the largest errors of the header's polynomials, evaluated as the kernels do."""
    for family in FAMILIES:
        measure_quantile(header, family)
    for family in FAMILIES:
        measure_normal(header, family)
