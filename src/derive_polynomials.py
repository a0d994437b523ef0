r"""Derive the polynomials of the normal transforms and write them to polynomials.h.

    python src/derive_polynomials.py            write polynomials.h next to this file
    python src/derive_polynomials.py --check    exit 1 if polynomials.h is not what it would write
    python src/derive_polynomials.py --measure  print the header's errors in the kernels' arithmetic
                                                (gcc on an x86 machine with fma; three minutes)

The normal transform (docs/stream-contract.md) makes r = sqrt(-2 ln u) of one word and the sine and
cosine of (pi/2) x, |x| <= 1, of another. The kernels evaluate, with one rounding per operation:

    u = m 2^e, m in [sqrt(1/2), sqrt(2)), f = m - 1       (both exact)
    r = sqrt(fma(e, -2 ln 2, f P(f)))                     P(f) ~ -2 ln(1 + f) / f
    z = r C(x x) and fma(r x, S(x x), r x)                S(x^2) ~ sin(pi/2 x) / x - 1

with P, S and C by Horner's rule with fma. Lost: (r x) S'(x x) with S' = S + 1, which costs the same
and left z within 2^-21.56 r and 2^-50.75 r.

The truncated normal inverts Phi. Of x ~ 2 Phi(z) - 1 and q ~ min(Phi(z), 1 - Phi(z)), each as
accurate as its type has it, it makes

    y = q fma(q, -4, 4) = m 2^e, f = m - 1                ~ 1 - x^2
    t = fma(e, -2 ln 2, fma(f, P(f), -SHIFT))             n = t + SHIFT ~ -2 ln(1 - x^2)
    z = x CENTRE(t)                                       where t < SPLIT
    z = x TAIL[k](r - CENTRES[k]), r = sqrt(t + SHIFT)    elsewhere; EDGES[k] <= r < EDGES[k + 1]

P is the one above: its error in n, at most 2^-22.3 and 2^-53.9 where e is 0 or -1, moves z by less
than a quarter of that. Phi^-1((1 + x) / 2) / x is an even function of x and analytic in n, with its
nearest singularities near n = 4 pi i and its conjugate (n as the variable: M. B. Giles,
"Approximating the erfinv function", GPU Computing Gems, Jade edition, 2011).
minimax.py has the method, measure_polynomials.py the measurement.
"""

import argparse
import functools
import pathlib
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp

import measure_polynomials
from minimax import nearest, remez, round_coefficients, sample, weighted_errors

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


class Quantile(NamedTuple):
    """How Phi^-1 is cut into polynomials for one family; all numbers are exact in its type."""

    shift: float  # t = n - shift
    split: float  # of n, where the tail begins
    terms: int
    tail_terms: int
    edges: tuple  # of r: where each piece of the tail but the first begins, where the last ends
    centres: tuple  # of r


# The fewest terms of the centre, which every element pays for, that leave half of the contract's
# 2^-20 max(1, |z|) in float32 and 2^-48 max(1, |z|) in float64: --measure finds 2^-21.11 and
# 2^-50.53; 10^8 words of [-2, 2] gave 2^-21.004 and 2^-50.49. The tail begins at |z| = 3.16 in
# float32 and 2.93 in float64 (probability 0.16 and 0.34 %). Its ends are the r of q = Phi(-8) 2^-33
# and Phi(-37) 2^-65. Few of its lanes need more than its first piece.
# Lost in float32, errors with roundings: 7 terms, 2^-19.9 even with the split at 9. 9 terms,
# 2^-21.6 to 2^-21.8 with the split at 10: more than half of it roundings. 8 terms with the split at
# 12, 2^-20.9; at 10, 2^-21.2 for twice the lanes in the tail. A weight of 1 / max(1, |z|) down to
# 0: 2^-21.2, but z near 0 within 2^-19.3 z. Relative errors alone: 2^-20.9. A tail of 12 terms,
# 2^-21.1; of two pieces of 8, 2^-22.1, not worth the choice. x r T(1 / r), 10 terms for 2^-23.1
# before roundings, and a division.
# Lost in float64, errors before roundings: 19 terms, 2^-49.1 at best. 18 with the split at 8,
# 2^-51.5, for 2.7 times the lanes in the tail. With geometric edges of the tail, 4 pieces of 20
# terms, 2^-48.9; 5 of 18, 2^-49.4; 6 of 16, 2^-48.8.
QUANTILES = {
    "F32": Quantile(4, 11.5, 8, 13, (10.75,), (5.5,)),
    "F64": Quantile(4, 10, 20, 17, (4.75, 7, 11, 20, 38.4), (4, 5.875, 9, 15.5, 29)),
}


@functools.cache
def quantile_over_x(n):
    """Return Phi^-1((1 + x) / 2) / x, where n = -2 ln(1 - x^2) > 0."""
    x = mp.sqrt(-mp.expm1(-n / 2))
    log_tail = -n / 2 - mp.log(2 * (1 + x))  # ln(1 - Phi(z))
    z = mp.sqrt(n)
    while True:  # Halley's iteration for ln(1 - Phi(z)), nearly a parabola: cubic from anywhere
        tail = mp.erfc(z / mp.sqrt(2)) / 2
        gap, hazard = mp.log(tail) - log_tail, mp.npdf(z) / tail
        step = 2 * gap / (2 * hazard + gap * (hazard - z))
        z += step
        if abs(step) < abs(z) * mp.mpf("1e-30"):
            return z / x


