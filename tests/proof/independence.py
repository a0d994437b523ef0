"""Judge whether 10^9 pairs of draws are independent: within tensors, between streams and keys.

    python tests/proof/independence.py             10^9 pairs a test, ten minutes of a core
    python tests/proof/independence.py --quick     10^6 pairs a test

Normals and uniforms of float32 and float64, scaled to v of mean 0 and variance 1, are judged by:

    lag k        elements i and i + k of a tensor
    members      both members of a Box-Muller pair, (i, i + 16), or (i, i + 8) in float64
    rows         the first elements of neighbouring rows of a table of 4096 columns
    streams      two streams of a key, by number and by name
    keys         neighbours; keys one bit apart, also with the same bit of the stream, so that the
                 first round begins alike; keys one round apart (round key r + 1 of one key is
                 round key r of the other)
    seeds        the 499,500 correlations between 1000 tensors, by integer seeds, streams, or names

Each pair has three correlations, as standard scores: of v, of v^2 and of |v|. Chi-square judges 256
times 256 cells of members, of neighbours, and of the circle of members (x, y) = r (cos, sin), where
exp(-r^2 / 2) and the angle are uniform and independent.
"""

import itertools
import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from pvalues import chi_square, chi_square_p, normal_p, smallest_p, two_sided
from runs import run

import weightinit_fast as wi

#: A key for each distribution and dtype: the next digits of pi.
KEYS = (
    wi.Key(0xA4093822299F31D0, 0x082EFA98EC4E6C89),
    wi.Key(0x452821E638D01377, 0xBE5466CF34E90C6C),
    wi.Key(0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917),
    wi.Key(0x9216D5D98979FB1B, 0xD1310BA698DFB5AC),
)
MEMBERS = {"float32": 16, "float64": 8}
LAGS = (1, 2, 4, 8, 16, 32, 4096)
ROW = 4096
#: With the longest lag these are 2^15 elements, whose float64 stay in the second-level cache.
WINDOW = 28 << 10
SLAB = 146 * WINDOW
CELLS = 256  # on each side
GRID = 4096  # cells consist of steps of 1 / GRID
TENSORS, TENSOR = 1000, 1 << 17
CHUNK = 1 << 14  # elements of each tensor that are taken at a time


class Judged(NamedTuple):
    """An initialiser whose draws have mean 0, and the moments that a wi.Law does not hold.

    Let v be a draw divided by its standard deviation. ``size`` is the mean of |v|, and the two
    deviations are the standard deviations of v^2 and of |v|.
    """

    init: wi.Initializer
    size: float
    square_deviation: float
    size_deviation: float

    @property
    def law(self):
        """The distribution of an element, which is the same for every shape."""
        return self.init.law(1)

    @property
    def name(self):
        return self.law.kind

    def quantile(self, p):
        low, high = self.law.low, self.law.high
        return NormalDist().inv_cdf(p) if self.name == "normal" else low + p * (high - low)

    def chance(self, low, high):
        """Return P(low < y < high)."""
        if self.name == "normal":
            return (math.erf(high * math.sqrt(0.5)) - math.erf(low * math.sqrt(0.5))) / 2
        law = self.law
        return (min(high, law.high) - max(low, law.low)) / (law.high - law.low)


JUDGED = (
    Judged(wi.initializer(wi.uniform, low=-1, high=1), math.sqrt(3) / 2, math.sqrt(4 / 5), 0.5),
    Judged(wi.initializer(wi.normal), math.sqrt(2 / math.pi), math.sqrt(2),
           math.sqrt(1 - 2 / math.pi)),
)  # fmt: skip


class Draws(NamedTuple):
    """A source of elements."""

    judged: Judged
    dtype: str
    rng: object
    stream: object

    @property
    def group(self):
        """The name of the results."""
        return f"{self.judged.name}, {self.dtype}"

    def __call__(self, shape, index, out=None):
        return self.judged.init(
            shape, dtype=self.dtype, out=out, rng=self.rng, stream=self.stream, index=index,
            threads=1,
        )  # fmt: skip

    def slabs(self, n, size, reach=0):
        """Yield elements [start, start + size + reach) for every start; the last may be shorter."""
        out = np.empty(min(n, size) + reach, self.dtype)
        for start in range(0, n, size):
            stop = min(n, start + size) + reach
            yield self(n + reach, np.s_[start:stop], out[: stop - start])


