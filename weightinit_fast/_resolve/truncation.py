"""Probabilities of a truncated normal's bounds, which the engine computes (api/interval.c)."""

from functools import lru_cache

from .. import _core

__all__ = ["interval", "refuse_far"]

#: Bits of a word -> the distance from the mean, in std, beyond which a whole interval is refused: a
#: normal is never drawn there.
_FARTHEST = {32: 8.0, 64: 37.0}


def interval(lower: float, upper: float, word_bits: int) -> tuple[float, ...]:
    """Return what the kernel needs of Phi(lower) and Phi(upper), each rounded once to a double.

    With D = Phi(upper) - Phi(lower), these are the six numbers Phi(lower) + Phi(upper) - 1 +
    D/2**word_bits, D, 2**k D, 2**k Phi(lower), 2**k (1 - Phi(upper)) and k. The factor 2**k keeps
    the tiny probabilities of a far interval from being subnormal in the kernel; k is 0 elsewhere.
    """
    if lower == -2.0 and upper == 2.0:
        return _USUAL[word_bits]
    return _interval(lower, upper, word_bits)


@lru_cache(maxsize=1024)
def _interval(lower: float, upper: float, word_bits: int) -> tuple[float, ...]:
    refuse_far(lower, upper, word_bits)
    return _core.truncation_interval(lower, upper, word_bits)


def refuse_far(lower: float, upper: float, word_bits: int) -> None:
    """Refuse an interval that lies where a normal made of such words is never drawn."""
    farthest = _FARTHEST[word_bits]
    if lower > farthest or upper < -farthest:
        dtypes = "float64" if word_bits == 64 else "float32 and narrower dtypes"
        raise ValueError(
            f"the interval from lower={lower!r} to upper={upper!r} lies wholly beyond "
            f"±{farthest:g}, where no normal of {dtypes} is ever drawn"
        )


#: The intervals of the default bounds, by the bits of a word. Where there is no GIL, threads wait
#: for each other at the cache.
_USUAL = {bits: _core.keep_forever(_interval(-2.0, 2.0, bits)) for bits in _FARTHEST}
