r"""Derive the polynomials of the normal transform and write them to polynomials.h.

    python src/derive_polynomials.py            write polynomials.h next to this file
    python src/derive_polynomials.py --check    exit 1 if polynomials.h is not what it would write
    python src/derive_polynomials.py --measure  print the header's errors in the kernels' arithmetic
                                                (gcc on an x86 machine with fma; two minutes)

The transform (docs/stream-contract.md) makes r = sqrt(-2 ln u) of one word and the sine and cosine
of (pi/2) x, |x| <= 1, of another. The kernels evaluate, with one rounding per operation:

    u = m 2^e, m in [sqrt(1/2), sqrt(2)), f = m - 1       (both exact)
    r = sqrt(fma(e, -2 ln 2, f P(f)))                     P(f) ~ -2 ln(1 + f) / f
    z = r C(x x) and fma(r x, S(x x), r x)                S(x^2) ~ sin(pi/2 x) / x - 1

with P, S and C by Horner's rule with fma. Each polynomial is found in two steps.

1. Remez exchange (E. Ya. Remez, 1934; J.-M. Muller, "Elementary Functions", 3rd ed., chapter 3)
   gives the real coefficients whose largest weighted error is least.
2. The coefficients are rounded to the format one by one, the constant first; after each rounding
   the rest are fitted again, by least squares, to the polynomial of step 1. This is Babai's nearest
   plane on the lattice of Brisebarre and Chevillard, "Efficient polynomial L-infinity
   approximations" (ARITH 2007). Fitting by Remez again would level every error up to that of the
   constant, which is past changing.

Lost: a descent over neighbouring float32 coefficients by the error of the float32 evaluation on
40,000 points; over all float32 numbers it left r as it was and made sine and cosine worse.
(r x) S'(x x) with S' = S + 1, which costs the same and left z within 2^-21.56 r and 2^-50.75 r.
"""

import argparse
import ctypes
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp

mp.mp.prec = 240  # ample: least squares on 20 powers of f squares their condition number
HEADER = pathlib.Path(__file__).with_name("polynomials.h")
FAMILIES = {"F32": 24, "F64": 53}  # name -> significand bits
LN2, HALF_PI, ROOT_HALF = mp.log(2), mp.pi / 2, mp.sqrt(mp.mpf(1) / 2)


class Target(NamedTuple):
    """One function to approximate: value(t) on an interval, its error weighted by weight(t)."""

    name: str
    formula: str
    kind: str  # of error
    interval: tuple
    value: Callable
    weight: Callable
    terms: dict  # family -> number of coefficients


def sine_over_x(t):
    """Return sin(pi/2 x) / x, where t = x^2."""
    return mp.sin(HALF_PI * mp.sqrt(t)) / mp.sqrt(t)


def log_weight(f):
    """Return the relative error of -2 ln u per unit of error of P(f), for the worst e.

    u < 1, so e <= 0 where f < 0: the worst is e = 0, where -2 ln u = f P(f) vanishes with f. Where
    f > 0, e <= -1 and -2 ln u >= ln 2; to ask for more there would cost 0.3 to 0.6 bits.
    """
    return abs(f) / (-2 * mp.log1p(f) + (2 * LN2 if f > 0 else 0))


# The fewest terms that leave a margin to the contract's 2^-21 r in float32 and 2^-50 r in float64,
# where the errors of r, of sine or cosine and of their product add up. --measure finds z within
# 2^-21.7 r and 2^-51.0 r. One term fewer, in float32: r 2^-20.9, sine 2^-19.8, cosine 2^-17.2;
# in float64: r 2^-51.5, sine 2^-51.3, cosine 2^-48.8. One more in each of float32's gains 0.2 bits
# of z: roundings are what remains.
TARGETS = [
    Target(
        *("LOG", "-2 ln(1 + f) ~ f P(f), f in [sqrt(1/2) - 1, sqrt(2) - 1]"),
        *("relative error of -2 ln u, u = (1 + f) 2^e < 1", (ROOT_HALF - 1, 2 * ROOT_HALF - 1)),
        *(lambda f: -2 * mp.log1p(f) / f, log_weight, {"F32": 8, "F64": 20}),
    ),
    Target(
        *("SIN", "sin(pi/2 x) ~ x + x S(x^2), x in [-1, 1]", "relative error", (0, 1)),
        *(lambda t: sine_over_x(t) - 1, lambda t: 1 / sine_over_x(t), {"F32": 5, "F64": 9}),
    ),
    Target(
        *("COS", "cos(pi/2 x) ~ C(x^2), x in [-1, 1]", "absolute error", (0, 1)),
        *(lambda t: mp.cos(HALF_PI * mp.sqrt(t)), lambda t: mp.mpf(1), {"F32": 5, "F64": 9}),
    ),
]


def weighted_errors(coefficients, samples):
    """Return the polynomial's error times the weight, for samples (t, value, weight)."""
    return [w * (v - mp.polyval(coefficients[::-1], t)) for t, v, w in samples]