# Correlations ------------------------------------------------------------------------------------


def features(judged, y):
    """Return v, v^2 and |v|, each of mean 0 and variance 1."""
    v = y.astype(np.float64)
    v *= 1 / judged.law.std
    square = v * v
    square -= 1
    square /= judged.square_deviation
    size = np.abs(v)
    size -= judged.size
    size /= judged.size_deviation
    return v, square, size


def correlate(a, b):
    """Return the sums of products."""
    return np.array([x @ y for x, y in zip(a, b, strict=True)])


def add_correlations(results, group, name, sums, n):
    for of, total in zip(("v", "v^2", "|v|"), sums, strict=True):
        score = total / math.sqrt(n)
        # The correlations of |v| depend on those of v^2.
        results.add(group, f"{name}, {of}", score, normal_p(score), independent=of != "|v|")


def windows(draws, n, reach=0):
    for slab in draws.slabs(n, SLAB, reach):
        for start in range(0, len(slab) - reach, WINDOW):
            yield slab[start : start + WINDOW + reach]


def examine_lags(results, group, draws, n):
    sums = dict.fromkeys(LAGS, 0)
    for y in windows(draws, n, max(LAGS)):
        f = features(draws.judged, y)
        count = len(y) - max(LAGS)
        first = [x[:count] for x in f]
        for lag in LAGS:
            sums[lag] = sums[lag] + correlate(first, [x[lag : lag + count] for x in f])
    for lag in LAGS:
        add_correlations(results, group, f"lag {lag}", sums[lag], n)


def examine_rows(results, group, draws, n):
    sums = 0
    for start in range(0, n, WINDOW):
        stop = min(n, start + WINDOW) + 1
        f = features(draws.judged, draws((n + 1, ROW), np.s_[start:stop, 0]))
        sums = sums + correlate([x[:-1] for x in f], [x[1:] for x in f])
    add_correlations(results, group, "rows", sums, n)


def others(draws):
    """Yield sources, each with named others that must have nothing in common with it."""
    low, high = draws.rng.low, draws.rng.high
    keys = {
        "keys k, k + 1": (low + 1, high),
        "keys k, k + 2^64": (low, high + 1),
        "keys, bit 31": (low ^ 1 << 31, high),
        "keys, bit 63": (low ^ 1 << 63, high),
        "keys, bit 95": (low, high ^ 1 << 31),
        "keys, bit 127": (low, high ^ 1 << 63),
        "keys, words exchanged": (high, low),
        "keys, a round apart": (low + 0x9E3779B97F4A7C15, high + 0xBB67AE8584CAA73B),
    }
    near = {
        name: draws._replace(rng=wi.Key(*(word % 2**64 for word in key)))
        for name, key in keys.items()
    }
    near["streams 0, 1"] = draws._replace(stream=1)
    near["streams 0, 2^63"] = draws._replace(stream=1 << 63)
    near["key and stream, bit 63"] = near["keys, bit 127"]._replace(stream=1 << 63)
    yield draws, near
    first, second = (draws._replace(stream=f"layer.{k}") for k in range(2))
    yield first, {"streams by name": second}
    first, second = (draws._replace(rng=k, stream=draws.group) for k in range(2))
    yield first, {"seeds 0, 1": second}


def examine_others(results, group, draws, n):
    for one, near in others(draws):
        sums = dict.fromkeys(near, 0)
        for y, *ys in zip(*(windows(source, n) for source in (one, *near.values())), strict=True):
            f = features(draws.judged, y)
            for name, other in zip(near, ys, strict=True):
                sums[name] = sums[name] + correlate(f, features(draws.judged, other))
        for name, total in sums.items():
            add_correlations(results, group, name, total, n)


# Cells -------------------------------------------------------------------------------------------


def cell_table(judged):
    """Return the cell of each step of the grid in [-8, 8), and the cells' chances, about equal."""
    ends = np.rint([judged.quantile(k / CELLS) * GRID for k in range(1, CELLS)]).astype(int)
    table = np.searchsorted(ends, np.arange(-8 * GRID, 8 * GRID), side="right")
    ends = [-math.inf, *(ends / GRID), math.inf]
    return table, np.array([judged.chance(*pair) for pair in itertools.pairwise(ends)])


def cells(table, y):
    steps = np.floor(y * y.dtype.type(GRID)).astype(np.intp)
    steps += 8 * GRID
    return table[np.clip(steps, 0, len(table) - 1, out=steps)]


