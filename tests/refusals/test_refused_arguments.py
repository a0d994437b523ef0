"""Every refusal of an argument: the right class, the offending value in the text, nothing changed.

A Generator's state and a buffer's bytes are compared before and after.
"""

import re
from fractions import Fraction

import numpy as np
import pytest
from support.refusals import FILLS, INF, NAN, RANDOM, backing, refuse

import weightinit_fast as wi

# Shapes ------------------------------------------------------------------------------------------

SHAPES = [
    (None, TypeError, "shape"),
    *((v, TypeError, repr(v)) for v in (True, 2.0, "12", b"12")),
    *(((3, v), TypeError, str(v)) for v in ("4", 4.0, False, None, np.True_)),
    ([[3, 4]], TypeError, "[3, 4]"),
    (-1, ValueError, "-1"),
    ((3, -4), ValueError, "-4"),
    (2**63, ValueError, str(2**63)),
    ((2**32, 2**31), ValueError, "4294967296"),
    ((2**21,) * 3, ValueError, "2097152"),
    ((1,) * 65, ValueError, "65"),
]


@pytest.mark.parametrize("function", FILLS)
@pytest.mark.parametrize(("shape", "error", "text"), SHAPES)
def test_shape(function, shape, error, text):
    refuse(error, text, function, shape)
    if shape is not None:
        out = backing()
        refuse(error, text, function, shape, out=out, guard=out)
        refuse(error, text, function, shape, index=np.s_[0:1])


@pytest.mark.parametrize("function", [wi.normal, wi.zeros])
@pytest.mark.parametrize(("shape", "error"), [(2**58, MemoryError), ((2**31, 2**31), ValueError)])
def test_shape_beyond_memory_raises_as_numpy_does(function, shape, error):
    with pytest.raises(error):
        np.empty(shape, np.float32)
    refuse(error, None, function, shape)


def test_sparse_needs_memory_before_it_writes():
    """`sparse` looks at all rows of a column, even if the index selects only a few."""
    out = backing().reshape(-1, 1)
    options = {"sparsity": 0.5, "index": np.s_[: len(out)], "out": out, "guard": out}
    refuse(MemoryError, None, wi.sparse, (2**52, 1), **options)


@pytest.mark.parametrize("function", [wi.orthogonal, wi.delta_orthogonal])
@pytest.mark.parametrize(("gain", "dtype"), [(1e39, "f4"), (1e6, "f2"), (500, "float8_e4m3fn")])
def test_gain_of_a_matrix_that_overflows(function, gain, dtype):
    refuse(ValueError, repr(float(gain)), function, (4, 3, 3), gain=gain, dtype=dtype)


@pytest.mark.parametrize("function", RANDOM)
def test_an_iterator_as_shape_is_read_whole_or_refused(function):
    """It is refused, or means the same as its tuple, but is never half read."""
    try:
        result = function((n for n in (3, 4)), rng=0)
    except TypeError:
        return
    np.testing.assert_array_equal(result, function((3, 4), rng=0), strict=True)


# Parameters --------------------------------------------------------------------------------------

XAVIER, HE = (wi.xavier_uniform, wi.xavier_normal), (wi.he_uniform, wi.he_normal)
FINITE = [(wi.normal, "mean"), (wi.normal, "std"), (wi.uniform, "low"), (wi.uniform, "high")]
FINITE += [*((f, "gain") for f in XAVIER), *((f, "a") for f in HE)]
NUMBERS = [*FINITE, (wi.constant, "value")]
THIN = {"low": 1 + 2**-30, "high": 1 + 2**-29}  # no float32 lies between
OUT_OF_RANGE = [
    (wi.normal, {"std": -0.5}, "-0.5"),
    (wi.normal, {"std": -5e-324}, "-5e-324"),
    (wi.normal, {"std": 1e39}, "1e+39"),
    (wi.normal, {"mean": -1e39}, "-1e+39"),
    (wi.normal, {"mean": 3.4028235677973366e38}, "3.4028235677973366e+38"),
    (wi.uniform, {"low": 1.5}, "1.5"),
    (wi.uniform, {"low": 2.5, "high": 1.5}, "2.5"),
    (wi.uniform, {"high": 1e39}, "1e+39"),
    (wi.uniform, {"low": -1e39}, "-1e+39"),
    (wi.uniform, THIN, repr(THIN["low"])),
    (wi.uniform, THIN, repr(THIN["high"])),
    (wi.constant, {"value": 1e39}, "1e+39"),
    *((f, {"gain": -1.5}, "-1.5") for f in XAVIER),
    *((f, {"gain": 1e45}, "overflows") for f in XAVIER),
    *((f, {"mode": v}, repr(v)) for f in HE for v in ("fan_on", None, 1)),
]
PARAMETERS = [
    *((f, {name: v}, ValueError, repr(v)) for f, name in FINITE for v in (NAN, INF, -INF)),
    *((f, {name: None}, TypeError, "None") for f, name in NUMBERS),
    # A gain may be a name, so that a wrong name is a ValueError.
    *(
        (f, {name: v}, ValueError if name == "gain" else TypeError, repr(v))
        for f, name in NUMBERS
        for v in ("0.25", "x")
    ),
    *((f, {name: v}, TypeError, None) for f, name in NUMBERS for v in (1j, [0.5], b"1")),
    *((f, {name: 10**400}, (ValueError, OverflowError), None) for f, name in NUMBERS),
    *((f, options, ValueError, text) for f, options, text in OUT_OF_RANGE),
]


