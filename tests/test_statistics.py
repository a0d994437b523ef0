"""Statistics of long runs: moments, symmetry, bounds, tails and independence within a pair.

Every draw is fixed by (key, stream, index), so a run passes always or never. A statistic fails
where its two-sided p-value is below ``P_LIMIT``: an ideal source would fail one of the sixty or so
below with a probability of 0.0006, once and for all, when the key was chosen. The key (digits of
pi) was not chosen by its results.
"""

import functools
import math

import numpy as np
import pytest

import weightinit_fast as wf

P_LIMIT = 1e-5
KEY = wf.Key(0x243F6A8885A308D3, 0x13198A2E03707344)
SIZES = {"f4": 2**27, "f8": 10**7}
DTYPES = tuple(SIZES)
SLAB = 2**22
BINS = 1024
#: Distance between the two members of a Box-Muller pair.
PAIR = {"f4": 16, "f8": 8}
TAILS = (3, 4, 5)
#: The farthest that the radius argument lets a normal go.
FARTHEST = {"f4": math.sqrt(80 * math.log(2)), "f8": math.sqrt(128 * math.log(2))}


def normal_p(score):
    """Two-sided p-value of a standard score."""
    return math.erfc(abs(score) / math.sqrt(2))


def binomial_p(count, n, p):
    """Two-sided p-value of a binomial count: twice the smaller tail, summed for small means."""
    mean = n * p
    if mean > 1e4:
        return normal_p((abs(count - mean) - 0.5) / math.sqrt(mean * (1 - p)))
    log_term = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    term = math.exp(log_term + count * math.log(p) + (n - count) * math.log1p(-p))
    step = -1 if count < mean else 1
    total, k = 0.0, count
    while 0 <= k <= n and term > 1e-18 * total:
        total += term
        odds = p / (1 - p)
        term *= (n - k) / (k + 1) * odds if step > 0 else k / ((n - k + 1) * odds)
        k += step
    return min(1.0, 2 * total)


def chi_square_p(counts):
    """Upper p-value of equally likely bins, by the Wilson-Hilferty cube root (hundreds of bins)."""
    mean, freedom = counts.sum() / len(counts), len(counts) - 1
    chi = ((counts - mean) ** 2).sum() / mean
    spread = 2 / (9 * freedom)
    score = ((chi / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return math.erfc(score / math.sqrt(2)) / 2


class Tally:
    """Sums over slabs of a long run."""

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
    """The run cut into slabs, each a row selection of one global tensor."""
    n = SIZES[dtype]
    out = np.empty(min(n, SLAB), dtype=dtype)
    for start in range(0, n, SLAB):
        part = out[: min(SLAB, n - start)]
        index = np.s_[start : start + len(part)]
        yield function((n,), out=part, rng=KEY, stream=stream, index=index)


def add_pairs(tally, y, distance):
    """Products of pair members (i, i + distance), centred and scaled to unit variance."""
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
    """Tally of uniform[0, 1) over a whole run; moments of v = √3 (2y - 1), of unit variance."""
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
    """Tally of the standard normal over a whole run."""
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


@pytest.fixture(params=DTYPES)
def uniform_run(request):
    return request.param, tally_uniform(request.param)


@pytest.fixture(params=DTYPES)
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
    """Ends: never high; and within 40/n of both, missed by chance with probability e^-40."""
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
    """Past 4.5 sigma on both sides, by chance missed less than once in e^30, and not too far."""
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
    """Pair members are uncorrelated, in square too; quadrants are level; so are neighbours."""
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


def test_p_values_by_known_cases():
    """Small binomials summed by hand, scores and bins from tables."""
    assert math.isclose(binomial_p(0, 10, 0.25), 2 * 0.75**10)
    assert math.isclose(binomial_p(9, 10, 0.5), 2 * 11 / 1024)
    assert math.isclose(normal_p(1.959963985), 0.05, rel_tol=1e-8)
    assert binomial_p(51_000, 100_000, 0.5) < 1e-9
    assert 0.75 < binomial_p(50_050, 100_000, 0.5) < 0.76
    # 1023 degrees of freedom: the upper 5 % of chi-square begins at 1098.5208.
    bins = np.full(1024, 1e4)
    bins[0] += math.sqrt(1098.5208 * 1e4 * 1023 / 1024)
    bins[1:] -= (bins[0] - 1e4) / 1023
    assert abs(chi_square_p(bins) - 0.05) < 0.001
