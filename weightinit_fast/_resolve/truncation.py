"""Probabilities of a truncated normal's interval, in exact integers: the same on every machine.

A libm's erfc would differ in its last bit between systems, and the values drawn with it.
"""

from functools import lru_cache
from math import isqrt

__all__ = ["interval"]

#: Bounds beyond which an interval is refused, by the bits of a word: its values are never drawn.
_FARTHEST = {32: 8.0, 64: 37.0}
_CERTAIN = 40.0  # 1 - Phi(40) is below 2**-1159, which is nothing beside an interval allowed here
_SCALE = 128  # the k of `interval`, where it is not 0


@lru_cache(maxsize=1024)
def interval(lower: float, upper: float, word_bits: int) -> tuple[float, ...]:
    """Return what the kernel needs of Phi(lower) and Phi(upper), each rounded once to a double.

    With D = Phi(upper) - Phi(lower): Phi(lower) + Phi(upper) - 1 + D/2**word_bits, D, 2**k D,
    2**k Phi(lower), 2**k (1 - Phi(upper)), k. A k above 0 keeps words of far intervals normal.
    """
    farthest = _FARTHEST[word_bits]
    if lower > farthest or upper < -farthest:
        raise ValueError(
            f"the interval from lower={lower!r} to upper={upper!r} lies wholly beyond "
            f"±{farthest:g}, where this dtype has no normal"
        )
    bits = 256
    while True:
        low, high = _normal_cdf(lower, bits), _normal_cdf(upper, bits)
        # 64 bits more than a double has, after the smallest step, D/2**64.
        if high - low >> 192 or bits > 2048:
            break
        bits *= 2
    one, mass = 1 << bits, high - low
    k = _SCALE if word_bits == 64 and mass < one >> 800 else 0
    centre = ((low + high - one << word_bits) + mass) / (one << word_bits)
    return centre, mass / one, *((n << k) / one for n in (mass, low, one - high)), float(k)


def _normal_cdf(z: float, bits: int) -> int:
    """Return Phi(z) * 2**bits, within a few units, by the series of exp(-t²/2) integrated."""
    if abs(z) >= _CERTAIN:
        return 1 << bits if z > 0 else 0
    # Terms grow to exp(z²/2) before they vanish, and so do their rounding errors.
    work = bits + 32 + int(1.5 * z * z)
    numerator, denominator = z.as_integer_ratio()
    square = (numerator * numerator << work) // (denominator * denominator)
    term = (numerator << work) // denominator
    total, n = term, 0
    while term:
        n += 1
        term = -(term * square >> work) // (2 * n)
        total += term // (2 * n + 1)
        if term == -1:  # floor division leaves -1 for ever
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
