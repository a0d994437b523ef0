"""Oracle of the output types: value sets, rounding, bit patterns and the limits of the clamps.

A type is described by its precision, its least exponent and its greatest value. Values are float64,
which holds every value of every type. Scaling by powers of two and rounding to an integer are
therefore exact.
"""

import functools
from typing import NamedTuple

import numpy as np


class Format(NamedTuple):
    """A binary floating-point type whose bits are sign, biased exponent, fraction."""

    name: str
    width: int  # bits
    precision: int  # of the significand, its hidden bit included
    emin: int  # exponent of the least normal value
    largest: float
    has_infinity: bool = True

    @property
    def epsilon(self):
        """The distance from 1 to the next value."""
        return 2.0 ** (1 - self.precision)

    @property
    def tiny(self):
        """The least positive value, a subnormal."""
        return 2.0 ** (self.emin - self.precision + 1)

    @property
    def overflow(self):
        """Half way between the greatest value and the one that would follow it."""
        exponent = int(np.frexp(self.largest)[1]) - 1
        return self.largest + 2.0 ** (exponent - self.precision)

    @property
    def bits(self):
        """The unsigned integer type of the same width."""
        return np.dtype(f"u{self.width // 8}")


TYPES = {
    f.name: f
    for f in (
        Format("float16", 16, 11, -14, 65504.0),
        Format("bfloat16", 16, 8, -126, float.fromhex("0x1.FEp127")),
        # In OCP's E4M3 the greatest exponent has numbers too, and one NaN.
        Format("float8_e4m3fn", 8, 4, -6, 448.0, has_infinity=False),
        Format("float8_e5m2", 8, 3, -14, 57344.0),
    )
}
#: The types of NumPy that round as IEEE 754 says.
IEEE = {"float32": np.float32, "float64": np.float64}


# Rounding ----------------------------------------------------------------------------------------


def round_to(name, x, *, saturate=True):
    """Return the nearest values of a narrow type, ties to even, as float64.

    An overflow gives infinity. In a type without infinities it gives the greatest value, unless
    ``saturate`` is false, which is used to judge whether a parameter fits.
    """
    f = TYPES[name]
    with np.errstate(invalid="ignore"):  # a signalling NaN
        x = np.asarray(x, dtype=np.float64)
    finite = np.isfinite(x)
    _, exponent = np.frexp(np.where(finite, x, 0))
    quantum = np.maximum(exponent - 1, f.emin) - (f.precision - 1)
    y = np.ldexp(np.rint(np.ldexp(np.where(finite, x, 0), -quantum)), quantum)
    y = np.where(finite, y, x)
    outside = np.abs(y) > f.largest
    end = np.inf if f.has_infinity or not saturate else f.largest
    return np.where(outside, np.copysign(end, y), y)


def encode(name, y):
    """Return the bit patterns of float64 values that the type holds."""
    f = TYPES[name]
    y = np.asarray(y, dtype=np.float64)
    finite = np.isfinite(y)
    magnitude = np.where(finite, np.abs(y), 0)
    _, exponent = np.frexp(magnitude)
    exponent = np.where(magnitude > 0, np.maximum(exponent - 1, f.emin), f.emin)
    significand = np.ldexp(magnitude, f.precision - 1 - exponent)
    assert (significand == np.rint(significand)).all(), f"not {name}"
    assert (magnitude <= f.largest).all(), f"not {name}"
    assert f.has_infinity or not np.isinf(y).any(), f"not {name}"
    # The hidden bit of a normal number adds one to an exponent that starts at zero.
    pattern = ((exponent - f.emin) << (f.precision - 1)) + significand.astype(np.int64)
    ones = (1 << (f.width - 1)) - 1
    infinity = ones >> (f.precision - 1) << (f.precision - 1)
    quiet = infinity | 1 << (f.precision - 2) if f.has_infinity else ones
    pattern = np.where(np.isinf(y), infinity, pattern)
    pattern = np.where(np.isnan(y), quiet, pattern)
    return (pattern | np.signbit(y).astype(np.int64) << (f.width - 1)).astype(f.bits)


