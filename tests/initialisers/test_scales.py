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
        ((12, 64, 768), {"layout": "OOI"}, (768, 768)),  # heads, their size, inputs
        ((768, 12, 64), {"layout": "IOO"}, (768, 768)),
        ((12, 64, 768), {"layout": "IIO"}, (768, 768)),  # the projection that joins the heads
        ((3, 3, 2, 4, 8), {"layout": "HWIIO"}, (72, 72)),
        ((2, 3, 5, 7), {"layout": "OIOI"}, (21, 10)),
        ((4, 2, 3, 6), {"layout": "OOHI", "groups": 4}, (18, 6)),
        ((0, 5), {}, (5, 0)),
        ([np.int32(4), 3], {}, (3, 4)),
        ((2, 3, 2**30, 2**30), {}, (3 * 2**60, 2 * 2**60)),
    ],
)
def test_fans(shape, options, expected):
    result = wi.fans(shape, **options)
    assert result == expected
    assert all(type(n) is int for n in result)


@pytest.mark.parametrize("shape", [(), 7, (7,), (0,)])
def test_one_axis_has_no_fans(shape):
    """A forgotten layout or a bias must not silently get a scale; torch and JAX refuse it too."""
    with pytest.raises(ValueError, match="fewer than two axes"):
        wi.fans(shape)
    for name in ("xavier_uniform", "he_normal", "lecun_normal", "fan_in_uniform"):
        with pytest.raises(ValueError, match=r"fans=\(fan_in, fan_out\)"):
            getattr(wi, name)(shape, rng=0)
        assert getattr(wi, name)(shape, fans=(3, 4), rng=0).shape == np.zeros(shape).shape


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
        # The scale is rounded differently here, so normals (up to 9.4 std) may differ in last bits.
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
    """The square of a gain overflows or underflows before the scale does."""
    unit = getattr(wi, name)((30, 40), dtype="f8", rng=0)
    got = getattr(wi, name)((30, 40), gain=gain, dtype="f8", rng=0)
    np.testing.assert_allclose(got, unit * gain, rtol=1e-12)


def test_fans_are_those_of_the_whole_shape():
    whole = wi.he_normal((100, 50), rng=2)
    assert same_bits(wi.he_normal((100, 50), rng=2, index=np.s_[3:5]), whole[3:5])
    out = np.empty((2, 10), "f4")
    wi.he_normal((100, 50), rng=2, index=np.s_[3:5, :10], out=out)
    assert same_bits(out, whole[3:5, :10])


# Stated fans --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["he_normal", "xavier_uniform", "lecun_uniform", "fan_in_uniform"])
def test_pieces_of_a_flat_parameter(name):
    """Any contiguous piece of a flat parameter equals that piece of the whole, as shards need."""
    function, shape = getattr(wi, name), (60, 5, 7)
    whole = function(shape, rng=4, stream="w").reshape(-1)
    stated = {"fans": wi.fans(shape), "rng": 4, "stream": "w"}
    rng = np.random.default_rng(0)
    for begin, end in np.sort(rng.integers(0, whole.size + 1, (40, 2)), axis=1).tolist():
        piece = function(whole.size, index=np.s_[begin:end], **stated)
        assert same_bits(piece, whole[begin:end])
        out = np.empty(end - begin, "f4")
        function(whole.size, index=np.s_[begin:end], out=out, **stated)
        assert same_bits(out, whole[begin:end])
    strided = function(whole.size, index=np.s_[3::7], **stated)
    assert same_bits(strided, np.ascontiguousarray(whole[3::7]))


def test_stated_fans_are_those_that_are_used():
    fans = {"rng": 1, "fans": (8, 32), "dtype": "f8"}
    assert same_bits(wi.he_normal(99, **fans), wi.normal(99, std=0.5, rng=1, dtype="f8"))
    got = wi.he_normal((4, 5), mode="fan_out", **fans)
    assert same_bits(got, wi.normal((4, 5), std=0.25, rng=1, dtype="f8"))
    assert same_bits(
        wi.he_normal(3, fans=[8, np.int8(32)], rng=1), wi.he_normal(3, fans=(8, 32), rng=1)
    )
    bias = wi.fan_in_uniform(9, fans=(16, 9), rng=1)
    assert same_bits(bias, wi.uniform(9, low=-0.25, high=0.25, rng=1))
    assert not wi.he_normal((0, 3), fans=(0, 0), rng=0).size


# Scales at the ends of the range ------------------------------------------------------------------


def test_scales_whose_intermediate_values_are_not_representable():
    """float64 holds each of these deviations, but not the intermediate results."""
    unit = wi.normal((30, 40), rng=0, dtype="f8")
    flat = wi.uniform((30, 40), low=-1, high=1, rng=0, dtype="f8")
    same = {"rng": 0, "dtype": "f8"}
    for got, expected in (
        (
            wi.variance_scaling((30, 40), scale=1e308, distribution="uniform", **same),
            flat * (math.sqrt(3e8 / 40) * 1e150),
        ),
        (wi.he_normal((30, 40), a=1e200, **same), unit * (math.sqrt(2 / 40) * 1e-200)),
        (
            wi.variance_scaling((30, 40), scale=5e-324, **same),
            unit * (math.sqrt(2.0**-34 / 40) * 2.0**-520),
        ),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
        assert got.any()


def test_an_interval_without_width_gives_its_value():
    for dtype in ("f4", "f8", "f2"):
        for value in (0.0, 1.0, -2.5, 0.1):
            got = wi.uniform((3, 4), low=value, high=value, dtype=dtype, rng=0)
            assert same_bits(got, wi.constant((3, 4), value=value, dtype=dtype))
    rng, twin = np.random.default_rng(5), np.random.default_rng(5)
    wi.uniform(3, low=1, high=1, rng=rng)  # the generator advances, as with every draw
    twin.bit_generator.random_raw(4)
    assert rng.bit_generator.state == twin.bit_generator.state


def test_gains_that_no_paper_states():
    """A gain is 1/sqrt(E[f(z)^2]), here by a sum over 20,001 points; relu shows its accuracy."""
    z = np.linspace(-12, 12, 20_001)
    weight = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    erf = np.array([math.erf(x / math.sqrt(2)) for x in z])
    softplus = np.logaddexp(0, z)
    for name, values, places in (
        ("relu", np.maximum(z, 0), 6),
        ("elu", np.where(z > 0, z, np.expm1(np.minimum(z, 0))), 6),
        ("gelu", z * (1 + erf) / 2, 9),
        ("silu", z / (1 + np.exp(-z)), 9),
        ("swish", z / (1 + np.exp(-z)), 9),
        ("mish", z * np.tanh(softplus), 9),
        ("softplus", softplus, 9),
    ):
        assert wi.gain(name) == pytest.approx(
            1 / math.sqrt((weight * values**2).sum()), abs=10.0**-places
        )
    for name in ("conv", "conv1d", "conv2d", "conv3d", *(f"conv_transpose{n}d" for n in (1, 2, 3))):
        assert wi.gain(name) == 1.0
