"""Law: the distribution of an element, as numbers; and the moments of a truncated normal."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

__all__ = ["Law", "truncated_moments"]


class Law(NamedTuple):
    """The distribution of an element of a tensor, which an initialiser and a shape determine.

    Attributes
    ----------
    kind : str
        ``"constant"``, ``"uniform"``, ``"normal"`` or ``"truncated_normal"``. For a structured
        initialiser it is the function's own name: ``"identity"``, ``"dirac"``, ``"sparse"``,
        ``"orthogonal"`` or ``"delta_orthogonal"``.
    mean, std : float
        The mean and the standard deviation of an element, computed in float64 from the parameters
        and not from draws. For a truncated normal they belong to the values that are drawn, not to
        the parent normal. Where the value depends on the position, as in an identity matrix, they
        are those of an element at a random position.
    low, high : float
        The interval that holds every element: the bounds of a uniform or truncated distribution;
        infinite for a normal one. An element of an orthogonal matrix may lie beyond it by rounding
        errors.

    See Also
    --------
    Initializer.law : returns the Law for a shape.

    Examples
    --------
    >>> import weightinit_fast as wi
    >>> wi.initializer("he_normal").law((256, 128))
    Law(kind='normal', mean=0.0, std=0.125, low=-inf, high=inf)
    >>> wi.initializer("uniform(low=-1, high=1)").law(3).std  # 2/sqrt(12)
    0.5773502691896258
    """

    kind: str
    mean: float
    std: float
    low: float
    high: float


#: Moments are integrated over bounds of at most this distance from 0. A normal's density at 40 is
#: 10**-348 of that at 0.
_FARTHEST = 40.0


@lru_cache(maxsize=1024)
def truncated_moments(lower: float, upper: float) -> tuple[float, float]:
    """Return the mean and the standard deviation of N(0, 1) restricted to (lower, upper).

    The closed forms, such as mean = (φ(lower) - φ(upper))/(Φ(upper) - Φ(lower)), lose all digits in
    far tails. So the moments are integrated by Gauss-Legendre quadrature about the point of the
    interval where the density is greatest, which has no cancellation. Tests compare them with
    mpmath, to 1e-13.
    """
    lower, upper = max(lower, -_FARTHEST), min(upper, _FARTHEST)
    densest = min(max(0.0, lower), upper)
    # Beyond this distance the density is below exp(-80) of that at the densest point.
    reach = 160 / (abs(densest) + math.sqrt(densest * densest + 160))
    begin, end = max(lower, densest - reach), min(upper, densest + reach)
    nodes, weights = _legendre_rule()
    half = (end - begin) / 2
    # Distances from the densest point, which keep their digits where the interval is far or narrow.
    distance = (begin - densest) + half * (1 + nodes)
    mass = weights * np.exp(-distance * (distance / 2 + densest))
    mass /= mass.sum()
    mean = 0.0 if lower == -upper else float((mass * distance).sum())
    return densest + mean, math.sqrt(float((mass * (distance - mean) ** 2).sum()))


@lru_cache(maxsize=1)
def _legendre_rule() -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes and the weights of Gauss-Legendre quadrature with 100 points."""
    return np.polynomial.legendre.leggauss(100)
