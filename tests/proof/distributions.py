"""Judge the distribution of 10^9 draws of every transform and dtype against its exact law.

    python tests/proof/distributions.py             10^9 draws each, five minutes of a core
    python tests/proof/distributions.py --quick     10^6 draws each, seconds

The command prints for each of them the moments 1 to 6 as standard scores, and all six together
(chi-square of 6 degrees); chi-square over cells; the Kolmogorov distance over the same cells; and
how many values lie beyond 3, 4, 5 and 6 sigma. Cells are the values of a narrow type, or 2^16
intervals of float32 and float64. Neighbouring cells are merged until 100 draws are expected.

The stream contract says what is expected. These things are computed exactly: the 2^32 words of a
float32 uniform; the ends of cells, which are moved by rounding to a narrow type, by its ties to
even and by the clamp; the grid of 2^32 probabilities of a truncated normal's words. Other things
are left out, since 10^9 draws cannot show them: the factor 1 - 2^-24 of the radius argument (moment
2 is larger by 2^-24, which is a score of 0.001), the half word by which the mean of the words
differs from 0 (2^-32), and the float32 grids inside a cell.

Where float32 keeps 24 bits of a truncated normal's word, 2^7 words make one value, and near +-2 the
values lie four float32 apart. 10^9 draws in 2^16 cells show which of these values the end of a cell
cuts off (chi-square is larger by 4 %). In this case cells are merged until a 4096th of all draws
is expected.
"""

import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pvalues import binomial_p, chi_square, chi_square_p, kolmogorov_p, normal_p, two_sided
from runs import KEY, SLAB, run

import weightinit_fast as wi

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from oracles import oracle_types
from oracles.oracle_types import TYPES

MOMENTS = 6
SIGMAS = (3, 4, 5, 6)
MERGED = 100  # at least this many draws are expected in a cell
GRAIN = 2.0**-12  # at least this share of all draws, where float32 keeps 24 bits of a word
BINS = 1 << 16
BLOCK = 1 << 15  # float64 that are summed at a time; they fit into the second-level cache
DTYPES = ("float32", "float64", *TYPES)
INF = math.inf


# Laws --------------------------------------------------------------------------------------------


def tails(z):
    """Return P(Z > z) of each z."""
    return np.array([math.erfc(value * math.sqrt(0.5)) / 2 for value in np.ravel(z)])


def halves(z):
    """Return P(0 < Z < z) of each z."""
    return np.array([math.erf(value * math.sqrt(0.5)) / 2 for value in np.ravel(z)])


def rounded_apart(edges, name):
    """Return from where on a number goes to the value above each edge, if float32 comes first.

    Edges are half way between values of a narrow type, and a float32 there goes to the even value.
    """
    upper = np.searchsorted(oracle_types.values(name), edges)
    pattern = oracle_types.encode(name, oracle_types.values(name)[upper])
    half = np.spacing(np.abs(edges).astype(np.float32)) / 2.0
    return np.where(pattern & 1, edges + half, edges - half)


class Gaussian(NamedTuple):
    """The standard normal, or a truncated normal whose parent it is."""

    name: str
    init: wi.Initializer
    start: float = -4.0  # where the bins begin
    width: float = 2.0**-13
    centre: float = 0.0  # moments are taken of (y - centre) / scale
    scale: float = 1.0

    @property
    def lower(self):
        return self.init.law(1).low

    @property
    def upper(self):
        return self.init.law(1).high

    @property
    def bounded(self):
        return math.isfinite(self.lower)

    def limits(self, name):
        """Return the least and greatest value of a type."""
        if not self.bounded:
            return -INF, INF
        return oracle_types.truncated_limits(name, 0, 1, self.lower, self.upper)

    def chances(self, edges, name):
        """Return the probabilities between ascending edges, from the nearer tail or the median."""
        if name in TYPES:
            finite = np.isfinite(edges)
            edges = edges.copy()
            edges[finite] = rounded_apart(edges[finite], name)
        edges = np.clip(edges, self.lower, self.upper)
        ends = tails([-self.lower, self.lower, -self.upper, self.upper])
        mass = ends[1] - ends[3]
        below, above = (tails(-edges) - ends[0]) / mass, (tails(edges) - ends[3]) / mass
        if self.bounded and name != "float64":
            below, above = (np.rint(np.ldexp(p, 32)) * 2.0**-32 for p in (below, above))
        middle = np.diff(halves(edges)) / mass
        chances = np.where(edges[1:] <= 0, np.diff(below), -np.diff(above))
        return np.where(np.maximum(-edges[:-1], edges[1:]) < 2.0**-10, middle, chances)

    def grain(self, name):
        return GRAIN if self.bounded and name == "float32" else 0.0

    def atoms(self):
        """Return points and weights that have the moments of the law (Gauss and Legendre)."""
        low, high = max(self.lower, -14.0), min(self.upper, 14.0)
        x, w = np.polynomial.legendre.leggauss(160)
        x = (low + high) / 2 + (high - low) / 2 * x
        w *= np.exp(-x * x / 2)
        return x, w / w.sum()


