"""Oracle of the truncated normal: the exact transform of the same bits, and the contract's bound.

z = Φ⁻¹((1 - p)·Φ(lower) + p·Φ(upper)) is the contract's formula without its cancellation. With
Q(x) = Φ(-x), the mirrored form gives -z. The smaller one of the two masses is taken: all of its
terms are positive, so that it has full relative accuracy however far the tail is.

`z_exact` computes by mpmath. `z_fast` computes in binary64 for single words, and is off by 2^-10 of
the bound at most, as tests/meta/test_oracles.py shows. ``statistics.NormalDist`` inverts Φ by
Wichura's AS 241 (1988).
"""

from statistics import NormalDist

import mpmath
import numpy as np

from . import oracle, oracle_types

BITS = 200
_guess = NormalDist().inv_cdf


def masses(lower, upper):
    """Return Φ(lower), Φ(upper), Q(lower), Q(upper) as mpmath numbers."""

    def phi(x):
        return mpmath.erfc(-mpmath.mpf(x) / mpmath.sqrt(2)) / 2

    with mpmath.workprec(BITS):
        return phi(lower), phi(upper), phi(-lower), phi(-upper)


def _lower_quantile(q):
    """Return z with Φ(z) = q <= 1/2, by Newton's method, which converges since ln Φ is concave."""
    z = mpmath.mpf(_guess(float(q))) if q > 1e-290 else -mpmath.sqrt(-2 * mpmath.log(q))
    for _ in range(50):
        mass = mpmath.erfc(-z / mpmath.sqrt(2)) / 2
        density = mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)
        step = (mpmath.log(mass) - mpmath.log(q)) * mass / density
        z -= step
        # Convergence is quadratic: the next error is below 2^-110.
        if abs(step) < mpmath.mpf(2) ** -60:
            return z
    raise AssertionError(f"no convergence at {q}")


def z_exact(words, lower, upper):
    """Return mpmath numbers z of an array of words (uint32) or double words (uint64)."""
    bits = 8 * words.dtype.itemsize
    phi_lower, phi_upper, q_lower, q_upper = masses(lower, upper)
    result = []
    with mpmath.workprec(BITS):
        for word in words.tolist():
            p = (word + mpmath.mpf(0.5)) / 2**bits
            left, right = (
                (1 - p) * a + p * b for a, b in ((phi_lower, phi_upper), (q_lower, q_upper))
            )
            result.append(_lower_quantile(left) if left <= right else -_lower_quantile(right))
    return result


def z_fast(words, lower, upper):
    """Return the z of single words as float64."""
    assert words.dtype == np.uint32, "p of a double word has more bits than float64"
    phi_lower, phi_upper, q_lower, q_upper = map(float, masses(lower, upper))
    p = (words + 0.5) * 2.0**-32
    left, right = (1 - p) * phi_lower + p * phi_upper, (1 - p) * q_lower + p * q_upper
    z = np.array([_guess(q) for q in np.minimum(left, right).tolist()])
    return np.where(left <= right, z, -z)


def truncated_exact(key, stream, indices, mean=0.0, std=1.0, lower=-2.0, upper=2.0, dtype="f4"):
    """Return clamped elements before the final rounding, and the contract's bound.

    The clamp never increases the distance of two numbers. A result within the bound of an exact
    value is therefore within it when both are clamped, and clamped elements need no exception.

    Returns
    -------
    exact, bound : ndarray
        float64 arrays for float32, arrays of mpmath numbers for float64.
    """
    dtype = np.dtype(dtype)
    single = dtype == np.float32
    first, last = oracle_types.truncated_limits(dtype.name, mean, std, lower, upper)
    mean, std = float(dtype.type(mean)), float(dtype.type(std))
    words = oracle.family_words(key, stream, indices, dtype)
    if single:
        z = z_fast(words, lower, upper)
    else:
        z = np.array(z_exact(words, lower, upper), dtype=object)
    relative, absolute = (2.0**-20, 2.0**-23) if single else (2.0**-48, 2.0**-52)
    with mpmath.workprec(BITS):
        exact = std * z + mean
        bound = relative * std * np.maximum(1, abs(z)) + absolute * np.maximum(
            abs(mean), abs(exact)
        )
        return np.minimum(np.maximum(exact, first), last), bound


def moments(lower, upper, count=8):
    """Return raw moments 0 to count of N(0, 1) between the bounds, by integration by parts."""
    phi_lower, phi_upper, q_lower, q_upper = masses(lower, upper)
    with mpmath.workprec(BITS):
        mass = phi_upper - phi_lower if phi_upper <= q_lower else q_lower - q_upper

        def boundary(x, power):
            """Return x^power·φ(x), which vanishes at infinity."""
            x = mpmath.mpf(x)
            density = mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)
            return x**power * density if mpmath.isfinite(x) else mpmath.mpf(0)

        result = [mpmath.mpf(1)]
        for k in range(1, count + 1):
            earlier = (k - 1) * result[k - 2] if k > 1 else 0
            result.append(earlier + (boundary(lower, k - 1) - boundary(upper, k - 1)) / mass)
        return [float(m) for m in result]