def remez(samples, terms):
    """Return the coefficients, lowest order first, of the minimax polynomial on the samples.

    With 60 Chebyshev points a term, an extremum between two of them is 0.04 % larger than the
    nearer one: no need to refine it.
    """
    reference = [(len(samples) - 1) * i // terms for i in range(terms + 1)]
    for _ in range(50):
        rows = [[samples[k][0] ** n for n in range(terms)] for k in reference]
        for i, k in enumerate(reference):
            rows[i].append((-1) ** i / samples[k][2])
        *coefficients, level = mp.lu_solve(rows, [samples[k][1] for k in reference])
        errors = weighted_errors(coefficients, samples)
        if max(map(abs, errors)) <= abs(level) * (1 + mp.mpf("1e-6")):
            return coefficients
        extrema = []  # the largest error in every run of one sign
        for k, error in enumerate(errors):
            if not extrema or (error > 0) != (errors[extrema[-1]] > 0):
                extrema.append(k)
            elif abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = k
        while len(extrema) > terms + 1:  # drop the smallest, so that signs still alternate
            sizes = [abs(errors[k]) for k in extrema]
            if len(extrema) == terms + 2:
                del extrema[0 if sizes[0] < sizes[-1] else -1]
            else:
                pair = min(range(len(sizes) - 1), key=lambda i: max(sizes[i : i + 2]))
                del extrema[pair : pair + 2]
        reference = extrema
    raise ArithmeticError("Remez exchange did not converge")


def nearest(x, bits):
    """Return x rounded to `bits` significand bits; none of ours is near the subnormals."""
    with mp.workprec(bits):
        return +x


def round_coefficients(ideal, samples, bits):
    """Round ideal[0], refit the others to the ideal polynomial, round the next, and so on."""
    terms = len(ideal)
    moments = [mp.fsum(w * w * t**n for t, _, w in samples) for n in range(2 * terms - 1)]
    rounded = []
    for k in range(terms):
        moved = [rounded[j] - ideal[j] for j in range(k)]
        gram = [moments[i + k : i + terms] for i in range(k, terms)]
        right = [-mp.fsum(moments[i + j] * moved[j] for j in range(k)) for i in range(k, terms)]
        rounded.append(nearest(ideal[k] + mp.lu_solve(gram, right)[0], bits))
    return rounded


def literal(x, family):
    """Return a number of the family as an exact C literal."""
    digits, exponent = float(x).hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}{'f' if family == 'F32' else ''}"


def macros(target, family):
    """Return the lines of one polynomial: what it is, how good it is, its coefficients."""
    (low, high), terms = target.interval, target.terms[family]
    angles = [mp.pi * (2 * i + 1) / (120 * terms) for i in range(60 * terms)]
    ts = [(low + high - (high - low) * mp.cos(angle)) / 2 for angle in angles]
    samples = [(t, target.value(t), target.weight(t)) for t in ts]
    ideal = remez(samples, terms)
    coefficients = round_coefficients(ideal, samples, FAMILIES[family])
    largest = [max(map(abs, weighted_errors(c, samples))) for c in (coefficients, ideal)]
    size, best = (f"2^{float(mp.log(error, 2)):.1f}" for error in largest)
    words = [literal(c, family) for c in coefficients]
    return [
        "",
        f"/* {target.formula}",
        f"   {target.kind}: {size} ({best} before rounding) */",
        f"#define {target.name}_{family}_TERMS {terms}",
        f"#define {target.name}_{family} {{ \\",
        ", \\\n".join("    " + ", ".join(words[i : i + 3]) for i in range(0, terms, 3)) + " }",
    ]


def header():
    """Return the text of polynomials.h."""
    lines = [
        "/* Generated by derive_polynomials.py, which says how and why; do not edit.",
        "   Coefficients of the normal transform, lowest order first. Errors are those of the",
        "   rounded coefficients in exact arithmetic; the evaluation's roundings come on top. */",
        "#ifndef WIF_POLYNOMIALS_H\n#define WIF_POLYNOMIALS_H",
    ]
    for family, layout in {"F32": ">f", "F64": ">d"}.items():
        lines += [
            "",
            "/* The bits of sqrt(1/2). With k stored significand bits, e = (bits(u) - these) >> k,",
            "   arithmetically, and bits(m) = bits(u) - (e << k) give u = m 2^e with f = m - 1. */",
            f"#define SQRT_HALF_BITS_{family} 0x{struct.pack(layout, ROOT_HALF).hex()}",
            f"#define MINUS_2_LN2_{family} {literal(nearest(-2 * LN2, FAMILIES[family]), family)}",
        ]
        for target in TARGETS:
            lines += macros(target, family)
    return "\n".join([*lines, "", "#endif", ""])


