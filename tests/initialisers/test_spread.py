"""The scale of a distribution of a given variance: `core.spread` against formula and mpmath."""

import math
import sys
from ctypes import CDLL

import mpmath as mp
import numpy as np
import pytest
from support.internals import core

import weightinit_fast as wi

#: What the variance is multiplied by under the root, and what the root is divided by.
FACTOR_AND_DIVISOR = {
    core.NORMAL: (1.0, 1.0),
    core.UNIFORM: (3.0, 1.0),
    core.TRUNCATED: (1.0, 0.8796256610342398),
}
IDS = ("normal", "uniform", "truncated")
TRANSFORMS = pytest.mark.parametrize("transform", FACTOR_AND_DIVISOR, ids=IDS)
LEAST_NORMAL, LARGEST = sys.float_info.min, sys.float_info.max
LEAST = 5e-324


def plain(transform, scale, gain, slope, fan):
    """Return the formula in doubles, and whether everything in it is a normal number."""
    factor, root_divisor = FACTOR_AND_DIVISOR[transform]
    numerator, divisor = factor * scale, (1 + slope * slope) * fan
    variance = numerator / divisor
    std = gain * math.sqrt(variance)
    steps = (numerator, divisor, variance, std)
    return std / root_divisor, all(LEAST_NORMAL <= x <= LARGEST for x in steps)


def exact(transform, scale, gain, slope, fan):
    factor, divisor = FACTOR_AND_DIVISOR[transform]
    with mp.workprec(200):
        scale, gain, slope, fan, divisor = map(mp.mpf, (scale, gain, slope, fan, divisor))
        return gain * mp.sqrt(factor * scale / ((1 + slope * slope) * fan)) / divisor


def error_in_units(got, wanted):
    """Return the error in units of the last place of a double."""
    with mp.workprec(200):
        return float(abs(mp.mpf(got) - wanted) / mp.mpf(math.ulp(float(wanted))))


@TRANSFORMS
def test_ordinary_numbers_give_the_bits_of_the_formula(transform):
    rng = np.random.default_rng(transform)
    ordinary = 0
    for _ in range(20_000):
        exponents = rng.uniform(-1, 1, 4) * rng.choice([1, 10, 100, 300])
        scale, gain, slope = (2.0**e * rng.uniform(1, 2) for e in exponents[:3])
        fan = float(rng.integers(1, 2 ** rng.integers(1, 53)))
        with np.errstate(all="ignore"):
            wanted, is_ordinary = plain(transform, scale, gain, slope, fan)
        if is_ordinary:
            ordinary += 1
            assert core.spread(transform, scale, gain, slope, fan) == wanted
    assert ordinary > 15_000


@TRANSFORMS
@pytest.mark.parametrize("fan", [1.0, 3.0, 4096.5, 1e18])
def test_the_usual_rules_give_the_bits_of_the_formula(transform, fan):
    for scale in (1.0, 2.0, 1 / 3, 0.0, 1e-9):
        for gain in (1.0, math.sqrt(2), 5 / 3, 0.0):
            for slope in (0.0, 0.01, -0.25, math.sqrt(5)):
                wanted, _ = plain(transform, scale, gain, slope, fan)
                assert core.spread(transform, scale, gain, slope, fan) == wanted


@TRANSFORMS
def test_no_intermediate_result_spoils_a_representable_one(transform):
    """Three units in the last place are allowed, since the formula has seven roundings."""
    rng = np.random.default_rng(100 + transform)
    extreme, worst = 0, 0.0
    for _ in range(20_000):
        scale, gain = (math.ldexp(rng.uniform(1, 2), int(rng.integers(-1074, 1023))) for _ in "sg")
        slope = math.ldexp(rng.uniform(1, 2), int(rng.integers(-1074, 1023)))
        fan = float(rng.integers(1, 2 ** rng.integers(1, 63)))
        wanted = exact(transform, scale, gain, slope, fan)
        if not LEAST <= wanted <= LARGEST:
            continue
        with np.errstate(all="ignore"):
            extreme += not plain(transform, scale, gain, slope, fan)[1]
        got = core.spread(transform, scale, gain, slope, fan)
        worst = max(worst, error_in_units(got, wanted))
    assert extreme > 3_000
    assert worst < 3, worst


