"""Statistics of long runs: moments, symmetry, bounds, tails and independence within a pair.

Every draw is fixed by (key, stream, index), so a run passes always or never. A statistic fails
where its two-sided p-value is below ``P_LIMIT``. About sixty statistics are judged, so that an
ideal source would fail one of them with a probability of 0.0006. The limit was set when the key
was chosen. The key consists of digits of pi, and was not chosen by its results.
"""

import functools
import math

import numpy as np
import pytest
from pvalues import binomial_p, chi_square_p, normal_p

import weightinit_fast as wf

P_LIMIT = 1e-5
KEY = wf.Key(0x243F6A8885A308D3, 0x13198A2E03707344)
SIZES = {"f4": 2**27, "f8": 10**7}
SLAB = 2**22
BINS = 1024
#: Distance between the two members of a Box-Muller pair.
PAIR = {"f4": 16, "f8": 8}
TAILS = (3, 4, 5)
#: The greatest distance from 0 that the radius argument allows a normal.
FARTHEST = {"f4": math.sqrt(80 * math.log(2)), "f8": math.sqrt(128 * math.log(2))}


class Tally:
    """The sums over the slabs of a long run."""

    def __init__(self):
        self.n = 0
        self.sums = {}

    def add(self, **terms):
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0) + value

    def limits(self, y):
        low, high = self.sums.get("limits", (np.inf, -np.inf))
        self.sums["limits"] = min(low, float(y.min())), max(high, float(y.max()))

    def mean(self, name):
        return self.sums[name] / self.n


def dot(a, b):
    return float(np.dot(a.ravel(), b.ravel()))


def slabs(function, dtype, stream):
    """Yield the run in slabs, each of them a range of one global tensor."""
    n = SIZES[dtype]
    out = np.empty(min(n, SLAB), dtype=dtype)
    for start in range(0, n, SLAB):
        part = out[: min(SLAB, n - start)]
        index = np.s_[start : start + len(part)]
        yield function((n,), out=part, rng=KEY, stream=stream, index=index)


def add_pairs(tally, y, distance):
    """Add products of pair members (i, i + distance) of values with mean 0 and variance 1."""
    pairs = y.reshape(-1, 2, distance)
    a, b = np.ascontiguousarray(pairs[:, 0]).ravel(), np.ascontiguousarray(pairs[:, 1]).ravel()
    tally.add(pair=dot(a, b), neighbour=dot(y[:-1], y[1:]), neighbours=len(y) - 1)
    tally.add(quadrants=np.bincount(2 * (a < 0) + (b < 0), minlength=4))
    a *= a
    b *= b
    a -= 1
    b -= 1
    tally.add(pair_squares=dot(a, b))


@functools.cache
def tally_uniform(dtype):
    """Return the tally of uniform[0, 1), with the moments of v = √3 (2y - 1), of variance 1."""
    tally = Tally()
    for y in slabs(wf.uniform, dtype, "statistics.uniform"):
        tally.n += len(y)
        tally.limits(y)
        tally.add(bins=np.bincount((y * y.dtype.type(BINS)).astype(np.int32), minlength=BINS))
        v = y.astype(np.float64)
        v -= 0.5
        v *= math.sqrt(12)
        square = v * v
        tally.add(m1=float(v.sum()), m2=float(square.sum()))
        tally.add(m3=dot(square, v), m4=dot(square, square))
        add_pairs(tally, v, PAIR[dtype])
    return tally


@functools.cache
def tally_normal(dtype):
    """Return the tally of the standard normal over a whole run."""
    tally = Tally()
    for y in slabs(wf.normal, dtype, "statistics.normal"):
        tally.n += len(y)
        tally.limits(y)
        for sigmas in TAILS:
            above = np.count_nonzero(y > sigmas)
            tally.add(**{f"above{sigmas}": above})
            tally.add(**{f"below{sigmas}": np.count_nonzero(y < -sigmas)})
        tally.add(negative=np.count_nonzero(y < 0))
        v = y.astype(np.float64)
        square = v * v
        tally.add(m1=float(v.sum()), m2=float(square.sum()))
        tally.add(m3=dot(square, v), m4=dot(square, square))
        add_pairs(tally, v, PAIR[dtype])
    return tally