def decode(name, patterns):
    """Return the values of bit patterns, as float64."""
    f = TYPES[name]
    pattern = np.asarray(patterns).view(f.bits).astype(np.int64)
    sign = np.where(pattern >> (f.width - 1), -1.0, 1.0)
    pattern &= (1 << (f.width - 1)) - 1
    biased, fraction = pattern >> (f.precision - 1), pattern & ((1 << (f.precision - 1)) - 1)
    significand = fraction + np.where(biased > 0, 1 << (f.precision - 1), 0)
    exponent = np.maximum(biased, 1) - 1 + f.emin - (f.precision - 1)
    value = np.ldexp(significand.astype(np.float64), exponent)
    greatest = (1 << (f.width - f.precision)) - 1
    if f.has_infinity:
        value = np.where(biased == greatest, np.where(fraction, np.nan, np.inf), value)
    else:
        value = np.where(pattern == (1 << (f.width - 1)) - 1, np.nan, value)
    return sign * value


@functools.cache
def values(name):
    """Return all finite values of a narrow type in ascending order, with one zero."""
    v = decode(name, np.arange(1 << TYPES[name].width).astype(TYPES[name].bits))
    return np.unique(v[np.isfinite(v)] + 0.0)  # -0 + 0 = +0


# Limits of the clamps ----------------------------------------------------------------------------


def nearest(name, x):
    """Return RN_T(x) of one number, as a float; an overflow is infinite in all types."""
    if name in IEEE:
        with np.errstate(over="ignore"):
            return float(IEEE[name](x))
    return float(round_to(name, x, saturate=False))


def above(name, x):
    """Return the least value of the type above ``x``, as a float; inf if there is none."""
    if name in IEEE:
        y = nearest(name, x)  # a float, since NumPy would compare a float32 with x in float32
        return y if y > x else float(np.nextafter(IEEE[name](y), IEEE[name](np.inf)))
    position = np.searchsorted(values(name), x, side="right")
    return float(values(name)[position]) if position < len(values(name)) else np.inf


def below(name, x):
    """Return the greatest value of the type below ``x``."""
    return -above(name, -x)


def uniform_limits(name, low, high):
    """Return the least and greatest y with max(lo, RN_T(lo)) <= y < min(hi, RN_T(hi))."""
    start = nearest(name, low)
    first = start if start >= low else above(name, low)
    last = below(name, min(high, nearest(name, high)))
    if not first <= last:
        raise ValueError(f"no {name} lies in [{low}, {high})")
    return first, last


def truncated_limits(name, mean, std, lower, upper):
    """Return the least and greatest y strictly between lo and hi, and RN_T(lo) and RN_T(hi)."""
    low, high = mean + std * lower, mean + std * upper  # binary64
    first = above(name, max(low, nearest(name, low)))
    last = below(name, min(high, nearest(name, high)))
    if not first <= last:
        raise ValueError(f"no {name} lies between {low} and {high}")
    return first, last


# Cases -------------------------------------------------------------------------------------------


def midpoints(name):
    """Return the numbers half way between neighbours of the type, and beyond its ends."""
    v = values(name)
    end = TYPES[name].overflow
    return np.concatenate([[-end], v[:-1] / 2 + v[1:] / 2, [end]])


def awkward_float32(name):
    """Return float32 inputs of a rounding: the type's values and midpoints, and their neighbours.

    In addition, all patterns of the upper 16 bits come with lower bits around a carry. These cover
    every exponent, both zeros, subnormals of both types, infinities and NaNs.
    """
    with np.errstate(over="ignore"):
        edges = np.concatenate([values(name), midpoints(name)]).astype(np.float32)
    infinity = np.float32(np.inf)
    near = [edges, np.nextafter(edges, infinity), np.nextafter(edges, -infinity)]
    upper = np.arange(2**16, dtype=np.uint32) << np.uint32(16)
    lower = (0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF)
    patterns = np.concatenate([upper | np.uint32(bits) for bits in lower])
    return np.concatenate([*near, patterns.view(np.float32)])