@pytest.mark.parametrize(("function", "options", "error", "text"), PARAMETERS)
def test_own_parameters(function, options, error, text):
    out = backing().reshape(6, 8)
    refuse(error, text, function, (6, 8), **options)
    refuse(error, text, function, out=out, guard=out, **options)
    refuse(error, text, function, (9, 10), index=np.s_[2:8, 1:9], out=out, guard=out, **options)
    refuse(error, text, function, (2**10, 2**10), **options)


LAYOUTS = [
    *(({"layout": v}, ValueError, repr(v)) for v in ("IO", "OHW", "OIII", "OI?", "oih", "")),
    *(({"groups": v}, ValueError, str(v)) for v in (4, 0, -2)),
    *(({"groups": v}, TypeError, repr(v)) for v in (True, 1.0, "2")),
    ({"groups": 4, "transposed": True, "layout": "OHI"}, ValueError, "4"),
    ({"layout": 3}, TypeError, "3"),
]


@pytest.mark.parametrize("function", XAVIER + HE)
@pytest.mark.parametrize(("options", "error", "text"), LAYOUTS)
def test_layout_and_groups(function, options, error, text):
    out = backing(6 * 4 * 2).reshape(6, 4, 2)
    refuse(error, text, function, out=out, guard=out, **options)
    refuse(error, text, function, (6, 4, 2), **options)
    with pytest.raises(error, match=re.escape(text)):
        wi.fans((6, 4, 2), **options)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("gellu",), ValueError, "'gellu'"),
        ((None,), TypeError, "None"),
        ((np.ones(2),), TypeError, "array([1., 1.])"),
        *(((number,), ValueError, repr(number)) for number in (-0.5, NAN, INF)),
        (("relu", 0.5), ValueError, "0.5"),
        *((("leaky_relu", slope), ValueError, repr(slope)) for slope in (NAN, INF)),
        (("leaky_relu", "1"), TypeError, "'1'"),
    ],
)
def test_gain(arguments, error, text):
    with pytest.raises(error, match=re.escape(text)):
        wi.gain(*arguments)


def test_parameters_are_keyword_only_and_known():
    for function in FILLS:
        refuse(TypeError, "positional", function, (6, 8), 0.0)
        refuse(TypeError, "strem", function, (6, 8), strem=1)
    with pytest.raises(TypeError, match="value"):
        wi.constant(5)


# What is drawn from ------------------------------------------------------------------------------

RNGS = [
    *((v, TypeError, str(v)) for v in (True, np.False_, "seed", b"seed", 1.5)),
    (-3, ValueError, "-3"),
    ([1, -3], ValueError, "-3"),
    ([0.5], TypeError, "0.5"),
    (np.random, TypeError, "module"),
    ({1, 2}, TypeError, "{1, 2}"),
]


@pytest.mark.parametrize(("rng", "error", "text"), RNGS)
def test_rng(rng, error, text):
    out = backing()
    for function in RANDOM:
        refuse(error, text, function, out=out, guard=out, rng=rng)
    with pytest.raises(error, match=re.escape(text)):
        wi.key(rng)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        *((v, ValueError) for v in (-1, 2**64, 10**30, np.int64(-1))),
        *((v, TypeError) for v in (True, np.True_, 1.0, None, b"w", (1,), Fraction(1))),
    ],
)
def test_stream_and_key_numbers(value, error):
    out = backing()
    for function in RANDOM:
        refuse(error, str(value), function, out=out, guard=out, stream=value)
        refuse(error, str(value), function, 6, stream=value)
    for numbers in ((value, 0), (0, value)):
        with pytest.raises(error, match=re.escape(str(value))):
            wi.Key(*numbers)


@pytest.mark.parametrize(
    ("threads", "error"),
    [
        *((v, ValueError) for v in (0, -1, 10**6, 2**31, 2**64)),
        *((v, TypeError) for v in (True, False, np.True_, "2", 2.0, (2,))),
    ],
)
def test_threads(threads, error):
    out = backing()
    for function in FILLS:
        refuse(error, str(threads), function, out=out, guard=out, threads=threads)
        refuse(error, str(threads), function, 2**20, threads=threads)


# Index -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        *((v, TypeError, repr(v)) for v in ([1, 2], np.array([1, 2]), True, 1.0, "a")),
        (np.ones((7, 9), bool), TypeError, "True"),
        *((np.s_[0, v], TypeError, repr(v)) for v in ((1, 2), [1], np.True_, np.arange(9) > 3)),
        (np.s_[1.5:], TypeError, None),
        (np.s_[::0], ValueError, "zero"),
        (7, IndexError, "7"),
        (-8, IndexError, "-8"),
        (np.s_[0, 9], IndexError, "9"),
        (np.s_[..., -10], IndexError, "-10"),
        (2**70, IndexError, str(2**70)),
        (np.s_[0, 0, 0], IndexError, "3"),
        (np.s_[..., :, :, :], IndexError, "3"),
        *((v, IndexError, "single ellipsis") for v in (np.s_[..., ...], np.s_[..., 0, ...])),
    ],
)
def test_index(index, error, text):
    out = backing().reshape(6, 8)
    for function in FILLS:
        refuse(error, text, function, (7, 9), index=index)
        refuse(error, text, function, (7, 9), index=index, out=out, guard=out)
    if error is IndexError:
        with pytest.raises(IndexError):
            np.empty((7, 9))[index]


def test_index_of_empty_axes_and_too_many_axes():
    for shape in ((0, 3), (3, 0), ()):
        refuse(IndexError, "0", wi.normal, shape, index=(0,) * max(1, len(shape)))
    refuse(ValueError, "64", wi.normal, 3, index=(None,) * 64)


def test_index_beside_out_needs_the_global_shape():
    out = backing()
    for function in FILLS:
        refuse(TypeError, "shape", function, index=np.s_[:3], out=out[:3], guard=out)
