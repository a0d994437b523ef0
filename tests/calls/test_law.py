"""Laws: what initialisers say of their distributions, against formulas, mpmath and draws."""

import math

import mpmath
import numpy as np
import pytest
from support import internals

import weightinit_fast as wi

INF = math.inf


def law(text, shape):
    return wi.initializer(text).law(shape)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        ("zeros", 3, ("constant", 0, 0, 0, 0)),
        ("ones", (2, 2), ("constant", 1, 0, 1, 1)),
        ("constant(value=-inf)", 3, ("constant", -INF, 0, -INF, -INF)),
        ("uniform(low=-1, high=3)", 9, ("uniform", 1, 4 / math.sqrt(12), -1, 3)),
        ("uniform(low=2, high=2)", 9, ("uniform", 2, 0, 2, 2)),
        ("normal(mean=1, std=0.5)", (), ("normal", 1, 0.5, -INF, INF)),
        ("normal(mean=1, std=0)", (), ("normal", 1, 0, 1, 1)),
        # fans 147 and 3136
        ("he_normal", (64, 3, 7, 7), ("normal", 0, math.sqrt(2 / 147), -INF, INF)),
        (
            "he_normal(a=0.25, mode='fan_out')",
            (64, 3, 7, 7),
            (
                "normal",
                0,
                math.sqrt(2 / (1.0625 * 3136)),
                -INF,
                INF,
            ),
        ),
        ("xavier_uniform(gain=2)", (2, 4), ("uniform", 0, 2 / math.sqrt(3), -2, 2)),
        ("xavier_normal", (2, 6), ("normal", 0, 0.5, -INF, INF)),
        ("lecun_normal(layout='OOI')", (2, 3, 4), ("normal", 0, 0.5, -INF, INF)),
        ("fan_in_uniform(fans=(16, 3))", 3, ("uniform", 0, 0.25 / math.sqrt(3), -0.25, 0.25)),
        ("identity(gain=2)", (2, 4), ("identity", 0.5, 2 * math.sqrt(0.25 * 0.75), 0, 2)),
        ("dirac(groups=2)", (4, 2, 3), ("dirac", 1 / 6, math.sqrt(1 / 6 * 5 / 6), 0, 1)),
        ("sparse(sparsity=0.75, std=2)", (8, 3), ("sparse", 0, 1, -INF, INF)),
        (
            "sparse(sparsity=0.5, std=2, layout='OI')",
            (8, 4),
            (
                "sparse",
                0,
                math.sqrt(2),
                -INF,
                INF,
            ),
        ),
        ("orthogonal(gain=2)", (9, 4), ("orthogonal", 0, 2 / 3, -2, 2)),
        ("orthogonal", (4, 9), ("orthogonal", 0, 1 / 3, -1, 1)),
        ("delta_orthogonal", (4, 3, 3), ("delta_orthogonal", 0, math.sqrt(3 / 36), -1, 1)),
    ],
)
def test_laws_by_formula(text, shape, expected):
    got = law(text, shape)
    assert got[0] == expected[0]
    assert got[1:] == pytest.approx(expected[1:], rel=1e-14)
    assert all(type(number) is float for number in got[1:])


BOUNDS = [(-2, 2), (-2, INF), (-INF, 0.5), (0, 1e-9), (-1, 3), (3, 4), (5, 8), (30, INF), (36, 37)]
BOUNDS += [(-37, -36.5), (-INF, INF), (0.1, 0.1 + 1e-12), (-8, 8), (1e-300, 1), (7, 7.0000001)]