@pytest.mark.parametrize(
    ("transform", "scale", "gain", "slope", "fan"),
    [
        (core.UNIFORM, 1e308, 1.0, 0.0, 100.0),  # 3 scale overflows
        (core.UNIFORM, LARGEST, 1.0, 0.0, 1.0),
        (core.NORMAL, 2.0, 1.0, 1e200, 64.0),  # slope^2 overflows
        (core.NORMAL, 2.0, 1.0, -1e308, 64.0),
        (core.NORMAL, 2.0, 1.0, LARGEST, 2.0**63),
        (core.NORMAL, 2.0, LARGEST, LARGEST, 2.0),
        (core.NORMAL, 5e-324, 1.0, 0.0, 64.0),  # scale / fan underflows
        (core.TRUNCATED, 5e-324, 1.0, 0.0, 64.0),
        (core.UNIFORM, 1e-310, 1e300, 0.0, 2.0**63),
        (core.NORMAL, 5e-324, 5e-162, 0.0, 1.0),  # the result is subnormal
        (core.TRUNCATED, 1e-300, 1e-170, 0.0, 1.0),
        (core.TRUNCATED, 1.0, 1.5e308, 0.0, 1.0),
    ],
)
def test_extreme_numbers(transform, scale, gain, slope, fan):
    wanted = exact(transform, scale, gain, slope, fan)
    assert error_in_units(core.spread(transform, scale, gain, slope, fan), wanted) < 3


@TRANSFORMS
def test_zeros_and_overflow(transform):
    assert core.spread(transform, 0.0, 1e308, 1e200, 1.0) == 0
    assert core.spread(transform, LARGEST, 0.0, 0.0, 1.0) == 0
    assert core.spread(transform, LARGEST, LARGEST, 0.0, 1.0) == math.inf
    assert core.spread(transform, 5e-324, 5e-324, 1e308, 1.0) == 0


@pytest.mark.parametrize("transform", [core.WORDS, core.CONSTANT, -1, 5, 6])
def test_other_transforms_have_no_scale(transform):
    with pytest.raises(ValueError, match=f"transform {transform} has no scale"):
        core.spread(transform, 1.0, 1.0, 0.0, 1.0)


@pytest.mark.skipif(sys.platform != "linux", reason="fesetround's numbers are those of Linux")
@TRANSFORMS
def test_rounding_mode_of_the_host(transform):
    """Try the modes of fesetround by x86-64's and AArch64's numbers; a CPU refuses the others'."""
    cases = [(1e308, 1.0, 0.3, 7.0), (2.0, 1.7, 0.3, 7.0), (3e-320, 1.0, 1e9, 11.0)]
    wanted = [core.spread(transform, *case) for case in cases]
    fesetround = CDLL("libm.so.6").fesetround
    for mode in (0x400, 0x800, 0xC00, 0x400000, 0x800000, 0xC00000):
        refused = fesetround(mode)
        try:
            got = [core.spread(transform, *case) for case in cases]
        finally:
            fesetround(0)
        assert refused or got == wanted


def test_variance_scaling_near_the_largest_number():
    """An early version refused `scale=1e308` for a uniform distribution."""
    w = wi.variance_scaling((8, 100), scale=1e308, distribution="uniform", dtype="f8", rng=1)
    bound = math.sqrt(3) * math.sqrt(1e308 / 100)
    unit = wi.uniform((8, 100), low=-1, high=1, dtype="f8", rng=1)
    np.testing.assert_allclose(w, bound * unit, rtol=1e-14)


@pytest.mark.parametrize("distribution", ["normal", "truncated_normal", "uniform"])
def test_variance_scaling_near_the_least_number(distribution):
    """An early version gave zeros for `scale=5e-324`, though its square root is 2.2e-162."""
    same = {"distribution": distribution, "dtype": "f8", "rng": 2}
    w = wi.variance_scaling((8, 100), scale=5e-324, **same)
    unit = wi.variance_scaling((8, 100), scale=1, **same)
    assert np.array_equal(w, unit * 2.0**-537)
    assert w.any()


@pytest.mark.parametrize("a", [1e200, -1e200])
def test_he_normal_with_a_steep_slope(a):
    """An early version gave zeros for `a=1e200`."""
    w = wi.he_normal((8, 100), a=a, dtype="f8", rng=3)
    unit = wi.normal((8, 100), dtype="f8", rng=3)
    np.testing.assert_allclose(w / 1e-200, math.sqrt(2 / 100) * unit, rtol=0, atol=1e-14)


def test_gain_of_a_steep_slope():
    assert wi.gain("leaky_relu", 1e200) == pytest.approx(math.sqrt(2) * 1e-200, rel=1e-15, abs=0)
