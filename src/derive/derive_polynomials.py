r"""Derive the polynomials of the normal transforms and write them to polynomials.h.

    python src/derive/derive_polynomials.py            write src/engine/kernels/polynomials.h
    python src/derive/derive_polynomials.py --check    exit 1 if that file differs from the script
    python src/derive/derive_polynomials.py --measure  print the polynomials' errors as the kernels
                                                       compute them
                                                       (needs gcc, x86 with fma, three minutes)

The normal transform (docs/stream-contract.md) makes r = sqrt(-2 ln u) from one word, and the sine
and the cosine of (pi/2) x, |x| <= 1, from another word. The kernels compute, with one rounding per
operation:

    u = m 2^e, m in [1, 2); cell i = floor(8 (m - 1)), t = 8 e + i
    f = fma(m, INVERSE[i], -1)                            |f| <= 1/16; INVERSE[7] = 1/2
    -2 ln u ~ fma(f, P(f), fma(t, STEP, LOG[i]))          P(f) ~ -2 ln(1 + f) / f
    y = fma(2 r, C(x x), mean), fma(2 r x, S(x x), mean)  C ~ std cos(pi/2 x) / 2,
                                                          S ~ std sin(pi/2 x) / (2 x)

The eight cells divide [1, 2) into equal parts; INVERSE[i] is about the inverse of the middle of
cell i. P, S and C are evaluated by Horner's rule with fma. STEP = -(ln 2)/4 is the change of -2 ln
u from one cell to the next if all cells of an exponent shared it equally, and LOG[i] corrects t
STEP to the true value at the cell's centre. LOG[i] is small, so that its rounding costs little. In
the last cell LOG[i] is exactly STEP; with t = -1, where u is nearly 1, they cancel, so that -2 ln u
is f P(f) alone and keeps its relative accuracy as u -> 1. The coefficients of S and C are
multiplied by std, once a call, before they are rounded to the family's type, which saves two
multiplications for each pair. (They hold the factor 1/2, since pi/2 times the largest std would
overflow. The factor 2 of 2 r is in P, STEP and LOG, as a factor 4 under the root.)

These were tried and rejected:

- One polynomial for -2 ln u on [sqrt(1/2), sqrt(2)], of 8 and 20 terms in the two families: it
  takes three and nine more fma for the same accuracy.
- Tables of 16 cells. float32 still needs 4 terms (3 terms leave an error of 2^-20.4) and float64
  needs 8 terms instead of 10, but a lookup takes three more operations where a register holds 8
  entries.
- Half the angle, with sine and cosine of 4 terms each and cos = 1 - 2 sin^2: it takes as many
  operations.
- Coefficients that are rounded before the multiplication by std as well as after it: there are more
  roundings, and nothing is gained.

The truncated normal inverts Phi. From x ~ 2 Phi(z) - 1 and q ~ min(Phi(z), 1 - Phi(z)), each as
accurate as its type allows, it computes

    y = q fma(q, -4, 4)                                   ~ 1 - x^2
    t = -2 ln y - SHIFT, as above with LOG[i] - SHIFT     n = t + SHIFT ~ -2 ln(1 - x^2)
    z = x CENTRE(t)                                       where t < SPLIT
    z = x TAIL[k](r - CENTRES[k]), r = sqrt(t + SHIFT)    elsewhere; EDGES[k] <= r < EDGES[k + 1]

and, if both bounds are within NEAR_MEDIAN_END of the median, so that x alone has enough digits,

    n = -2 ln fma(-x, x, 1),  z = x NEAR_MEDIAN(n)        the coefficients times std, as above

P is the polynomial above: an error in n moves z by less than a quarter of that error. The function
Phi^-1((1 + x) / 2) / x is an even function of x and analytic in n. Its nearest singularities are
near n = 4 pi i and its conjugate. (The variable n is that of M. B. Giles, "Approximating the erfinv
function", GPU Computing Gems, Jade edition, 2011.) minimax.py has the method, and
measure_polynomials.py the measurement.
"""

import argparse
import functools
import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp

import measure_polynomials
from minimax import nearest, remez, round_coefficients, sample, weighted_errors

HEADER = pathlib.Path(__file__).parents[1] / "engine" / "kernels" / "polynomials.h"
FAMILIES = {"F32": 24, "F64": 53}  # name -> significand bits
LN2, HALF_PI = mp.log(2), mp.pi / 2


