"""Initialisers scaled by fans: variance scaling, LeCun, torch's default, gains by name.

test_scales.py compares Xavier and He with their formulas. Here they are compared with
`variance_scaling`, and `variance_scaling` with the plain distributions.
"""

import inspect
import math
import re

import numpy as np
import pytest
from numpy.random import PCG64, default_rng
from support.refusals import INF, NAN, backing, refuse
from support.surface import COMMON, FANS, SHAPES, joined, same_bits

import weightinit_fast as wi

OWN = {
    "variance_scaling": {"scale": 1, "mode": "fan_in", "distribution": "normal"},
    "lecun_uniform": {},
    "lecun_normal": {},
    "fan_in_uniform": {},
}
SAME = {"rng": 17, "stream": "w"}
DTYPES = ("f4", "f8")
MODES = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}
#: Standard deviation of N(0, 1) between -2 and 2.
TRUNCATED = 0.8796256610342398
#: (kurtosis - 1)/4 of the unit distributions, from which the error of a deviation follows.
SPREAD = {"normal": 0.5, "truncated_normal": 0.34, "uniform": 0.2}


def close(got, expected, dtype):
    """Assert equality in float32; in float64 the scale may be rounded differently."""
    if dtype == "f4":
        assert same_bits(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=4e-15, atol=1e-15 * np.abs(expected).max())


def plain(shape, variance, distribution, **same):
    """Return the distribution of that variance, by an initialiser without fans."""
    std = math.sqrt(variance)
    if distribution == "normal":
        return wi.normal(shape, std=std, **same)
    if distribution == "truncated_normal":
        return wi.truncated_normal(shape, std=std / TRUNCATED, **same)
    bound = math.sqrt(3 * variance)
    return wi.uniform(shape, low=-bound, high=bound, **same)


@pytest.mark.parametrize("name", OWN)
def test_signature(name):
    shape, *rest = inspect.signature(getattr(wi, name)).parameters.values()
    assert (shape.name, shape.default) == ("shape", None)
    assert {p.kind for p in rest} == {inspect.Parameter.KEYWORD_ONLY}
    assert {p.name: p.default for p in rest} == OWN[name] | FANS | COMMON
    assert name in wi.__all__


# Variance scaling --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("distribution", SPREAD)
@pytest.mark.parametrize(("shape", "options", "fan_in", "fan_out"), SHAPES)
def test_variance_scaling_by_formula(shape, options, fan_in, fan_out, distribution, dtype):
    for mode, fan in MODES.items():
        for scale in (1, 2.0, 1 / 3):
            own = {"scale": scale, "mode": mode, "distribution": distribution} | options
            got = wi.variance_scaling(shape, dtype=dtype, **own, **SAME)
            variance = scale / fan(fan_in, fan_out)
            close(got, plain(shape, variance, distribution, dtype=dtype, **SAME), dtype)
            error = got.std(dtype="f8") / math.sqrt(variance) - 1
            assert abs(error) < 6 * math.sqrt(SPREAD[distribution] / got.size)


@pytest.mark.parametrize("distribution", SPREAD)
def test_variance_scaling_stays_within_its_bounds(distribution):
    w = wi.variance_scaling((400, 300), scale=2, distribution=distribution, dtype="f8", rng=1)
    std = math.sqrt(2 / 300)
    farthest = {"normal": 4, "truncated_normal": 2 / TRUNCATED, "uniform": math.sqrt(3)}
    limit = farthest[distribution] * std
    if distribution == "normal":
        assert limit < np.abs(w).max()
    else:
        assert 0.999 * limit < np.abs(w).max() <= limit * (1 + 1e-15)


def test_variance_scaling_defaults():
    own = {"scale": 1, "mode": "fan_in", "distribution": "normal"}
    w = wi.variance_scaling((40, 30), rng=1)
    assert same_bits(w, wi.variance_scaling((40, 30), rng=1, **own))
    assert same_bits(w, wi.normal((40, 30), std=math.sqrt(1 / 30), rng=1))