# The kernels' arithmetic in C, judged in a wider type: double for float, x87's long double, good to
# 2^-63, for double. worst: r relative, sine relative, sine, cosine, element / r.
CHECKER = r"""
#include <stdint.h>
#include <string.h>
#include <tgmath.h>
#include <polynomials.h>
#ifdef F64
typedef double T; typedef int64_t INT; typedef long double WIDE; enum { BITS = 64, STORED = 52 };
#define NAME(x) x##_F64
#else
typedef float T; typedef int32_t INT; typedef double WIDE; enum { BITS = 32, STORED = 23 };
#define NAME(x) x##_F32
#endif
static const T LOG[] = NAME(LOG), SIN[] = NAME(SIN), COS[] = NAME(COS);
static const WIDE HALF_PI = 1.57079632679489661923132L, LN2 = 0.693147180559945309417232L;

static T from_bits(INT i) { T x; memcpy(&x, &i, sizeof x); return x; }
static INT to_bits(T x) { INT i; memcpy(&i, &x, sizeof i); return i; }
static T horner(const T *c, int terms, T t) {
    T p = 0;
    while (terms) p = fma(p, t, c[--terms]);
    return p;
}
static void keep(double *worst, WIDE error) { if (fabs(error) > *worst) *worst = fabs(error); }
static void judge(T u, T x, double *worst) {
    INT e = (to_bits(u) - NAME(SQRT_HALF_BITS)) >> STORED;
    T f = from_bits(to_bits(u) - e * ((INT)1 << STORED)) - 1;
    T r = sqrt(fma((T)e, NAME(MINUS_2_LN2), f * horner(LOG, sizeof LOG / sizeof *LOG, f)));
    T s = horner(SIN, sizeof SIN / sizeof *SIN, x * x);
    T c = horner(COS, sizeof COS / sizeof *COS, x * x);
    WIDE r0 = sqrt(-2 * (log1p((WIDE)f) + e * LN2)), s0 = sin(HALF_PI * x), c0 = cos(HALF_PI * x);
    keep(worst, r / r0 - 1);
    keep(worst + 1, fma(x, s, x) / s0 - 1);
    keep(worst + 2, fma(x, s, x) - s0);
    keep(worst + 3, c - c0);
    T rx = r * x;
    keep(worst + 4, fmax(fabs(r * c / r0 - c0), fabs(fma(rx, s, rx) / r0 - s0)));
}
/* Every step-th number of [low, high), as u and as x alike. */
void sweep(double low, double high, int64_t step, double *worst) {
    for (INT i = to_bits(low), end = to_bits(high); i < end; i += step)
        judge(from_bits(i), from_bits(i), worst);
}
/* Random words A and B, taken to u and x as docs/stream-contract.md has it. */
void elements(int64_t count, double *worst) {
    const T scale = ldexp((T)1, 1 - BITS);
    uint64_t state = 0, words[2];
    while (count--) {
        for (int k = 0; k < 2; k++) { /* splitmix64 */
            uint64_t v = state += 0x9e3779b97f4a7c15;
            v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
            v = (v ^ v >> 27) * 0x94d049bb133111eb;
            words[k] = (v ^ v >> 31) >> (64 - BITS);
        }
        INT U = (INT)(words[0] >> 1);
        T u = fma((1 - ldexp((T)1, -STORED - 1)) * scale, (T)U, scale / 2);
        if (BITS == 32 && U < 256) u = (256 * U + (INT)(words[1] & 255) + (T)0.5) * 0x1p-39f;
        judge(u, (T)(INT)words[1] * scale, worst);
    }
}
"""


def measure():
    """Print the largest errors of the header's polynomials, evaluated as the kernels do."""
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            library = f"{folder}/checker.so"
            command = ["gcc", "-O2", "-mfma", "-ffp-contract=off", "-shared", "-fPIC", "-xc", "-"]
            command += [f"-D{family}", f"-I{HEADER.parent}", "-o", library, "-lm"]
            subprocess.run(command, input=CHECKER.encode(), check=True)
            checker = ctypes.CDLL(library)
        checker.sweep.argtypes = [ctypes.c_double] * 2 + [ctypes.c_int64, ctypes.c_void_p]
        checker.elements.argtypes = [ctypes.c_int64, ctypes.c_void_p]
        step, least = (1, 2.0**-40) if family == "F32" else (2**29 + 1, 2.0**-64)
        print(f"{family}: log2 of the errors of r (relative), sine (relative), sine, cosine, z / r")
        for low, high in ((0.5, 1), (0.25, 0.5), (least, 0.25)):
            worst = (ctypes.c_double * 5)()
            checker.sweep(low, high, step, worst)
            print(*(f"{math.log2(w):.2f}" for w in worst), f"u = x in [{low:.3g}, {high})")
        checker.elements(50_000_000, worst := (ctypes.c_double * 5)())
        print(*(f"{math.log2(w):.2f}" for w in worst), "50 million pairs of random words")


def main():
    """Write, check or measure the header."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--measure", action="store_true", help="print the header's errors")
    options = parser.parse_args()
    if options.measure:
        measure()
    elif not options.check:
        HEADER.write_text(header(), encoding="ascii", newline="\n")
    elif not HEADER.exists() or HEADER.read_text(encoding="ascii") != header():
        sys.exit(f"{HEADER.name} is not what {pathlib.Path(__file__).name} writes")


if __name__ == "__main__":
    main()