class Target(NamedTuple):
    """A function to approximate: value(t) on an interval, whose error is weighted by weight(t)."""

    name: str
    formula: str
    kind: str  # of the error that the header states
    interval: tuple
    value: Callable
    weight: Callable
    terms: dict  # family -> number of coefficients
    scaled: bool  # whether the kernels multiply the coefficients by std; they are binary64 then


CELLS = 8  # of the logarithm's table: an AVX2 register holds as many float32


def cell_log(cell, inverse, bits):
    """Return LOG of a cell: -2 ln u less t times the rounded STEP, at its centre, for e = -1."""
    step = nearest(-LN2 / 4, bits)
    return 2 * LN2 + 2 * mp.log(inverse) - (cell - CELLS) * step


@functools.cache
def cells(family):
    """Return (INVERSE, LOG) of each cell, both exact.

    The last cell ends at m = 2, where f must vanish and so must all that is added to f P(f). In
    every other cell, INVERSE is chosen among 2000 numbers around the inverse of the middle, as the
    one whose LOG is nearest to a number of the type, so that LOG adds no error of its own (S. Gal,
    "Computing elementary functions: a new approach", 1986).
    """
    bits = FAMILIES[family]
    found = []
    for cell in range(CELLS - 1):
        middle = nearest(1 / (1 + mp.mpf(2 * cell + 1) / (2 * CELLS)), bits)
        candidates = [middle + k * mp.mpf(2) ** -bits for k in range(-1000, 1000)]
        logs = [(i, cell_log(cell, i, bits)) for i in candidates]
        inverse, log = min(logs, key=lambda pair: abs(pair[1] - nearest(pair[1], bits)))
        found.append((inverse, nearest(log, bits)))
    return [*found, (mp.mpf(1) / 2, nearest(-LN2 / 4, bits))]


def log_weight(f):
    """Return the relative error of -2 ln u that a unit of error of P(f) makes in the worst cell.

    This is for u < 1. In the last cell -2 ln u is f P(f). In another cell -2 ln u is least where
    the exponent is -1.
    """
    inverses = [1 / (1 + mp.mpf(2 * i + 1) / (2 * CELLS)) for i in range(CELLS - 1)]
    logs = [
        -2 * mp.log((1 + f) / (2 * inverse))
        for i, inverse in enumerate(inverses)
        if (1 + mp.mpf(i) / CELLS) * inverse <= 1 + f <= (1 + mp.mpf(i + 1) / CELLS) * inverse
    ]
    return abs(f) / min([*logs, -2 * mp.log1p(f)] if f < 0 else logs)


def sine_over_x(t):
    """Return sin(pi/2 x) / x, where t = x^2."""
    return mp.sin(HALF_PI * mp.sqrt(t)) / mp.sqrt(t)


# The numbers of terms are the smallest that leave a margin to the contract's 2^-21 r in float32 and
# 2^-50 r in float64. The errors of r, of the sine or cosine, and of their product add up; --measure
# finds the sum. With one term fewer the errors are, in float32: -2 ln u 2^-17.2, sine
# 2^-20.7, cosine 2^-17.2; in float64: -2 ln u 2^-48.7, sine 2^-45.6, cosine 2^-48.8.
TARGETS = [
    Target(
        *("LOG", "-2 ln(1 + f) ~ f P(f), f in [-1/16, 1/17]"),
        *("relative error of -2 ln u, u < 1", (-mp.mpf(1) / 16, mp.mpf(1) / 17 - mp.mpf(2) ** -23)),
        *(lambda f: -2 * mp.log1p(f) / f, log_weight, {"F32": 4, "F64": 10}, False),
    ),
    Target(
        *("SIN", "sin(pi/2 x) ~ x S(x^2), x in [-1, 1]", "relative error", (0, 1)),
        *(sine_over_x, lambda t: 1 / sine_over_x(t), {"F32": 5, "F64": 8}, True),
    ),
    Target(
        *("COS", "cos(pi/2 x) ~ C(x^2), x in [-1, 1]", "absolute error", (0, 1)),
        *(lambda t: mp.cos(HALF_PI * mp.sqrt(t)), lambda t: mp.mpf(1), {"F32": 5, "F64": 9}),
        True,
    ),
]


class Quantile(NamedTuple):
    """How one family cuts Phi^-1 into polynomials; all numbers here are exact in its type."""

    shift: float  # t = n - shift
    split: float  # n where the tail begins
    terms: int
    near_median_terms: int
    tail_terms: int
    edges: tuple  # r = sqrt(n) where each piece of the tail ends and the next one begins
    centres: tuple  # r in the middle of each piece


