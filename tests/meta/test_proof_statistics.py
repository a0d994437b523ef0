"""Which draws distributions.py and independence.py of tests/proof pass, and which they fail.

NumPy's draws stand for a good generator, so that what is expected does not depend on the package.
"""

import json
import math
from itertools import pairwise
from statistics import NormalDist

import distributions
import independence
import mpmath
import numpy as np
import pytest
import runs
from distributions import LAWS, MOMENTS, cells_of, judge, merged, tally_narrow, tally_wide
from oracles import oracle_types
from pvalues import (
    binomial_p,
    chi_square_p,
    kolmogorov_p,
    normal_p,
    smallest_p,
    two_sided,
    uniform_p,
)
from threadpoolctl import threadpool_limits

pytestmark = [pytest.mark.meta, pytest.mark.slow]
N = 1_000_000
LAW = {law.name: law for law in LAWS}
NORMAL = LAW["normal"]


@pytest.fixture(autouse=True)
def one_thread():
    """Compute with one thread as the scripts do, since vectors are too short for more."""
    with threadpool_limits(1, "blas"):
        yield


# P-values ----------------------------------------------------------------------------------------


def test_p_values_by_known_cases():
    """Compare with binomials that were summed by hand, and with scores and bins from tables."""
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
    # Kolmogorov's 5 % is 1.3581, his median 0.8276; both series agree where they meet.
    root = 1000 + 0.12 + 0.11 / 1000
    assert math.isclose(kolmogorov_p(1.3581 / root, 10**6), 0.05, rel_tol=1e-3)
    assert math.isclose(kolmogorov_p(0.82757 / root, 10**6), 0.5, rel_tol=1e-3)
    low, high = (kolmogorov_p(x / root, 10**6) for x in (1.2 - 1e-12, 1.2 + 1e-12))
    assert math.isclose(low, high, rel_tol=1e-9)
    assert math.isclose(smallest_p(1e-9, 1000), 1e-6, rel_tol=1e-5)
    assert math.isclose(smallest_p(0.5, 2), 0.75)
    assert two_sided(0.999) == pytest.approx(0.002)


def test_chi_square_of_few_cells_and_unequal_ones():
    """Compare with upper tails by mpmath's incomplete gamma function."""
    for freedom in (10, 55, 400):
        for factor in (0.6, 1.0, 1.8):
            chi = freedom * factor
            expected = np.linspace(50, 500, freedom + 1)
            counts = expected.copy()
            counts[0] += math.sqrt(chi * expected[0])
            exact = float(mpmath.gammainc(freedom / 2, chi / 2, mpmath.inf, regularized=True))
            assert chi_square_p(counts, expected) == pytest.approx(exact, rel=0.5)
            assert chi_square_p(counts, expected) == pytest.approx(exact, rel=0, abs=0.0012)


def test_spread_of_p_values():
    p = (np.arange(200) + 0.5) / 200
    assert uniform_p(p) > 0.999
    assert uniform_p(p**2) < 1e-8


# Expected values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", distributions.DTYPES)
@pytest.mark.parametrize("law", LAWS, ids=LAW)
def test_chances_add_up_to_one(law, name):
    chances = cells_of(law, name).chances
    assert (chances >= 0).all()
    assert math.isclose(chances.sum(), 1, abs_tol=1e-12)


@pytest.mark.parametrize("law", LAWS[1:], ids=list(LAW)[1:])
def test_chances_are_those_of_the_normal(law):
    edges = np.array([-math.inf, -1.5, -0.25, 0.625, 1.75, 3.0, math.inf])
    ends = [mpmath.ncdf(min(max(edge, law.lower), law.upper)) for edge in edges]
    exact = [float((b - a) / (ends[-1] - ends[0])) for a, b in pairwise(ends)]
    np.testing.assert_allclose(law.chances(edges, "float64"), exact, rtol=1e-13)
    np.testing.assert_allclose(law.chances(edges, "float32"), exact, atol=2.0**-32)


