"""Fans of every layout, gains by name, and the scales of Xavier and He by their formulas."""

import math

import numpy as np
import pytest
from support.surface import SHAPES, same_bits

import weightinit_fast as wi

# Fans and gains -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((), {}, (1, 1)),
        (7, {}, (7, 7)),
        ((7,), {}, (7, 7)),
        ((256, 128), {}, (128, 256)),
        ((64, 3, 5), {}, (15, 320)),
        ((64, 3, 7, 7), {}, (147, 3136)),
        ((8, 4, 3, 3, 3), {}, (108, 216)),
        ((64, 3, 7, 7), {"layout": "OIHW"}, (147, 3136)),
        ((7, 7, 3, 64), {"layout": "HWIO"}, (147, 3136)),
        ((3, 3, 3, 4, 8), {"layout": "DHWIO"}, (108, 216)),
        ((128, 256), {"layout": "IO"}, (128, 256)),
        ((256, 128), {"layout": "OI"}, (128, 256)),
        ((8, 256, 128), {"layout": "BOI"}, (128, 256)),
        ((8, 128, 256), {"layout": "BIO"}, (128, 256)),
        ((6, 8, 4, 5), {"layout": "GOIH"}, (20, 40)),
        ((64, 16, 3, 3), {"groups": 2}, (144, 288)),
        ((64, 1, 3, 3), {"groups": 64}, (9, 9)),  # depthwise
        ((3, 3, 1, 64), {"groups": 64, "layout": "HWIO"}, (9, 9)),
        ((16, 8, 3, 3), {"layout": "IOHW", "transposed": True}, (144, 72)),
        ((16, 8, 3, 3), {"layout": "IOHW", "transposed": True, "groups": 2}, (72, 72)),
        ((32, 1, 4, 4), {"layout": "IOHW", "transposed": True, "groups": 32}, (16, 16)),
        ((0, 5), {}, (5, 0)),
        ([np.int32(4), 3], {}, (3, 4)),
        ((2, 3, 2**30, 2**30), {}, (3 * 2**60, 2 * 2**60)),
    ],
)
def test_fans(shape, options, expected):
    result = wi.fans(shape, **options)
    assert result == expected
    assert all(type(n) is int for n in result)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("linear",), 1.0),
        (("conv",), 1.0),
        (("sigmoid",), 1.0),
        (("tanh",), 1.6666666666666667),
        (("relu",), 1.4142135623730951),
        (("leaky_relu",), 1.4141428569978354),
        (("leaky_relu", 0.2), 1.3867504905630728),
        (("leaky_relu", 0), 1.4142135623730951),
        (("leaky_relu", 1), 1.0),
        (("selu",), 0.75),
    ],
)
def test_gain(arguments, expected):
    assert wi.gain(*arguments) == pytest.approx(expected, rel=1e-15)


# Scales -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("shape", "options", "fan_in", "fan_out"), SHAPES)
def test_scales_by_formula(shape, options, fan_in, fan_out, dtype):
    he = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    cases = [("xavier", {"gain": g}, g * g * 2 / (fan_in + fan_out)) for g in (1, 5 / 3, 0.25)]
    cases += [
        ("he", {"mode": mode, "a": a}, 2 / ((1 + a * a) * fan))
        for mode, fan in he.items()
        for a in (0, 0.25, math.sqrt(5))
    ]
    for family, own, variance in cases:
        same = {"dtype": dtype, "rng": 17, "stream": "w"}
        std, bound = math.sqrt(variance), math.sqrt(3 * variance)
        got = getattr(wi, f"{family}_normal")(shape, **own, **options, **same)
        n = got.size
        # Relative standard error of a deviation: sqrt((kurtosis - 1) / 4n).
        assert abs(got.std(dtype="f8") / std - 1) < 6 * math.sqrt(0.5 / n)
        assert abs(got.mean(dtype="f8")) < 6 * std / math.sqrt(n)
        # The scale is rounded here by another formula: allow a few last bits of r <= 9.4.
        tight = {"rtol": 0, "atol": 0 if dtype == "f4" else 4e-15 * std}
        np.testing.assert_allclose(got, wi.normal(shape, std=std, **same), **tight)

        got = getattr(wi, f"{family}_uniform")(shape, **own, **options, **same)
        assert abs(got.std(dtype="f8") / std - 1) < 6 * math.sqrt(0.2 / n)
        assert -bound * (1 + 1e-7) <= got.min() < -bound * (1 - 40 / n)
        assert bound * (1 - 40 / n) < got.max() < bound * (1 + 1e-7)
        expected = wi.uniform(shape, low=-bound, high=bound, **same)
        atol = 0 if dtype == "f4" else 4e-16 * bound
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("shape", "options", "fan_in", "fan_out"), SHAPES)
def test_plain_scales_to_the_bit(shape, options, fan_in, fan_out, dtype):
    same = {"dtype": dtype, "rng": 17, "stream": 4}
    for family, own, fan in (
        ("he", {}, fan_in),
        ("he", {"mode": "fan_out"}, fan_out),
        ("xavier", {}, fan_in + fan_out),
    ):
        got = getattr(wi, f"{family}_normal")(shape, **own, **options, **same)
        assert same_bits(got, wi.normal(shape, std=math.sqrt(2 / fan), **same))
        got = getattr(wi, f"{family}_uniform")(shape, **own, **options, **same)
        bound = math.sqrt(6 / fan)
        assert same_bits(got, wi.uniform(shape, low=-bound, high=bound, **same))


def test_literal_scales():
    shape, rng = (64, 3, 7, 7), wi.key(5)
    unit = wi.normal(shape, rng=rng, dtype="f8")
    for got, std in (
        (wi.he_normal(shape, rng=rng, dtype="f8"), 0.116642368703961),
        (wi.he_normal(shape, mode="fan_out", rng=rng, dtype="f8"), 0.0252538136138053),
        (wi.xavier_normal(shape, rng=rng, dtype="f8"), 0.0246819550166103),
        (wi.xavier_normal(shape, gain=5 / 3, rng=rng, dtype="f8"), 0.0411365916943505),
    ):
        np.testing.assert_allclose(got, unit * std, rtol=1e-12)


@pytest.mark.parametrize("name", ["xavier_normal", "xavier_uniform"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_gain_of_zero_gives_zeros(name, dtype):
    assert not getattr(wi, name)((3, 4), gain=0, dtype=dtype, rng=0).any()


@pytest.mark.parametrize("name", ["xavier_normal", "xavier_uniform"])
@pytest.mark.parametrize("gain", [1e-200, 1e200])
def test_gain_of_any_size_in_double(name, gain):
    """The square of a gain over- or underflows before its scale does."""
    unit = getattr(wi, name)((30, 40), dtype="f8", rng=0)
    got = getattr(wi, name)((30, 40), gain=gain, dtype="f8", rng=0)
    np.testing.assert_allclose(got, unit * gain, rtol=1e-12)


def test_fans_are_those_of_the_whole_shape():
    whole = wi.he_normal((100, 50), rng=2)
    assert same_bits(wi.he_normal((100, 50), rng=2, index=np.s_[3:5]), whole[3:5])
    out = np.empty((2, 10), "f4")
    wi.he_normal((100, 50), rng=2, index=np.s_[3:5, :10], out=out)
    assert same_bits(out, whole[3:5, :10])