# The number of terms of the centre, which every element pays for, is the smallest that leaves half
# of the contract's 2^-20 max(1, |z|) in float32 and 2^-48 max(1, |z|) in float64: --measure finds
# 2^-21.11 and 2^-50.53, and 10^8 words with the bounds -2 and 2 gave 2^-21.004 and 2^-50.49. The
# tail begins at |z| = 3.16 in float32 and at 2.93 in float64, beyond which the probability is 0.16
# and 0.34 %. It ends at the r of q = Phi(-8) 2^-33 and of q = Phi(-37) 2^-65. Few lanes of the tail
# need more than its first piece.
#
# These were tried and rejected in float32; the errors include the roundings:
# - 7 terms: 2^-19.9, even with the split at 9.
# - 9 terms: 2^-21.6 to 2^-21.8 with the split at 10, of which more than half is roundings.
# - 8 terms with the split at 12: 2^-20.9. At 10: 2^-21.2 for twice as many lanes in the tail.
# - A weight of 1 / max(1, |z|) down to 0: 2^-21.2, but z near 0 only within 2^-19.3 z.
# - Relative errors alone: 2^-20.9.
# - A tail of 12 terms: 2^-21.1. A tail of two pieces of 8 terms: 2^-22.1, not worth the choice.
# - x r T(1 / r) with 10 terms: 2^-23.1 before roundings, and it takes a division.
# These were tried and rejected in float64; the errors are those before roundings:
# - 19 terms: 2^-49.1 at best.
# - 18 terms with the split at 8: 2^-51.5, for 2.7 times as many lanes in the tail.
# - Tails with geometric edges: 4 pieces of 20 terms, 2^-48.9; 5 of 18, 2^-49.4; 6 of 16, 2^-48.8.
QUANTILES = {
    "F32": Quantile(4, 11.5, 8, 7, 13, (10.75,), (5.5,)),
    "F64": Quantile(4, 10, 20, 16, 17, (4.75, 7, 11, 20, 38.4), (4, 5.875, 9, 15.5, 29)),
}

# Bounds within this distance of the median need no q: x, which is accurate to about 2^-24, gives z
# to 2^-25 / density. The distance is long enough for the usual bounds of -2 and 2, and short enough
# for 7 terms. (6 terms reach to 2.05 with an error of 2^-21.2.)
NEAR_MEDIAN_END = mp.mpf(9) / 4


@functools.cache
def quantile_over_x(n):
    """Return Phi^-1((1 + x) / 2) / x, where n = -2 ln(1 - x^2) > 0."""
    x = mp.sqrt(-mp.expm1(-n / 2))
    log_tail = -n / 2 - mp.log(2 * (1 + x))  # ln(1 - Phi(z))
    z = mp.sqrt(n)
    # Halley's iteration for ln(1 - Phi(z)), which is nearly a parabola, converges from anywhere.
    while True:
        tail = mp.erfc(z / mp.sqrt(2)) / 2
        gap, hazard = mp.log(tail) - log_tail, mp.npdf(z) / tail
        step = 2 * gap / (2 * hazard + gap * (hazard - z))
        z += step
        if abs(step) < abs(z) * mp.mpf("1e-30"):
            return z / x


def quantile_weight(n):
    """Return the weighted error of z that a unit of error of z / x makes.

    The weighted error is |error| / max(1, |z|), or |error / z| / 4 if that is more.
    """
    x = mp.sqrt(-mp.expm1(-n / 2))
    z = x * quantile_over_x(n)
    return x * max(1, 1 / (4 * z)) / max(1, z)


def quantile_fits(family):
    """Return (interval, value, weight, terms) of the centre and of each piece of the tail."""
    shift, split, terms, _, tail_terms, edges, centres = QUANTILES[family]

    def fit(low, high, to_n, terms):
        functions = (lambda t: quantile_over_x(to_n(t))), (lambda t: quantile_weight(to_n(t)))
        return (low, high), *functions, terms

    yield fit(mp.mpf(-shift), split - shift, lambda t: t + shift, terms)
    for low, high, centre in zip((mp.sqrt(split), *edges), edges, centres, strict=False):
        yield fit(low - centre, high - centre, lambda t, c=centre: (t + c) ** 2, tail_terms)


def near_median_fit(family):
    """Return (interval, value, weight, terms) of the polynomial in n for bounds near the median."""
    end = -2 * mp.log1p(-(mp.erf(NEAR_MEDIAN_END / mp.sqrt(2)) ** 2))
    return (mp.mpf(0), end), quantile_over_x, quantile_weight, QUANTILES[family].near_median_terms