@pytest.mark.parametrize("law", LAWS, ids=LAW)
def test_atoms_have_the_moments_of_the_law(law):
    points, weights = law.atoms()
    if law.name == "uniform":
        exact = [1 / (k + 1) for k in range(2 * MOMENTS + 1)]
    else:
        ends = (max(law.lower, -40), 0, 1, min(law.upper, 40))
        ends = sorted(end for end in ends if law.lower <= end <= law.upper)
        exact = [
            float(mpmath.quad(lambda z, k=k: z**k * mpmath.npdf(z), ends))
            for k in range(2 * MOMENTS + 1)
        ]
        exact = [moment / exact[0] for moment in exact]
    np.testing.assert_allclose([weights @ points**k for k in range(13)], exact, 1e-12, 1e-9)


def test_cells_of_a_uniform_by_hand():
    """float8_e5m2 has steps, and cells, of 1/8 between 0.5 and 1; ties go to even values.

    Words lie 2^-32 apart, or 2^-24 where they are rounded to float32. The tie 0.5625 goes down to
    0.5. The last cell also has the numbers that would be rounded to 1.
    """
    chances = dict(zip(oracle_types.values("float8_e5m2"), cells_of(LAWS[0], "float8_e5m2")[0],
                       strict=True))  # fmt: skip
    assert chances[0.625] == pytest.approx(1 / 8, abs=2.0**-23)
    assert chances[0.625] < 1 / 8  # its ties go to both neighbours, which are even
    assert chances[0.75] > 1 / 8
    assert chances[0.875] == pytest.approx(3 / 16, abs=2.0**-23)
    assert chances[1.0] == 0


def test_merged_cells_have_enough():
    counts, expected = np.arange(6), np.array([0.0, 60, 60, 150, 0, 40])
    together, shares = merged(counts, expected)
    assert shares.tolist() == [120, 190]
    assert together.tolist() == [3, 12]


# Distributions -----------------------------------------------------------------------------------


def p_values(law, name, y):
    """Return name -> p-value, where a name ends before its first comma."""
    results = runs.Results()
    tally = tally_wide(law, [y]) if name in oracle_types.IEEE else tally_narrow(law, name, [y])
    judge(results, law, name, tally)
    return {row["name"].partition(",")[0]: row["p"] for row in results.rows}


def numpy_draws(law, name):
    """Return draws that NumPy made; uniforms of float32 are made of words as in the contract."""
    rng = np.random.default_rng(0x243F6A88)
    if law.name == "uniform":
        if name == "float64":
            return rng.random(N)
        words = rng.integers(-(2**31), 2**31, N).astype(np.float32)
        y = words * np.float32(2.0**-32) + np.float32(0.5)
        return np.clip(y, *law.limits("float32")).astype(np.float32)
    y = rng.standard_normal(3 * N if law.bounded else N)
    y = y[(law.lower < y) & (y < law.upper)]
    return y if name == "float64" else y.astype(np.float32)


def rounded(law, name, y):
    """Return the bit patterns in a narrow type, clamped as the contract says."""
    y = np.clip(oracle_types.round_to(name, y), *law.limits(name))
    return oracle_types.encode(name, y)


@pytest.mark.parametrize("name", distributions.DTYPES)
@pytest.mark.parametrize("law", LAWS, ids=LAW)
def test_good_draws_pass(law, name):
    y = numpy_draws(law, name)
    found = p_values(law, name, y if name in oracle_types.IEEE else rounded(law, name, y))
    assert min(found.values()) > 1e-4, found


