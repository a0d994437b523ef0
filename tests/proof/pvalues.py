"""P-values of the statistics that judge long runs, without a library of statistics."""

import math

import numpy as np


def normal_p(score):
    """Return the two-sided p-value of a standard score."""
    return math.erfc(abs(score) / math.sqrt(2))


def two_sided(upper):
    """Return the two-sided p-value of an upper one, since a fit can also be too good."""
    return min(1.0, 2 * min(upper, 1 - upper))


def binomial_p(count, n, p):
    """Return the two-sided p-value of a binomial count: twice the smaller tail."""
    mean = n * p
    if mean > 1e4:
        return normal_p((abs(count - mean) - 0.5) / math.sqrt(mean * (1 - p)))
    log_term = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    term = math.exp(log_term + count * math.log(p) + (n - count) * math.log1p(-p))
    step = -1 if count < mean else 1
    total, k = 0.0, count
    while 0 <= k <= n and term > 1e-18 * total:
        total += term
        odds = p / (1 - p)
        term *= (n - k) / (k + 1) * odds if step > 0 else k / ((n - k + 1) * odds)
        k += step
    return min(1.0, 2 * total)


def chi_square(counts, expected=None):
    """Return chi-square of counts in bins (by default equally likely), and its degrees."""
    expected = counts.sum() / len(counts) if expected is None else expected
    return float(((counts - expected) ** 2 / expected).sum()), len(counts) - 1


def chi_square_score(chi, freedom):
    """Return a standard score by Wilson and Hilferty's cube root, for tens of degrees or more."""
    spread = 2 / (9 * freedom)
    return ((chi / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


def chi_square_p(counts, expected=None):
    """Return the upper p-value of chi_square."""
    return math.erfc(chi_square_score(*chi_square(counts, expected)) / math.sqrt(2)) / 2


def kolmogorov_p(distance, n):
    """Return the p-value of the greatest distance of n values from a continuous distribution."""
    root = math.sqrt(n)
    x = distance * (root + 0.12 + 0.11 / root)  # Stephens (1970), good from n = 5 on
    if x < 0.05:
        return 1.0
    if x < 1.2:  # this series converges fast here, and the other one above 1.2
        terms = (math.exp(-(((2 * k - 1) * math.pi / x) ** 2) / 8) for k in range(1, 20))
        return 1 - math.sqrt(2 * math.pi) / x * sum(terms)
    return 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 20))


def smallest_p(p, count):
    """Return the p-value of the smallest of `count` p-values."""
    return -math.expm1(count * math.log1p(-min(p, 1 - 2**-53)))


def uniform_p(p_values):
    """Return the p-value of p-values being spread evenly over [0, 1]."""
    p = np.sort(p_values)
    n = len(p)
    steps = np.arange(n + 1) / n
    return kolmogorov_p(float(max((steps[1:] - p).max(), (p - steps[:-1]).max())), n)
