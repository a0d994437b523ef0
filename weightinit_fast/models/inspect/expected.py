"""What a tensor's moments are compared with: the usual rules, and the law that a recipe wants."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..._resolve.fans import fans
from ...initialisers.law import Law, truncated_moments
from .statistics import Summary

__all__ = [
    "Comparison",
    "compared",
    "kurtosis",
    "nearest",
    "parent_std",
    "rounding_of",
    "usual_stds",
]

#: Bits of the mantissa, and the distance of subnormal numbers.
_PRECISION = {
    "float64": (52, 2.0**-1074),
    "float32": (23, 2.0**-149),
    "bfloat16": (7, 2.0**-133),
    "float16": (10, 2.0**-24),
    "float8_e4m3fn": (3, 2.0**-9),
    "float8_e5m2": (2, 2.0**-16),
    "float8_e4m3fnuz": (3, 2.0**-10),
    "float8_e5m2fnuz": (2, 2.0**-17),
}
#: Kinds whose elements depend on each other so that their mean square is fixed.
_RIGID = {"orthogonal", "delta_orthogonal", "identity", "dirac"}
#: A std is said to be a rule's if it differs by no more than this share, or four standard errors.
_SAME = 0.005
#: A probability that is too small for an explanation.
_RARE = 1e-6


def usual_stds(shape: tuple[int, ...]) -> dict[str, float]:
    """Return the std that each of the usual rules gives a weight of that shape.

    The fans are those of torch's layouts: outputs first, then inputs, then the axes of a kernel. A
    shape of fewer than two axes has none, and only the fixed 0.02 is left.
    """
    stds = {}
    if len(shape) >= 2 and all(shape):
        fan_in, fan_out = fans(shape)
        stds = {
            "Xavier": math.sqrt(2 / (fan_in + fan_out)),
            "He": math.sqrt(2 / fan_in),
            "LeCun": math.sqrt(1 / fan_in),
        }
    return stds | {"0.02": 0.02}


def nearest(summary: Summary, stds: Mapping[str, float]) -> str | None:
    """Return the name of the rule that gives the std of a tensor, if one does."""
    if not summary.finite or not summary.std > 0:
        return None
    candidates = dict(stds)
    if "LeCun" in stds:
        # torch's Linear and convolutions draw a uniform distribution of bound 1/sqrt(fan_in).
        candidates["torch's layers"] = stds["LeCun"] / math.sqrt(3)
    apart = {name: abs(summary.std / std - 1) for name, std in candidates.items()}
    best = min(apart, key=lambda name: apart[name])
    allowed = max(_SAME, 4 * math.sqrt(0.5 / summary.finite))
    # A few elements have a std near that of nearly any rule.
    return best if apart[best] <= min(allowed, 0.1) else None


class Comparison(NamedTuple):
    """A tensor's moments beside those of a law.

    ``mean_errors`` and ``std_errors`` are the differences in standard errors. They are NaN where
    the law leaves no room for a difference, as a constant does. ``mean_off`` and ``std_off`` say
    whether a difference is larger than chance and rounding explain.
    """

    mean_errors: float
    std_errors: float
    mean_off: bool
    std_off: bool
    outside: float = 0.0  # how far the farthest element is beyond the law's interval, in its std
    #: Whether all elements are equal because the type is too coarse to tell the law's apart.
    lost: bool = False


def rounding_of(value: float, dtype: str) -> float:
    """Return the most that rounding to nearest moves a number which becomes that value."""
    bits, step = _PRECISION.get(dtype, (52, 0.0))
    return max(2.0 ** -(bits + 1) * abs(value), step / 2)


def compared(summary: Summary, law: Law, dtype: str, most_errors: float) -> Comparison:
    """Compare a tensor's moments with those of the law that its elements should have.

    Of n independent elements of std σ and kurtosis κ, the mean has the standard error σ/sqrt(n),
    and the std σ·sqrt((κ - 1)/(4n)). Rounding to a type with few bits moves both as well: that much
    is allowed beside ``most_errors`` standard errors.
    """
    n, std = summary.finite, law.std
    if not n:
        return Comparison(math.nan, math.nan, False, False)
    bits, step = _PRECISION.get(dtype, (52, 0.0))
    relative = 2.0 ** -(bits + 1)
    moved_mean, moved_std = summary.mean - law.mean, summary.std - std
    # The most that rounding moves one element of a usual size.
    one = rounding_of(max(abs(law.mean), std), dtype)
    if std == 0:
        apart = max(abs(summary.high - law.mean), abs(summary.low - law.mean))
        return Comparison(math.nan, math.nan, apart > one, False)
    mean_error = std / math.sqrt(n)
    # What rounding may do to the std. Elements just below an upper bound are rounded down, so that
    # none reaches it: that moves the mean, and the std more than rounding to nearest does.
    bounded = math.isfinite(law.high)
    rounding = (3 if bounded else 1) * one * (one / std)
    chance = most_errors * math.hypot(std, one) / math.sqrt(n)
    # Where elements lie closer to each other than to the next number of the type, all are rounded
    # the same way.
    together = rounding_of(law.mean, dtype)
    moved_together = together if together > std else relative * abs(law.mean)
    mean_off = abs(moved_mean) > chance + moved_together + bounded * rounding
    outside = 0.0
    if math.isfinite(law.low) and math.isfinite(law.high):
        largest = max(abs(law.low), abs(law.high))
        slack = max(2 * relative * largest, step)
        outside = max(0.0, summary.high - law.high - slack, law.low - slack - summary.low) / std
    lost = False
    if summary.low == summary.high and not mean_off:
        # The probability that a normal element is rounded to that value, to the power of all.
        reach = rounding_of(summary.low, dtype) / std
        lost = math.erf(reach / math.sqrt(2)) ** n > _RARE
    if law.kind in _RIGID:
        # The law leaves room for rounding alone: not in the std, of which the mean takes a share in
        # small matrices, but in the distance from the law's mean.
        std_off = abs(math.hypot(summary.std, moved_mean) - std) > 0.01 * std + one
        mean_errors = _in_errors(moved_mean, mean_error)
        return Comparison(mean_errors, math.nan, mean_off, std_off, outside, lost)
    fourth = kurtosis(law)
    if law.kind == "sparse":
        # A fixed number of elements are normal, and all others 0.
        fourth = 1 + 2 * n / max(1, n - summary.zeros)
    std_error = std * math.sqrt((fourth - 1) / (4 * n))
    std_off = abs(moved_std) > most_errors * std_error + rounding
    mean_errors, std_errors = _in_errors(moved_mean, mean_error), _in_errors(moved_std, std_error)
    return Comparison(mean_errors, std_errors, mean_off, std_off, outside, lost)


def _in_errors(difference: float, error: float) -> float:
    """Return a difference in standard errors; that of a subnormal std may be rounded to 0."""
    return difference / error if error else math.copysign(math.inf, difference)


def kurtosis(law: Law) -> float:
    """Return the fourth standardised moment of a law.

    It is exact for a normal (3), a uniform (9/5) and a symmetric truncated normal. For another
    truncated normal it is 9, the most that there is, so that deviations are told too small rather
    than too large.
    """
    if law.kind == "uniform":
        return 1.8
    if law.kind == "truncated_normal":
        bound = _bound(law)
        return 9.0 if bound is None else _kurtosis_within(bound)
    return 3.0


def parent_std(law: Law) -> float | None:
    """Return the std of the normal that was truncated; None if its bounds are not symmetric."""
    bound = _bound(law)
    return None if bound is None else (law.high - law.mean) / bound


def _bound(law: Law) -> float | None:
    """Return where a symmetric truncated normal ends, in units of its parent's std."""
    below, above = (law.mean - law.low) / law.std, (law.high - law.mean) / law.std
    if not math.isclose(below, above, rel_tol=1e-6):
        return None
    return _bound_of_reach(round(above, 9))


@lru_cache(maxsize=64)
def _bound_of_reach(reach: float) -> float:
    """Return the bound of a truncated normal whose end is ``reach`` times its own std away."""
    low, high = 1e-3, 40.0  # a bound of 1e-3 is as good as a uniform distribution
    for _ in range(60):
        middle = (low + high) / 2
        if middle / truncated_moments(-middle, middle)[1] < reach:
            low = middle
        else:
            high = middle
    return high


@lru_cache(maxsize=64)
def _kurtosis_within(bound: float) -> float:
    """Return the kurtosis of a normal truncated at -bound and bound."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    x = nodes * min(bound, 12.0)
    mass = weights * np.exp(-x * x / 2)
    return float((mass * x**4).sum() * mass.sum() / (mass * x**2).sum() ** 2)