def test_literal_scales():
    """The fans of (64, 3, 7, 7) are 147 and 3136; a calculator gave the deviations."""
    shape, same = (64, 3, 7, 7), {"rng": 5, "dtype": "f8"}
    unit, flat = wi.normal(shape, **same), wi.uniform(shape, low=-1, high=1, **same)
    cut = wi.truncated_normal(shape, **same)
    for got, base, scale in (
        (wi.variance_scaling(shape, **same), unit, 0.0824786098842323),
        (wi.variance_scaling(shape, mode="fan_out", **same), unit, 0.0178571428571429),
        (wi.variance_scaling(shape, mode="fan_avg", **same), unit, 0.0246819550166103),
        (wi.variance_scaling(shape, mode="fan_geo_avg", **same), unit, 0.0383774975651265),
        (wi.variance_scaling(shape, distribution="uniform", **same), flat, 1 / 7),
        (
            wi.variance_scaling(shape, distribution="truncated_normal", **same),
            cut,
            0.0937655795389782,
        ),
        (wi.lecun_normal(shape, **same), unit, 0.0824786098842323),
        (wi.lecun_uniform(shape, **same), flat, 1 / 7),
        (wi.fan_in_uniform(shape, **same), flat, 0.0824786098842323),
    ):
        np.testing.assert_allclose(got, base * scale, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("distribution", SPREAD)
@pytest.mark.parametrize("dtype", ["f4", "f8", "f2"])
def test_scale_of_zero_gives_zeros(distribution, dtype):
    w = wi.variance_scaling((3, 4), scale=0, distribution=distribution, dtype=dtype, rng=0)
    assert not w.any()


@pytest.mark.parametrize("name", OWN)
def test_empty_shapes(name):
    for shape in ((0, 3), (3, 0), (2, 3, 0)):
        assert getattr(wi, name)(shape, rng=0).shape == shape


# The families are cases of variance scaling ------------------------------------------------------

CASES = [
    *(("he", {"mode": m}, {"scale": 2, "mode": m}) for m in MODES),
    ("he", {}, {"scale": 2}),
    ("he", {"a": 1}, {"scale": 1}),
    ("xavier", {}, {"mode": "fan_avg"}),
    ("xavier", {"gain": 2}, {"scale": 4, "mode": "fan_avg"}),
    ("xavier", {"gain": 0.5}, {"scale": 0.25, "mode": "fan_avg"}),
    ("lecun", {}, {}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize(("family", "own", "general"), CASES)
def test_families_equal_variance_scaling(family, own, general, kind, dtype):
    for shape, options, *_ in SHAPES:
        same = options | SAME | {"dtype": dtype}
        got = getattr(wi, f"{family}_{kind}")(shape, **own, **same)
        assert same_bits(got, wi.variance_scaling(shape, distribution=kind, **general, **same))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "options", "fan_in", "fan_out"), SHAPES)
def test_lecun_and_fan_in_uniform(shape, options, fan_in, fan_out, dtype):
    same = SAME | {"dtype": dtype}
    got = wi.lecun_normal(shape, **options, **same)
    assert same_bits(got, wi.normal(shape, std=math.sqrt(1 / fan_in), **same))
    got = wi.lecun_uniform(shape, **options, **same)
    bound = math.sqrt(3 / fan_in)
    assert same_bits(got, wi.uniform(shape, low=-bound, high=bound, **same))
    got = wi.fan_in_uniform(shape, **options, **same)
    bound = 1 / math.sqrt(fan_in)
    close(got, wi.uniform(shape, low=-bound, high=bound, **same), dtype)
    # torch has the same scale as kaiming_uniform_ with a = √5.
    other = wi.he_uniform(shape, a=math.sqrt(5), **options, **same)
    np.testing.assert_allclose(got, other, rtol=3e-7, atol=3e-7 * bound)


def test_all_round_to_float16():
    for name in OWN:
        single = getattr(wi, name)((40, 30), rng=3)
        narrow = getattr(wi, name)((40, 30), rng=3, dtype="f2")
        # The clamp may move a value next to a bound by one step.
        step = np.spacing(np.abs(single).max().astype("f2"))
        assert np.abs(narrow.astype("f4") - single.astype("f2").astype("f4")).max() <= step
        assert (narrow == single.astype("f2")).mean() > 0.99


# Gains -------------------------------------------------------------------------------------------


def test_gain_of_a_number_is_the_number():
    for number in (1.0, 0.5, 0.0, 5 / 3, 2, np.float32(0.25)):
        assert wi.gain(number) == number
        assert type(wi.gain(number)) is float


@pytest.mark.parametrize(
    "name", ["linear", "conv", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
)
def test_gain_by_name(name):
    for kind in ("normal", "uniform"):
        function = getattr(wi, f"xavier_{kind}")
        by_name = function((40, 30), gain=name, rng=3)
        assert same_bits(by_name, function((40, 30), gain=wi.gain(name), rng=3))


# Places and keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_fans_are_those_of_the_whole_shape(name):
    function = getattr(wi, name)
    options = [{"distribution": d} for d in SPREAD] if name == "variance_scaling" else [{}]
    for own in options:
        whole = function((100, 50), rng=2, **own)
        index = np.s_[3:50:7, ::-1]
        assert same_bits(
            function((100, 50), rng=2, index=index, **own), np.ascontiguousarray(whole[index])
        )
        out = np.empty((2, 10), "f4", order="F")
        assert function((100, 50), rng=2, index=np.s_[3:5, :10], out=out, **own) is out
        np.testing.assert_array_equal(out, whole[3:5, :10])
        out = np.empty((100, 50), ">f4")
        function(out=out, rng=2, **own)
        np.testing.assert_array_equal(out, whole)


@pytest.mark.parametrize("name", OWN)
def test_one_key_is_drawn(name):
    ours, twin = default_rng(3), PCG64(3)
    first = getattr(wi, name)((4, 5), rng=ours)
    assert same_bits(first, getattr(wi, name)((4, 5), rng=joined(twin.random_raw(4))))
    assert ours.bit_generator.state == twin.state


# Refusals ----------------------------------------------------------------------------------------

PARAMETERS = [
    *(({"scale": v}, ValueError, repr(v)) for v in (-1.5, -5e-324, NAN, INF, -INF)),
    *(({"scale": v}, TypeError, repr(v)) for v in ("2", None, [1.0])),
    *(({"mode": v}, ValueError, repr(v)) for v in ("fan", "fan_geo", None)),
    *(({"distribution": v}, ValueError, repr(v)) for v in ("gauss", "truncated", None)),
    ({"layout": "IO?"}, ValueError, "'IO?'"),
    ({"groups": 5}, ValueError, "5"),
    *(({"scale": 1e80, "distribution": d}, ValueError, None) for d in SPREAD),
]


@pytest.mark.parametrize(("own", "error", "text"), PARAMETERS)
def test_refused_parameters(own, error, text):
    out = backing().reshape(6, 8)
    refuse(error, text, wi.variance_scaling, (6, 8), **own)
    refuse(error, text, wi.variance_scaling, out=out, guard=out, **own)
    refuse(error, text, wi.variance_scaling, (9, 8), index=np.s_[:6], out=out, guard=out, **own)


@pytest.mark.parametrize("gain", ["gellu", "", "0.25", "Tanh"])
def test_unknown_gains(gain):
    out = backing().reshape(6, 8)
    for function in (wi.xavier_normal, wi.xavier_uniform, wi.orthogonal):
        refuse(ValueError, repr(gain), function, out=out, guard=out, gain=gain)
    with pytest.raises(ValueError, match=re.escape(repr(gain))):
        wi.gain(gain)