@pytest.mark.parametrize(("lower", "upper"), BOUNDS)
def test_truncated_moments(lower, upper):
    """Compare with the closed forms in 700 digits, where cancellation does no harm."""
    got = law(f"truncated_normal(lower={lower}, upper={upper})", 3)
    with mpmath.workdps(700):
        a, b = mpmath.mpf(lower), mpmath.mpf(upper)
        mass = (mpmath.erfc(a / mpmath.sqrt(2)) - mpmath.erfc(b / mpmath.sqrt(2))) / 2
        at = [mpmath.npdf(x) if abs(x) < INF else mpmath.mpf(0) for x in (a, b)]
        moment = [x * d if abs(x) < INF else mpmath.mpf(0) for x, d in zip((a, b), at, strict=True)]
        mean = (at[0] - at[1]) / mass
        variance = 1 + (moment[0] - moment[1]) / mass - mean**2
        assert abs(got.mean - mean) <= 1e-13 * abs(mean)
        assert abs(got.std / mpmath.sqrt(variance) - 1) < 1e-13
    assert (got.low, got.high) == (lower, upper)


def test_the_truncated_law_of_a_scaled_function_has_its_variance():
    got = law("variance_scaling(scale=2, distribution='truncated_normal')", (30, 50))
    assert got.std == pytest.approx(math.sqrt(2 / 50), rel=1e-14)
    assert got.high == pytest.approx(2 * math.sqrt(2 / 50) / 0.8796256610342398, rel=1e-14)
    assert got.low == -got.high


DRAWN = {
    "uniform(low=-1, high=3)": (300, 400),
    "normal(mean=1, std=0.5)": (300, 400),
    "truncated_normal(mean=1, std=2, lower=-1, upper=3)": (300, 400),
    "truncated_normal(lower=5, upper=inf)": (300, 400),
    "he_normal(a=0.25, layout='HWIO')": (3, 3, 120, 100),
    "he_uniform(mode='fan_geo_avg')": (300, 400),
    "xavier_uniform(gain='tanh', layout='OOI')": (20, 30, 200),
    "variance_scaling(distribution='truncated_normal')": (300, 400),
    "fan_in_uniform(fans=(100, 3))": 120_000,
    "sparse(sparsity=0.3, std=2.0)": (300, 400),
    "sparse(sparsity=0.3, std=2.0, layout='OI')": (300, 400),
    "identity(gain=2.0)": (300, 400),
    "dirac(groups=3)": (300, 80, 5),
    "orthogonal(gain=2.0)": (300, 400),
    "delta_orthogonal": (80, 50, 3, 3),
}


@pytest.mark.parametrize("text", DRAWN)
def test_what_is_drawn_has_the_law(text):
    """Mean and deviation of 120,000 elements are within 5 standard errors (p = 6e-7 each)."""
    init = wi.initializer(text)
    values, told = init(DRAWN[text], rng=11, dtype="f8"), init.law(DRAWN[text])
    n = values.size
    assert abs(values.mean() - told.mean) < 5 * told.std / math.sqrt(n)
    kurtosis = float(np.mean((values - told.mean) ** 4)) / told.std**4
    error = math.sqrt(max(kurtosis - 1, 1e-9) / (4 * n))
    assert abs(values.std() / told.std - 1) < 5 * error + 1e-9
    assert told.low <= values.min()
    assert values.max() <= told.high


def test_every_function_has_a_law():
    own = {"constant": "(value=2)", "sparse": "(sparsity=0.5)"}
    for name in internals.initialisers():
        shape = (4, 3, 3) if name in ("dirac", "delta_orthogonal") else (4, 3)
        assert isinstance(law(name + own.get(name, ""), shape), wi.Law)


def test_shapes_are_judged_as_in_a_call():
    for text, shape, match in (
        ("he_normal", 3, "fewer than two axes"),
        ("he_normal(layout='HWIO')", (3, 4), "4 letters"),
        ("identity", 3, "two axes"),
        ("orthogonal", 3, "two axes"),
        ("delta_orthogonal", (3, 4, 3), "O >= I"),
        ("dirac(groups=2)", (3, 4, 3), "groups=2"),
        ("normal", -1, "negative"),
        ("truncated_normal(lower=50, upper=60)", 3, "beyond ±37"),
    ):
        with pytest.raises(ValueError, match=match):
            law(text, shape)