class Uniform(NamedTuple):
    """The uniform distribution between 0 and 1."""

    name: str = "uniform"
    init: wi.Initializer = wi.initializer(wi.uniform)
    start: float = 0.0
    width: float = 2.0**-16
    centre: float = 0.5
    scale: float = 0.5

    def limits(self, name):
        return oracle_types.uniform_limits(name, 0.0, 1.0)

    def chances(self, edges, name):
        """Return the shares of words between ascending edges, by bisection."""
        if name == "float64":
            return np.diff(np.clip(edges, 0, 1))
        narrow = name in TYPES
        below = np.full(len(edges), -(2**31) - 1)  # words whose values are below the edge
        above = np.full(len(edges), 2**31)
        while (above - below > 1).any():
            word = (below + above) // 2
            # Exact in float64, then rounded once.
            y = (word.astype(np.float32) * 2.0**-32 + 0.5).astype(np.float32)
            y = oracle_types.round_to(name, y) if narrow else y.astype(np.float64)
            y = np.clip(y, *self.limits(name))
            below, above = np.where(y < edges, word, below), np.where(y < edges, above, word)
        return np.diff(above + 2**31) * 2.0**-32

    def grain(self, name):
        return 0.0

    def atoms(self):
        x, w = np.polynomial.legendre.leggauss(20)
        return (x + 1) / 2, w / 2


LAWS = (
    Uniform(),
    Gaussian("normal", wi.initializer(wi.normal)),
    Gaussian("truncated (-2, 2)", wi.initializer(wi.truncated_normal), -2.0, 2.0**-14),
    Gaussian(
        "truncated (0.5, 4)",  # bounds beyond 2.25 use the general quantile
        wi.initializer(wi.truncated_normal, lower=0.5, upper=4),
        *(0.5, 2.0**-14, 1.14, 0.5),
    ),
)


# Cells -------------------------------------------------------------------------------------------


class Cells(NamedTuple):
    """The cells in which a run is counted, in ascending order."""

    chances: np.ndarray
    beyond: list  # chances of |y| beyond each of SIGMAS
    points: np.ndarray  # with the weights, they have the moments of what is counted
    weights: np.ndarray


def cells_of(law, name):
    if name not in TYPES:
        edges = law.start + law.width * np.arange(BINS + 1)
        chances = law.chances(np.concatenate([[-INF], edges, [INF]]), name)
        beyond = [law.chances(np.array([-INF, -s, s, INF]), name)[::2].sum() for s in SIGMAS]
        return Cells(chances, beyond, *law.atoms())
    values = oracle_types.values(name)
    least, greatest = law.limits(name)
    edges = values[:-1] / 2 + values[1:] / 2
    edges[edges < least] = -INF
    edges[edges > greatest] = INF
    chances = law.chances(np.concatenate([[-INF], edges, [INF]]), name)
    beyond = [chances[np.abs(values) > s].sum() for s in SIGMAS]
    return Cells(chances, beyond, values, chances)


def merged(counts, expected, least=MERGED):
    """Merge neighbouring cells until enough draws are expected in each."""
    starts, total = [], INF
    for k, share in enumerate(expected):
        if total >= least:
            starts.append(k)
            total = 0.0
        total += share
    if total < least:
        starts.pop()
    return np.add.reduceat(counts, starts), np.add.reduceat(expected, starts)


# Runs --------------------------------------------------------------------------------------------


def slabs(law, name, n):
    """Yield the run in slabs, each of them a range of one global tensor."""
    storage = name if name.startswith("float") and name[5:].isdigit() else TYPES[name].bits
    out = np.empty(min(n, SLAB), storage)
    for start in range(0, n, SLAB):
        part = out[: min(SLAB, n - start)]
        yield law.init(
            n, out=part, dtype=name, rng=KEY, stream=f"proof/{law.name}/{name}",
            index=np.s_[start : start + len(part)], threads=1,
        )  # fmt: skip


class Tally(NamedTuple):
    """What is remembered of a run."""

    counts: np.ndarray  # how many values fell into each cell
    sums: np.ndarray  # of powers of (y - centre) / scale, from 1 on
    beyond: np.ndarray  # how many |y| exceed each of SIGMAS
    stray: int = 0  # how many values are NaN or infinite