def circle_cells(x, y):
    """Return the cells of exp(-r^2/2) and the angle, CELLS of each."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    radius = np.minimum(np.exp((x * x + y * y) / -2) * CELLS, CELLS - 1).astype(np.intp)
    angle = (np.arctan2(y, x) / (2 * math.pi) + 0.5) * CELLS
    return radius * CELLS + np.minimum(angle, CELLS - 1).astype(np.intp)


def add_chi_square(results, group, name, counts, chances):
    chi, freedom = chi_square(counts, chances * counts.sum())
    p = two_sided(chi_square_p(counts, chances * counts.sum()))
    results.add(group, f"{name}, {freedom} degrees", chi, p)


def examine_cells(results, group, draws, n):
    """Judge 2n elements in pairs, with each element in one pair: members, and neighbours."""
    table, chances = cell_table(draws.judged)
    members, neighbours, circle = np.zeros((3, CELLS * CELLS), np.int64)
    sums = 0
    for slab in draws.slabs(2 * n // 32 * 32, 1 << 22):
        for start in range(0, len(slab), 1 << 15):
            y = slab[start : start + (1 << 15)]
            c = cells(table, y)
            pairs = c.reshape(-1, 2, MEMBERS[draws.dtype])
            joint = pairs[:, 0] * CELLS + pairs[:, 1]
            members += np.bincount(joint.ravel(), minlength=len(members))
            neighbours += np.bincount(c[::2] * CELLS + c[1::2], minlength=len(neighbours))
            pairs = y.reshape(-1, 2, MEMBERS[draws.dtype])
            a, b = pairs[:, 0].ravel(), pairs[:, 1].ravel()
            sums = sums + correlate(features(draws.judged, a), features(draws.judged, b))
            if draws.judged.name == "normal":
                circle += np.bincount(circle_cells(a, b), minlength=len(circle))
    add_correlations(results, group, "members", sums, members.sum())
    joint = np.outer(chances, chances).ravel()
    add_chi_square(results, group, "members", members, joint)
    add_chi_square(results, group, "neighbours", neighbours, joint)
    if draws.judged.name == "normal":
        add_chi_square(results, group, "circle", circle, np.full(CELLS**2, CELLS**-2.0))


# Many tensors ------------------------------------------------------------------------------------


def examine_tensors(results, group, name, sources, length):
    """Judge all correlations between tensors: the greatest, and the sum of squares.

    For normal tensors the squares of correlations are uncorrelated; their mean is 1/N, and that of
    the fourth powers is 3/(N (N + 2)). For uniform tensors this holds nearly.
    """
    gram = 0
    for start in range(0, length, CHUNK):
        index = np.s_[start : min(length, start + CHUNK)]
        x = np.stack([source(length, index) for source in sources]).astype(np.float64)
        gram = gram + x @ x.T
    norm = np.sqrt(np.diag(gram))
    squares = (gram / np.outer(norm, norm))[np.triu_indices(len(sources), 1)] ** 2 * length
    count, greatest = len(squares), math.sqrt(squares.max())
    results.add(group, f"{name}, greatest", greatest, smallest_p(normal_p(greatest), count))
    score = (squares.sum() - count) / math.sqrt(count * (3 * length / (length + 2) - 1))
    results.add(group, f"{name}, sum of squares", score, normal_p(score))


def examine_group(results, group, draws, n):
    examine_lags(results, group, draws._replace(stream="lags"), n)
    examine_rows(results, group, draws._replace(stream="rows"), n)
    examine_cells(results, group, draws._replace(stream="cells"), n)
    examine_others(results, group, draws, n)
    tensors = range(TENSORS)
    for name, sources in (
        ("seeds", [draws._replace(rng=k, stream=group) for k in tensors]),
        ("streams", [draws._replace(stream=k) for k in tensors]),
        ("names", [draws._replace(stream=f"layer.{k}") for k in tensors]),
    ):
        examine_tensors(results, group, name, sources, min(TENSOR, n // 100))


def examine(results, n):
    sources = itertools.product(JUDGED, MEMBERS)
    for key, (judged, dtype) in zip(KEYS, sources, strict=True):
        draws = Draws(judged, dtype, key, 0)
        examine_group(results, draws.group, draws, n)


if __name__ == "__main__":
    run(__doc__, examine, 10**9, 10**6)