DEFECTS = {
    "mean": (lambda y: y + 0.01, "moment 1"),
    "std": (lambda y: y * 1.01, "moment 2"),
    "skew": (lambda y: y + 0.005 * (y * y - 1), "moment 3"),
    "tails": (lambda y: y + 0.002 * y**3, "moments together"),
    "short tail": (lambda y: y[np.abs(y) < 4], "beyond 4 sigma"),
    "coarse": (lambda y: np.rint(y * 128) / 128, "chi-square"),
    "repeated": (lambda y: np.repeat(y[: N // 4], 4), "chi-square"),
    "even": (lambda y: NORMAL_QUANTILES, "chi-square"),
    "gap": (lambda y: y[(y < 1) | (y > 1.03)], "Kolmogorov distance"),
}
#: Real draws are never so even: every cell has just the expected number.
NORMAL_QUANTILES = np.array([NormalDist().inv_cdf((k + 0.5) / N) for k in range(N)])


@pytest.mark.parametrize("defect", DEFECTS)
def test_bad_draws_fail(defect):
    spoil, test = DEFECTS[defect]
    found = p_values(NORMAL, "float64", spoil(numpy_draws(NORMAL, "float64")))
    assert found[test] < 1e-6, found


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_rounding_towards_zero_fails(name):
    """float16 is left out: its cells are too narrow for 10^6 draws to show a difference."""
    y = numpy_draws(NORMAL, name)
    v = oracle_types.values(name)
    at = np.searchsorted(v, np.abs(y), side="right") - 1
    y = np.copysign(v[at], y)
    assert p_values(NORMAL, name, oracle_types.encode(name, y))["chi-square"] < 1e-6


def test_impossible_values_fail():
    y = numpy_draws(NORMAL, "float16")
    y[5] = np.nan
    found = p_values(NORMAL, "float16", y.astype(np.float16))
    assert found["impossible values"] == 0
    law = LAW["truncated (-2, 2)"]
    y = numpy_draws(law, "float32")
    y[5] = 2  # the bound itself is never drawn
    assert p_values(law, "float32", y)["impossible values"] == 0


# Independence ------------------------------------------------------------------------------------


class Source(independence.Draws):
    """A million normals of NumPy that a defect has spoiled, to be drawn by index."""

    def __call__(self, shape, index, out=None):
        y = self.stream
        if isinstance(index, tuple):  # asks for the first column
            return y[index[0]]
        return y[index] if out is None else np.copyto(out, y[index]) or out


def examined(spoil):
    """Return name -> p-value of the tests of one tensor of 2^20 normals and some more."""
    y = np.random.default_rng(0x85A308D3).standard_normal((1 << 20) + 4096)
    draws = Source(independence.JUDGED[1], "float64", None, spoil(y))
    results = runs.Results()
    independence.examine_lags(results, "", draws, 1 << 20)
    independence.examine_rows(results, "", draws, 1 << 20)
    independence.examine_cells(results, "", draws, 1 << 19)
    return {row["name"]: row["p"] for row in results.rows}


def echo(y, lag, share=0.01):
    """Add to each element a share of the element `lag` places before it."""
    y[lag:] = math.sqrt(1 - share**2) * y[lag:] + share * y[:-lag]
    return y


def swell(y, lag):
    """Scale each element by a factor that rises with the element `lag` places before it."""
    y[lag:] *= 1 + 0.01 * (y[:-lag] ** 2 - 1)
    return y


def reuse(y):
    """Let one element in a hundred be equal to its neighbour."""
    y[1::100] = y[::100][: len(y[1::100])]
    return y


def twist(y):
    """Let the angle of a pair depend on its radius."""
    pairs = y[: len(y) // 16 * 16].reshape(-1, 2, 8)
    z = pairs[:, 0] + 1j * pairs[:, 1]
    z *= np.exp(0.3j * np.cos(np.angle(z)) * (np.abs(z) > 1))
    pairs[:, 0], pairs[:, 1] = z.real, z.imag
    return y


def test_independent_draws_pass():
    found = examined(lambda y: y)
    assert min(found.values()) > 1e-4, found


@pytest.mark.parametrize("lag", independence.LAGS)
def test_an_echo_fails(lag):
    assert examined(lambda y: echo(y, lag))[f"lag {lag}, v"] < 1e-6


def test_other_dependences_fail():
    assert examined(lambda y: echo(y, 1))["rows, v"] < 1e-6
    assert examined(lambda y: echo(y, 8, 0.02))["members, v"] < 1e-6
    found = examined(lambda y: swell(y, 4))
    assert found["lag 4, v^2"] < 1e-6
    assert found["lag 4, v"] > 1e-4
    degrees = f"{independence.CELLS**2 - 1} degrees"
    assert examined(reuse)[f"neighbours, {degrees}"] < 1e-6
    assert examined(twist)[f"circle, {degrees}"] < 1e-6


@pytest.mark.parametrize("spoiled", [False, True])
def test_one_dependent_pair_of_tensors_among_many(spoiled):
    x = np.random.default_rng(1).standard_normal((60, 4096))
    if spoiled:
        x[7] += 0.2 * x[31]
    sources = [lambda _, index, row=row: row[index] for row in x]
    results = runs.Results()
    independence.examine_tensors(results, "", "tensors", sources, 4096)
    p = {row["name"]: row["p"] for row in results.rows}
    assert (p["tensors, greatest"] < 1e-6) == spoiled
    assert p["tensors, sum of squares"] > 1e-4


def test_a_small_share_common_to_all_tensors_fails():
    x = np.random.default_rng(1).standard_normal((60, 4096))
    x += 0.15 * x[0]
    results = runs.Results()
    sources = [lambda _, index, row=row: row[index] for row in x[1:]]
    independence.examine_tensors(results, "", "tensors", sources, 4096)
    assert results.rows[1]["p"] < 1e-6


@pytest.mark.parametrize("judged", independence.JUDGED, ids=lambda judged: judged.name)
def test_features_have_variance_1_and_cells_are_level(judged):
    y = np.array([judged.quantile((k + 0.5) / N) for k in range(N)])
    for feature in independence.features(judged, y):
        assert feature.mean() == pytest.approx(0, abs=1e-4)
        assert (feature**2).mean() == pytest.approx(1, abs=1e-3)
    table, chances = independence.cell_table(judged)
    assert chances.sum() == pytest.approx(1)
    assert chances.min() > 0.97 / independence.CELLS
    assert table.max() == independence.CELLS - 1


# Verdicts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "failed"),
    [
        ((np.arange(100) + 0.5) / 100, False),
        (np.linspace(0.05, 1, 100), False),  # the test of their spread gives the smaller p-value
        ([*((np.arange(100) + 0.5) / 100), 1e-5], False),
        ([*((np.arange(100) + 0.5) / 100), 1e-7], True),
        (np.full(100, 0.5), True),
        ([*((np.arange(100) + 0.5) / 100), math.nan], True),
    ],
)
def test_verdict(p, failed, capsys):
    results = runs.Results()
    for value in p:
        results.add("group", "name", 0, value)
    assert results.verdict()["failed"] is failed
    assert ("FAILED" in capsys.readouterr().out) == failed


def test_dependent_p_values_are_left_out_of_the_spread():
    results = runs.Results()
    for k in range(100):
        results.add("", "", 0, (k + 0.5) / 100)
        results.add("", "", 0, 0.5, independent=False)
    assert not results.verdict()["failed"]


@pytest.mark.process
@pytest.mark.parametrize("p", [0.4, 1e-9])
def test_a_run_exits_with_its_verdict(p, monkeypatch, tmp_path, capsys):
    """The output begins with the command, and --json writes every row."""
    file = tmp_path / "results.json"
    monkeypatch.setattr("sys.argv", ["here/some.py", "--quick", "--json", str(file)])
    with pytest.raises(SystemExit) as end:
        runs.run("", lambda results, n: results.add("a", "b", n, p), 100, 10)
    found = json.loads(file.read_text(encoding="utf-8"))
    assert bool(end.value.code) == found["failed"] == (p < runs.LIMIT)
    assert found["results"] == [
        {"group": "a", "name": "b", "statistic": 10, "p": p, "independent": True}
    ]
    assert capsys.readouterr().out.startswith("$ python tests/proof/some.py --quick")