def tally_wide(law, parts):
    """Return counts and sums of float32 or float64.

    A sum of 2^15 products in float64 is off by 2^-38 of it at most, and the mean of 10^9 draws is
    known to 2^-15. What rounding does to the sums can therefore not be seen.
    """
    counts, sums = np.zeros(BINS + 2, np.int64), np.zeros(MOMENTS)
    beyond = np.zeros(len(SIGMAS), np.int64)
    first = int(law.start / law.width)
    for part in parts:
        for start in range(0, len(part), BLOCK):
            y = part[start : start + BLOCK]
            bins = np.floor(y * y.dtype.type(1 / law.width))  # exact: the width is a power of two
            bins = np.clip(bins, first - 1, first + BINS).astype(np.intp) - (first - 1)
            counts += np.bincount(bins, minlength=BINS + 2)
            size = np.abs(y)
            far = size[size > SIGMAS[0]]
            beyond += [np.count_nonzero(far > sigmas) for sigmas in SIGMAS]
            v = (y.astype(np.float64) - law.centre) / law.scale
            v2 = v * v
            v3 = v2 * v
            sums += [v.sum(), v2.sum(), v3.sum(), v2 @ v2, v2 @ v3, v3 @ v3]
    return Tally(counts, sums, beyond)


def tally_narrow(law, name, parts):
    """Return the tally of a narrow type, computed from the counts of its bit patterns."""
    bits = TYPES[name].bits
    patterns = np.arange(1 << TYPES[name].width)
    seen = np.zeros(len(patterns), np.int64)
    for part in parts:
        seen += np.bincount(part.view(bits), minlength=len(patterns))
    values, decoded = oracle_types.values(name), oracle_types.decode(name, patterns.astype(bits))
    finite = np.isfinite(decoded)
    counts = np.zeros(len(values), np.int64)
    # Both zeros are one value.
    np.add.at(counts, np.searchsorted(values, decoded[finite]), seen[finite])
    v = np.where(counts, (values - law.centre) / law.scale, 0)
    sums = np.array([counts @ v**k for k in range(1, MOMENTS + 1)])
    beyond = np.array([counts[np.abs(values) > sigmas].sum() for sigmas in SIGMAS])
    return Tally(counts, sums, beyond, int(seen[~finite].sum()))


# Judgement ---------------------------------------------------------------------------------------


def judge_moments(results, group, law, points, weights, sums, n):
    v = np.where(weights > 0, (points - law.centre) / law.scale, 0)
    mean = np.array([weights @ v**k for k in range(2 * MOMENTS + 1)])
    k = np.arange(1, MOMENTS + 1)
    covariance = mean[np.add.outer(k, k)] - np.outer(mean[k], mean[k])
    deviations = np.sqrt(np.diag(covariance))
    scores = (sums / n - mean[k]) / deviations * math.sqrt(n)
    for power, score in zip(k, scores, strict=True):
        results.add(group, f"moment {power}", score, normal_p(score), independent=False)
    chi = scores @ np.linalg.solve(covariance / np.outer(deviations, deviations), scores)
    p = math.exp(-chi / 2) * (1 + chi / 2 + chi**2 / 8)  # 6 degrees of freedom
    results.add(group, "moments together", chi, p)


def judge(results, law, name, tally):
    """Add every test of a run."""
    group, n = f"{law.name}, {name}", int(tally.counts.sum()) + tally.stray
    cells = cells_of(law, name)
    impossible = tally.stray + tally.counts[cells.chances == 0].sum()
    results.add(group, "impossible values", impossible, float(impossible == 0), independent=False)
    judge_moments(results, group, law, cells.points, cells.weights, tally.sums, n)
    least = max(MERGED, n * law.grain(name))
    counts, expected = merged(tally.counts, cells.chances * n, least)
    chi, freedom = chi_square(counts, expected)
    p = two_sided(chi_square_p(counts, expected))
    results.add(group, f"chi-square, {freedom} degrees", chi, p)
    distance = np.abs(np.cumsum(tally.counts) / n - np.cumsum(cells.chances)).max()
    p = kolmogorov_p(distance, n)  # an upper bound, since the values are in cells
    results.add(group, "Kolmogorov distance", distance, p, independent=False)
    for sigmas, count, chance in zip(SIGMAS, tally.beyond, cells.beyond, strict=True):
        if chance:
            p = binomial_p(int(count), n, chance)
            results.add(group, f"beyond {sigmas} sigma", count, p, independent=False)


def examine(results, n):
    for law in LAWS:
        for name in DTYPES:
            parts = slabs(law, name, n)
            tally = tally_narrow(law, name, parts) if name in TYPES else tally_wide(law, parts)
            judge(results, law, name, tally)


if __name__ == "__main__":
    run(__doc__, examine, 10**9, 10**6)
