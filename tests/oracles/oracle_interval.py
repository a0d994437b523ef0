"""The probabilities of a truncated normal's bounds, in Python's integers.

The engine computes them in integers of its own (src/engine/api/interval.c), by the same series.
Both
are the same on every machine, while the erfc of a libm differs in its last bit between systems.
"""

from functools import lru_cache
from math import isqrt

__all__ = ["interval"]

#: From this distance on Phi counts as 0 or 1: 1 - Phi(40) is below 2**-1159, far less than the
#: probability of any interval that is not refused.
_CERTAIN = 40.0
#: The k of `interval`, where it is not 0.
_SCALE = 128


@lru_cache(maxsize=1024)
def interval(lower: float, upper: float, word_bits: int) -> tuple[float, ...]:
    """Return what the kernel needs of Phi(lower) and Phi(upper), each rounded once to a double.

    With D = Phi(upper) - Phi(lower), these are the six numbers Phi(lower) + Phi(upper) - 1 +
    D/2**word_bits, D, 2**k D, 2**k Phi(lower), 2**k (1 - Phi(upper)) and k. The factor 2**k keeps
    the tiny probabilities of a far interval from being subnormal in the kernel; k is 0 elsewhere.
    """
    bits = 256
    while True:
        low, high = _normal_cdf(lower, bits), _normal_cdf(upper, bits)
        # D has 192 significant bits: 64 for the smallest step, D/2**64, 53 for a double, and a
        # margin. The narrowest interval, between 0 and 5e-324, has them at 2048 bits; the second
        # condition makes sure that the loop ends.
        if high - low >> 192 or bits > 2048:
            break
        bits *= 2
    one, mass = 1 << bits, high - low
    k = _SCALE if word_bits == 64 and mass < one >> 800 else 0
    centre = ((low + high - one << word_bits) + mass) / (one << word_bits)
    return centre, mass / one, *((n << k) / one for n in (mass, low, one - high)), float(k)


def _normal_cdf(z: float, bits: int) -> int:
    """Return Phi(z) * 2**bits, within a few units, by the integrated series of exp(-t²/2)."""
    if abs(z) >= _CERTAIN:
        return 1 << bits if z > 0 else 0
    # The terms grow to exp(z²/2) before they vanish, and their rounding errors grow with them.
    work = bits + 32 + int(1.5 * z * z)
    numerator, denominator = z.as_integer_ratio()
    square = (numerator * numerator << work) // (denominator * denominator)
    term = (numerator << work) // denominator
    total, n = term, 0
    while term:
        n += 1
        term = -(term * square >> work) // (2 * n)
        total += term // (2 * n + 1)
        if term == -1:  # floor division would leave it at -1 for ever
            break
    return (1 << bits - 1) + ((total * _density_at_0(work) >> work) >> work - bits)


@lru_cache(maxsize=64)
def _density_at_0(bits: int) -> int:
    """Return 2**bits / sqrt(2 pi)."""
    work = bits + 32
    pi = 4 * (4 * _arctan_inverse(5, work) - _arctan_inverse(239, work))  # Machin, 1706
    return ((1 << 2 * work) // isqrt(2 * pi << work)) >> 32


def _arctan_inverse(n: int, bits: int) -> int:
    """Return arctan(1/n) * 2**bits."""
    power = total = (1 << bits) // n
    k = 1
    while power:
        power //= n * n
        k += 2
        total += power // k if k % 4 == 1 else -(power // k)
    return total