def literal(x, family):
    """Return a number of the family as an exact C literal."""
    digits, exponent = float(x).hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{exponent}{'f' if family == 'F32' else ''}"


def solve(fit, family, scaled=False):
    """Return the rounded coefficients as literals, their error, and that of the ideal coefficients.

    The errors are written as powers of two. Coefficients that the kernels multiply by std are
    binary64, since the kernels round them to the family's type after that.
    """
    samples = sample(*fit)
    ideal = remez(samples, fit[-1])
    family = "F64" if scaled else family
    coefficients = round_coefficients(ideal, samples, FAMILIES[family])
    largest = [max(map(abs, weighted_errors(c, samples))) for c in (coefficients, ideal)]
    sizes = [f"2^{float(mp.log(error, 2)):.1f}" for error in largest]
    return [literal(c, family) for c in coefficients], *sizes


def braced(words, indent):
    """Return the end of a C initialiser in a macro, three numbers to a line."""
    lines = [", ".join(words[i : i + 3]) for i in range(0, len(words), 3)]
    return f", \\\n{indent}".join(lines) + " }"


def macros(target, family):
    """Return the lines of one polynomial: what it is, how accurate it is, its coefficients."""
    terms = target.terms[family]
    fit = target.interval, target.value, target.weight, terms
    words, size, best = solve(fit, family, target.scaled)
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
    shift, split, terms, near_median_terms, tail_terms, edges, centres = QUANTILES[family]
    near_words, near_size, near_best = solve(near_median_fit(family), family, scaled=True)
    (words, size, best), *tail = [solve(fit, family) for fit in quantile_fits(family)]
    edges_from = nearest(mp.sqrt(split), FAMILIES[family]), *edges[:-1]
    pieces, sizes, bests = zip(*tail, strict=True)
    return [
        "",
        f"/* z = Phi^-1((1 + x) / 2) ~ x C(t), t = n - SHIFT < SPLIT, n = -2 ln(1 - x^2) < {split}",
        "   |error| / max(1, |z|), or, where |z| < 1/4, a quarter of the relative error:",
        f"   {size} ({best} before rounding) */",
        f"#define QUANTILE_SHIFT_{family} {literal(shift, family)}",
        f"#define QUANTILE_SPLIT_{family} {literal(split - shift, family)}",
        f"#define QUANTILE_CENTRE_{family}_TERMS {terms}",
        f"#define QUANTILE_CENTRE_{family} {{ \\",
        "    " + braced(words, "    "),
        "",
        f"/* The same as z ~ x NEAR_MEDIAN(n), |z| <= {float(NEAR_MEDIAN_END)}:"
        f" {near_size} ({near_best}) */",
        f"#define QUANTILE_NEAR_MEDIAN_{family}_TERMS {near_median_terms}",
        f"#define QUANTILE_NEAR_MEDIAN_{family} {{ \\",
        "    " + braced(near_words, "    "),
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
    """Return a C initialiser on one line."""
    return f"{{ {', '.join(literal(x, family) for x in numbers)} }}"


def header():
    """Return the text of polynomials.h."""
    lines = [
        "/* Generated by src/derive/derive_polynomials.py, which says how and why; do not edit.",
        "   These are the coefficients of the normal transforms, lowest order first. The errors",
        "   are those of the rounded coefficients in exact arithmetic; the roundings of the",
        "   evaluation come in addition. */",
        "#ifndef WIF_POLYNOMIALS_H\n#define WIF_POLYNOMIALS_H",
    ]
    lines += ["", f"#define QUANTILE_NEAR_MEDIAN_END {literal(NEAR_MEDIAN_END, 'F64')}"]
    for family, bits in FAMILIES.items():
        columns = zip(*cells(family), strict=True)
        inverses, logs = ([literal(x, family) for x in column] for column in columns)
        lines += [
            "",
            f"/* The {CELLS} cells of the logarithm: f = m INVERSE - 1, and -2 ln u is",
            "   -2 ln(1 + f) + LOG + t STEP, where t = 8 e + i. */",
            f"#define LOG_STEP_{family} {literal(nearest(-LN2 / 4, bits), family)}",
            f"#define LOG_CELL_INVERSES_{family} {{ \\",
            "    " + braced(inverses, "    "),
            f"#define LOG_CELL_LOGS_{family} {{ \\",
            "    " + braced(logs, "    "),
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