def quantile_weight(n):
    """Return |error of z| / max(1, |z|), or |error / z| / 4 if more, per unit of error of z / x."""
    x = mp.sqrt(-mp.expm1(-n / 2))
    z = x * quantile_over_x(n)
    return x * max(1, 1 / (4 * z)) / max(1, z)


def quantile_fits(family):
    """Return (interval, value, weight, terms) of the centre and of each piece of the tail."""
    shift, split, terms, tail_terms, edges, centres = QUANTILES[family]

    def fit(low, high, to_n, terms):
        functions = (lambda t: quantile_over_x(to_n(t))), (lambda t: quantile_weight(to_n(t)))
        return (low, high), *functions, terms

    yield fit(mp.mpf(-shift), split - shift, lambda t: t + shift, terms)
    for low, high, centre in zip((mp.sqrt(split), *edges), edges, centres, strict=False):
        yield fit(low - centre, high - centre, lambda t, c=centre: (t + c) ** 2, tail_terms)


def literal(x, family):
    """Return a number of the family as an exact C literal."""
    digits, exponent = float(x).hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}{'f' if family == 'F32' else ''}"


def solve(fit, family):
    """Return the rounded coefficients as literals; the log2 of their error and of the ideal's."""
    samples = sample(*fit)
    ideal = remez(samples, fit[-1])
    coefficients = round_coefficients(ideal, samples, FAMILIES[family])
    largest = [max(map(abs, weighted_errors(c, samples))) for c in (coefficients, ideal)]
    sizes = [f"2^{float(mp.log(error, 2)):.1f}" for error in largest]
    return [literal(c, family) for c in coefficients], *sizes


def braced(words, indent):
    """Return an initialiser in a macro, three numbers to a line."""
    lines = [", ".join(words[i : i + 3]) for i in range(0, len(words), 3)]
    return f", \\\n{indent}".join(lines) + " }"


def macros(target, family):
    """Return the lines of one polynomial: what it is, how good it is, its coefficients."""
    terms = target.terms[family]
    fit = target.interval, target.value, target.weight, terms
    words, size, best = solve(fit, family)
    return [
        "",
        f"/* {target.formula}",
        f"   {target.kind}: {size} ({best} before rounding) */",
        f"#define {target.name}_{family}_TERMS {terms}",
        f"#define {target.name}_{family} {{ \\",
        "    " + braced(words, "    "),
    ]


def quantile_macros(family):
    """Return the lines of the polynomials of Phi^-1."""
    shift, split, terms, tail_terms, edges, centres = QUANTILES[family]
    (words, size, best), *tail = [solve(fit, family) for fit in quantile_fits(family)]
    edges_from = nearest(mp.sqrt(split), FAMILIES[family]), *edges[:-1]
    pieces, sizes, bests = zip(*tail, strict=True)
    return [
        "",
        f"/* z = Phi^-1((1 + x) / 2) ~ x C(t), t = n - SHIFT < SPLIT, n = -2 ln(1 - x^2) < {split}",
        "   |error| / max(1, |z|), where |z| < 1/4 a quarter of the relative error:",
        f"   {size} ({best} before rounding) */",
        f"#define QUANTILE_SHIFT_{family} {literal(shift, family)}",
        f"#define QUANTILE_SPLIT_{family} {literal(split - shift, family)}",
        f"#define QUANTILE_CENTRE_{family}_TERMS {terms}",
        f"#define QUANTILE_CENTRE_{family} {{ \\",
        "    " + braced(words, "    "),
        "",
        f"/* z ~ x T[k](r - CENTRES[k]), r = sqrt(n) <= {edges[-1]}; piece k begins at EDGES[k]",
        f"   relative error: {', '.join(sizes)}",
        f"   ({', '.join(bests)} before rounding) */",
        f"#define QUANTILE_TAIL_PIECES_{family} {len(tail)}",
        f"#define QUANTILE_TAIL_EDGES_{family} {array(edges_from, family)}",
        f"#define QUANTILE_TAIL_CENTRES_{family} {array(centres, family)}",
        f"#define QUANTILE_TAIL_{family}_TERMS {tail_terms}",
        f"#define QUANTILE_TAIL_{family} {{ \\",
        ", \\\n".join("    { " + braced(words, "      ") for words in pieces) + " }",
    ]


def array(numbers, family):
    """Return an initialiser on one line."""
    return f"{{ {', '.join(literal(x, family) for x in numbers)} }}"


def header():
    """Return the text of polynomials.h."""
    lines = [
        "/* Generated by derive_polynomials.py, which says how and why; do not edit.",
        "   Coefficients of the normal transforms, lowest order first. Errors are those of the",
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
        lines += quantile_macros(family)
    return "\n".join([*lines, "", "#endif", ""])


def main():
    """Write, check or measure the header."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--measure", action="store_true", help="print the header's errors")
    options = parser.parse_args()
    if options.measure:
        measure_polynomials.measure(HEADER)
    elif not options.check:
        HEADER.write_text(header(), encoding="ascii", newline="\n")
    elif not HEADER.exists() or HEADER.read_text(encoding="ascii") != header():
        sys.exit(f"{HEADER.name} is not what {pathlib.Path(__file__).name} writes")


if __name__ == "__main__":
    main()
