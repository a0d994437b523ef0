"""Minimax polynomials with coefficients of a floating-point format; for derive_polynomials.py.

1. Remez exchange (E. Ya. Remez, 1934; J.-M. Muller, "Elementary Functions", 3rd ed., chapter 3)
   gives the real coefficients whose largest weighted error is least.
2. The coefficients are rounded to the format one by one, the constant first. After each rounding
   the coefficients that are left are fitted again, by least squares, to the polynomial of step 1.
   This is Babai's nearest-plane algorithm on the lattice of Brisebarre and Chevillard, "Efficient
   polynomial L-infinity approximations" (ARITH 2007). If the Remez exchange fitted them instead, it
   would raise every error to that of the constant, which cannot change any more.

A descent over neighbouring float32 coefficients, by the error of the float32 evaluation on 40,000
points, was tried and rejected: over all float32 numbers it left r of the normal transform as it was
and made sine and cosine worse.
"""

import mpmath as mp

# 240 bits are ample for least squares on 20 powers of a variable, which square the condition
# number.
mp.mp.prec = 240


def sample(interval, value, weight, terms):
    """Return (t, value(t), weight(t)) at the Chebyshev points of the interval, 60 for each term."""
    low, high = interval
    angles = [mp.pi * (2 * i + 1) / (120 * terms) for i in range(60 * terms)]
    ts = [(low + high - (high - low) * mp.cos(angle)) / 2 for angle in angles]
    return [(t, value(t), weight(t)) for t in ts]


def weighted_errors(coefficients, samples):
    """Return the polynomial's error times the weight, for samples (t, value, weight)."""
    return [w * (v - mp.polyval(coefficients[::-1], t)) for t, v, w in samples]


def remez(samples, terms):
    """Return the coefficients, lowest order first, of the minimax polynomial on the samples.

    With 60 Chebyshev points for each term, an extremum between two points is at most 0.04 % larger
    than the value at the nearer point, so that extrema need not be refined.
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
        extrema = []  # the places of the largest error in each run of one sign
        for k, error in enumerate(errors):
            if not extrema or (error > 0) != (errors[extrema[-1]] > 0):
                extrema.append(k)
            elif abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = k
        while len(extrema) > terms + 1:  # drop the smallest ones so that the signs still alternate
            sizes = [abs(errors[k]) for k in extrema]
            if len(extrema) == terms + 2:
                del extrema[0 if sizes[0] < sizes[-1] else -1]
            else:
                pair = min(range(len(sizes) - 1), key=lambda i: max(sizes[i : i + 2]))
                del extrema[pair : pair + 2]
        reference = extrema
    raise ArithmeticError("Remez exchange did not converge")


def nearest(x, bits):
    """Return x rounded to `bits` significand bits; no number here is near the subnormals."""
    with mp.workprec(bits):
        return +x


def round_coefficients(ideal, samples, bits):
    """Round ideal[0], fit the others to the ideal polynomial again, round the next, and so on."""
    terms = len(ideal)
    moments = [mp.fsum(w * w * t**n for t, _, w in samples) for n in range(2 * terms - 1)]
    rounded = []
    for k in range(terms):
        moved = [rounded[j] - ideal[j] for j in range(k)]
        gram = [moments[i + k : i + terms] for i in range(k, terms)]
        right = [-mp.fsum(moments[i + j] * moved[j] for j in range(k)) for i in range(k, terms)]
        rounded.append(nearest(ideal[k] + mp.lu_solve(gram, right)[0], bits))
    return rounded
