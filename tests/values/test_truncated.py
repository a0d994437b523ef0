"""The truncated normal against its oracle: bound, clamp, distribution, places and refusals."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracles import oracle, oracle_truncated, oracle_types
from pvalues import normal_p
from support.draws import (
    KEY,
    NEAR_WIDTHS,
    PINS,
    RNG,
    STARTS,
    STREAM,
    assert_same_bits,
    check_inside,
    check_truncated,
    draw,
    single,
    storage,
    truncated,
)
from support.internals import core
from support.memory import (
    FIXED,
    LAYOUT_KEY,
    assert_same,
    indexed,
    placed,
    reference,
    some_dtypes,
)
from support.refusals import INF, NAN, refuse
from support.surface import COMMON

import weightinit_fast as wf

DTYPES = ("f4", "f8")
P_LIMIT = 1e-5  # as in test_statistics.py
INTERVALS = [(-2, 2), (-8, 8), (0, INF), (3, 4), (5, 8), (-8, -7.5), (-100, 100), (-INF, -8)]
INTERVALS += [(0, 1e-6), (1, 1 + 1e-5), (-INF, INF), (-1, 0.5), (8, INF), (-1e-3, 7), (2, 400)]
#: (mean, std). With them the limits of the clamp are no values of the types.
SCALES = [(0.0, 0.02), (0.7, 0.3), (-3.0, 1e-3), (1e6, 1.0), (0.1, 1e20), (1e-3, 1e-7)]
#: How many elements of a run the oracle computes: mpmath takes 0.3 ms for one.
LENGTHS = {"f4": 2**14, "f8": 150}


# Accuracy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("lower", "upper"), INTERVALS)
def test_standard(isa, dtype, lower, upper):
    y = truncated(LENGTHS[dtype], dtype, 7, lower=lower, upper=upper)
    check_truncated(y, 7, 0.0, 1.0, lower, upper)


def test_long_run(isa):
    for lower, upper in ((-2, 2), (1.5, 8)):
        y = truncated(2**17, "f4", lower=lower, upper=upper)
        check_truncated(y, 0, 0.0, 1.0, lower, upper)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("mean", "std"), SCALES)
def test_mean_and_std(isa, dtype, mean, std):
    n = LENGTHS[dtype] // 4
    for lower, upper in ((-2, 2), (-0.1, 3), (4, INF)):
        y = truncated(n, dtype, 99, mean=mean, std=std, lower=lower, upper=upper)
        check_truncated(y, 99, mean, std, lower, upper)


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_words(isa, dtype):
    """Test the first and last words and those around the median, with their neighbours."""
    for lower, upper in ((-2, 2), (0, INF), (-INF, INF), (-8, -7.5), (-100, 100)):
        for stream, i, word in PINS[dtype]:
            assert oracle.family_words(KEY, stream, [i], dtype)[0] == word
            y = truncated(3, dtype, i - 1, stream=stream, lower=lower, upper=upper)
            check_truncated(y, i - 1, 0.0, 1.0, lower, upper, stream)
            assert truncated(1, dtype, i, stream=stream, lower=lower, upper=upper)[0] == y[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_order_of_words_is_the_order_of_values(isa, dtype):
    """Φ⁻¹ increases, so that only values closer than the bounds may be out of order."""
    for lower, upper in ((-2, 2), (3, 4), (-INF, INF)):
        y = truncated(2**12, dtype, lower=lower, upper=upper).astype("f8")
        words = oracle.family_words(KEY, STREAM, np.arange(2**12), dtype)
        slack = 2 * (2.0**-20 if dtype == "f4" else 2.0**-48) * np.abs(y).max()
        y = y[np.argsort(words)]
        assert (np.diff(y) >= -slack).all()


def test_far_double_intervals_are_sane(isa):
    """Beyond 8 the contract promises no bound, but intervals up to 37 are taken."""
    for lower, upper in ((20, 25), (-37, -36), (36.5, INF), (-INF, -37)):
        y = truncated(100, "f8", 3, lower=lower, upper=upper)
        exact, _ = oracle_truncated.truncated_exact(
            KEY, STREAM, np.arange(3, 103), 0.0, 1.0, lower, upper, "f8"
        )
        np.testing.assert_allclose(y, exact.astype("f8"), rtol=2.0**-30)
        check_inside(y, 0.0, 1.0, lower, upper)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("lower", "upper"), [(-2, 2), (-INF, INF), (6, 9)])
def test_all_sets_give_the_same_bits(isa, dtype, lower, upper):
    y = truncated(2**16 + 7, dtype, 3, lower=lower, upper=upper)
    core.select_isa("scalar")
    assert_same_bits(y, truncated(2**16 + 7, dtype, 3, lower=lower, upper=upper))


# The clamp ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_clamp_is_strict(isa, dtype):
    """Test intervals that hold few values, whose ends are values or lie between two."""
    t = np.dtype(dtype)
    eps = float(np.finfo(t).eps)
    for mean, std, lower, upper in (
        *((1.0, eps, -1, 2), (1.0, eps, 0, 2), (1.0, eps, -0.3, 0.8), (0.7, eps, -1.3, 1.3)),
        *((0.3, 1.0, 0.4, 0.4 + 5 * eps), (0.0, 1.0, -1e-6, 1e-6), (-1.0, eps, -2, 0.75)),
    ):
        y = truncated(1000, dtype, mean=mean, std=std, lower=lower, upper=upper)
        check_inside(y, mean, std, lower, upper)
        first, last = oracle_types.truncated_limits(t.name, mean, std, lower, upper)
        assert first <= y.min()
        assert y.max() <= last
        check_truncated(y[:100], 0, mean, std, lower, upper)


@pytest.mark.parametrize("name", oracle_types.TYPES)
def test_narrow_types(isa, name):
    """The float32 result is rounded to the type, and then clamped strictly inside."""
    eps = oracle_types.TYPES[name].epsilon
    cases = [(0.0, 1.0, lower, upper) for lower, upper in INTERVALS if upper - lower > 1e-3]
    cases += [(1.0, eps, -1, 2), (0.7, 0.3, -1.1, 2.3), (0.0, 0.02, -2, 2), (-3.0, 8 * eps, -1, 1)]
    for mean, std, lower, upper in cases:
        own = {"mean": mean, "std": std, "lower": lower, "upper": upper}
        try:
            limits = oracle_types.truncated_limits(name, mean, std, lower, upper)
        except ValueError:  # the coarser types have no value between -8 and -7.5
            out = np.full(48, 77, storage(name))
            refuse(ValueError, None, wf.truncated_normal, out=out, dtype=name, guard=out, **own)
            continue
        y = oracle_types.round_to(name, single(wf.truncated_normal, 3000, 11, **own))
        expected = oracle_types.encode(name, np.clip(y, *limits))
        got = draw(wf.truncated_normal, 3000, name, 11, **own)
        assert got.tolist() == expected.tolist(), own


def test_narrow_clamp_matters():
    """Without the clamp, numbers near two standard deviations round to the bound itself."""
    y = oracle_types.round_to("float8_e5m2", single(wf.truncated_normal, 3000))
    assert y.max() == 2
    got = oracle_types.decode("float8_e5m2", draw(wf.truncated_normal, 3000, "float8_e5m2"))
    assert (got.min(), got.max()) == (-1.75, 1.75)


@pytest.mark.parametrize("lower", [-2, -INF])
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
def test_std_of_zero_gives_mean(isa, dtype, lower):
    """This also holds where a bound would be 0·∞, which is NaN."""
    y = wf.truncated_normal(99, mean=0.7, std=0, lower=lower, upper=INF, dtype=dtype, rng=RNG)
    assert (y == np.dtype(dtype).type(0.7)).all()


# The distribution --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("lower", "upper"), [(-2, 2), (0, INF), (3, 4), (-1, 0.5)])
def test_moments(dtype, lower, upper):
    """Judge powers 1 to 4 of 2^22 elements, and neighbours; each fails once in 10^5 by chance."""
    n = 2**22
    y = truncated(
        n, dtype, 2**40, stream="statistics.truncated", lower=lower, upper=upper, threads=2
    )
    m = oracle_truncated.moments(lower, upper)
    y = y.astype("f8")
    power = np.ones(n)
    for k in range(1, 5):
        power *= y
        score = (power.mean() - m[k]) / math.sqrt((m[2 * k] - m[k] ** 2) / n)
        assert normal_p(score) > P_LIMIT, (k, score)
    y -= m[1]
    score = np.dot(y[:-1], y[1:]) / ((m[2] - m[1] ** 2) * math.sqrt(n - 1))
    assert normal_p(score) > P_LIMIT, score


# Places ------------------------------------------------------------------------------------------


@FIXED
@given(indexed(), st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2", ">f2"]))
@example(((5, 6), np.s_[..., 3, 2]), "<f4")
def test_index_equals_indexing(case, dtype):
    shape, index = case
    index = index if isinstance(index, tuple) else (index,)
    expected = reference(wf.truncated_normal, shape, dtype)[index]
    options = {"dtype": dtype, "rng": LAYOUT_KEY, "stream": "layout", "threads": 2}
    assert_same(wf.truncated_normal(shape, index=index, **options), expected)


@FIXED
@given(st.data(), indexed(), some_dtypes)
def test_indexed_out_in_any_layout(data, case, dtype):
    shape, index = case
    index = index if isinstance(index, tuple) else (index,)
    expected = np.asarray(reference(wf.truncated_normal, shape, dtype)[index])
    memory = data.draw(placed((expected.shape, dtype)))
    memory.assert_filled(expected, wf.truncated_normal, shape=shape, index=index)


@pytest.mark.parametrize("dtype", DTYPES)
def test_starts_and_lengths(isa, dtype):
    for first in (*STARTS[:4], 2**61 - 77):
        whole = truncated(700, dtype, first)
        check_truncated(whole[:40], first, 0.0, 1.0, -2, 2)
        for start in NEAR_WIDTHS[::2]:
            for n in NEAR_WIDTHS[::3]:
                part = truncated(n, dtype, first + start)
                assert part.tobytes() == whole[start : start + n].tobytes(), (start, n)


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_and_sizes_do_not_change_a_bit(dtype):
    n = 2**21 + 77
    expected = truncated(n, dtype, 5)
    for threads in (2, 3, 7):
        assert truncated(n, dtype, 5, threads=threads).tobytes() == expected.tobytes()
    for k in range(0, n - 70, 2**19 + 3):
        assert truncated(2**10, dtype, 5 + k)[:70].tobytes() == expected[k : k + 70].tobytes()


@pytest.mark.parametrize(("dtype", "std"), [("f8", 1e308), ("f4", 3e38), ("f2", 7e4)])
def test_bounds_that_overflow_still_bound(dtype, std):
    """mean + std·lower exceeds the largest value of the type, or even of float64."""
    y = wf.truncated_normal(10_000, std=std, dtype=dtype, rng=RNG)
    assert np.isfinite(y).all()
    assert abs(y).max() == np.finfo(dtype).max
    inner = wf.truncated_normal(99, std=std, lower=-1e-4, upper=1e-4, dtype=dtype, rng=RNG)
    assert abs(inner.astype("f8")).max() < std * 1e-4


# Refusals ----------------------------------------------------------------------------------------


def test_signature():
    parameters = inspect.signature(wf.truncated_normal).parameters
    own = {"mean": 0, "std": 1, "lower": -2, "upper": 2}
    defaults = {p.name: p.default for p in parameters.values()}
    assert defaults == {"shape": None} | own | COMMON


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "u2", "u1"])
@pytest.mark.parametrize(
    ("own", "error", "texts"),
    [
        *(({p: v}, ValueError, [repr(v)]) for p in ("mean", "std") for v in (NAN, INF, -INF)),
        *(({p: NAN}, ValueError, ["nan"]) for p in ("lower", "upper")),
        *(({p: "2"}, TypeError, ["'2'"]) for p in ("mean", "std", "lower", "upper")),
        *(({p: None}, TypeError, ["None"]) for p in ("mean", "std", "lower", "upper")),
        ({"std": -0.5}, ValueError, ["-0.5"]),
        ({"lower": 2.5, "upper": 2.5}, ValueError, ["2.5"]),
        ({"lower": 3.5, "upper": -3.25}, ValueError, ["3.5", "-3.25"]),
        ({"lower": INF, "upper": INF}, ValueError, ["inf"]),
        ({"lower": 37.5, "upper": 38.5}, ValueError, ["37.5", "38.5"]),
        ({"lower": -INF, "upper": -37.25}, ValueError, ["-37.25"]),
        ({"mean": 1.0, "std": 1e-17}, ValueError, []),
        ({"lower": 1.5, "upper": math.nextafter(1.5, 2)}, ValueError, []),
    ],
)
def test_refused_parameters(dtype, own, error, texts):
    kind = {"u2": "bfloat16", "u1": "float8_e4m3fn"}.get(dtype)
    for text in texts or [None]:
        out = np.full(48, 77, dtype)
        options = {"dtype": kind} if kind else {}
        refuse(error, text, wf.truncated_normal, out=out, guard=out, **options, **own)


@pytest.mark.parametrize("bounds", [(8.5, 9.0), (-INF, -8.25), (8.125, INF), (20.0, 30.0)])
def test_far_intervals_are_for_double_only(bounds):
    lower, upper = bounds
    for text in (repr(lower), repr(upper)):
        for name in ("f4", *oracle_types.TYPES):
            out = np.full(48, 77, "f4" if name == "f4" else storage(name))
            options = {"dtype": name, "lower": lower, "upper": upper, "guard": out}
            refuse(ValueError, text, wf.truncated_normal, out=out, **options)
    assert truncated(9, "f8", lower=lower, upper=upper).size == 9


@pytest.mark.parametrize("own", [{"mean": 1e39, "std": 1e38}, {"std": 1e39}])
def test_parameters_that_overflow_float32(own):
    out = np.full(48, 77, "f4")
    refuse(ValueError, "1e+39", wf.truncated_normal, out=out, guard=out, **own)
    assert np.isfinite(truncated(9, "f8", **own)).all()


def test_interval_without_a_value():
    """(1, 1 + 2^-23) holds no float32, but many float64."""
    own = {"mean": 1.0, "std": 2.0**-23, "lower": 0, "upper": 1}
    out = np.full(48, 77, "f4")
    refuse(ValueError, None, wf.truncated_normal, out=out, guard=out, **own)
    check_inside(truncated(99, "f8", **own), 1.0, 2.0**-23, 0, 1)
