"""Moments, extremes, counts and a histogram of a tensor's elements, which arrive in blocks.

Elements of at most 16 bits are counted by their bits: there are 65 536 values at most, and
everything else follows from the counts exactly. Wider elements are summed in float64, block by
block, and merged by the formula of Chan, Golub & LeVeque (1983), which loses no digits where the
mean is far from 0. They are counted as well, by the sign, the exponent and the first 7 bits of the
mantissa, which is fine enough for a histogram of any range.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..readers import as_numbers
from ..readers.stored import BITS

__all__ = ["Histogram", "Statistics", "Summary"]

#: The least positive normal number of a type.
_TINY = {
    "float64": 2.0**-1022,
    "float32": 2.0**-126,
    "bfloat16": 2.0**-126,
    "float16": 2.0**-14,
    "float8_e4m3fn": 2.0**-6,
    "float8_e5m2": 2.0**-14,
    "float8_e4m3fnuz": 2.0**-7,
    "float8_e5m2fnuz": 2.0**-15,
}


#: The elements that are compared with each other of the first block, and of each later one.
_FIRST, _SAMPLE = 1 << 16, 1 << 10


class Histogram(NamedTuple):
    """Counts of elements in bins of equal width; ``below`` and ``above`` were beyond the bins."""

    low: float
    high: float
    counts: tuple[float, ...]
    below: float
    above: float


class Summary(NamedTuple):
    """The numbers of one tensor. Moments and extremes are those of its finite elements.

    They are NaN where there is none.
    """

    size: int
    nan: int
    inf: int
    zeros: int
    subnormal: int
    mean: float
    std: float
    low: float
    high: float
    #: How likely two elements are equal by chance, as in types with few values.
    coincidence: float

    @property
    def finite(self) -> int:
        """The number of elements that are neither NaN nor infinite."""
        return self.size - self.nan - self.inf


class Statistics:
    """Takes the elements of one tensor block by block."""

    def __init__(self, dtype: str) -> None:
        self.dtype: str = dtype
        self._narrow = BITS[dtype] <= 16
        self._codes = np.zeros(1 << min(16, BITS[dtype]), np.int64)
        self._count = self._nan = self._inf = self._zeros = self._subnormal = 0
        self._finite, self._mean, self._squares = 0, 0.0, 0.0
        self._low, self._high = math.inf, -math.inf
        #: The places of the first NaN and the first infinity, in the order of the file.
        self.first_nan: int | None = None
        self.first_inf: int | None = None
        self._coincident = 0.0  # the sum over blocks of their size times the share of equal pairs

    def add(self, stored: np.ndarray) -> int:
        """Count a flat array of elements as they are stored; return how many of them are zero."""
        self._count += stored.size
        if not stored.size:
            return 0
        return self._add_narrow(stored) if self._narrow else self._add_wide(stored)

    def _add_narrow(self, stored: np.ndarray) -> int:
        bits = stored.view(f"{stored.dtype.byteorder}u{stored.dtype.itemsize}")
        counts = np.bincount(bits, minlength=self._codes.size)
        self._codes += counts
        if "float" in self.dtype:
            self._look_for(bits, counts)
        if self.dtype == "float8_e8m0fnu":  # powers of two alone
            return 0
        zeros = int(counts[0])
        # In types of floating-point numbers, except two without it, the sign bit alone is -0.
        if "float" in self.dtype and not self.dtype.endswith("fnuz"):
            zeros += int(counts[self._codes.size // 2])
        return zeros

    def _look_for(self, bits: np.ndarray, counts: np.ndarray) -> None:
        """Keep the places of the first NaN and infinity of a block of narrow elements."""
        nan, inf = _odd_codes(self.dtype)
        begin = self._count - bits.size
        if self.first_nan is None and counts[nan].any():
            self.first_nan = begin + int(np.argmax(np.isin(bits, nan)))
        if self.first_inf is None and counts[inf].any():
            self.first_inf = begin + int(np.argmax(np.isin(bits, inf)))

    def _add_wide(self, stored: np.ndarray) -> int:
        values = as_numbers(stored, self.dtype)
        # A block may be unlike the others, such as one of zeros at the beginning: each is asked.
        is_first = self._count == values.size
        self._coincident += values.size * _coincidence(values, _FIRST if is_first else _SAMPLE)
        zeros = values.size - int(np.count_nonzero(values))
        self._zeros += zeros
        tiny = _TINY.get(self.dtype)
        if tiny is not None:
            self._subnormal += int(np.count_nonzero(np.abs(values) < tiny)) - zeros
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            single = values.astype(np.float32, copy=False)
            self._codes += np.bincount(single.view(np.uint32) >> np.uint32(16), minlength=1 << 16)
            wide = values.astype(np.float64, copy=False)
            # NaN and infinity show in a sum, but so does an overflow.
            if not math.isfinite(float(wide.sum())):
                is_nan, is_inf = np.isnan(wide), np.isinf(wide)
                nan, begin = int(np.count_nonzero(is_nan)), self._count - values.size
                if self.first_nan is None and nan:
                    self.first_nan = begin + int(np.argmax(is_nan))
                if self.first_inf is None and is_inf.any():
                    self.first_inf = begin + int(np.argmax(is_inf))
                wide = wide[np.isfinite(wide)]
                self._nan += nan
                self._inf += values.size - nan - wide.size
            self._merge(wide)
        return zeros

    def _merge(self, values: np.ndarray) -> None:
        if not values.size:
            return
        self._low = min(self._low, float(values.min()))
        self._high = max(self._high, float(values.max()))
        mean = float(values.mean())
        apart = values - mean
        # A dot product would wake the threads of BLAS, which takes much longer on busy cores.
        squares = float(np.square(apart, out=apart).sum())
        total = self._finite + values.size
        step = mean - self._mean
        self._mean += step * (values.size / total)
        self._squares += squares + step * step * (self._finite * (values.size / total))
        self._finite = total

    def summary(self) -> Summary:
        """Return the numbers of all elements so far."""
        if self._narrow:
            return self._narrow_summary()
        some = self._finite > 0
        return Summary(
            self._count,
            self._nan,
            self._inf,
            self._zeros,
            self._subnormal,
            self._mean if some else math.nan,
            math.sqrt(self._squares / self._finite) if some else math.nan,
            self._low if some else math.nan,
            self._high if some else math.nan,
            max(self._coincident, self._zeros**2 / max(1, self._count)) / max(1, self._count),
        )

    def _narrow_summary(self) -> Summary:
        values, counts = _values(self.dtype), self._codes
        held = counts > 0
        values, counts = values[held], counts[held]
        finite = np.isfinite(values)
        nan = int(counts[np.isnan(values)].sum())
        inf = int(counts[np.isinf(values)].sum())
        numbers, weights = values[finite], counts[finite]
        total = int(weights.sum())
        mean = std = low = high = math.nan
        if total:
            mean = float((numbers * weights).sum()) / total
            std = math.sqrt(float(((numbers - mean) ** 2 * weights).sum()) / total)
            low, high = float(numbers.min()), float(numbers.max())
        tiny = _TINY.get(self.dtype, 0.0)
        return Summary(
            self._count,
            nan,
            inf,
            int(weights[numbers == 0].sum()),
            int(weights[(np.abs(numbers) < tiny) & (numbers != 0)].sum()),
            mean,
            std,
            low,
            high,
            float(((counts / max(1, self._count)) ** 2).sum()),
        )

    def looks_like_bfloat16(self) -> bool:
        """Return whether elements of uint16 may well be the bits of bfloat16 weights.

        Weights have both signs, and exponents from a small part of the type's range.
        """
        if self.dtype != "uint16" or not self._count:
            return False
        signs = float(self._codes[1 << 15 :].sum()) / self._count
        sizes = np.abs(_values("bfloat16"))
        weights = self._codes[(sizes == 0) | ((sizes > 2.0**-30) & (sizes < 2.0**8))].sum()
        return 0.1 < signs < 0.9 and bool(weights > 0.99 * self._count)

    def histogram(self, low: float, high: float, bins: int) -> Histogram:
        """Return how many finite elements are in each of the bins between two bounds.

        Each counted value stands for the interval to the middle between it and its neighbours, or,
        for wide elements, for the interval of all values that begin with the same bits. What such
        an interval holds is shared between the bins that it meets. Zeros are in the bin of 0.
        """
        order, bounds = _cells(self.dtype)
        counts = self._codes[order].astype(float)
        exact_zeros = self.summary().zeros
        if not self._narrow:
            # What is not 0, but less than the least of these cells, is counted with zero.
            near_zero = float(self._codes[[0, 1 << 15]].sum()) - exact_zeros
            counts = np.insert(counts, order.size // 2, near_zero)
        reached = np.concatenate([[0.0], np.cumsum(counts)])
        edges = np.linspace(low, high, bins + 1)
        at = np.interp(edges, bounds, reached)
        inside = np.diff(at)
        below, above = float(at[0]), float(reached[-1] - at[-1])
        place = math.floor((0 - low) / (high - low) * bins)
        if place < 0:
            below += exact_zeros
        elif place >= bins and high != 0:
            above += exact_zeros
        else:
            inside[min(place, bins - 1)] += exact_zeros
        return Histogram(low, high, tuple(float(n) for n in inside), below, above)


@lru_cache(maxsize=len(BITS))
def _values(dtype: str) -> np.ndarray:
    """Return the value of each code of a type in float64; a wide type has codes of 16 bits."""
    bits = BITS[dtype]
    codes = np.arange(1 << min(bits, 16), dtype=np.uint8 if bits == 8 else np.uint16)
    if bits > 16:
        numbers = as_numbers(codes, "bfloat16")
    elif dtype == "bool" or (("float" in dtype) and dtype != "float16"):
        numbers = as_numbers(codes, dtype)
    else:
        numbers = codes.view(dtype)
    with np.errstate(invalid="ignore"):  # some of the codes are signalling NaN
        return numbers.astype(np.float64)


@lru_cache(maxsize=len(BITS))
def _odd_codes(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which codes of a narrow type are NaN, and which are infinite."""
    values = _values(dtype)
    return np.flatnonzero(np.isnan(values)), np.flatnonzero(np.isinf(values))


@lru_cache(maxsize=len(BITS))
def _cells(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of finite values that are not 0, by value, and the bounds of their cells.

    A wide type has one cell more, around 0 in the middle.
    """
    values = _values(dtype)
    codes = np.flatnonzero(np.isfinite(values) & (values != 0))
    order = codes[np.argsort(values[codes], kind="stable")]
    values = values[order]
    if BITS[dtype] <= 16:
        return order, np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, values[-1:]])
    largest = values[-1] * (1 + 2.0**-8)
    return order, np.concatenate([[-largest], values, [largest]])


def _coincidence(values: np.ndarray, most: int) -> float:
    """Return the share of equal pairs among about that many elements, from all over a block."""
    # An odd step meets all columns of a matrix whose width is a power of two.
    sample = np.sort(values[:: -(-values.size // most) | 1])
    size = sample.size
    if size < 2:
        return 0.0
    bounds = np.flatnonzero(np.concatenate([[True], sample[1:] != sample[:-1], [True]]))
    runs = np.diff(bounds).astype(float)
    return float((runs * (runs - 1)).sum() / (size * (size - 1)))