#: The runs of float32 take ten seconds.
RUNS = [pytest.param("f4", marks=pytest.mark.slow), "f8"]


@pytest.fixture(params=RUNS)
def uniform_run(request):
    return request.param, tally_uniform(request.param)


@pytest.fixture(params=RUNS)
def normal_run(request):
    return request.param, tally_normal(request.param)


def test_runs_are_long(uniform_run, normal_run):
    for dtype, tally in (uniform_run, normal_run):
        assert tally.n == SIZES[dtype] >= (10**8 if dtype == "f4" else 10**7)


#: (power, its mean, its variance) for a uniform and a normal of unit variance.
UNIFORM_MOMENTS = ((1, 0, 1), (2, 1, 4 / 5), (3, 0, 27 / 7), (4, 9 / 5, 9 - (9 / 5) ** 2))
NORMAL_MOMENTS = ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96))


@pytest.mark.parametrize(("power", "mean", "variance"), UNIFORM_MOMENTS)
def test_uniform_moment(uniform_run, power, mean, variance):
    _, tally = uniform_run
    score = (tally.mean(f"m{power}") - mean) / math.sqrt(variance / tally.n)
    assert normal_p(score) > P_LIMIT, score


@pytest.mark.parametrize(("power", "mean", "variance"), NORMAL_MOMENTS)
def test_normal_moment(normal_run, power, mean, variance):
    _, tally = normal_run
    score = (tally.mean(f"m{power}") - mean) / math.sqrt(variance / tally.n)
    assert normal_p(score) > P_LIMIT, score


def test_uniform_stays_below_high_and_fills_the_interval(uniform_run):
    """Values come within 40/n of both ends, which fails by chance once in e^40; none is high."""
    dtype, tally = uniform_run
    low, high = tally.sums["limits"]
    reach = 40 / tally.n
    assert 0 <= low < reach
    assert 1 - reach < high < 1
    assert high <= float(np.nextafter(np.dtype(dtype).type(1), 0))


def test_uniform_bins_are_level(uniform_run):
    _, tally = uniform_run
    counts = tally.sums["bins"]
    assert len(counts) == BINS
    assert counts.sum() == tally.n
    p = chi_square_p(counts.astype(np.float64))
    assert P_LIMIT < p < 1 - P_LIMIT


def test_normal_is_symmetric(normal_run):
    _, tally = normal_run
    assert binomial_p(tally.sums["negative"], tally.n, 0.5) > P_LIMIT


def test_normal_stays_within_its_farthest(normal_run):
    """Both sides go past 4.5 sigma (an ideal source fails once in e^30), and not too far."""
    dtype, tally = normal_run
    low, high = tally.sums["limits"]
    assert max(-low, high) <= FARTHEST[dtype] * (1 + 1e-6)
    assert min(-low, high) > 4.5


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("sigmas", TAILS)
def test_normal_tail(normal_run, sigmas, side):
    _, tally = normal_run
    count = tally.sums[f"{side}{sigmas}"]
    assert binomial_p(count, tally.n, math.erfc(sigmas / math.sqrt(2)) / 2) > P_LIMIT, count


def check_pairs(tally, kurtosis):
    """Assert that pairs and neighbours are uncorrelated, squares too, and quadrants level."""
    pairs = tally.n // 2
    assert normal_p(tally.sums["pair"] / math.sqrt(pairs)) > P_LIMIT
    assert normal_p(tally.sums["pair_squares"] / ((kurtosis - 1) * math.sqrt(pairs))) > P_LIMIT
    assert normal_p(tally.sums["neighbour"] / math.sqrt(tally.sums["neighbours"])) > P_LIMIT
    for count in tally.sums["quadrants"]:
        assert binomial_p(int(count), pairs, 0.25) > P_LIMIT


def test_uniform_pairs_are_uncorrelated(uniform_run):
    check_pairs(uniform_run[1], 9 / 5)


def test_normal_pairs_are_uncorrelated(normal_run):
    check_pairs(normal_run[1], 3)
